//! A design: the pilots in order, and how wide the interval would be after each.

use std::fmt;

use ledger::Format;
use serde::{Deserialize, Serialize};

use super::question::{Pilot, Wanted};

/// The best pilots for a number within a budget.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Design {
    pub(super) format: Format<1>,
    pub(super) wanted: Wanted,
    pub(super) level: f64,
    pub(super) before: Width,
    pub(super) runs: Vec<Chosen>,
    pub(super) is_enough: bool,
    pub(super) worlds: usize,
    pub(super) left_out: usize,
}

/// A pilot of a design.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chosen {
    #[serde(flatten)]
    pub(super) pilot: Pilot,
    /// The cost of this pilot and those before it.
    pub(super) spent: f64,
    /// The expected interval once this pilot and those before it are in.
    pub(super) after: Width,
}

/// The expected width of an interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Width {
    /// Of tokens: from the value over this factor to the value times it.
    Factor(f64),
    /// Of a loss: this many nats to each side.
    Nats(f64),
}

impl Width {
    /// The width that half of an interval has: in the logarithm of tokens, or in nats.
    pub(super) fn of(wanted: Wanted, half: f64) -> Self {
        match wanted {
            Wanted::Enough { .. } => Self::Factor(half.exp()),
            Wanted::Loss { .. } => Self::Nats(half),
        }
    }

    /// Half of the interval: in the logarithm of tokens, or in nats.
    pub fn half(self) -> f64 {
        match self {
            Self::Factor(x) => x.ln(),
            Self::Nats(x) => x,
        }
    }

    /// The factor or the nats.
    pub fn get(self) -> f64 {
        match self {
            Self::Factor(x) | Self::Nats(x) => x,
        }
    }
}

impl fmt::Display for Width {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Factor(x) if x >= 100.0 => f.pad("a factor above 100"),
            Self::Factor(x) => f.pad(&format!("a factor of {x:.2}")),
            Self::Nats(x) => f.pad(&format!("± {x:.4} nats")),
        }
    }
}

impl Design {
    /// What was wanted.
    pub fn wanted(&self) -> Wanted {
        self.wanted
    }

    /// The probability that the answer's interval contains what happens.
    pub fn level(&self) -> f64 {
        self.level
    }

    /// The interval before any pilot.
    pub fn before(&self) -> Width {
        self.before
    }

    /// The expected interval after all of them.
    pub fn after(&self) -> Width {
        self.runs.last().map_or(self.before, |last| last.after)
    }

    /// The pilots, each time the one that brings most for its cost.
    pub fn runs(&self) -> &[Chosen] {
        &self.runs
    }

    /// What they cost together.
    pub fn spent(&self) -> f64 {
        self.runs.last().map_or(0.0, |last| last.spent)
    }

    /// Whether no set within the budget narrows the interval by a twentieth. `false` if the budget
    /// pays for no pilot at all.
    pub fn is_enough(&self) -> bool {
        self.is_enough
    }

    /// How many worlds it was judged in, and in how many more the number has no value.
    pub fn worlds(&self) -> [usize; 2] {
        [self.worlds, self.left_out]
    }
}

impl Chosen {
    /// The run.
    pub fn pilot(&self) -> &Pilot {
        &self.pilot
    }

    /// The cost of this pilot and those before it.
    pub fn spent(&self) -> f64 {
        self.spent
    }

    /// The expected interval once this pilot and those before it are in.
    pub fn after(&self) -> Width {
        self.after
    }
}
