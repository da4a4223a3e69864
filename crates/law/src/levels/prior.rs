//! What is believed before the data: a normal prior for each constant, in the gauge.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::shape::Shape;
use crate::error::{Fault, Result};

/// A normal prior.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normal {
    /// The mean.
    pub mean: f64,
    /// The standard deviation.
    pub sd: f64,
}

/// The priors of all constants, by name. [`Priors::constants`] says what each means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Priors(BTreeMap<String, Normal>);

/// One constant of the posterior: its name, its prior, and what it is.
struct Constant {
    name: &'static str,
    mean: f64,
    sd: f64,
    meaning: &'static str,
}

const fn constant(name: &'static str, mean: f64, sd: f64, meaning: &'static str) -> Constant {
    Constant { name, mean, sd, meaning }
}

/// Constants of the mean curve, in the order of [`super::density`].
pub(super) const MEANS: usize = 13;
/// Deviations of the effects: level, fall and floor, each of sizes, bases and
/// runs.
pub(super) const DEVIATIONS: usize = 9;
/// Constants that belong to no base and no run.
pub(super) const SHARED: usize = MEANS + DEVIATIONS + 6;

/// All constants. Levels and floors are in units of the median excess. Deviations are normal in the
/// logarithm, so that none is zero: runs and bases of one recipe always differ a little.
const CONSTANTS: [Constant; SHARED] = [
    constant("level", 0.0, 1.5, "ln of the excess over the floor at the mean tokens"),
    constant("level_size", 0.0, 0.7, "its slope in ln N0"),
    constant("level_rate", 1.0, 1.0, "its slope in the rate"),
    constant(
        "rate_bend",
        1.0,
        0.5,
        "the rate enters as (rho^b - 1) / b: b = 0 is a power, 1 exponential",
    ),
    constant("fall", -0.7, 0.7, "ln of the rate of fall"),
    constant("fall_size", 0.0, 0.3, "its slope in ln N0"),
    constant("fall_rate", 0.0, 0.2, "its slope in ln rho"),
    constant("bend", -1.2, 0.7, "ln of s: how much slower a smaller excess falls"),
    constant("floor", 0.0, 1.0, "the excess that is left after any number of tokens"),
    constant("floor_size", 0.0, 0.3, "its slope in ln N0"),
    constant("floor_rate", 0.0, 0.3, "its slope in ln rho"),
    constant("level_size_bend", 0.0, 0.15, "how much the level bends in ln N0"),
    constant("level_size_rate", 0.0, 0.3, "how the slope of the level in the rate follows ln N0"),
    constant(
        "size_level",
        -2.3,
        0.35,
        "ln of how much sizes differ in level, beyond what follows ln N0",
    ),
    constant("base_level", -2.3, 0.35, "ln of how much bases of one size differ in level"),
    constant("run_level", -1.9, 0.35, "ln of how much runs of one base differ in level"),
    constant("size_fall", -2.8, 0.35, "ln of how much sizes differ in the rate of fall"),
    constant("base_fall", -2.6, 0.35, "ln of how much bases differ in the rate of fall"),
    constant("run_fall", -2.6, 0.35, "ln of how much runs differ in the rate of fall"),
    constant("size_floor", -2.6, 0.35, "ln of how much sizes differ in the floor"),
    constant("base_floor", -2.1, 0.35, "ln of how much bases differ in the floor"),
    constant("run_floor", -2.4, 0.35, "ln of how much runs differ in the floor"),
    constant("level_spread", 0.0, 0.6, "added to the three of the level: one scale that all share"),
    constant("fall_spread", 0.0, 0.6, "added to the three of the rate of fall"),
    constant("floor_spread", 0.0, 0.6, "added to the three of the floor"),
    constant(
        "noise",
        0.0,
        0.7,
        "ln of what is new in the noise of a point; the mean is relative to what neighbouring points show",
    ),
    constant("noise_share", -5.3, 1.0, "ln of what is new in the noise, as a share of the excess"),
    constant(
        "correlation",
        0.0,
        0.8,
        "logit of the correlation of neighbouring points, as a share of 0.98",
    ),
];

impl Default for Priors {
    fn default() -> Self {
        let one = |constant: &Constant| {
            (constant.name.to_owned(), Normal { mean: constant.mean, sd: constant.sd })
        };
        Self(CONSTANTS.iter().map(one).collect())
    }
}

impl Priors {
    /// Every constant: its name, and what it is.
    ///
    /// ```
    /// let (name, meaning) = law::levels::Priors::constants().next().unwrap();
    /// assert_eq!((name, meaning), ("level", "ln of the excess over the floor at the mean tokens"));
    /// ```
    pub fn constants() -> impl Iterator<Item = (&'static str, &'static str)> {
        CONSTANTS.iter().map(|constant| (constant.name, constant.meaning))
    }

    /// The prior of a constant.
    pub fn get(&self, name: &str) -> Option<Normal> {
        self.0.get(name).copied()
    }

    /// Replaces priors.
    ///
    /// # Errors
    /// If a name is unknown, with the nearest one. If a number is not finite, or a deviation not
    /// above 0.
    ///
    /// ```
    /// use law::levels::{Normal, Priors};
    /// let wide = Priors::default().with([("floor".to_owned(), Normal { mean: 0.0, sd: 3.0 })])?;
    /// assert_eq!(wide.get("floor").unwrap().sd, 3.0);
    /// let error = Priors::default().with([("flor".to_owned(), Normal { mean: 0.0, sd: 3.0 })]).unwrap_err();
    /// assert_eq!(error.to_string(), "there is no prior `flor`; the nearest is `floor`");
    /// # Ok::<(), law::Error>(())
    /// ```
    pub fn with(mut self, changes: impl IntoIterator<Item = (String, Normal)>) -> Result<Self> {
        for (name, prior) in changes {
            let Some(known) = self.0.get_mut(&name) else {
                let distance = |constant: &&Constant| crate::form::distance(&name, constant.name);
                let nearest = CONSTANTS.iter().min_by_key(distance).map_or("level", |c| c.name);
                return Err(Fault::UnknownPrior { found: name, nearest }.into());
            };
            if !prior.mean.is_finite() {
                let expected = "a finite mean of a prior";
                return Err(Fault::Setting { name: "mean", found: prior.mean, expected }.into());
            }
            if !(prior.sd > 0.0 && prior.sd.is_finite()) {
                let expected = "a finite deviation of a prior, above 0";
                return Err(Fault::Setting { name: "sd", found: prior.sd, expected }.into());
            }
            *known = prior;
        }
        Ok(self)
    }

    /// Means and deviations in the order of the density. `noise` is what neighbouring points show.
    pub(super) fn in_order(&self, noise: f64) -> [Normal; SHARED] {
        let mut priors: [Normal; SHARED] = std::array::from_fn(|i| {
            let Constant { name, mean, sd, .. } = CONSTANTS[i];
            self.get(name).unwrap_or(Normal { mean, sd })
        });
        priors[NOISE].mean += noise.ln();
        priors
    }

    /// Checks priors that come from a file.
    pub(super) fn check(&self) -> std::result::Result<(), String> {
        let named = self.0.iter().map(|(name, prior)| (name.clone(), *prior));
        Self::default().with(named).map(|_| ()).map_err(|error| error.to_string())
    }
}

/// Places of single constants. Behind level, fall and floor stand their slopes in size and rate.
pub(super) const LEVEL: usize = 0;
pub(super) const RATE_BEND: usize = 3;
pub(super) const FALL: usize = 4;
pub(super) const BEND: usize = 7;
pub(super) const FLOOR: usize = 8;
pub(super) const SIZE_BEND: usize = 11;
pub(super) const SIZE_RATE: usize = 12;
/// Behind one another for the level, the rate of fall and the floor: the deviations of sizes,
/// of bases and of runs.
pub(super) const FIRST_DEVIATION: usize = MEANS;
/// What is added to all deviations of the level; behind it those of the rate of fall and the floor.
pub(super) const SPREAD: usize = MEANS + DEVIATIONS;
pub(super) const NOISE: usize = SPREAD + 3;
pub(super) const NOISE_SHARE: usize = NOISE + 1;
pub(super) const CORRELATION: usize = NOISE + 2;

/// Whether a curve of this shape has the constant at this place.
pub(super) fn is_used(shape: Shape, place: usize) -> bool {
    shape == Shape::Fall || place != BEND
}
