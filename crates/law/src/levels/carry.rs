//! What one law tells another before its data.

use super::Levels;
use super::prior::{FALL, FLOOR, LEVEL, NOISE, Normal, Priors, SHARED, is_used};

/// The smallest standard deviation that is carried over: no two tables obey one constant exactly.
const LEAST: f64 = 0.02;

impl Priors {
    /// The posterior of other laws as a prior: mean and standard deviation of each constant, over
    /// all of them together.
    ///
    /// The level, the rate of fall and the floor in the middle of a table belong to that table, and
    /// so does its noise. These keep their default priors. `None` without a law.
    pub fn carried(laws: &[&Levels]) -> Option<Self> {
        let told = |place: &usize| {
            !matches!(*place, LEVEL | FALL | FLOOR | NOISE)
                && laws.iter().all(|law| is_used(law.shape, *place))
        };
        let names: Vec<&str> = Self::constants().map(|(name, _)| name).collect();
        let changes = (0..SHARED).filter(told).map(|place| {
            let moments = laws.iter().map(|law| moments(law, place));
            let (means, squares): (Vec<f64>, Vec<f64>) = moments.unzip();
            let count = laws.len() as f64;
            let mean = means.iter().sum::<f64>() / count;
            let variance = squares.iter().sum::<f64>() / count - mean * mean;
            let sd = variance.max(LEAST * LEAST).sqrt();
            (names[place].to_owned(), Normal { mean, sd })
        });
        let carried = Self::default().with(changes.collect::<Vec<_>>()).ok()?;
        (!laws.is_empty()).then_some(carried)
    }
}

/// The mean of a constant and of its square. Every law counts the same, however many draws it has.
fn moments(law: &Levels, place: usize) -> (f64, f64) {
    let count = law.draws.len() as f64;
    let sum = |power: i32| law.draws.iter().map(|draw| draw[place].powi(power)).sum::<f64>();
    (sum(1) / count, sum(2) / count)
}

#[cfg(all(test, feature = "sampler"))]
mod tests {
    use super::*;
    use crate::levels::{Sampling, Shape, testing};

    #[test]
    fn a_posterior_becomes_a_prior_that_tells_more_than_none() {
        let runs = testing::runs(Shape::Fall, 3);
        let runs: Vec<_> = runs.iter().collect();
        let (priors, sampling) = (Priors::default(), Sampling::default());
        let law = Levels::sample(&runs, Shape::Fall, &priors, &sampling).unwrap();
        let carried = Priors::carried(&[&law]).unwrap();
        let (before, after) = (priors, carried);
        // 18 runs fix the slope of the level, and tell nothing that is kept about its middle.
        let slope = after.get("level_rate").unwrap();
        assert!(slope.sd < 0.3 * before.get("level_rate").unwrap().sd, "{slope:?}");
        assert!((slope.mean - 1.2).abs() < 0.3, "{slope:?}");
        assert_eq!(after.get("level"), before.get("level"));
        // Two laws that agree tell what one does; none tells nothing.
        let twice = Priors::carried(&[&law, &law]).unwrap().get("level_rate").unwrap();
        assert!((twice.sd - slope.sd).abs() < 1e-9 && (twice.mean - slope.mean).abs() < 1e-9);
        assert_eq!(Priors::carried(&[]), None);
    }
}
