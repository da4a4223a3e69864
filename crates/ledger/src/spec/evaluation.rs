//! When and how held-out loss is taken.

use serde::{Deserialize, Serialize};

use crate::units::Tokens;

/// When and how held-out loss is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// How many points, evenly spaced in the logarithm of tokens.
    pub points: usize,
    /// Tokens at the first of them.
    pub first: Tokens,
    /// How documents meet the context.
    pub convention: Convention,
    /// The most tokens that a prediction may look back on, the window of the evaluator.
    pub context: usize,
    /// Tokens between the beginnings of two windows of a text longer than the context.
    pub stride: usize,
    /// The most held-out tokens read.
    pub tokens: Tokens,
}

/// How held-out documents meet the context of the evaluator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Convention {
    /// Each document by itself.
    Documents,
    /// Documents joined end to end, and cut at the context.
    Packed,
}

impl Convention {
    /// The name in files and flags.
    pub fn name(self) -> &'static str {
        match self {
            Self::Documents => "documents",
            Self::Packed => "packed",
        }
    }
}
