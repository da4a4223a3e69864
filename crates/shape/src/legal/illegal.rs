//! The reasons why a model cannot be made as small as requested.

use std::fmt;

/// Why a model cannot be made as small as requested: what was found, and what is legal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Illegal {
    /// No whole number of blocks comes near the rate.
    NoRateNear {
        /// The whole sentence, with the nearest legal rates.
        message: String,
    },
    /// No legal width comes near the rate.
    NoShapeNear {
        /// The whole sentence, with the nearest legal shape.
        message: String,
    },
    /// Any other invalid rate, size or multiple.
    Other {
        /// The whole sentence.
        message: String,
    },
}

impl Illegal {
    pub(super) fn other(message: impl Into<String>) -> Self {
        Self::Other { message: message.into() }
    }

    /// The error for a target that removes nothing.
    pub fn nothing_goes() -> Self {
        Self::other(
            "nothing is to go, expected at least one layer, channel, neuron or group of heads",
        )
    }
}

impl fmt::Display for Illegal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRateNear { message }
            | Self::NoShapeNear { message }
            | Self::Other { message } => f.write_str(message),
        }
    }
}

impl std::error::Error for Illegal {}
