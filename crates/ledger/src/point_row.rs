//! One row of a points table. Laws are fitted to such rows.

use serde::{Deserialize, Serialize};

use crate::curve::Phase;

/// One held-out loss of a run, with the facts about the run that a law needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PointRow {
    /// The model series. Each series and method gets its own law.
    pub series: String,
    /// The pruning method; `none` marks an unpruned control.
    pub method: String,
    /// The name of the run.
    pub run: String,
    /// The model that was pruned. Runs of one base share its `loss0`. Where missing, series and
    /// `n0` identify the base.
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
    /// Held-out loss after these tokens, nats per token.
    pub loss: f64,
    /// The phase of the learning rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The learning rate. If a run has no `phase`, phases are derived from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// The weight of the squared residual; 1 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// Whether text was seen a second time before this point.
    #[serde(default)]
    pub repeated: bool,
    /// Whether the method zeroes weights instead of removing them. Where missing, the method's id
    /// decides if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zeroed: Option<bool>,
    /// What training minimises: `lm`, `distil`, `mix`, or what another program calls it. A row
    /// without it counts as `lm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objective: Option<String>,
}

impl PointRow {
    /// The group and the run of rows that name none.
    pub const UNNAMED: &str = "unnamed";

    /// A row of the group `unnamed`, with tokens and loss set to 1: a starting point for tests and
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
