//! Warnings about a result: a code for programs, a sentence for people.

use ledger::short_count;
use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::form::Axis;

/// A finding about the data or the fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    code: Code,
    sentence: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    axis: Option<Axis>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    constants: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    runs: Vec<String>,
}

/// All kinds of warnings, with the values that their sentences mention.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Notice {
    /// A run that saw text a second time.
    RepeatedData {
        run: String,
    },
    /// A run whose warm-up is set aside.
    WarmUpLeftOut {
        run: String,
    },
    /// A run measured both at a constant and under a falling learning rate.
    MixedSchedule {
        run: String,
    },
    /// A run measured only under a falling learning rate.
    DecayingSchedule {
        run: String,
    },
    /// Runs with every loss below the unpruned model's.
    BelowBase {
        runs: Vec<String>,
    },
    /// Constants, or sums of two, that lie at a bound.
    ParameterAtBound {
        names: Vec<String>,
    },
    /// Constrained constants that the form does not have.
    ConstraintUnused {
        form: &'static str,
        constants: Vec<String>,
    },
    /// A test that the form fails on its own data.
    LackOfFit(Misfit),
    /// Fewer bases than four: in words, such as `one base`.
    BasesTooFew {
        bases: &'static str,
    },
    OneRun,
    /// Runs that end below their floor.
    FloorContradicted {
        runs: Vec<String>,
    },
    /// The chains of the posterior have not met.
    ChainsApart {
        sentence: String,
    },
    SimulatedIntervals,
    NoInterval,
    FloorFallsWithRate,
    TokensFollowSize,
    /// A point that lies far off its own run: its row in the table, how far off it lies, and how
    /// many times further than usual.
    SpoiltPoint {
        row: usize,
        nats: f64,
        times: f64,
        run: String,
    },
    /// Numbers that look as if they were in another unit.
    UnlikelyUnit {
        sentence: String,
        runs: Vec<String>,
    },
    /// Columns that the table lacks.
    ColumnsAbsent {
        axes: Vec<Axis>,
    },
    /// Series whose losses are compared.
    SeveralSeries {
        series: Vec<String>,
    },
}

/// How a form is wrong for its data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Misfit {
    /// The shape of the runs' curves changes along this axis.
    Bend(Axis),
    /// The loss does not follow a power of the rate.
    NoPowerOfRate,
    /// The power of the tokens changes with the size.
    PowerChanges,
    /// The form predicts better if this many tokens are added to every count.
    Shift { tokens: f64 },
}

impl Notice {
    fn code(&self) -> Code {
        match self {
            Self::RepeatedData { .. } => Code::RepeatedData,
            Self::WarmUpLeftOut { .. } => Code::WarmUpLeftOut,
            Self::MixedSchedule { .. } => Code::MixedSchedule,
            Self::DecayingSchedule { .. } => Code::DecayingSchedule,
            Self::BelowBase { .. } => Code::BelowBase,
            Self::ParameterAtBound { .. } => Code::ParameterAtBound,
            Self::ConstraintUnused { .. } => Code::ConstraintUnused,
            Self::LackOfFit(_) => Code::LackOfFit,
            Self::BasesTooFew { .. } => Code::BasesTooFew,
            Self::OneRun => Code::OneRun,
            Self::FloorContradicted { .. } => Code::FloorContradicted,
            Self::ChainsApart { .. } => Code::ChainsApart,
            Self::SimulatedIntervals => Code::SimulatedIntervals,
            Self::NoInterval => Code::NoInterval,
            Self::FloorFallsWithRate => Code::FloorFallsWithRate,
            Self::TokensFollowSize => Code::TokensFollowSize,
            Self::SpoiltPoint { .. } => Code::SpoiltPoint,
            Self::UnlikelyUnit { .. } => Code::UnlikelyUnit,
            Self::ColumnsAbsent { .. } => Code::ColumnsAbsent,
            Self::SeveralSeries { .. } => Code::SeveralSeries,
        }
    }

    fn sentence(&self) -> String {
        match self {
            Self::RepeatedData { .. } => {
                "text was seen a second time: a repeated token is worth less than a new one".into()
            }
            Self::WarmUpLeftOut { .. } => "points of the warm-up are left out".into(),
            Self::MixedSchedule { .. } => {
                "points at a falling learning rate are left out, because the others were measured at a constant one"
                    .into()
            }
            Self::DecayingSchedule { .. } => {
                "the learning rate falls at every point: only the last point is used, because earlier ones do not show \
                 where a run of that length would end"
                    .into()
            }
            Self::BelowBase { .. } => {
                "every loss lies below the unpruned model's: its text may be nearer to the held-out text, or \
                 the base was still learning; post-train the unpruned model on the same tokens to tell"
                    .into()
            }
            Self::ParameterAtBound { names } => {
                let names = names.join(", ");
                format!("{names} stands at its bound: the data point beyond it")
            }
            Self::ConstraintUnused { form, constants } => {
                let constants = constants.join(", ");
                format!("form `{form}` has no {constants}: what was set for it is not used")
            }
            Self::LackOfFit(misfit) => misfit.sentence(),
            Self::BasesTooFew { bases } => format!(
                "{bases} cannot show how much bases differ: intervals leave that out. In simulations with three bases and \
                 an error of 0.005 nats a base, they held the truth in 52 to 58 % of cases, not in 90 %"
            ),
            Self::OneRun => {
                "with one run the noise between runs is unknown: intervals hold for the curve of this run, and a new \
                 run has none"
                    .into()
            }
            Self::FloorContradicted { .. } => {
                "a measured loss lies below the floor that the law gives its run, by more than the noise"
                    .into()
            }
            Self::ChainsApart { sentence } => format!(
                "{sentence}; intervals are those of the jackknife"
            ),
            Self::SimulatedIntervals => {
                "too few runs to leave one out: intervals come from simulated data".into()
            }
            Self::NoInterval => {
                "too few points to tell noise from law: there are no intervals".into()
            }
            Self::FloorFallsWithRate => {
                "the law's floor lies below the unpruned model's loss, so it says that more pruning helps"
                    .into()
            }
            Self::TokensFollowSize => {
                "tokens grow with the size in every run: alpha and beta cannot be told apart".into()
            }
            Self::SpoiltPoint { row, nats, times, .. } => format!(
                "row {row}: the loss lies {nats:.3} nats off the line through its neighbours, {times:.0} times further \
                 than usual in its run: correct it, or leave the row out"
            ),
            Self::UnlikelyUnit { sentence, .. } => sentence.clone(),
            Self::ColumnsAbsent { axes } => {
                let names: Vec<String> = axes.iter().map(|axis| format!("`{axis}`")).collect();
                format!(
                    "the table has no column {}: enough tokens are not given place by place",
                    names.join(", ")
                )
            }
            Self::SeveralSeries { series } => format!(
                "losses of several series are compared ({}): nats per token can be compared only with the same \
                 tokenizer and held-out text",
                series.join(", ")
            ),
        }
    }
}

impl Misfit {
    fn axis(self) -> Axis {
        match self {
            Self::Bend(axis) => axis,
            Self::NoPowerOfRate => Axis::Rate,
            Self::PowerChanges => Axis::N0,
            Self::Shift { .. } => Axis::Tokens,
        }
    }

    fn sentence(self) -> String {
        let axis = self.axis();
        let what = match self {
            Self::Bend(_) => "the curves bend in another way than the form allows".to_owned(),
            Self::NoPowerOfRate => "the loss does not follow a power of the rate".to_owned(),
            Self::PowerChanges => "the power of the tokens changes with the size".to_owned(),
            Self::Shift { tokens } => {
                let tokens = short_count(tokens);
                format!(
                    "the form predicts left-out runs better if {tokens} tokens are added to every count"
                )
            }
        };
        format!("along `{axis}`: {what}")
    }
}

impl From<Notice> for Warning {
    fn from(notice: Notice) -> Self {
        let (code, sentence) = (notice.code(), notice.sentence());
        let axis = match &notice {
            Notice::LackOfFit(misfit) => Some(misfit.axis()),
            _ => None,
        };
        let constants = match &notice {
            // A bounded sum concerns both of its constants.
            Notice::ParameterAtBound { names } => {
                names.iter().flat_map(|name| name.split(" + ")).map(str::to_owned).collect()
            }
            Notice::ConstraintUnused { constants, .. } => constants.clone(),
            _ => Vec::new(),
        };
        // Sentences do not name runs, so that equal warnings of several runs can be merged.
        let runs = match notice {
            Notice::RepeatedData { run }
            | Notice::WarmUpLeftOut { run }
            | Notice::MixedSchedule { run }
            | Notice::DecayingSchedule { run }
            | Notice::SpoiltPoint { run, .. } => vec![run],
            Notice::BelowBase { runs }
            | Notice::FloorContradicted { runs }
            | Notice::UnlikelyUnit { runs, .. } => runs,
            _ => Vec::new(),
        };
        Self { code, sentence, axis, constants, runs }
    }
}

impl Warning {
    /// Its id.
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// The sentence for a person.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    /// The axis that it concerns, if there is one.
    pub fn axis(&self) -> Option<Axis> {
        self.axis
    }

    /// The constants that it concerns.
    pub fn constants(&self) -> &[String] {
        &self.constants
    }

    /// The runs that it concerns; empty if it concerns all.
    pub fn runs(&self) -> &[String] {
        &self.runs
    }

    /// Merges warnings with the same code and sentence, and joins their runs. The first one keeps
    /// its place.
    pub(crate) fn merged(warnings: Vec<Self>) -> Vec<Self> {
        let mut merged: Vec<Self> = Vec::new();
        for warning in warnings {
            let is_same = |known: &&mut Self| {
                (&known.code, &known.sentence) == (&warning.code, &warning.sentence)
            };
            match merged.iter_mut().find(is_same) {
                Some(known) => known.runs.extend(warning.runs),
                None => merged.push(warning),
            }
        }
        merged
    }
}
