//! The axes of a law, how a form depends on each, and how many levels the data hold.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A variable that a form may read. It is also a column of a points table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Axis {
    /// `n0`.
    N0,
    /// `rate`.
    Rate,
    /// `loss0`.
    Loss0,
    /// `tokens`.
    Tokens,
}

impl Axis {
    /// Every axis, in the order of a table.
    pub const ALL: [Self; 4] = [Self::N0, Self::Rate, Self::Loss0, Self::Tokens];

    /// The name in a table.
    ///
    /// ```
    /// let axes = law::form::by_name("chinchilla")?.axes();
    /// assert_eq!(axes.iter().map(|axis| axis.name()).collect::<Vec<_>>(), ["n0", "tokens"]);
    /// # Ok::<(), law::Error>(())
    /// ```
    pub const fn name(self) -> &'static str {
        match self {
            Self::N0 => "n0",
            Self::Rate => "rate",
            Self::Loss0 => "loss0",
            Self::Tokens => "tokens",
        }
    }
}

impl fmt::Display for Axis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How the loss of a form depends on an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// It does not depend on it: one level of the axis cannot show how.
    Not,
    /// A straight line in the logarithm. It is exact at the two levels of the data and meaningless
    /// elsewhere.
    Line,
    /// A curve that holds for every value.
    Curve,
}

/// How many distinct values the runs of a group have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Sizes that differ by more than 1 %.
    pub sizes: usize,
    /// Rates that differ by more than 2 % at one size. A rate that changes only with the size
    /// cannot be told from it.
    pub rates: usize,
    /// Token counts among runs with several points. 1 if every run has a single point.
    pub counts: usize,
}
