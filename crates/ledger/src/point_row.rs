//! One row of a points table: what a law is fitted to.

use serde::{Deserialize, Serialize};

use crate::curve::Phase;

/// A held-out point of a run, with what is known of the run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PointRow {
    /// The model series: one law each.
    pub series: String,
    /// The pruning method: one law each; `none` marks an unpruned control.
    pub method: String,
    /// The run.
    pub run: String,
    /// The model that was pruned; runs of one base share its loss. Without one, series and `n0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Parameters before pruning.
    pub n0: f64,
    /// Realised pruning rate; 0 for an unpruned control.
    pub rate: f64,
    /// Held-out loss before pruning, nats per token.
    pub loss0: f64,
    /// Post-training tokens.
    pub tokens: f64,
    /// Held-out loss after them, nats per token.
    pub loss: f64,
    /// The phase of the learning rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The learning rate: a run without phases is given them by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// How much the squared residual counts; 1 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// Whether text was seen a second time before this point.
    #[serde(default)]
    pub repeated: bool,
    /// Whether the method makes weights zero and keeps them; unsaid, the method's id may tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zeroed: Option<bool>,
    /// What training minimises, as in `lm`; the same for all where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objective: Option<String>,
}

impl PointRow {
    /// The group and the run of rows that name none.
    pub const UNNAMED: &str = "unnamed";

    /// A row of the group `unnamed`, with tokens and loss still at 1: a beginning for tests and
    /// examples.
    ///
    /// ```
    /// use ledger::PointRow;
    /// let row = PointRow { tokens: 1e6, loss: 2.5, ..PointRow::run("a", 1e9, 0.25, 2.0) };
    /// assert_eq!((row.series.as_str(), row.base), ("unnamed", None));
    /// ```
    pub fn run(run: &str, n0: f64, rate: f64, loss0: f64) -> Self {
        Self {
            series: Self::UNNAMED.to_owned(),
            method: Self::UNNAMED.to_owned(),
            run: run.to_owned(),
            base: None,
            n0,
            rate,
            loss0,
            tokens: 1.0,
            loss: 1.0,
            phase: None,
            learning_rate: None,
            weight: None,
            repeated: false,
            zeroed: None,
            objective: None,
        }
    }
}
