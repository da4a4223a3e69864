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
    pub(crate) place: Place,
    /// Parameters of the pruned model, zeroed ones among them; left out, as all cost is, where it
    /// is not known whether the method removes weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parameters: Option<f64>,
    /// Floating-point operations of one token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) flops_per_token: Option<f64>,
    /// The loss that no number of tokens gets below, nats per token.
    pub(crate) floor: Answer,
    /// The doubling rule's gain, nats.
    pub(crate) doubling_gain: f64,
    /// Tokens after which doubling buys less than `doubling_gain`.
    pub(crate) enough: Answer,
    /// The loss after these tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) loss_then: Option<f64>,
    /// Its interval, of the mean curve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) loss_then_mean: Option<[f64; 2]>,
    /// Its interval for a new run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) loss_then_new_run: Option<[f64; 2]>,
    /// The gain rule's gain, nats per million tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) min_gain: Option<f64>,
    /// Tokens after which a million more buy less than `min_gain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) enough_by_gain: Option<Answer>,
    /// The wanted loss, nats per token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target_loss: Option<f64>,
    /// Tokens for the wanted loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) for_target: Option<Answer>,
    /// What is to be won back, and from where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) recover: Option<Recovery>,
    /// The loss that this comes to, nats per token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) recovered_loss: Option<f64>,
    /// Tokens for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) for_recovery: Option<Answer>,
    /// What the budget buys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) for_budget: Option<Bought>,
    /// What each doubling buys, around the tokens that are enough.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) doublings: Vec<Doubling>,
}

/// What going from some tokens to twice as many buys.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Doubling {
    /// Tokens before.
    pub(crate) from: f64,
    /// Nats that doubling them buys.
    pub(crate) gain: f64,
    /// The interval of the gain, of the mean curve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) interval: Option<[f64; 2]>,
}

/// What a budget buys at one place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bought {
    /// Tokens.
    pub(crate) tokens: f64,
    /// What they cost.
    pub(crate) cost: Cost,
    /// The loss after them.
    #[serde(flatten)]
    pub(crate) prediction: Prediction,
    /// Nats that twice the tokens would buy.
    pub(crate) next_doubling: Amount,
}

impl Plan {
    /// The pruned model.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Parameters of the pruned model, zeroed ones among them; left out, as all cost is, where it
    /// is not known whether the method removes weights.
    pub fn parameters(&self) -> Option<f64> {
        self.parameters
    }

    /// Floating-point operations of one token.
    pub fn flops_per_token(&self) -> Option<f64> {
        self.flops_per_token
    }

    /// The loss that no number of tokens gets below, nats per token.
    pub fn floor(&self) -> &Answer {
        &self.floor
    }

    /// The doubling rule's gain, nats.
    pub fn doubling_gain(&self) -> f64 {
        self.doubling_gain
    }

    /// Tokens after which doubling buys less than `doubling_gain`.
    pub fn enough(&self) -> &Answer {
        &self.enough
    }

    /// The loss after these tokens.
    pub fn loss_then(&self) -> Option<f64> {
        self.loss_then
    }

    /// Its interval, of the mean curve.
    pub fn loss_then_mean(&self) -> Option<[f64; 2]> {
        self.loss_then_mean
    }

    /// Its interval for a new run.
    pub fn loss_then_new_run(&self) -> Option<[f64; 2]> {
        self.loss_then_new_run
    }

    /// The gain rule's gain, nats per million tokens.
    pub fn min_gain(&self) -> Option<f64> {
        self.min_gain
    }

    /// Tokens after which a million more buy less than `min_gain`.
    pub fn enough_by_gain(&self) -> Option<&Answer> {
        self.enough_by_gain.as_ref()
    }

    /// The wanted loss, nats per token.
    pub fn target_loss(&self) -> Option<f64> {
        self.target_loss
    }

    /// Tokens for the wanted loss.
    pub fn for_target(&self) -> Option<&Answer> {
        self.for_target.as_ref()
    }

    /// What is to be won back, and from where.
    pub fn recover(&self) -> Option<Recovery> {
        self.recover
    }

    /// The loss that this comes to, nats per token.
    pub fn recovered_loss(&self) -> Option<f64> {
        self.recovered_loss
    }

    /// Tokens for it.
    pub fn for_recovery(&self) -> Option<&Answer> {
        self.for_recovery.as_ref()
    }

    /// What the budget buys.
    pub fn for_budget(&self) -> Option<&Bought> {
        self.for_budget.as_ref()
    }

    /// What each doubling buys, around the tokens that are enough.
    pub fn doublings(&self) -> &[Doubling] {
        &self.doublings
    }
}

impl Doubling {
    /// Tokens before.
    pub fn from(&self) -> f64 {
        self.from
    }

    /// Nats that doubling them buys.
    pub fn gain(&self) -> f64 {
        self.gain
    }

    /// The interval of the gain, of the mean curve.
    pub fn interval(&self) -> Option<[f64; 2]> {
        self.interval
    }
}

impl Bought {
    /// Tokens.
    pub fn tokens(&self) -> f64 {
        self.tokens
    }

    /// What they cost.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// The loss after them.
    pub fn prediction(&self) -> &Prediction {
        &self.prediction
    }

    /// Nats that twice the tokens would buy.
    pub fn next_doubling(&self) -> Amount {
        self.next_doubling
    }
}
