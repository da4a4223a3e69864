//! A score with a pattern: a method.

use ledger::Pattern;

use super::score::Sparsify;
use super::stats::Statistics;
use crate::target::Takes;

/// A score with a pattern. Blocks are pruned in order, each on the output of the pruned blocks
/// before it.
#[derive(Clone, Copy)]
pub struct SparseMethod {
    pattern: Pattern,
    score: &'static dyn Sparsify,
}

impl SparseMethod {
    /// The method of a score with a pattern.
    pub const fn new(pattern: Pattern, score: &'static dyn Sparsify) -> Self {
        Self { pattern, score }
    }

    /// Its id in files, flags and laws, as in `2:4-wanda`.
    pub fn name(self) -> String {
        format!("{}-{}", self.pattern, self.score.name())
    }

    /// The pattern of the zeros.
    pub fn pattern(self) -> Pattern {
        self.pattern
    }

    /// The score that ranks weights.
    pub fn score(self) -> &'static dyn Sparsify {
        self.score
    }

    /// The kinds of targets that it takes.
    pub fn takes(self) -> &'static [Takes] {
        match self.pattern {
            Pattern::Groups { .. } => &[Takes::Pattern],
            Pattern::Unstructured => &[Takes::Rate],
        }
    }

    /// Whether it reads calibration text.
    pub fn reads_text(self) -> bool {
        self.score.needs() != Statistics::Nothing
    }
}
