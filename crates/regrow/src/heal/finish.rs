//! The end of a run: writes the model first, then `done.json`.

use std::path::Path;

use ledger::count::grouped;
use ledger::{Curve, Done, EarlyEnd};
use model::folder::ModelFolder;
use store::{RunFolder, RunWriter};
use train::{Outcome, Why};

use super::attempt::Attempt;
use super::ended::Ended;
use super::options::HealOptions;
use super::prepared::PreparedRun;
use super::written::{write_best, write_model, written_loss};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::machine::HostWeights;
use crate::observer::{Event, Observer};

/// Records how training ended, and writes the model if the run is done.
pub(super) fn finish(
    options: &HealOptions,
    run: &PreparedRun,
    mut writer: RunWriter,
    attempt: Attempt,
    observer: &mut dyn Observer,
) -> Result<Ended> {
    if let (Some(show), Some(account)) = (options.account, &attempt.account) {
        let lines = show(account);
        writer.log(&lines)?;
        observer.hear(&Event::Note(&lines));
    }
    match attempt.outcome {
        Outcome::Finished { weights, steps, seconds } => {
            let end = (steps, seconds, attempt.early);
            done(options, run, writer, (&weights, end), observer)
        }
        Outcome::Interrupted { step, why } => {
            let why_said = if why == Why::Limit { ", before the time limit" } else { "" };
            writer.log(&format!("stopped after step {step}{why_said}"))?;
            writer.write_trainer_state(train::milestones::steps(run.spec()))?;
            // Without this error, a scheduler would resume the run again and again without
            // progress.
            if why == Why::Limit && step == attempt.begun {
                let message = "the time limit leaves no room for a step and a checkpoint";
                return Err(Error::new(ErrorKind::NoTime, message));
            }
            let curve = writer.curve()?;
            let folder = RunFolder::open(writer.path())?;
            Ok(Ended::new(folder, curve, (step, run.tokens_after(step)), Some(why.into())))
        }
    }
}

/// Writes the model and ends the run.
fn done(
    options: &HealOptions,
    run: &PreparedRun,
    mut writer: RunWriter,
    (weights, (steps, seconds, early)): (&HostWeights, (u64, f64, Option<EarlyEnd>)),
    observer: &mut dyn Observer,
) -> Result<Ended> {
    write_model(run, &writer.model_path(), weights)?;
    let curve = writer.curve()?;
    let best = curve.best().context("the run has no held-out point")?;
    // Before the checkpoints are removed below.
    let has_best =
        best.step > 0 && best.step < steps && write_best(run, &writer, best.step, observer)?;
    if !has_best && !writer.record().extended_from().is_empty() && writer.best_path().exists() {
        // The best of the run before it was extended is not the best any more.
        remove(&writer.best_path())?;
    }
    // Hashed from disk, so that `done.json` names exactly the bytes that were written.
    let hash = ModelFolder::open(&writer.model_path())?.weights_hash()?;
    let tokens = run.tokens_after(steps);
    let mut done = Done::of(writer.record(), &curve, (steps, tokens), seconds, hash)
        .context("the run has no held-out point")?;
    if let Some(loss) = written_loss(run, &writer.model_path(), observer)? {
        done = done.with_written_loss(loss);
    }
    rose(&curve, observer);
    if let Some(end) = early {
        let text = format!(
            "`{}` ended the run after {} of {} tokens: {}",
            end.rule,
            grouped(tokens.0),
            grouped(run.spec().tokens.0),
            end.reason
        );
        observer.hear(&Event::Note(&text));
        writer.log(&text)?;
        done = done.with_early_end(end);
    }
    let folder = writer.finish(&done)?;
    remove_checkpoints(&folder, options.keep_checkpoint.then_some(steps))?;
    ended(folder, &done)
}

/// Says it where training made a model worse.
pub(super) fn rose(curve: &Curve, observer: &mut dyn Observer) {
    let first = curve.points().first().filter(|point| point.step == 0);
    if let (Some(first), Some(last)) = (first, curve.last())
        && last.loss > first.loss
    {
        observer.hear(&Event::Warning(&format!(
            "held-out loss rose from {:.4} before training to {:.4} after it: try a lower learning rate",
            first.loss.0, last.loss.0
        )));
    }
}

/// A run that is done goes on only if it is extended. Its checkpoints are removed, except that of
/// its end if it is kept.
pub(super) fn remove_checkpoints(folder: &RunFolder, kept: Option<u64>) -> Result<()> {
    for (step, path) in folder.checkpoints()? {
        if Some(step) != kept {
            remove(&path)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    Ok(std::fs::remove_dir_all(path).map_err(disk::io_error("remove", path))?)
}

/// The folder of this very run.
pub(super) fn folder_of(run: &PreparedRun, out: &Path) -> Result<RunFolder> {
    let folder = RunFolder::open(out)?;
    folder.check_spec(run.spec())?;
    Ok(folder)
}

/// Reports a run that is already done.
pub(super) fn already_done(
    options: &HealOptions,
    run: &PreparedRun,
    out: &Path,
    observer: &mut dyn Observer,
) -> Result<Ended> {
    let folder = folder_of(run, out)?;
    observer.hear(&Event::Note(&format!("`{}` is already done", out.display())));
    let done = folder.done()?.context("`done.json` has gone")?;
    // An earlier process may have been killed between `done.json` and this removal. A checkpoint of
    // the end is there only because somebody wanted it kept.
    remove_checkpoints(&folder, Some(done.steps()))?;
    if options.keep_checkpoint && !folder.checkpoint_path(done.steps()).is_dir() {
        observer.hear(&Event::Warning("it has no checkpoint left to keep"));
    }
    ended(folder, &done)
}

pub(super) fn ended(folder: RunFolder, done: &Done) -> Result<Ended> {
    let curve = folder.curve()?;
    Ok(Ended::new(folder, curve, (done.steps(), done.tokens()), None))
}
