//! The loss that a law predicts at one place, and how far the place lies outside the data.

use ledger::short_count;
use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::form::Axis;
use crate::levels::Subject;

/// The loss that a law predicts, and how certain it is. Unknown values are left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// What the answer is about, if the law has levels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) about: Option<About>,
    /// The loss, nats per token; absent if the data cannot tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) loss: Option<f64>,
    /// The interval of the law's mean curve; with levels, of the curve that the answer is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mean: Option<[f64; 2]>,
    /// The interval of a measured point of a new run. It is wider by the noise of runs, bases and
    /// points. With levels, of a point measured on the curve that the answer is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) new_run: Option<[f64; 2]>,
    /// The range of the laws that the data cannot tell apart. Noise is not included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hull: Option<[f64; 2]>,
    /// The probability that an interval contains the true value.
    pub(crate) level: f64,
    /// The reasons for doubt.
    pub(crate) code: Vec<Code>,
    /// The axes along which the place lies outside the data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) outside: Vec<Outside>,
    /// The same as a sentence.
    pub(crate) sentence: String,
}

/// One point of a law's curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    pub(crate) tokens: f64,
    pub(crate) loss: f64,
    pub(crate) mean: Option<[f64; 2]>,
    pub(crate) new_run: Option<[f64; 2]>,
}

impl CurvePoint {
    /// Post-training tokens.
    pub fn tokens(&self) -> f64 {
        self.tokens
    }

    /// The loss, nats per token: of the mean curve, or the middle of what levels hold possible.
    pub fn loss(&self) -> f64 {
        self.loss
    }

    /// As [`Prediction::mean`].
    pub fn mean(&self) -> Option<[f64; 2]> {
        self.mean
    }

    /// As [`Prediction::new_run`].
    pub fn new_run(&self) -> Option<[f64; 2]> {
        self.new_run
    }
}

/// What an answer of a law with levels is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// A run that the law has seen, continued.
    Run,
    /// A new run from a base that the law has seen.
    KnownBase,
    /// A new run from a base that the law has not seen.
    NewBase,
}

impl From<Subject<'_>> for About {
    fn from(subject: Subject<'_>) -> Self {
        match subject {
            Subject::Run(_) => Self::Run,
            Subject::KnownBase(_) => Self::KnownBase,
            Subject::NewBase => Self::NewBase,
        }
    }
}

impl std::fmt::Display for About {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Run => "a run that the law has seen, continued",
            Self::KnownBase => "a new run from a base that the law has seen",
            Self::NewBase => "a run from a base that the law has not seen",
        })
    }
}

/// How far a place lies outside the data along one axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outside {
    /// `n0`, `rate` or `tokens`.
    pub(crate) axis: Axis,
    /// The ratio to the nearest measured value; always more than 1.
    pub(crate) factor: f64,
}

/// Beyond this factor outside the data no point is predicted.
pub(crate) const FARTHEST: f64 = 10.0;

impl Outside {
    /// How far a value lies outside a range; `None` if it is inside.
    pub(crate) fn of(axis: Axis, x: f64, [min, max]: [f64; 2]) -> Option<Self> {
        // A value near zero would give an infinite factor, which JSON cannot hold.
        let factor = (min / x).max(x / max).min(f64::MAX);
        (factor > 1.0).then_some(Self { axis, factor })
    }

    /// The same for a person.
    pub(crate) fn say(&self, [min, max]: [f64; 2]) -> String {
        let show = |x: f64| match self.axis {
            Axis::Rate => format!("{x:.3}"),
            _ => short_count(x),
        };
        let (axis, min, max) = (self.axis, show(min), show(max));
        match self.factor {
            factor if factor < 1.05 => {
                format!("`{axis}` lies just outside the data, {min} to {max}")
            }
            factor => {
                format!(
                    "`{axis}` lies {} times outside the data, {min} to {max}",
                    short_factor(factor)
                )
            }
        }
    }
}

fn short_factor(factor: f64) -> String {
    match factor {
        // Larger factors are so far outside that only their size matters.
        x if x < 1e4 => format!("{x:.1}"),
        x => format!("{x:.0e}"),
    }
}

impl Prediction {
    /// What the answer is about, if the law has levels.
    pub fn about(&self) -> Option<About> {
        self.about
    }

    /// The loss, nats per token; absent if the data cannot tell.
    pub fn loss(&self) -> Option<f64> {
        self.loss
    }

    /// The interval of the law's mean curve.
    pub fn mean(&self) -> Option<[f64; 2]> {
        self.mean
    }

    /// The interval of a measured point of a new run. It is wider by the noise of runs, bases and
    /// points.
    pub fn new_run(&self) -> Option<[f64; 2]> {
        self.new_run
    }

    /// The range of the laws that the data cannot tell apart. Noise is not included.
    pub fn hull(&self) -> Option<[f64; 2]> {
        self.hull
    }

    /// The probability that an interval contains the true value.
    pub fn level(&self) -> f64 {
        self.level
    }

    /// The reasons for doubt.
    pub fn code(&self) -> &[Code] {
        &self.code
    }

    /// The axes along which the place lies outside the data.
    pub fn outside(&self) -> &[Outside] {
        &self.outside
    }

    /// The same as a sentence.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }
}

impl Outside {
    /// `n0`, `rate` or `tokens`.
    pub fn axis(&self) -> Axis {
        self.axis
    }

    /// The ratio to the nearest measured value; always more than 1.
    pub fn factor(&self) -> f64 {
        self.factor
    }
}
