//! The optimiser, the learning-rate schedule and the number format.

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
    /// Decay rate of the running mean of gradients.
    #[serde(with = "finite")]
    pub beta1: f64,
    /// Decay rate of the running mean of squared gradients.
    #[serde(with = "finite")]
    pub beta2: f64,
    /// Added to the square root of the mean of squared gradients, against division by zero.
    #[serde(with = "finite")]
    pub epsilon: f64,
    /// Weight decay: each step shrinks weights by this times the learning rate. Norms and biases
    /// are not decayed.
    #[serde(with = "finite")]
    pub weight_decay: f64,
    /// Gradients with a larger global norm are scaled down to this norm.
    #[serde(with = "finite")]
    pub clip_norm: f64,
}

/// Warm-up, then a constant rate, then an optional decay at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Tokens over which the learning rate rises.
    pub warmup: Tokens,
    /// Tokens at the end of the run over which the learning rate falls; 0 keeps it constant.
    pub decay: Tokens,
}

/// The number format that the network computes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32-bit floats throughout.
    F32,
    /// Matrix products read bf16 inputs and sum in `f32`. Weights, moments and everything else stay
    /// `f32`.
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
