//! The seam of pruning methods, and the registry that help, docs and tests read.

use ledger::Cut;
use model::config::ModelConfig;

use crate::depth::{BlockInfluence, List};
use crate::error::{Error, Result};
use crate::score::LayerScore;

/// Every method; a new one is a file and a line here.
pub static METHODS: &[&dyn Select] = &[&BlockInfluence, &List];

/// A method that decides what is removed. It changes nothing itself.
pub trait Select: Sync {
    /// Its id in files, flags and laws, as in `depth-block-influence`.
    fn name(&self) -> &'static str;
    /// What it does, in one line.
    fn summary(&self) -> &'static str;
    /// Where it was published, where it was.
    fn paper(&self) -> Option<&'static str>;
    /// How it is told how much goes.
    fn takes(&self) -> Takes;
    /// What has to be measured before it can decide.
    fn needs(&self) -> Needs;
    /// Decides.
    ///
    /// # Errors
    /// Where the target is not what it takes or does not fit the model, or the scores are not what it needs.
    fn choose(&self, config: &ModelConfig, scores: &Scores, target: &Target) -> Result<Cut>;
}

/// How a method is told how much goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// By a rate.
    Rate,
    /// By a list of layers.
    Layers,
}

/// How much goes.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// A share of all parameters.
    Rate {
        /// The rate asked for, above 0 and below 1.
        rate: f64,
        /// How far the realised rate may be from it; [`crate::TOLERANCE`] by default.
        tolerance: f64,
    },
    /// These layers, in any order, counted from 0.
    Layers(Vec<usize>),
}

/// What has to be measured before a method can decide.
#[derive(Clone, Copy, Debug)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// A number for every layer, taken on calibration text.
    LayerScores(LayerScore),
}

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scores {
    /// One number for every layer; the lowest go first.
    pub layers: Option<Vec<f64>>,
}

impl Takes {
    /// In words, as messages have it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Rate => "a rate",
            Self::Layers => "a list of layers",
        }
    }
}

impl Target {
    /// What kind of target it is.
    pub fn kind(&self) -> Takes {
        match self {
            Self::Rate { .. } => Takes::Rate,
            Self::Layers(_) => Takes::Layers,
        }
    }
}

/// The method of this name.
///
/// # Errors
/// [`Error::UnknownMethod`], which names those that there are.
pub fn method(name: &str) -> Result<&'static dyn Select> {
    METHODS.iter().find(|method| method.name() == name).copied().ok_or_else(|| {
        let names: Vec<String> = METHODS.iter().map(|method| format!("`{}`", method.name())).collect();
        Error::UnknownMethod { found: name.to_owned(), expected: names.join(" or ") }
    })
}
