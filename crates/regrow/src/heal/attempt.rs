//! Training from the newest checkpoint that can be read, or from the beginning.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use ledger::EarlyEnd;
use store::{RunFolder, RunWriter};
use train::{Begin, BoxError, Event, Job, Outcome};

use super::account::{StepAccount, Timed};
use super::options::HealOptions;
use super::prepared::PreparedRun;
use super::scribe::Scribe;
use super::teacher::LoadedTeacher;
use super::written::write_best;
use crate::error::Result;
use crate::machine::TrainingMachine;
use crate::observer::{self, Observer};
use crate::stop::Stop;

/// The result of training.
pub(super) struct Attempt {
    /// The step after which it began.
    pub(super) begun: u64,
    pub(super) outcome: Outcome<TrainingMachine>,
    /// Why it ended before its tokens were used up, if it did.
    pub(super) early: Option<EarlyEnd>,
    /// The time by operation, if requested.
    pub(super) account: Option<StepAccount>,
}

/// Trains from the newest checkpoint that can be read, or from the beginning.
pub(super) fn train_from_newest(
    options: &HealOptions,
    run: &PreparedRun,
    writer: &mut RunWriter,
    stop: &Stop,
    observer: &mut dyn Observer,
) -> Result<Attempt> {
    let (origin, spec, decoder) = (run.origin(), run.spec(), run.decoder());
    let mut timed = Timed::default();
    // A stack: `pop` gives the newest checkpoint first, and the beginning (`None`) last.
    let mut begins: Vec<Option<(u64, PathBuf)>> = vec![None];
    begins.extend(writer.checkpoints()?.into_iter().map(Some));
    while let Some(checkpoint) = begins.pop() {
        if let Some((step, path)) =
            checkpoint.as_ref().filter(|(step, _)| *step > writer.last_step())
        {
            // The curve is synced before each checkpoint is written. A checkpoint beyond the curve
            // therefore means that the curve was shortened afterwards.
            let last = writer.last_step();
            let why = format!("the curve ends at step {last}, expected {step}");
            pass_over(writer, path, &why, observer)?;
            continue;
        }
        let (step, begin) = match &checkpoint {
            Some((step, path)) => (*step, Begin::Checkpoint { path: path.clone(), step: *step }),
            None => (0, Begin::Weights(origin.weights(decoder, spec.seed)?)),
        };
        // Points after the checkpoint are measured again.
        writer.truncate_after(step)?;
        // A second handle for paths, because the scribe borrows the writer mutably.
        let folder = RunFolder::open(writer.path())?;
        let path_of = |step: u64| folder.checkpoint_path(step);
        let curve = folder.curve()?;
        let early = Mutex::new(None);
        // From the curve on disk: a run that was killed and goes on asks about the same numbers.
        let is_enough = |step: u64| {
            let Some(rule) = options.stop_when else { return Ok(false) };
            let reason = rule.reason(&folder.points()?, spec)?;
            let tokens = run.tokens_after(step);
            let end = reason.map(|reason| EarlyEnd { rule: rule.to_string(), reason, tokens });
            let is_enough = end.is_some();
            *early.lock().unwrap_or_else(PoisonError::into_inner) = end;
            Ok(is_enough)
        };
        let job = Job {
            spec,
            corpus: &origin.corpus,
            masks: &origin.masks,
            recompute: options.recompute,
            save_every: Some(run.save_every()),
            best: curve.best().map(|point| point.loss.0),
            first: curve.points().first().filter(|point| point.step == 0).map(|at| at.loss.0),
            limit: run.deadline(),
            checkpoint: &path_of,
            earlier: folder.record().extended_from(),
            keep_end: options.keep_checkpoint,
            is_enough: options.stop_when.is_some().then_some(&is_enough),
        };
        let mut scribe = Scribe::new(writer, spec, observer)?;
        let mut listener = |event: &Event| {
            timed.hear(event);
            scribe.hear(event).map_err(BoxError::from)
        };
        let lessons = run.teacher().map(LoadedTeacher::lessons).transpose()?;
        match train::train_against(decoder, begin, lessons, &job, stop.flag(), &mut listener) {
            // A damaged checkpoint is not the end: the next older one is tried.
            Err(train::Error::Checkpoint { path, reason }) if checkpoint.is_some() => {
                drop(scribe);
                pass_over(writer, &path, &reason, observer)?;
            }
            Err(error) => {
                drop(scribe);
                // The disk may be full, so this line may fail too; the first error is the one to
                // report.
                let _ = writer.log(&format!("failed: {error}"));
                if matches!(error, train::Error::Diverged { .. }) {
                    keep_best(run, writer, observer)?;
                } else if let Some((step, path)) = writer.checkpoints()?.last() {
                    observer.hear(&observer::Event::Note(&format!(
                        "the last checkpoint is whole, after step {step}: `{}`",
                        path.display()
                    )));
                }
                return Err(error.into());
            }
            Ok(outcome) => {
                let account = run.account().map(|account| timed.account(account, spec));
                let early = early.into_inner().unwrap_or_else(PoisonError::into_inner);
                return Ok(Attempt { begun: step, outcome, early, account: account.transpose()? });
            }
        }
    }
    unreachable!("the beginning is tried last, and it is no checkpoint")
}

/// Writes the model with the least held-out loss of a run that diverged, and says where it is.
fn keep_best(run: &PreparedRun, writer: &mut RunWriter, observer: &mut dyn Observer) -> Result<()> {
    let Some(best) = writer.curve()?.best().copied() else { return Ok(()) };
    let kept = best.step > 0 && write_best(run, writer, best.step, observer)?;
    let place = if kept {
        format!("the model of that step is in `{}`", writer.best_path().display())
    } else {
        "that is the model that the run began with".to_owned()
    };
    let text =
        format!("the least held-out loss was {:.4} at step {}: {place}", best.loss.0, best.step);
    observer.hear(&observer::Event::Note(&text));
    Ok(writer.log(&text)?)
}

fn pass_over(
    writer: &mut RunWriter,
    path: &Path,
    why: &str,
    observer: &mut dyn Observer,
) -> Result<()> {
    let text = format!("`{}` is passed over: {why}", path.display());
    observer.hear(&observer::Event::Warning(&text));
    Ok(writer.log(&text)?)
}
