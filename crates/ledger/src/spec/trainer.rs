//! Which program trains.

use serde::{Deserialize, Serialize};

/// The program that carries a run out. Two programs sum in other orders, so their runs are not
/// one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Trainer {
    /// Our own.
    #[default]
    Regrow,
    /// PyTorch, driven from outside.
    Torch,
}

impl Trainer {
    /// The name in files and flags.
    pub fn name(self) -> &'static str {
        match self {
            Self::Regrow => "regrow",
            Self::Torch => "torch",
        }
    }

    /// Whether it is our own, which a spec need not name.
    pub(super) fn is_own(&self) -> bool {
        *self == Self::Regrow
    }
}
