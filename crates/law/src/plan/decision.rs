//! How many tokens are enough for one pruned model, and the answers to all other questions.

use serde::{Deserialize, Serialize};

use super::amount::Amount;
use super::answer::Answer;
use super::cost::Cost;
use super::question::Recovery;
use crate::levels::Subject;
use crate::place::Place;
use crate::prediction::Prediction;

/// How many tokens are enough at one place, by each rule that was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The pruned model.
    #[serde(flatten)]
    pub(crate) place: Place,
    /// The base that the law has seen and that the answers are about. Absent if they are about a
    /// base that it has not seen, or if the law has no levels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) base: Option<String>,
    /// Parameters of the pruned model, including zeroed ones. Absent, like all costs, if it is
    /// unknown whether the method removes weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parameters: Option<f64>,
    /// The floating-point operations of one token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) flops_per_token: Option<f64>,
    /// The loss that the curve tends to with ever more tokens, nats per token: an extrapolation.
    pub(crate) floor: Answer,
    /// The gain that the doubling rule asks for, nats.
    pub(crate) doubling_gain: f64,
    /// The tokens from which doubling gains less than `doubling_gain`.
    pub(crate) enough: Answer,
    /// The loss after this many tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) loss_then: Option<f64>,
    /// Its interval, of the mean curve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) loss_then_mean: Option<[f64; 2]>,
    /// Its interval for a new run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) loss_then_new_run: Option<[f64; 2]>,
    /// The gain that the gain rule asks for, nats per million tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) min_gain: Option<f64>,
    /// The tokens from which a million more gain less than `min_gain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) enough_by_gain: Option<Answer>,
    /// The wanted loss, nats per token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) target_loss: Option<f64>,
    /// The tokens that reach the wanted loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) for_target: Option<Answer>,
    /// The share of the loss to recover, and from which loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) recover: Option<Recovery>,
    /// The loss at which that share is recovered, nats per token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) recovered_loss: Option<f64>,
    /// The tokens that reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) for_recovery: Option<Answer>,
    /// What the budget buys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) for_budget: Option<Bought>,
    /// The gain of each doubling, for token counts around enough tokens.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) doublings: Vec<Doubling>,
}

/// The gain from doubling a number of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Doubling {
    /// The tokens before doubling.
    pub(crate) from: f64,
    /// The gain, nats.
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
    /// The cost of the tokens.
    pub(crate) cost: Cost,
    /// The predicted loss after the tokens.
    #[serde(flatten)]
    pub(crate) prediction: Prediction,
    /// The gain that twice the tokens would add, nats.
    pub(crate) next_doubling: Amount,
}

impl Plan {
    /// The pruned model.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The base that the law has seen and that the answers are about. Absent if they are about a
    /// base that it has not seen, or if the law has no levels.
    pub fn base(&self) -> Option<&str> {
        self.base.as_deref()
    }

    /// What its answers are about.
    pub fn subject(&self) -> Subject<'_> {
        self.base().map_or(Subject::NewBase, Subject::KnownBase)
    }

    /// Parameters of the pruned model, including zeroed ones. Absent, like all costs, if it is
    /// unknown whether the method removes weights.
    pub fn parameters(&self) -> Option<f64> {
        self.parameters
    }

    /// The floating-point operations of one token.
    pub fn flops_per_token(&self) -> Option<f64> {
        self.flops_per_token
    }

    /// The loss that the curve tends to with ever more tokens, nats per token: an extrapolation.
    pub fn floor(&self) -> &Answer {
        &self.floor
    }

    /// The gain that the doubling rule asks for, nats.
    pub fn doubling_gain(&self) -> f64 {
        self.doubling_gain
    }

    /// The tokens from which doubling gains less than `doubling_gain`.
    pub fn enough(&self) -> &Answer {
        &self.enough
    }

    /// The loss after this many tokens.
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

    /// The gain that the gain rule asks for, nats per million tokens.
    pub fn min_gain(&self) -> Option<f64> {
        self.min_gain
    }

    /// The tokens from which a million more gain less than `min_gain`.
    pub fn enough_by_gain(&self) -> Option<&Answer> {
        self.enough_by_gain.as_ref()
    }

    /// The wanted loss, nats per token.
    pub fn target_loss(&self) -> Option<f64> {
        self.target_loss
    }

    /// The tokens that reach the wanted loss.
    pub fn for_target(&self) -> Option<&Answer> {
        self.for_target.as_ref()
    }

    /// The share of the loss to recover, and from which loss.
    pub fn recover(&self) -> Option<Recovery> {
        self.recover
    }

    /// The loss at which that share is recovered, nats per token.
    pub fn recovered_loss(&self) -> Option<f64> {
        self.recovered_loss
    }

    /// The tokens that reach it.
    pub fn for_recovery(&self) -> Option<&Answer> {
        self.for_recovery.as_ref()
    }

    /// What the budget buys.
    pub fn for_budget(&self) -> Option<&Bought> {
        self.for_budget.as_ref()
    }

    /// Every answer about tokens that was asked for.
    pub fn asked(&self) -> impl Iterator<Item = &Answer> {
        let asked =
            [Some(self.enough()), self.enough_by_gain(), self.for_target(), self.for_recovery()];
        asked.into_iter().flatten()
    }

    /// The gain of each doubling, for token counts around enough tokens.
    pub fn doublings(&self) -> &[Doubling] {
        &self.doublings
    }
}

impl Doubling {
    /// The tokens before doubling.
    pub fn from(&self) -> f64 {
        self.from
    }

    /// The gain, nats.
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

    /// The cost of the tokens.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// The predicted loss after the tokens.
    pub fn prediction(&self) -> &Prediction {
        &self.prediction
    }

    /// The gain that twice the tokens would add, nats.
    pub fn next_doubling(&self) -> Amount {
        self.next_doubling
    }
}
