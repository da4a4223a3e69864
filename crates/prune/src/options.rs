//! Options of methods besides the target.

use std::collections::BTreeMap;
use std::fmt;

use shape::tensors::Role;

use shape::legal::WidthOptions;

/// How to summarise many numbers as one that is at least 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregation {
    /// `mean |x|`
    MeanAbsolute,
    /// `sqrt(mean x^2)`. The root keeps the unit, so either aggregation can follow the other.
    MeanSquare,
}

/// Which tokens of a sequence are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Positions {
    /// The last: only it has attended to all others (as in Gromov et al. 2024).
    Last,
    /// Every one.
    All,
}

/// Options of all methods. Each method reads its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodOptions {
    /// Width: what may become narrower, and in which steps.
    pub width: WidthOptions,
    /// Activations: how the tokens of a sequence are aggregated.
    pub over_tokens: Aggregation,
    /// Activations: how sequences are aggregated.
    pub over_sequences: Aggregation,
    /// Angular distance: the tokens at which it is measured.
    pub positions: Positions,
    /// Sparse: the linear layers of every block that get zeros, in any order.
    pub linear: Vec<Role>,
}

impl Default for MethodOptions {
    fn default() -> Self {
        Self {
            width: WidthOptions::default(),
            over_tokens: Aggregation::MeanSquare,
            over_sequences: Aggregation::MeanSquare,
            positions: Positions::Last,
            linear: Role::LINEAR.to_vec(),
        }
    }
}

impl MethodOptions {
    /// How activations are aggregated, as `cut.json` has it.
    pub(crate) fn aggregations(&self) -> BTreeMap<String, String> {
        [("over-tokens", self.over_tokens), ("over-sequences", self.over_sequences)]
            .map(|(name, how)| (name.to_owned(), how.to_string()))
            .into()
    }
}

impl Aggregation {
    /// Both, for flags.
    pub const ALL: [Self; 2] = [Self::MeanAbsolute, Self::MeanSquare];

    /// The term that one number adds to the sum.
    pub(crate) fn term(self, x: f64) -> f64 {
        match self {
            Self::MeanAbsolute => x.abs(),
            Self::MeanSquare => x * x,
        }
    }

    /// The aggregate, given the sum of `count` terms.
    pub(crate) fn of(self, sum: f64, count: usize) -> f64 {
        let mean = sum / count.max(1) as f64;
        match self {
            Self::MeanAbsolute => mean,
            Self::MeanSquare => mean.sqrt(),
        }
    }

    /// Its word in flags and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::MeanAbsolute => "mean-absolute",
            Self::MeanSquare => "mean-square",
        }
    }
}

impl Positions {
    /// Both, for flags.
    pub const ALL: [Self; 2] = [Self::Last, Self::All];

    /// Its word in flags and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::All => "all",
        }
    }
}

impl fmt::Display for Aggregation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
