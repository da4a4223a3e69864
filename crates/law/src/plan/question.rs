//! What a plan should answer.

use serde::{Deserialize, Serialize};

use super::cost::Bill;
use crate::error::{Fault, Result};

/// What a plan should answer, and what tokens cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wish {
    /// Enough is where doubling the tokens buys less than this, nats.
    pub doubling_gain: f64,
    /// Enough is where a million more tokens buy less than this, nats.
    pub min_gain: Option<f64>,
    /// Tokens for this loss, nats per token.
    pub target_loss: Option<f64>,
    /// Tokens to win back a share of what pruning cost.
    pub recover: Option<Recovery>,
    /// What so many floating-point operations buy.
    pub budget: Option<f64>,
    /// What a token costs.
    pub bill: Bill,
}

/// A share of the way back from a measured loss to the loss before pruning.
///
/// The law says nothing of the freshly pruned model, so the loss to come from must be measured.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recovery {
    /// Above 0, at most 1.
    pub share: f64,
    /// The loss to come from, nats per token.
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
    /// The loss at which the share is won back.
    ///
    /// # Errors
    /// Where the share is none, or the reference does not lie above the loss before pruning.
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
