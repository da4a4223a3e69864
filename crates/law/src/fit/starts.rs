//! Where searches begin: a low-discrepancy grid, the same every time.

use super::descent::Space;
use crate::form::{Form, Parameter};

/// `count` starts that fill the box of a form's exponents evenly.
///
/// The additive recurrence of the generalised golden ratio (Roberts 2018): any number of first points is even.
pub fn starts(form: &dyn Form, count: usize) -> Vec<Vec<f64>> {
    let exponents = &form.parameters()[form.linear()..];
    if exponents.is_empty() {
        return vec![Vec::new()];
    }
    let space = Space::new(form);
    let ratio = golden(exponents.len());
    let at = |k: usize| {
        let coordinate = |(j, parameter): (usize, &Parameter)| {
            let step = ratio.powi(-(j as i32 + 1));
            spread(parameter, (0.5 + step * k as f64).fract())
        };
        let at: Vec<f64> = exponents.iter().enumerate().map(coordinate).collect();
        space.leave(&space.inside(&at))
    };
    (0..count.max(1)).map(at).collect()
}

fn spread(parameter: &Parameter, share: f64) -> f64 {
    let (low, high) = parameter.start;
    if parameter.log_start { low * (high / low).powf(share) } else { low + (high - low) * share }
}

/// The root above 1 of `x^(d+1) = x + 1`.
fn golden(dimensions: usize) -> f64 {
    let mut x = 2.0_f64;
    for _ in 0..64 {
        x = (1.0 + x).powf(1.0 / (dimensions as f64 + 1.0));
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_eighth_of_every_axis_is_visited() {
        let form = crate::form::by_name("p2").unwrap();
        let starts = starts(form, 64);
        let beta = 1;
        let parameter = &form.parameters()[form.linear() + beta];
        for eighth in 0..8 {
            let (low, high) = (f64::from(eighth) / 8.0, f64::from(eighth + 1) / 8.0);
            let (low, high) = (spread(parameter, low), spread(parameter, high));
            let inside = starts.iter().filter(|start| (low..high).contains(&start[beta])).count();
            assert!((5..=11).contains(&inside), "{inside} of 64 in eighth {eighth}");
        }
    }
}
