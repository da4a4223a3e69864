//! The seam of pruning methods, and the registry that help, docs and tests read.

use std::collections::BTreeMap;

use ledger::Cut;
use model::config::ModelConfig;

use crate::depth::{Angular, BlockInfluence, List};
use crate::error::{Error, Result};
use crate::options::Options;
use crate::width::shape::Sizes;
use crate::width::{Activation, Magnitude, WidthScores};

/// Every method; a new one is a file and a line here.
pub static METHODS: &[&dyn Select] = &[&BlockInfluence, &Angular, &List, &Activation, &Magnitude];

/// A method that decides what is removed. It changes nothing itself.
pub trait Select: Sync {
    /// Its id in files, flags and laws, as in `depth-block-influence`.
    fn name(&self) -> &'static str;
    /// What it does, in one line.
    fn summary(&self) -> &'static str;
    /// Where it was published, where it was.
    fn paper(&self) -> Option<&'static str>;
    /// How it can be told how much goes.
    fn takes(&self) -> &'static [Takes];
    /// What has to be measured before it can decide.
    fn needs(&self) -> Needs;
    /// Those of the options that it reads, as `cut.json` has them; what the cut itself shows is left out.
    fn told(&self, options: &Options) -> BTreeMap<String, String> {
        let _ = options;
        BTreeMap::new()
    }
    /// Decides.
    ///
    /// # Errors
    /// Where the target is not what it takes or does not fit the model, or the scores are not what it needs.
    fn choose(
        &self,
        config: &ModelConfig,
        scores: &Scores,
        target: &Target,
        options: &Options,
    ) -> Result<Cut>;
}

/// How a method is told how much goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// By a rate.
    Rate,
    /// By a list of layers.
    Layers,
    /// By sizes that stay.
    Sizes,
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
    /// These sizes stay.
    Sizes(Sizes),
}

/// What has to be measured before a method can decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// The block influence of every layer, on calibration text.
    BlockInfluence,
    /// The angular distance over every run of as many layers as will go, on calibration text.
    AngularDistance,
    /// The activations of every part of the width, on calibration text.
    Activations,
    /// The magnitude of the weights of every part of the width.
    Weights,
}

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Scores {
    /// Nothing.
    #[default]
    None,
    /// One number for every layer; the lowest go first.
    Layers(Vec<f64>),
    /// One number for every place where a run of layers can begin; the lowest goes.
    Runs(Vec<f64>),
    /// One number for every part of the width; the highest stay.
    Width(WidthScores),
}

impl Needs {
    /// Whether it is measured on calibration text.
    pub fn text(self) -> bool {
        matches!(self, Self::BlockInfluence | Self::AngularDistance | Self::Activations)
    }
}

impl Scores {
    /// Those that `cut.json` holds: one number a layer or a run. Those of a width would outweigh the model card.
    pub(crate) fn listed(self) -> Option<Vec<f64>> {
        match self {
            Self::Layers(scores) | Self::Runs(scores) => Some(scores),
            Self::None | Self::Width(_) => None,
        }
    }
}

impl Takes {
    /// In words, as messages have it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Rate => "a rate",
            Self::Layers => "a list of layers",
            Self::Sizes => "sizes",
        }
    }
}

impl Target {
    /// What kind of target it is.
    pub fn kind(&self) -> Takes {
        match self {
            Self::Rate { .. } => Takes::Rate,
            Self::Layers(_) => Takes::Layers,
            Self::Sizes(_) => Takes::Sizes,
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
