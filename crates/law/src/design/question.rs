//! What a design is asked: which pilots can be had, which number is wanted, and what is believed.

use serde::{Deserialize, Serialize};

use crate::GroupLaw;
use crate::error::{Fault, Result};
use crate::levels::Priors;

/// A run that can be made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pilot {
    pub(super) base: String,
    pub(super) n0: f64,
    pub(super) rate: f64,
    pub(super) tokens: f64,
    /// Which of several runs of one place it is, from 1.
    pub(super) seed: u64,
    pub(super) cost: f64,
    /// The tokens at which it is evaluated, if those of [`Options`] are not meant.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) evaluations: Vec<f64>,
}

/// The number that pilots are made for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// The tokens from which a doubling buys less than so many nats.
    Enough {
        /// Nats.
        gain: f64,
    },
    /// The loss after so many tokens.
    Loss {
        /// Tokens.
        tokens: f64,
    },
}

/// A pruned model, and what is wanted of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    pub(super) base: String,
    pub(super) n0: f64,
    pub(super) rate: f64,
    pub(super) wanted: Wanted,
}

/// What is believed before the pilots.
#[derive(Clone, Copy, Debug)]
pub enum Belief<'a> {
    /// What a law with levels has learnt.
    Law(&'a GroupLaw),
    /// Priors alone.
    Priors {
        /// Priors of the law's constants.
        priors: &'a Priors,
        /// About how far losses lie above those before pruning, nats.
        excess: f64,
        /// About how much the held-out loss scatters from point to point, nats.
        noise: f64,
    },
}

/// How a design is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// A run is evaluated so often. 12 by default.
    pub points: usize,
    /// Evaluations begin at the last tokens over this. 30 by default.
    pub span: f64,
    /// The probability that the answer's interval contains what happens. 0.9 by default.
    pub level: f64,
    /// Seed of the worlds.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { points: 12, span: 30.0, level: 0.9, seed: 1 }
    }
}

impl Pilot {
    /// A run of `tokens` tokens on a base of `n0` parameters, pruned at `rate`. Costs are in any
    /// unit, all in the same one.
    ///
    /// # Errors
    /// If a number is out of range.
    ///
    /// ```
    /// use law::design::Pilot;
    /// let error = Pilot::new("a", 1e9, 1.5, 1e8, 1.0).unwrap_err();
    /// assert_eq!(error.to_string(), "`rate` is 1.5, expected above 0 and below 1");
    /// ```
    pub fn new(base: &str, n0: f64, rate: f64, tokens: f64, cost: f64) -> Result<Self> {
        place(n0, rate)?;
        check_tokens(tokens)?;
        if !(cost > 0.0 && cost.is_finite()) {
            let expected = "a finite cost above 0";
            return Err(Fault::Setting { name: "cost", found: cost, expected }.into());
        }
        Ok(Self { base: base.to_owned(), n0, rate, tokens, seed: 1, cost, evaluations: Vec::new() })
    }

    /// One of several runs of this place, counted from 1.
    #[must_use]
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Evaluated after these tokens, ascending, instead of where [`Options`] says.
    #[must_use]
    pub fn with_evaluations(self, tokens: Vec<f64>) -> Self {
        Self { evaluations: tokens, ..self }
    }

    /// The base that is pruned.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Parameters before pruning.
    pub fn n0(&self) -> f64 {
        self.n0
    }

    /// The pruning rate.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// The tokens of its last point.
    pub fn tokens(&self) -> f64 {
        self.tokens
    }

    /// Which of several runs of one place it is, from 1.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// What it costs.
    pub fn cost(&self) -> f64 {
        self.cost
    }
}

impl Target {
    /// What is wanted of a base of `n0` parameters, pruned at `rate`. A base that no pilot has is
    /// one of which nothing is known but its size.
    ///
    /// # Errors
    /// If a number is out of range.
    pub fn new(base: &str, n0: f64, rate: f64, wanted: Wanted) -> Result<Self> {
        place(n0, rate)?;
        match wanted {
            Wanted::Loss { tokens } => check_tokens(tokens)?,
            Wanted::Enough { gain } if !(1e-9..=1e3).contains(&gain) => {
                let expected = "from 1e-9 to 1000 nats";
                return Err(Fault::Setting { name: "gain", found: gain, expected }.into());
            }
            Wanted::Enough { .. } => {}
        }
        Ok(Self { base: base.to_owned(), n0, rate, wanted })
    }

    /// What is wanted.
    pub fn wanted(&self) -> Wanted {
        self.wanted
    }
}

impl Options {
    /// The tokens at which a run is evaluated, evenly in their logarithm.
    pub(super) fn evaluations(&self, pilot: &Pilot) -> Vec<f64> {
        if !pilot.evaluations.is_empty() {
            return pilot.evaluations.clone();
        }
        let last = (self.points - 1) as f64;
        let at = |i: usize| pilot.tokens * self.span.powf(i as f64 / last - 1.0);
        (0..self.points).map(at).collect()
    }

    pub(super) fn check(&self) -> Result<()> {
        let refuse = |name, found, expected| Err(Fault::Setting { name, found, expected }.into());
        match *self {
            Self { points, .. } if !(3..=10_000).contains(&points) => {
                refuse("points", points as f64, "from 3 to 10000")
            }
            Self { span, .. } if !(span > 1.0 && span <= 1e6) => {
                refuse("span", span, "above 1 and at most 1e6")
            }
            Self { level, .. } if !(0.01..1.0).contains(&level) => {
                refuse("level", level, "from 0.01 to below 1")
            }
            _ => Ok(()),
        }
    }
}

fn place(n0: f64, rate: f64) -> Result<()> {
    crate::Place::new(n0, rate, 0.0).map(|_| ())
}

fn check_tokens(tokens: f64) -> Result<()> {
    if (1.0..=1e18).contains(&tokens) {
        return Ok(());
    }
    Err(Fault::Setting { name: "tokens", found: tokens, expected: "from 1 to 1e18" }.into())
}
