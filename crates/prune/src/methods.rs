//! The seams of pruning methods, and the registry that help, docs and tests read.

use std::collections::BTreeMap;
use std::fmt;

use ledger::{Cut, Pattern};
use shape::config::ModelConfig;

use crate::depth::{Angular, BlockInfluence, List};
use crate::error::{Error, Result};
use crate::options::Options;
use crate::score::magnitude::Magnitude;
use crate::score::sparsegpt::SparseGpt;
use crate::score::wanda::Wanda;
use crate::sparse::{Sparsify, Statistics};
use crate::width;
use crate::width::shape::Sizes;
use crate::width::{Activation, WidthScores};

/// Every method; a new one is a file and a line here. A sparse one stands for its score with every
/// pattern.
pub static METHODS: &[Method] = &[
    Method::Select(&BlockInfluence),
    Method::Select(&Angular),
    Method::Select(&List),
    Method::Select(&Activation),
    Method::Select(&width::Magnitude),
    Method::Sparse(Pattern::TWO_FOUR, &Magnitude),
    Method::Sparse(Pattern::TWO_FOUR, &Wanda),
    Method::Sparse(Pattern::TWO_FOUR, &SparseGpt),
];

/// A way to prune.
#[derive(Clone, Copy)]
pub enum Method {
    /// Parts of the model go: decided first, then applied.
    Select(&'static dyn Select),
    /// Weights become zero by a score, where a pattern lets them: decided block by block, on what
    /// the blocks before have become.
    Sparse(Pattern, &'static dyn Sparsify),
}

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
    /// Those of the options that it reads, as `cut.json` has them; what the cut itself shows is
    /// left out.
    fn told(&self, options: &Options) -> BTreeMap<String, String> {
        let _ = options;
        BTreeMap::new()
    }
    /// Decides.
    ///
    /// # Errors
    /// Where the target is not what it takes or does not fit the model, or the scores are not what
    /// it needs.
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
    /// Not at all: its pattern says it.
    Pattern,
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
    /// What the pattern of the method says.
    Pattern,
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

impl Method {
    /// Its id in files, flags and laws, as in `2:4-wanda`.
    pub fn name(&self) -> String {
        match self {
            Self::Select(select) => select.name().to_owned(),
            Self::Sparse(pattern, score) => format!("{pattern}-{}", score.name()),
        }
    }

    /// What it does, in one line.
    pub fn summary(&self) -> &'static str {
        match self {
            Self::Select(select) => select.summary(),
            Self::Sparse(_, score) => score.summary(),
        }
    }

    /// Where it was published, where it was.
    pub fn paper(&self) -> Option<&'static str> {
        match self {
            Self::Select(select) => select.paper(),
            Self::Sparse(_, score) => score.paper(),
        }
    }

    /// How it can be told how much goes.
    pub fn takes(&self) -> &'static [Takes] {
        match self {
            Self::Select(select) => select.takes(),
            Self::Sparse(Pattern::Groups { .. }, _) => &[Takes::Pattern],
            Self::Sparse(Pattern::Unstructured, _) => &[Takes::Rate],
        }
    }

    /// Whether it reads calibration text.
    pub fn needs_text(&self) -> bool {
        match self {
            Self::Select(select) => select.needs().text(),
            Self::Sparse(_, score) => score.needs() != Statistics::Nothing,
        }
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Method({})", self.name())
    }
}

impl Needs {
    /// Whether it is measured on calibration text.
    pub fn text(self) -> bool {
        matches!(self, Self::BlockInfluence | Self::AngularDistance | Self::Activations)
    }
}

impl Scores {
    /// Those that `cut.json` holds: one number a layer or a run. Those of a width would outweigh
    /// the model card.
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
            Self::Pattern => "nothing but its pattern",
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
            Self::Pattern => Takes::Pattern,
        }
    }
}

/// The method of this name; a sparse one may have any pattern, as in `4:8-wanda` or
/// `unstructured-magnitude`.
///
/// # Errors
/// [`Error::UnknownMethod`], which names those that there are.
pub fn method(name: &str) -> Result<Method> {
    if let Some(method) = METHODS.iter().find(|method| method.name() == name) {
        return Ok(*method);
    }
    let score = |wanted: &str| {
        METHODS.iter().find_map(|method| match method {
            Method::Sparse(_, score) if score.name() == wanted => Some(*score),
            _ => None,
        })
    };
    // A pattern has no dash.
    if let Some((pattern, wanted)) = name.split_once('-')
        && let Ok(pattern) = pattern.parse::<Pattern>()
        && let Some(score) = score(wanted)
    {
        return Ok(Method::Sparse(pattern, score));
    }
    let names: Vec<String> = METHODS.iter().map(|method| format!("`{}`", method.name())).collect();
    let expected = format!("{}, another `N:M-SCORE` or `unstructured-SCORE`", names.join(", "));
    Err(Error::UnknownMethod { found: name.to_owned(), expected })
}
