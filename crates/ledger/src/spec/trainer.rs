//! Which program trains.

use serde::{Deserialize, Serialize};

/// The program that trains. Two programs sum in different orders, so their runs have different ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Trainer {
    /// regrow itself.
    #[default]
    Regrow,
    /// PyTorch, started from outside.
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

    /// Whether it is regrow itself, which a spec leaves out.
    pub(super) fn is_own(&self) -> bool {
        *self == Self::Regrow
    }
}
