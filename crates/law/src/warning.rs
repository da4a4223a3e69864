//! What should be known before an answer is trusted: a code for programs, a sentence for people.

use serde::{Deserialize, Serialize};

/// Something noticed about the data or the fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// A kebab-case id.
    pub code: String,
    /// The sentence.
    pub sentence: String,
    /// The axis it concerns, `n0`, `rate` or `tokens`, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub axis: Option<String>,
    /// The constants it concerns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constants: Vec<String>,
    /// The runs it concerns; empty when it concerns all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<String>,
}

impl Warning {
    /// A warning about everything.
    pub(crate) fn new(code: &str, sentence: impl Into<String>) -> Self {
        Self { code: code.to_owned(), sentence: sentence.into(), ..Self::default() }
    }

    pub(crate) fn along(self, axis: &str) -> Self {
        Self { axis: Some(axis.to_owned()), ..self }
    }

    pub(crate) fn of_constants(
        self,
        constants: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        Self { constants: constants.into_iter().map(Into::into).collect(), ..self }
    }

    fn of_run(code: &str, run: &str, sentence: &str) -> Self {
        Self { runs: vec![run.to_owned()], ..Self::new(code, sentence) }
    }

    pub(crate) fn repeated_data(run: &str) -> Self {
        let sentence = "text was seen a second time: a repeated token is worth less than a new one";
        Self::of_run("repeated-data", run, sentence)
    }

    pub(crate) fn warm_up(run: &str) -> Self {
        Self::of_run("warm-up-left-out", run, "points of the warm-up are set aside")
    }

    pub(crate) fn decay(run: &str, mixed: bool) -> Self {
        match mixed {
            true => Self::of_run(
                "mixed-schedule",
                run,
                "points under a falling learning rate are set aside, because the others were measured at a constant one",
            ),
            false => Self::of_run(
                "decaying-schedule",
                run,
                "the learning rate falls at every point: only the last point is used, the others are not where a run of that length would end",
            ),
        }
    }

    pub(crate) fn below_base(runs: Vec<String>) -> Self {
        let sentence = "every loss lies below the unpruned model's: its text may be nearer to the held-out text, or \
                        the base was still learning; post-train the unpruned model on the same tokens to tell";
        Self { runs, ..Self::new("below-base", sentence) }
    }

    /// Warnings of one code and sentence become one, with all their runs; the first stays in its
    /// place.
    pub(crate) fn merged(warnings: Vec<Self>) -> Vec<Self> {
        let mut merged: Vec<Self> = Vec::new();
        for warning in warnings {
            match merged
                .iter_mut()
                .find(|w| w.code == warning.code && w.sentence == warning.sentence)
            {
                Some(known) => known.runs.extend(warning.runs),
                None => merged.push(warning),
            }
        }
        merged
    }
}
