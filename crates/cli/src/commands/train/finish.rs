//! The end of a run: the model is written, `done.json` after it, and the result is told.

use std::path::{Path, PathBuf};

use anyhow::Context;
use disk::Existing;
use ledger::{Curve, Done, Nats, Tokens};
use model::folder::{FolderWriter, ModelFolder, SHARD_LIMIT};
use model::sparsity;
use serde::Serialize;
use store::{RunFolder, RunWriter};

use super::execute::Run;
use crate::show::table::Table;
use crate::terminal::{Exit, Output};
use regrow::count::grouped;

/// What `--json` prints at the end.
#[derive(Serialize)]
pub(super) struct Report<'a> {
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
    #[serde(skip_serializing_if = "Option::is_none")]
    best_eval_loss: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    best_step: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<PathBuf>,
    /// Where `best_eval_loss` was measured, if that is neither the end nor the beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    best: Option<PathBuf>,
}

/// Writes the model, ends the run, and says how it ended.
pub(super) fn finish(
    run: &Run,
    writer: RunWriter,
    weights: &Vec<f32>,
    steps: u64,
    seconds: f64,
    json: bool,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    write_model(run, &writer.model_path(), weights)?;
    let curve = writer.curve()?;
    let last = curve.last().context("the run has no held-out point")?;
    let best = curve.best().unwrap_or(last);
    write_best(run, &writer, best.step, steps, output)?;
    let tokens = Tokens(steps * train::milestones::tokens_per_step(&run.spec));
    let weights = ModelFolder::open(&writer.model_path())?.weights_hash()?;
    let done = Done::of(writer.record(), &curve, (steps, tokens), seconds, weights)
        .context("the run has no held-out point")?;
    let folder = writer.finish(&done)?;
    remove_checkpoints(&folder)?;
    show(&folder, &done, json, output)
}

/// Makes a model of the checkpoint with the least held-out loss, where it is neither the end nor
/// the beginning.
fn write_best(
    run: &Run,
    writer: &RunWriter,
    best: u64,
    steps: u64,
    output: &Output,
) -> anyhow::Result<()> {
    if best == 0 || best == steps {
        return Ok(());
    }
    let id = run.spec.id();
    match train::checkpoint_weights(&writer.checkpoint_path(best), &run.decoder, &id, best) {
        Ok(weights) => write_model(run, &writer.best_path(), &weights),
        Err(error @ train::Error::Checkpoint { .. }) => {
            output.warn(&format!("the weights with the least held-out loss are lost: {error}"));
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

fn write_model(run: &Run, path: &Path, weights: &Vec<f32>) -> anyhow::Result<()> {
    let Run { beginning, decoder, .. } = run;
    let plan = model::weights::plan(&beginning.config, beginning.dtype);
    let mut writer =
        FolderWriter::create(path, Existing::Replace, &beginning.raw, plan, SHARD_LIMIT)?;
    model::weights::save(decoder.layout(), decoder.backend(), weights, &mut writer)?;
    match &beginning.folder {
        Some(folder) => writer.copy_companions(folder.path())?,
        None => {
            writer.add_file("tokenizer.json", &beginning.corpus.tokenizer()?.to_json())?;
            writer.add_file("tokenizer_config.json", &beginning.tokenizer_config())?;
        }
    }
    if !beginning.masks.is_empty() {
        writer.add_file(sparsity::FILE, &beginning.masks.sparsity().to_json())?;
    }
    if let Some(cut) = &beginning.lineage.cut {
        writer.add_file("cut.json", &serde_json::to_vec_pretty(cut)?)?;
    }
    Ok(writer.commit()?)
}

/// A done run does not go on: its checkpoints have no reader.
fn remove_checkpoints(folder: &RunFolder) -> anyhow::Result<()> {
    for (_, path) in folder.checkpoints()? {
        std::fs::remove_dir_all(&path).map_err(disk::io_error("remove", &path))?;
    }
    Ok(())
}

/// Tells of a run that needs nothing more.
pub(super) fn already_done(
    run: &Run,
    out: &Path,
    json: bool,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let folder = RunFolder::open(out)?;
    folder.check_spec(&run.spec)?;
    output.say(&format!("`{}` is already done", out.display()));
    let done = folder.done()?.context("`done.json` has gone")?;
    // It may have been killed just before.
    remove_checkpoints(&folder)?;
    show(&folder, &done, json, output)
}

/// How a run stands.
pub(super) fn report<'a>(
    folder: &'a RunFolder,
    state: &'a str,
    steps: u64,
    tokens: Tokens,
    curve: &Curve,
) -> Report<'a> {
    Report {
        format: 1,
        run: folder.path(),
        id: folder.record().id(),
        state,
        steps,
        tokens: tokens.0,
        loss0: folder.record().loss0().map(|loss| loss.0),
        loss_pruned: folder.record().loss_pruned(curve).map(|loss| loss.0),
        eval_loss: curve.last().map(|point| point.loss.0),
        best_eval_loss: curve.best().map(|point| point.loss.0),
        best_step: curve.best().map(|point| point.step),
        model: folder.is_done().then(|| folder.model_path()),
        best: best_model(folder),
    }
}

fn best_model(folder: &RunFolder) -> Option<PathBuf> {
    Some(folder.best_path()).filter(|path| folder.is_done() && path.is_dir())
}

fn show(folder: &RunFolder, done: &Done, json: bool, output: &mut Output) -> anyhow::Result<Exit> {
    let curve = folder.curve()?;
    if json {
        output.json(&report(folder, "done", done.steps(), done.tokens(), &curve))?;
        return Ok(Exit::Done);
    }
    let best = curve.best().map_or(0, |point| point.step);
    let nats = |loss: Nats| format!("{:.4} nats per token", loss.0);
    let mut table = Table::facts();
    if let Some(loss) = folder.record().loss0() {
        let left =
            folder.record().loss0_phase().map(|phase| format!(", left in its phase `{phase}`"));
        table.fact("held-out loss before pruning", nats(loss) + left.as_deref().unwrap_or(""));
    }
    if let Some(first) = curve.points().first().filter(|point| point.step == 0) {
        table.fact("before training", nats(first.loss));
    }
    table
        .fact("after training", nats(done.eval_loss()))
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
    if let Some(path) = best_model(folder) {
        table.fact("model at its best", path.display().to_string());
    }
    output.table(&table)?;
    Ok(Exit::Done)
}
