//! The questions that a plan answers.

use serde::{Deserialize, Serialize};

use super::cost::Bill;
use crate::error::{Fault, Result};

/// The questions that a plan answers, and what tokens cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wish {
    /// Tokens are enough if doubling them gains less than this, nats.
    pub doubling_gain: f64,
    /// Tokens are enough if a million more gain less than this, nats.
    pub min_gain: Option<f64>,
    /// Ask for the tokens that reach this loss, nats per token.
    pub target_loss: Option<f64>,
    /// Ask for the tokens that recover a share of the loss from pruning.
    pub recover: Option<Recovery>,
    /// Ask what this many floating-point operations buy.
    pub budget: Option<f64>,
    /// What a token costs.
    pub bill: Bill,
}

/// A share of the way back from a measured loss to the loss before pruning.
///
/// A law does not describe the freshly pruned model, so its loss must be measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    /// The share to recover, above 0 and at most 1.
    pub share: f64,
    /// The loss to recover from, nats per token.
    pub reference: f64,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            doubling_gain: 0.01,
            min_gain: None,
            target_loss: None,
            recover: None,
            budget: None,
            bill: Bill::default(),
        }
    }
}

impl Wish {
    pub(super) fn check(&self) -> Result<()> {
        let positive = [
            ("doubling-gain", Some(self.doubling_gain)),
            ("min-gain", self.min_gain),
            ("budget", self.budget),
        ];
        for (name, found) in positive {
            if let Some(found) = found.filter(|x| !(*x > 0.0 && x.is_finite())) {
                return Err(Fault::Setting { name, found, expected: "a positive number" }.into());
            }
        }
        match self.target_loss.filter(|x| !x.is_finite()) {
            Some(found) => {
                Err(Fault::Setting { name: "target-loss", found, expected: "a finite number" }
                    .into())
            }
            None => Ok(()),
        }
    }
}

impl Recovery {
    /// The loss at which the share is recovered.
    ///
    /// # Errors
    /// If the share is not in its range, or the reference is not above the loss before pruning.
    ///
    /// ```
    /// let recovery = law::plan::Recovery { share: 0.9, reference: 3.0 };
    /// assert!((recovery.target(2.0)? - 2.1).abs() < 1e-12);
    /// let error = recovery.target(3.5).unwrap_err();
    /// assert!(error.to_string().starts_with("there is nothing to recover"));
    /// # Ok::<(), law::Error>(())
    /// ```
    pub fn target(&self, loss0: f64) -> Result<f64> {
        let Self { share, reference } = *self;
        if !(share > 0.0 && share <= 1.0) {
            return Err(Fault::Setting {
                name: "recover",
                found: share,
                expected: "above 0 and at most 1",
            }
            .into());
        }
        if !(reference.is_finite() && reference > loss0) {
            return Err(Fault::NothingLost { reference, loss0 }.into());
        }
        Ok(reference - share * (reference - loss0))
    }
}
