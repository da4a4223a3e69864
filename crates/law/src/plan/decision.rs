//! How many tokens are enough for one pruned model, and all that was asked beside it.

use serde::{Deserialize, Serialize};

use super::amount::Amount;
use super::answer::Answer;
use super::cost::Cost;
use super::question::Recovery;
use crate::place::Place;
use crate::prediction::Prediction;

/// How many tokens are enough at one place, by each rule asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The pruned model.
    #[serde(flatten)]
    pub place: Place,
    /// Parameters of the pruned model, zeroed ones among them; left out, as all cost is, where it
    /// is not known whether the method removes weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<f64>,
    /// Floating-point operations of one token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flops_per_token: Option<f64>,
    /// The loss that no number of tokens gets below, nats per token.
    pub floor: Answer,
    /// The doubling rule's gain, nats.
    pub doubling_gain: f64,
    /// Tokens after which doubling buys less than `doubling_gain`.
    pub enough: Answer,
    /// The loss after these tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_then: Option<f64>,
    /// Its interval, of the mean curve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_then_mean: Option<[f64; 2]>,
    /// Its interval for a new run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss_then_new_run: Option<[f64; 2]>,
    /// The gain rule's gain, nats per million tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_gain: Option<f64>,
    /// Tokens after which a million more buy less than `min_gain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enough_by_gain: Option<Answer>,
    /// The wanted loss, nats per token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_loss: Option<f64>,
    /// Tokens for the wanted loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_target: Option<Answer>,
    /// What is to be won back, and from where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recover: Option<Recovery>,
    /// The loss that this comes to, nats per token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovered_loss: Option<f64>,
    /// Tokens for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_recovery: Option<Answer>,
    /// What the budget buys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_budget: Option<Bought>,
    /// What each doubling buys, around the tokens that are enough.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doublings: Vec<Doubling>,
}

/// What going from some tokens to twice as many buys.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Doubling {
    /// Tokens before.
    pub from: f64,
    /// Nats that doubling them buys.
    pub gain: f64,
    /// The interval of the gain, of the mean curve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
}

/// What a budget buys at one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bought {
    /// Tokens.
    pub tokens: f64,
    /// What they cost.
    pub cost: Cost,
    /// The loss after them.
    #[serde(flatten)]
    pub prediction: Prediction,
    /// Nats that twice the tokens would buy.
    pub next_doubling: Amount,
}
