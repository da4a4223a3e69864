//! Where searches begin: a low-discrepancy grid, the same every time.

use super::constraints::Constraints;
use super::space::Space;
use crate::form::Form;

/// `count` starts that fill the box of a form's exponents evenly.
///
/// It uses the additive recurrence of the generalised golden ratio (Roberts 2018). The first points
/// are even for any count.
///
/// ```
/// let form = law::form::by_name("p2")?;
/// let starts = law::fit::starts(form, 64);
/// assert_eq!((starts.len(), starts[0].len()), (64, 4)); // alpha, beta, gamma, delta
/// # Ok::<(), law::Error>(())
/// ```
pub fn starts(form: &dyn Form, count: usize) -> Vec<Vec<f64>> {
    within(form, &Space::new(form, &Constraints::default()), count)
}

/// The same, within constraints.
pub(super) fn within(form: &dyn Form, space: &Space, count: usize) -> Vec<Vec<f64>> {
    let exponents = form.parameters().len() - form.linear();
    if exponents == 0 {
        return vec![Vec::new()];
    }
    let ratio = golden(exponents);
    let at = |k: usize| {
        let coordinate = |j: usize| {
            let step = ratio.powi(-(j as i32 + 1));
            // The offset 0.5 puts the first start into the middle of every range.
            space.spread(j, (0.5 + step * k as f64).fract())
        };
        let at: Vec<f64> = (0..exponents).map(coordinate).collect();
        space.leave(&space.inside(&at))
    };
    (0..count.max(1)).map(at).collect()
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
        let space = Space::new(form, &Constraints::default());
        let starts = starts(form, 64);
        let beta = 1;
        for eighth in 0..8 {
            let (low, high) = (f64::from(eighth) / 8.0, f64::from(eighth + 1) / 8.0);
            let (low, high) = (space.spread(beta, low), space.spread(beta, high));
            let inside = starts.iter().filter(|start| (low..high).contains(&start[beta])).count();
            assert!((5..=11).contains(&inside), "{inside} of 64 in eighth {eighth}");
        }
    }
}
