//! What is asked about a run that goes on.

use crate::error::{Fault, Result};
use crate::levels::Subject;
use crate::{GroupLaw, Place};

/// What is asked about a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Question {
    until: Option<f64>,
    gain: f64,
    target: Option<f64>,
    level: f64,
    seed: u64,
}

/// What is believed before the run's own points.
#[derive(Clone, Copy, Debug)]
pub enum Prior<'a> {
    /// Little: weak priors that hold for any training.
    Weak,
    /// What a law says of such a run.
    Law {
        /// The law of its series and method; it must have levels.
        law: &'a GroupLaw,
        /// What the law knows of it. A run that it has seen gives only its newer points.
        subject: Subject<'a>,
        /// Its size, rate and loss before pruning.
        place: Place,
    },
}

impl Default for Question {
    fn default() -> Self {
        Self { until: None, gain: 0.01, target: None, level: 0.9, seed: 1 }
    }
}

impl Question {
    /// Asks about the loss after so many tokens. Otherwise the end of the run is asked about where
    /// it is known, or else twice the tokens so far.
    pub fn until(self, tokens: Option<f64>) -> Self {
        Self { until: tokens, ..self }
    }

    /// A doubling of tokens that buys less than this is not worth it, nats. 0.01 by default.
    pub fn gain(self, nats: f64) -> Self {
        Self { gain: nats, ..self }
    }

    /// Asks when the run reaches this loss, nats per token. Advice is then about this.
    pub fn target(self, loss: Option<f64>) -> Self {
        Self { target: loss, ..self }
    }

    /// The probability that an interval contains what happens; 0.9 by default.
    pub fn level(self, level: f64) -> Self {
        Self { level, ..self }
    }

    /// The seed of the draws. The same seed gives the same answer on any number of threads.
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    pub(super) fn check(&self) -> Result<()> {
        let refuse = |name, found, expected| Err(Fault::Setting { name, found, expected }.into());
        if let Some(found) = self.until.filter(|until| !(1.0..=1e18).contains(until)) {
            return refuse("until", found, "a token count from 1 to 1e18");
        }
        if !(self.gain > 0.0 && self.gain.is_finite()) {
            return refuse("gain", self.gain, "a positive number of nats");
        }
        if let Some(found) = self.target.filter(|target| !target.is_finite()) {
            return refuse("target", found, "a finite number");
        }
        if !(0.5..1.0).contains(&self.level) {
            return refuse("level", self.level, "at least 0.5 and below 1");
        }
        Ok(())
    }

    pub(super) fn gain_asked(&self) -> f64 {
        self.gain
    }

    pub(super) fn until_asked(&self) -> Option<f64> {
        self.until
    }

    pub(super) fn target_asked(&self) -> Option<f64> {
        self.target
    }

    pub(super) fn level_asked(&self) -> f64 {
        self.level
    }

    pub(super) fn seed_asked(&self) -> u64 {
        self.seed
    }
}
