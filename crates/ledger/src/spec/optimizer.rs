//! How weights follow gradients, and in which numbers.

use serde::{Deserialize, Serialize};

use crate::finite;
use crate::units::Tokens;

/// AdamW with decoupled decay (Loshchilov & Hutter 2019) and clipping by global norm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamW {
    /// The peak learning rate.
    #[serde(with = "finite")]
    pub learning_rate: f64,
    /// Decay of the mean of gradients.
    #[serde(with = "finite")]
    pub beta1: f64,
    /// Decay of the mean of squared gradients.
    #[serde(with = "finite")]
    pub beta2: f64,
    /// Added to the root of the second mean.
    #[serde(with = "finite")]
    pub epsilon: f64,
    /// Weight decay, times the learning rate a step; norms and biases are spared.
    #[serde(with = "finite")]
    pub weight_decay: f64,
    /// The largest global norm of a gradient that is used as it is.
    #[serde(with = "finite")]
    pub clip_norm: f64,
}

/// Warm-up, constant, and decay at the end where it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Tokens over which the learning rate rises.
    pub warmup: Tokens,
    /// The last tokens of the run, over which it falls; 0 for a run that ends constant.
    pub decay: Tokens,
}

/// What numbers the network computes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32-bit floats throughout.
    F32,
    /// Products read bf16 and sum in `f32`; weights, moments and everything else stay `f32`.
    Bf16,
}

impl Precision {
    /// The name in files and flags.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }
}
