//! What can be asked for and had under limits: candidates, offers, refusals.

use serde::{Deserialize, Serialize};

use super::cost::Cost;
use crate::code::Code;
use crate::error::{Fault, Result};
use crate::place::Place;
use crate::warning::Warning;

/// A model that could be pruned in one way.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// What it is called, where it has a name.
    pub model: Option<String>,
    /// Its series.
    pub series: String,
    /// The pruning method.
    pub method: String,
    /// Its size, its rate and its loss before pruning; a rate of 0 is the model as it is.
    pub place: Place,
    /// Parameters of an untied input embedding, which costs nothing; 0 where it is tied or
    /// unknown.
    pub embedding: f64,
}

/// What may not be exceeded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Parameters of the pruned model, zeroed ones among them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<f64>,
    /// Post-training tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<f64>,
    /// Floating-point operations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flops: Option<f64>,
}

/// A model, pruned and trained for some tokens, or as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// What the model is called, where it has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    /// Its series.
    pub(crate) series: String,
    /// The pruning method; `none` for a model as it is.
    pub(crate) method: String,
    /// Its size, its rate and its loss before pruning.
    #[serde(flatten)]
    pub(crate) place: Place,
    /// Parameters after pruning, zeroed ones among them.
    pub(crate) parameters: f64,
    /// Post-training tokens.
    pub(crate) tokens: f64,
    /// What they cost.
    pub(crate) cost: Cost,
    /// The loss after them, nats per token: what the mean curve says, which is no number to rely
    /// on where the code is `interval-too-wide`; for a model as it is, the loss that was
    /// given.
    pub(crate) loss: f64,
    /// The interval of the law's mean curve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mean: Option<[f64; 2]>,
    /// The interval of a new run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) new_run: Option<[f64; 2]>,
    /// What speaks against trusting it.
    pub(crate) code: Vec<Code>,
}

/// A candidate that there is no offer for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// What the model is called, where it has a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) model: Option<String>,
    /// Its series.
    pub(crate) series: String,
    /// The pruning method.
    pub(crate) method: String,
    /// Its size, its rate and its loss before pruning.
    #[serde(flatten)]
    pub(crate) place: Place,
    /// What is in the way.
    pub(crate) code: Vec<Code>,
    /// All this for a person.
    pub(crate) sentence: String,
}

/// What can be had under limits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Allocation {
    /// The limits.
    pub(crate) limits: Limits,
    /// The best offer of each pruned candidate, lowest loss first.
    pub(crate) best: Vec<Offer>,
    /// How many of these, the first among them, have intervals that overlap the first one's: they
    /// cannot be told apart.
    pub(crate) tied: usize,
    /// Offers that no other beats in loss, size and cost together, cheapest first; models as they
    /// are among them.
    pub(crate) front: Vec<Offer>,
    /// Candidates without an offer, and why.
    pub(crate) refused: Vec<Refusal>,
    /// What must be known before losses are compared.
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
    /// The offer with the lowest loss, where there is one that the law stands for.
    pub fn lowest(&self) -> Option<&Offer> {
        self.best.first()
    }
}

impl Offer {
    /// What the model is called, where it has a name.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Its series.
    pub fn series(&self) -> &str {
        &self.series
    }

    /// The pruning method; `none` for a model as it is.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Its size, its rate and its loss before pruning.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Parameters after pruning, zeroed ones among them.
    pub fn parameters(&self) -> f64 {
        self.parameters
    }

    /// Post-training tokens.
    pub fn tokens(&self) -> f64 {
        self.tokens
    }

    /// What they cost.
    pub fn cost(&self) -> Cost {
        self.cost
    }

    /// The loss after them, nats per token: what the mean curve says, which is no number to rely
    /// on where the code is `interval-too-wide`; for a model as it is, the loss that was
    /// given.
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

    /// What speaks against trusting it.
    pub fn code(&self) -> &[Code] {
        &self.code
    }
}

impl Refusal {
    /// What the model is called, where it has a name.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Its series.
    pub fn series(&self) -> &str {
        &self.series
    }

    /// The pruning method.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Its size, its rate and its loss before pruning.
    pub fn place(&self) -> Place {
        self.place
    }

    /// What is in the way.
    pub fn code(&self) -> &[Code] {
        &self.code
    }

    /// All this for a person.
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

    /// How many of these, the first among them, have intervals that overlap the first one's: they
    /// cannot be told apart.
    pub fn tied(&self) -> usize {
        self.tied
    }

    /// Offers that no other beats in loss, size and cost together, cheapest first; models as they
    /// are among them.
    pub fn front(&self) -> &[Offer] {
        &self.front
    }

    /// Candidates without an offer, and why.
    pub fn refused(&self) -> &[Refusal] {
        &self.refused
    }

    /// What must be known before losses are compared.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}
