//! What `regrow train` prints at the end.

use std::path::{Path, PathBuf};

use anyhow::Context;
use ledger::{Done, EarlyEnd, Nats};
use regrow::count::grouped;
use regrow::heal::Ended;
use serde::Serialize;

use crate::show::table::TextTable;
use crate::terminal::Output;

/// What `--json` prints at the end.
#[derive(Serialize)]
struct TrainReport<'a> {
    format: u32,
    run: &'a Path,
    id: &'a str,
    state: &'a str,
    steps: u64,
    tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    loss0: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    loss_pruned: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eval_loss: Option<f64>,
    /// Held-out loss of the model as it was written, where that is in fewer digits than f32.
    #[serde(skip_serializing_if = "Option::is_none")]
    written_loss: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    best_eval_loss: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    best_step: Option<u64>,
    /// Why it ended before its tokens were used up, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_early: Option<EarlyEnd>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<PathBuf>,
    /// The model with `best_eval_loss`, if it is neither the final nor the initial one.
    #[serde(skip_serializing_if = "Option::is_none")]
    best: Option<PathBuf>,
}

/// Prints the state of a run as JSON.
pub(super) fn json(ended: &Ended, output: &mut Output) -> anyhow::Result<()> {
    let (folder, curve) = (ended.folder(), ended.curve());
    let done = folder.done()?;
    output.json(&TrainReport {
        format: 1,
        run: folder.path(),
        id: folder.record().id(),
        state: if ended.is_done() { "done" } else { "resumable" },
        steps: ended.steps(),
        tokens: ended.tokens().0,
        loss0: folder.record().loss0().map(|loss| loss.0),
        loss_pruned: ended.loss_pruned().map(|loss| loss.0),
        eval_loss: curve.last().map(|point| point.loss.0),
        written_loss: done.as_ref().and_then(Done::written_loss).map(|loss| loss.0),
        best_eval_loss: curve.best().map(|point| point.loss.0),
        best_step: curve.best().map(|point| point.step),
        ended_early: done.as_ref().and_then(Done::ended_early).cloned(),
        model: ended.model(),
        best: ended.best_model(),
    })
}

/// Prints the result of a finished run.
pub(super) fn done(ended: &Ended, json: bool, output: &mut Output) -> anyhow::Result<()> {
    if json {
        return self::json(ended, output);
    }
    let (folder, curve) = (ended.folder(), ended.curve());
    let done = folder.done()?.context("`done.json` has gone")?;
    let best = curve.best().map_or(0, |point| point.step);
    let nats = |loss: Nats| format!("{:.4} nats per token", loss.0);
    let mut table = TextTable::facts();
    if let Some(loss) = folder.record().loss0() {
        let left =
            folder.record().loss0_phase().map(|phase| format!(", left in its phase `{phase}`"));
        table.fact("held-out loss before pruning", nats(loss) + left.as_deref().unwrap_or(""));
    }
    if let Some(first) = curve.points().first().filter(|point| point.step == 0) {
        table.fact("before training", nats(first.loss));
    }
    table.fact("after training", nats(done.eval_loss()));
    if let Some(loss) = done.written_loss() {
        table.fact("as it is written", format!("{}, in fewer digits than f32", nats(loss)));
    }
    if let Some(end) = done.ended_early() {
        table.fact("ended early", format!("by `{}`: {}", end.rule, end.reason));
    }
    table
        .fact(
            "best on the way",
            format!("{}, after step {}", nats(done.best_eval_loss()), grouped(best)),
        )
        .fact("tokens", format!("{} in {} steps", grouped(done.tokens().0), grouped(done.steps())))
        .fact(
            "speed",
            format!("{} tokens per second", grouped(done.tokens_per_second().round() as u64)),
        )
        .fact("model", folder.model_path().display().to_string());
    if let Some(path) = ended.best_model() {
        table.fact("model at its best", path.display().to_string());
    }
    Ok(output.table(&table)?)
}
