//! A forecast: numbers with their intervals, advice, alarms, and what is not modelled.

use std::collections::BTreeMap;
use std::fmt;

use ledger::{Estimate, Format};
use serde::{Deserialize, Serialize};

use super::alarm::Alarm;
use crate::levels::{Diagnostics, Normal};

/// What a run's points say of the rest of it. Unknown values are left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    pub(super) format: Format<1>,
    pub(super) advice: Advice,
    pub(super) sentence: String,
    /// Points used, and tokens and loss of the last of them.
    pub(super) points: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tokens: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) loss: Option<f64>,
    pub(super) gain: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expected: Option<Expected>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) target: Option<Target>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) alarms: Vec<Alarm>,
    /// What a reader must know beside the numbers, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) remarks: Vec<String>,
    pub(super) prior: PriorUsed,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) diagnostics: Option<Diagnostics>,
}

/// What to do with the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Advice {
    /// More tokens are worth it.
    GoOn,
    /// They are not.
    StopNow,
    /// The points do not say.
    CannotTell,
}

/// What is expected of the rest of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    pub(super) until: f64,
    pub(super) loss: Estimate,
    pub(super) measured: Estimate,
    pub(super) next_doubling: Estimate,
    pub(super) chance_below_gain: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) enough: Option<Estimate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) floor: Option<Estimate>,
    pub(super) curve: Vec<ForecastPoint>,
}

/// When the run reaches a loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Target {
    pub(super) loss: f64,
    /// The probability that the curve is there now, and by the end.
    pub(super) chance_now: f64,
    pub(super) chance: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tokens: Option<Estimate>,
}

/// One point of the expected curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForecastPoint {
    pub(super) tokens: f64,
    pub(super) loss: f64,
    pub(super) curve: [f64; 2],
    pub(super) measured: [f64; 2],
}

/// What was believed before the points.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PriorUsed {
    pub(super) from: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) constants: BTreeMap<String, Normal>,
}

impl Forecast {
    /// What to do.
    pub fn advice(&self) -> Advice {
        self.advice
    }

    /// The advice and its reason, as one sentence.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    /// How many points were used.
    pub fn points(&self) -> usize {
        self.points
    }

    /// Tokens of the last point used.
    pub fn tokens(&self) -> Option<f64> {
        self.tokens
    }

    /// The loss measured there, nats per token.
    pub fn loss(&self) -> Option<f64> {
        self.loss
    }

    /// A doubling that buys less than this is not worth it, nats.
    pub fn gain(&self) -> f64 {
        self.gain
    }

    /// What is expected; `None` where the points do not say.
    pub fn expected(&self) -> Option<&Expected> {
        self.expected.as_ref()
    }

    /// When the target is reached, if one was asked for.
    pub fn target(&self) -> Option<&Target> {
        self.target.as_ref()
    }

    /// What is wrong with the run.
    pub fn alarms(&self) -> &[Alarm] {
        &self.alarms
    }

    /// What a reader must know beside the numbers, a sentence each.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// What was believed before the points.
    pub fn prior(&self) -> &PriorUsed {
        &self.prior
    }

    /// Whether the sampler's walkers have met.
    pub fn diagnostics(&self) -> Option<&Diagnostics> {
        self.diagnostics.as_ref()
    }
}

impl Expected {
    /// The tokens that the loss at the end is for.
    pub fn until(&self) -> f64 {
        self.until
    }

    /// The loss of the curve there, nats per token.
    pub fn loss(&self) -> Estimate {
        self.loss
    }

    /// The loss that an evaluation would measure there.
    pub fn measured(&self) -> Estimate {
        self.measured
    }

    /// What doubling the tokens so far buys, nats.
    pub fn next_doubling(&self) -> Estimate {
        self.next_doubling
    }

    /// The probability that this is less than the wanted gain.
    pub fn chance_below_gain(&self) -> f64 {
        self.chance_below_gain
    }

    /// The tokens from which a doubling buys less than the wanted gain.
    pub fn enough(&self) -> Option<Estimate> {
        self.enough
    }

    /// The loss that the curve tends to: an extrapolation to tokens without end.
    pub fn floor(&self) -> Option<Estimate> {
        self.floor
    }

    /// The curve from the first point used to the end.
    pub fn curve(&self) -> &[ForecastPoint] {
        &self.curve
    }
}

impl Target {
    /// The loss, nats per token.
    pub fn loss(&self) -> f64 {
        self.loss
    }

    /// The probability that the curve has reached it by the last point.
    pub fn chance_now(&self) -> f64 {
        self.chance_now
    }

    /// The probability that the curve has reached it by the end.
    pub fn chance(&self) -> f64 {
        self.chance
    }

    /// The tokens that reach it; `None` where many of the curves never do.
    pub fn tokens(&self) -> Option<Estimate> {
        self.tokens
    }
}

impl ForecastPoint {
    /// Tokens.
    pub fn tokens(&self) -> f64 {
        self.tokens
    }

    /// The middle of the curves there, nats per token.
    pub fn loss(&self) -> f64 {
        self.loss
    }

    /// The interval of the curve.
    pub fn curve(&self) -> [f64; 2] {
        self.curve
    }

    /// The interval of a loss measured there.
    pub fn measured(&self) -> [f64; 2] {
        self.measured
    }
}

impl PriorUsed {
    /// Where it comes from, for a person.
    pub fn from(&self) -> &str {
        &self.from
    }

    /// The weak priors by name; empty where a law is the prior.
    pub fn constants(&self) -> &BTreeMap<String, Normal> {
        &self.constants
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::GoOn => "go on",
            Self::StopNow => "stop now",
            Self::CannotTell => "cannot tell yet",
        })
    }
}
