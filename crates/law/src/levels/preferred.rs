//! Which family of curves a table asks for: that which foretells a base left out better.

use super::left_out::LeftOutBase;
use super::preference::Preference;
use super::shape::Shape;
use super::{Levels, Priors, Sampling};
use crate::table::Run;

/// With fewer bases, leaving one out leaves nothing that says how bases differ.
const FEWEST_BASES: usize = 3;

impl Levels {
    /// Samples with curves of both families, and keeps the one that foretells a base left out
    /// better. With fewer than three bases curves fall as [`Shape::Fall`] says.
    pub fn sample_preferred(runs: &[&Run], priors: &Priors, sampling: &Sampling) -> Option<Self> {
        let mut fall = Self::sample(runs, Shape::Fall, priors, sampling)?;
        if fall.bases().len() < FEWEST_BASES {
            return Some(fall);
        }
        let Some(mut power) = Self::sample(runs, Shape::Power, priors, sampling) else {
            return Some(fall);
        };
        // Chains that have not met say nothing; if neither have, the answer is withheld anyway.
        match (fall.diagnostics.is_good(), power.diagnostics.is_good()) {
            (true, true) => {}
            (false, true) => return Some(power),
            (_, false) => return Some(fall),
        }
        let [by, error] = LeftOutBase::difference(&fall.left_out(runs), &power.left_out(runs));
        if !(by.is_finite() && error.is_finite()) {
            return Some(fall);
        }
        Some(if by >= 0.0 {
            fall.preference = Some(Preference { over: Shape::Power, by, error });
            fall
        } else {
            power.preference = Some(Preference { over: Shape::Fall, by: -by, error });
            power
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::levels::testing;

    /// The other family is never preferred by more than its error.
    #[test]
    fn the_family_that_made_the_curves_is_not_rejected() {
        for shape in [Shape::Fall, Shape::Power] {
            let runs = testing::runs(shape, 2);
            let runs: Vec<&Run> = runs.iter().collect();
            let found =
                Levels::sample_preferred(&runs, &Priors::default(), &Sampling::default()).unwrap();
            let preference = found.preference().unwrap();
            assert_ne!(preference.over(), found.shape());
            // Eight points a run tell these two families apart by little.
            let [by, error] = preference.by();
            assert!(found.shape() == shape || by < 2.0 * error, "{}", preference.sentence());
        }
    }
}
