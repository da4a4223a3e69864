//! The pruned model that a question is about.

use serde::{Deserialize, Serialize};

use crate::error::{Fault, Result};
use crate::row::Row;

/// A pruned model: its size before pruning, its rate and its loss before pruning.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Parameters before pruning.
    pub n0: f64,
    /// Realised pruning rate.
    pub rate: f64,
    /// Loss before pruning, nats per token.
    pub loss0: f64,
}

impl Place {
    /// Checks the numbers and makes a place.
    ///
    /// ```
    /// let error = law::Place::new(8.03e9, 0.0, 2.05).unwrap_err();
    /// assert_eq!(error.to_string(), "`rate` is 0, expected above 0 and below 1");
    /// ```
    pub fn new(n0: f64, rate: f64, loss0: f64) -> Result<Self> {
        let refuse = |name, found, expected| Err(Fault::Setting { name, found, expected }.into());
        if !(1.0..=1e18).contains(&n0) {
            return refuse("n0", n0, "a parameter count from 1 to 1e18");
        }
        if !(1e-9..1.0).contains(&rate) {
            return refuse("rate", rate, "above 0 and below 1");
        }
        if !(0.0..=1e6).contains(&loss0) {
            return refuse("loss0", loss0, "from 0 to 1e6 nats");
        }
        Ok(Self { n0, rate, loss0 })
    }

    /// The place after some tokens, as a row.
    ///
    /// ```
    /// let place = law::Place::new(8.03e9, 0.25, 2.05)?;
    /// assert_eq!(place.row(1e9).tokens(), 1e9);
    /// # Ok::<(), law::Error>(())
    /// ```
    pub fn row(&self, tokens: f64) -> Row {
        Row::new(self.n0, self.rate, self.loss0, tokens)
    }
}
