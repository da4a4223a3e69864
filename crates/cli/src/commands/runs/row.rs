//! One run of the list, and the list as a table for other programs.

use ledger::{EarlyEnd, Rate};
use serde::Serialize;
use store::{Column, RunState, RunSummary};

/// One run. Unknown fields are left out.
#[derive(Serialize, Default)]
#[serde(default)]
pub(super) struct RunRow {
    pub(super) run: String,
    pub(super) state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<String>,
    /// Why it was excluded, where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) excluded: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) series: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) base: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) n0: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) loss0: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tokens_planned: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) eval_loss: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) best_eval_loss: Option<f64>,
    /// The rule that ended it before its tokens were used up, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ended_early: Option<EarlyEnd>,
    pub(super) points: usize,
    /// Whether its training losses are compared, and not its held-out ones.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) training: bool,
}

impl From<&RunSummary> for RunRow {
    fn from(run: &RunSummary) -> Self {
        let (state, why) = match run.state() {
            RunState::Done(_) => ("done", None),
            RunState::Resumable { .. } => ("resumable", None),
            RunState::Imported => ("imported", None),
            RunState::Broken { why } => ("broken", Some(why.clone())),
        };
        let ended_early = match run.state() {
            RunState::Done(done) => done.ended_early().cloned(),
            _ => None,
        };
        let (folder, last) = (run.folder(), run.curve().last());
        let facts = run.facts();
        let training = run.imported().is_some_and(|run| !run.record().loss().is_held_out());
        Self {
            run: run.path().display().to_string(),
            state,
            why,
            excluded: run.excluded().map(str::to_owned),
            id: folder.map(|folder| folder.record().id().to_owned()),
            series: facts.series().map(str::to_owned),
            method: facts.method().map(str::to_owned),
            base: facts.base().map(str::to_owned),
            n0: facts.n0().map(|n0| n0.0),
            rate: facts.rate().map(Rate::get),
            loss0: facts.loss0().map(|loss| loss.0),
            tokens: last.map(|point| point.tokens.0),
            tokens_planned: folder.map(|folder| folder.spec().tokens.0),
            eval_loss: last.map(|point| point.loss.0),
            best_eval_loss: run.curve().best().map(|point| point.loss.0),
            ended_early,
            points: run.curve().points().len(),
            training,
        }
    }
}

/// The list by columns, named as in `--json`.
pub(super) fn columns(runs: &[RunRow]) -> Vec<(&'static str, Column)> {
    let text = |cell: fn(&RunRow) -> Option<String>| Column::Text(runs.iter().map(cell).collect());
    let whole = |cell: fn(&RunRow) -> Option<u64>| Column::Whole(runs.iter().map(cell).collect());
    let real = |cell: fn(&RunRow) -> Option<f64>| Column::Real(runs.iter().map(cell).collect());
    vec![
        ("run", text(|run| Some(run.run.clone()))),
        ("state", text(|run| Some(run.state.to_owned()))),
        ("why", text(|run| run.why.clone())),
        ("excluded", text(|run| run.excluded.clone())),
        ("id", text(|run| run.id.clone())),
        ("series", text(|run| run.series.clone())),
        ("method", text(|run| run.method.clone())),
        ("base", text(|run| run.base.clone())),
        ("n0", whole(|run| run.n0)),
        ("rate", real(|run| run.rate)),
        ("loss0", real(|run| run.loss0)),
        ("tokens", whole(|run| run.tokens)),
        ("tokens_planned", whole(|run| run.tokens_planned)),
        ("eval_loss", real(|run| run.eval_loss)),
        ("best_eval_loss", real(|run| run.best_eval_loss)),
        ("points", whole(|run| Some(run.points as u64))),
    ]
}

/// The list as CSV (RFC 4180); unknown cells are empty.
pub(super) fn csv(runs: &[RunRow]) -> anyhow::Result<Vec<u8>> {
    let columns = columns(runs);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(columns.iter().map(|(name, _)| name))?;
    for row in 0..runs.len() {
        writer.write_record(columns.iter().map(|(_, column)| column.cell(row)))?;
    }
    Ok(writer.into_inner()?)
}
