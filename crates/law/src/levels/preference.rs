//! The family of curves that was not taken.

use serde::{Deserialize, Serialize};

use super::shape::Shape;

/// The family of curves that was not taken, and by how much it foretells worse.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preference {
    pub(super) over: Shape,
    /// The difference of the logarithms of the densities that the points of each base have if it
    /// is left out, summed over bases.
    pub(super) by: f64,
    /// Its standard error, from how bases differ.
    pub(super) error: f64,
}

impl Preference {
    /// The family that was not taken.
    pub fn over(&self) -> Shape {
        self.over
    }

    /// By how much it foretells worse, with the standard error: the difference of logarithms of
    /// densities, summed over bases.
    pub fn by(&self) -> [f64; 2] {
        [self.by, self.error]
    }

    /// The same for a person.
    pub fn sentence(&self) -> String {
        let Self { over, by, error } = self;
        format!(
            "chosen over `{over}`: a base left out is foretold better by {by:.1} in log density, \
             standard error {error:.1}"
        )
    }

    pub(super) fn check(&self) -> Result<(), String> {
        match self.by >= 0.0 && self.by.is_finite() && self.error >= 0.0 && self.error.is_finite() {
            true => Ok(()),
            false => Err(format!(
                "the preference of `levels` is {} with an error of {}, expected finite numbers \
                 of 0 or more",
                self.by, self.error
            )),
        }
    }
}
