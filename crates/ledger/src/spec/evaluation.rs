//! When and how held-out loss is taken.

use serde::{Deserialize, Serialize};

use crate::units::Tokens;

/// When and how held-out loss is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// How many points, evenly spaced in the logarithm of tokens.
    pub points: usize,
    /// Tokens at the first point.
    pub first: Tokens,
    /// How documents are placed in the context.
    pub convention: Convention,
    /// The most tokens that a prediction may look back on: the evaluator's window.
    pub context: usize,
    /// Tokens between the starts of two windows, for a text that is longer than the context.
    pub stride: usize,
    /// The most held-out tokens read.
    pub tokens: Tokens,
}

/// How held-out documents are placed in the evaluator's context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Convention {
    /// Each document is read by itself.
    Documents,
    /// Documents are joined end to end and cut at the context length.
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
