//! How a law was made: bounds, the end of the search, refits, and laws of fuller forms.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::uncertainty::LeftOut;

/// The bounds that a constant was held between. An open end is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    /// The lower bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) low: Option<f64>,
    /// The upper bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) high: Option<f64>,
}

impl Bound {
    /// The lower bound.
    pub fn low(&self) -> Option<f64> {
        self.low
    }

    /// The upper bound.
    pub fn high(&self) -> Option<f64> {
        self.high
    }
}

/// How the search ended.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Convergence {
    /// The largest cosine between the residual and the direction of a free exponent; 0 at an exact
    /// optimum.
    pub(crate) gradient: f64,
    /// How many starts the search used.
    pub(crate) starts: usize,
    /// How many starts ended at this optimum.
    pub(crate) agreeing: usize,
}

impl Convergence {
    /// The largest cosine between the residual and the direction of a free exponent; 0 at an exact
    /// optimum.
    pub fn gradient(&self) -> f64 {
        self.gradient
    }

    /// How many starts the search used.
    pub fn starts(&self) -> usize {
        self.starts
    }

    /// How many starts ended at this optimum.
    pub fn agreeing(&self) -> usize {
        self.agreeing
    }
}

/// The constants of one refit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replicate {
    /// How its data differ.
    pub(crate) left_out: LeftOut,
    /// The constants by name.
    pub(crate) constants: BTreeMap<String, f64>,
}

impl Replicate {
    /// How its data differ.
    pub fn left_out(&self) -> &LeftOut {
        &self.left_out
    }

    /// The constants by name.
    pub fn constants(&self) -> &BTreeMap<String, f64> {
        &self.constants
    }
}

/// A law of a fuller form with some exponents set. It describes the data as well as the law itself.
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
