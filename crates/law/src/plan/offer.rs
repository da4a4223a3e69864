//! What can be chosen within limits: candidates, offers, refusals.

use ledger::Objective;
use serde::{Deserialize, Serialize};

use super::cost::Cost;
use crate::code::Code;
use crate::error::{Fault, Result};
use crate::method::method_and_objective;
use crate::place::Place;
use crate::warning::Warning;

/// A model that could be pruned in one way.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The model's name, if it has one.
    pub model: Option<String>,
    /// Its series.
    pub series: String,
    /// The pruning method.
    pub method: String,
    /// What it is trained for, if the law holds several objectives.
    pub objective: Option<String>,
    /// Its size, its rate and its loss before pruning. A rate of 0 is the unpruned model.
    pub place: Place,
    /// Parameters of an untied input embedding, which cost nothing. 0 if it is tied or unknown.
    pub embedding: f64,
}

/// A model, and how it is pruned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrunedModel {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    pub(crate) series: String,
    pub(crate) method: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) objective: Option<String>,
    #[serde(flatten)]
    pub(crate) place: Place,
}

/// Upper limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Parameters of the pruned model, including zeroed ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<f64>,
    /// Post-training tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<f64>,
    /// Floating-point operations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flops: Option<f64>,
}

/// A pruned model after some tokens of post-training, or an unpruned model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// The model and how it is pruned.
    #[serde(flatten)]
    pub(crate) pruned: PrunedModel,
    /// Parameters after pruning, including zeroed ones.
    pub(crate) parameters: f64,
    /// Post-training tokens.
    pub(crate) tokens: f64,
    /// The cost of the tokens.
    pub(crate) cost: Cost,
    /// The loss after the tokens, nats per token, from the mean curve. It is not reliable if the
    /// code is `interval-too-wide`. For an unpruned model it is the loss that was given.
    pub(crate) loss: f64,
    /// The interval of the law's mean curve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mean: Option<[f64; 2]>,
    /// The interval of a new run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) new_run: Option<[f64; 2]>,
    /// The reasons for doubt.
    pub(crate) code: Vec<Code>,
}

/// A candidate without an offer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// The model and how it is pruned.
    #[serde(flatten)]
    pub(crate) pruned: PrunedModel,
    /// The reasons for the refusal.
    pub(crate) code: Vec<Code>,
    /// The same as a sentence.
    pub(crate) sentence: String,
}

/// The result: offers within limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Allocation {
    /// The limits.
    pub(crate) limits: Limits,
    /// The best offer of each pruned candidate, lowest loss first.
    pub(crate) best: Vec<Offer>,
    /// How many of these have intervals that overlap the first one's, including the first. They
    /// cannot be told apart.
    pub(crate) tied: usize,
    /// The offers that no other beats in loss, size and cost together, cheapest first. Unpruned
    /// models are among them.
    pub(crate) front: Vec<Offer>,
    /// The candidates without an offer, and why.
    pub(crate) refused: Vec<Refusal>,
    /// Warnings about comparing these losses.
    pub(crate) warnings: Vec<Warning>,
}

impl Limits {
    pub(super) fn check(&self) -> Result<()> {
        let limits =
            [("max-params", self.parameters), ("max-tokens", self.tokens), ("budget", self.flops)];
        match limits
            .into_iter()
            .find(|(_, limit)| limit.is_some_and(|x| !(x > 0.0 && x.is_finite())))
        {
            Some((name, found)) => Err(Fault::Setting {
                name,
                found: found.unwrap_or_default(),
                expected: "a positive number",
            }
            .into()),
            None => Ok(()),
        }
    }
}

impl Allocation {
    /// The offer with the lowest loss, if there is any.
    pub fn lowest(&self) -> Option<&Offer> {
        self.best.first()
    }
}

impl From<&Candidate> for PrunedModel {
    fn from(candidate: &Candidate) -> Self {
        let Candidate { model, series, method, objective, place, .. } = candidate.clone();
        // The next-token loss is left out, as in a law.
        let objective = objective.filter(|name| name != Objective::LM);
        Self { model, series, method, objective, place }
    }
}

impl PrunedModel {
    /// The model's name, if it has one.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Its series.
    pub fn series(&self) -> &str {
        &self.series
    }

    /// The pruning method; `none` for an unpruned model.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The method, and what it is trained for where that is not the next-token loss.
    pub fn method_and_objective(&self) -> String {
        method_and_objective(&self.method, self.objective.as_deref())
    }

    /// What it is trained for: `lm` for the next-token loss.
    pub fn objective(&self) -> &str {
        self.objective.as_deref().unwrap_or(Objective::LM)
    }

    /// Its size, its rate and its loss before pruning.
    pub fn place(&self) -> Place {
        self.place
    }
}

impl Offer {
    /// The model and how it is pruned.
    pub fn pruned(&self) -> &PrunedModel {
        &self.pruned
    }

    /// Parameters after pruning, including zeroed ones.
    pub fn parameters(&self) -> f64 {
        self.parameters
    }

    /// Post-training tokens.
    pub fn tokens(&self) -> f64 {
        self.tokens
    }

    /// The cost of the tokens.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// The loss after the tokens, nats per token, from the mean curve. It is not reliable if the
    /// code is `interval-too-wide`. For an unpruned model it is the loss that was given.
    pub fn loss(&self) -> f64 {
        self.loss
    }

    /// The interval of the law's mean curve.
    pub fn mean(&self) -> Option<[f64; 2]> {
        self.mean
    }

    /// The interval of a new run.
    pub fn new_run(&self) -> Option<[f64; 2]> {
        self.new_run
    }

    /// The reasons for doubt.
    pub fn code(&self) -> &[Code] {
        &self.code
    }
}

impl Refusal {
    /// The model and how it is pruned.
    pub fn pruned(&self) -> &PrunedModel {
        &self.pruned
    }

    /// The reasons for the refusal.
    pub fn code(&self) -> &[Code] {
        &self.code
    }

    /// The same as a sentence.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }
}

impl Allocation {
    /// The limits.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The best offer of each pruned candidate, lowest loss first.
    pub fn best(&self) -> &[Offer] {
        &self.best
    }

    /// How many of these have intervals that overlap the first one's, including the first. They
    /// cannot be told apart.
    pub fn tied(&self) -> usize {
        self.tied
    }

    /// The offers that no other beats in loss, size and cost together, cheapest first. Unpruned
    /// models are among them.
    pub fn front(&self) -> &[Offer] {
        &self.front
    }

    /// The candidates without an offer, and why.
    pub fn refused(&self) -> &[Refusal] {
        &self.refused
    }

    /// Warnings about comparing these losses.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}
