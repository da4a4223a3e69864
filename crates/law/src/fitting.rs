//! What a law says of its making: bounds, the end of the search, refits, laws of fuller forms.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::uncertainty::LeftOut;

/// Between which ends a constant was held; an open end is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    /// The least value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) low: Option<f64>,
    /// The largest value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) high: Option<f64>,
}

impl Bound {
    /// The least value.
    pub fn low(&self) -> Option<f64> {
        self.low
    }

    /// The largest value.
    pub fn high(&self) -> Option<f64> {
        self.high
    }
}

/// How a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Convergence {
    /// Largest cosine between the residual and the direction of a free exponent; 0 at an exact
    /// optimum.
    pub(crate) gradient: f64,
    /// Starts made.
    pub(crate) starts: usize,
    /// Starts that ended at this optimum.
    pub(crate) agreeing: usize,
}

impl Convergence {
    /// Largest cosine between the residual and the direction of a free exponent; 0 at an exact
    /// optimum.
    pub fn gradient(&self) -> f64 {
        self.gradient
    }

    /// Starts made.
    pub fn starts(&self) -> usize {
        self.starts
    }

    /// Starts that ended at this optimum.
    pub fn agreeing(&self) -> usize {
        self.agreeing
    }
}

/// The constants of one refit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replicate {
    /// What was different in its data.
    pub(crate) left_out: LeftOut,
    /// The constants by name.
    pub(crate) constants: BTreeMap<String, f64>,
}

impl Replicate {
    /// What was different in its data.
    pub fn left_out(&self) -> &LeftOut {
        &self.left_out
    }

    /// The constants by name.
    pub fn constants(&self) -> &BTreeMap<String, f64> {
        &self.constants
    }
}

/// A law of a fuller form with some exponents set, that describes the data as well as the law
/// itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// The fuller form.
    pub(crate) form: String,
    /// The constants by name.
    pub(crate) constants: BTreeMap<String, f64>,
}

impl Profile {
    /// The fuller form.
    pub fn form_name(&self) -> &str {
        &self.form
    }

    /// The constants by name.
    pub fn constants(&self) -> &BTreeMap<String, f64> {
        &self.constants
    }
}
