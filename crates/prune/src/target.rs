//! How much is removed, and the kinds of targets.

use crate::error::Error;
use shape::legal::Sizes;

/// The kind of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// By a rate.
    Rate,
    /// By a list of blocks.
    Blocks,
    /// By sizes that stay.
    Sizes,
    /// No number: the pattern of the method says it.
    Pattern,
}

/// How much is removed.
#[derive(Clone, Debug, PartialEq)]
pub enum PruningTarget {
    /// A share of all parameters.
    Rate {
        /// The rate asked for, above 0 and below 1.
        rate: f64,
        /// How far the realised rate may be from it; [`crate::TOLERANCE`] by default.
        tolerance: f64,
    },
    /// These blocks, in any order, counted from 0.
    Blocks(Vec<usize>),
    /// These sizes stay.
    Sizes(Sizes),
    /// As much as the pattern of the method says.
    Pattern,
}

impl Takes {
    /// The words for it in messages.
    pub fn words(self) -> &'static str {
        match self {
            Self::Rate => "a rate",
            Self::Blocks => "a list of layers",
            Self::Sizes => "sizes",
            Self::Pattern => "nothing but its pattern",
        }
    }
}

impl PruningTarget {
    /// What kind of target it is.
    pub fn kind(&self) -> Takes {
        match self {
            Self::Rate { .. } => Takes::Rate,
            Self::Blocks(_) => Takes::Blocks,
            Self::Sizes(_) => Takes::Sizes,
            Self::Pattern => Takes::Pattern,
        }
    }

    /// The rate that was asked for, if the target is a rate.
    pub fn rate(&self) -> Option<f64> {
        match self {
            Self::Rate { rate, .. } => Some(*rate),
            Self::Blocks(_) | Self::Sizes(_) | Self::Pattern => None,
        }
    }

    /// The error of a method that takes something else.
    pub(crate) fn refused_by(&self, method: &str, takes: &[Takes]) -> Error {
        let expected: Vec<&str> = takes.iter().map(|takes| takes.words()).collect();
        let (found, expected) = (self.kind().words(), expected.join(" or "));
        Error::other(format!("`{method}` got {found}, expected {expected}"))
    }
}
