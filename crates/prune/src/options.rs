//! What methods can be told beside how much goes.

use std::collections::BTreeMap;
use std::fmt;

use ledger::Part;
use shape::tensors::Role;

use crate::error::{Error, Result};

/// How many numbers become one that is at least 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregation {
    /// `mean |x|`
    MeanAbsolute,
    /// `sqrt(mean x^2)`: the root keeps the unit, so that the two can follow each other.
    MeanSquare,
}

/// Which tokens of a sequence are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Positions {
    /// The last, the only one that has attended to all others (as Gromov et al. 2024 do).
    Last,
    /// Every one.
    All,
}

/// What methods can be told; each reads what concerns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Width: the parts that may become narrower.
    pub parts: Vec<Part>,
    /// Width: channels of the residual stream stay in multiples of this; chosen by the width where
    /// nothing is said.
    pub hidden_multiple: Option<usize>,
    /// Width: neurons stay in multiples of this; chosen likewise.
    pub ffn_multiple: Option<usize>,
    /// Activations: how the tokens of a sequence are summed up.
    pub over_tokens: Aggregation,
    /// Activations: how sequences are summed up.
    pub over_sequences: Aggregation,
    /// Angular distance: which tokens it is taken at.
    pub positions: Positions,
    /// Sparse: the linear layers of every block that get zeros, in any order.
    pub linear: Vec<Role>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            parts: Part::ALL.to_vec(),
            hidden_multiple: None,
            ffn_multiple: None,
            over_tokens: Aggregation::MeanSquare,
            over_sequences: Aggregation::MeanSquare,
            positions: Positions::Last,
            linear: Role::LINEAR.to_vec(),
        }
    }
}

impl Options {
    /// Checks what no method could work with.
    ///
    /// # Errors
    /// [`Error::Setting`] for a multiple of 0, [`Error::Parts`] where no part is named or one
    /// twice.
    pub fn check(&self) -> Result<()> {
        for (field, multiple) in [
            ("multiple of the hidden size", self.hidden_multiple),
            ("multiple of neurons", self.ffn_multiple),
        ] {
            if multiple == Some(0) {
                return Err(Error::Setting { field, found: 0, expected: 1 });
            }
        }
        let named = |part: &Part| self.parts.iter().filter(|other| *other == part).count();
        if self.parts.is_empty() || self.parts.iter().any(|part| named(part) > 1) {
            let found = self.parts.iter().map(|part| part.name()).collect::<Vec<_>>().join(",");
            return Err(Error::Parts { found });
        }
        Ok(())
    }

    /// How activations are summed up, as `cut.json` has it.
    pub(crate) fn aggregations(&self) -> BTreeMap<String, String> {
        [("over-tokens", self.over_tokens), ("over-sequences", self.over_sequences)]
            .map(|(name, how)| (name.to_owned(), how.to_string()))
            .into()
    }
}

impl Aggregation {
    /// Both, for flags.
    pub const ALL: [Self; 2] = [Self::MeanAbsolute, Self::MeanSquare];

    /// What one number adds.
    pub(crate) fn term(self, x: f64) -> f64 {
        match self {
            Self::MeanAbsolute => x.abs(),
            Self::MeanSquare => x * x,
        }
    }

    /// What the sum of `count` terms comes to.
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
