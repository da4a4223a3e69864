//! A run from its folder to its model: taken up or begun, trained, finished.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::Context;
use ledger::{RunSpec, Tokens};
use model::backend::Backend;
use model::backend::cpu::Cpu;
use model::backend::profiled::Account;
use model::decoder::Decoder;
use store::{RunFolder, RunWriter};
use train::{Begin, BoxError, Event, Job, Outcome, Why};

use super::profile::Timed;
use super::scribe::Scribe;
use super::start::Beginning;
use super::{Arguments, Machine, begin, check, finish, profile};
use crate::terminal::{Exit, Output, interrupt};
use regrow::hinted::hinted;

/// Everything that is decided before the first step.
pub(super) struct Run {
    pub(super) beginning: Beginning,
    pub(super) spec: RunSpec,
    /// Goes into `recipe.toml`.
    pub(super) recipe: String,
    pub(super) decoder: Decoder<Machine>,
    /// Where the time goes, if that was asked.
    pub(super) account: Option<Account>,
    /// In steps.
    pub(super) save_every: u64,
    /// When it must have stopped and saved.
    pub(super) limit: Option<Instant>,
}

/// Trains.
pub(super) fn run(arguments: &Arguments, run: &Run, output: &mut Output) -> anyhow::Result<Exit> {
    let out = arguments.out.as_deref().context("`--out` is missing")?;
    let stop = interrupt::listen()?;
    output.detail(&format!("run {}, kernel {}", run.spec.id(), run.decoder.backend().kernel()));
    if arguments.resume && RunFolder::open(out).is_ok_and(|folder| folder.is_done()) {
        return finish::already_done(run, out, arguments.json, output);
    }
    let mut writer = if arguments.resume && out.symlink_metadata().is_ok() {
        RunFolder::resume(out, &run.spec)?
    } else {
        begin::begin(arguments, run, out, output)?
    };
    if !writer.is_locked() {
        output.warn(&regrow::without_locks(out));
    }
    check::room(&run.beginning, out, writer.checkpoints()?.len(), output)?;
    let mut timed = Timed::default();
    let (begun, outcome) =
        train_from_newest(arguments, run, &mut writer, &stop, (&mut timed, output))?;
    if let Some(account) = &run.account {
        // On a machine that keeps no account of being measured.
        let machine = Cpu::<f32>::with(run.spec.precision);
        let table = profile::table(&machine, account, &timed)?;
        writer.log(&table)?;
        output.say(&table);
    }
    match outcome {
        Outcome::Interrupted { step, why } => {
            let why_said = if why == Why::Limit { ", before the time limit" } else { "" };
            writer.log(&format!("stopped after step {step}{why_said}"))?;
            writer.write_trainer_state(train::milestones::steps(&run.spec))?;
            if why == Why::Limit && step == begun {
                let error =
                    anyhow::anyhow!("the time limit leaves no room for a step and a checkpoint");
                return Err(hinted(
                    error,
                    "give a longer `--time-limit`; what was there before is kept",
                ));
            }
            output.say(&format!("stopped after step {step}{why_said}: go on with `--resume`"));
            if arguments.json {
                let curve = writer.curve()?;
                let tokens = Tokens(step * train::milestones::tokens_per_step(&run.spec));
                output.json(&finish::report(&writer, "resumable", step, tokens, &curve))?;
            }
            Ok(Exit::Interrupted)
        }
        Outcome::Finished { weights, steps, seconds } => {
            finish::finish(run, writer, &weights, steps, seconds, arguments.json, output)
        }
    }
}

/// Trains from the newest checkpoint that can be read, or from the beginning; tells after which
/// step.
fn train_from_newest(
    arguments: &Arguments,
    run: &Run,
    writer: &mut RunWriter,
    stop: &AtomicBool,
    (timed, output): (&mut Timed, &Output),
) -> anyhow::Result<(u64, Outcome<Machine>)> {
    let Run { beginning, spec, decoder, save_every, limit, .. } = run;
    let mut begins: Vec<Option<(u64, PathBuf)>> = vec![None];
    begins.extend(writer.checkpoints()?.into_iter().map(Some));
    while let Some(place) = begins.pop() {
        if let Some((step, path)) = place.as_ref().filter(|(step, _)| *step > writer.last_step()) {
            // The curve is synced before a checkpoint: somebody has cut it.
            let last = writer.last_step();
            let why = format!("the curve ends at step {last}, expected {step}");
            pass_over(writer, path, &why, output)?;
            continue;
        }
        let (step, begin) = match &place {
            Some((step, path)) => (*step, Begin::Checkpoint { path: path.clone(), step: *step }),
            None => (0, Begin::Weights(beginning.weights(decoder, spec.seed)?)),
        };
        // Points after the checkpoint are measured anew.
        writer.truncate_after(step)?;
        let folder = RunFolder::open(writer.path())?;
        let checkpoint = |step: u64| folder.checkpoint_path(step);
        let job = Job {
            spec,
            corpus: &beginning.corpus,
            masks: &beginning.masks,
            recompute: arguments.recompute,
            save_every: Some(*save_every),
            best: folder.curve()?.best().map(|point| point.loss.0),
            limit: *limit,
            checkpoint: &checkpoint,
        };
        let mut scribe = Scribe::new(writer, spec, output)?;
        let mut listener = |event: &Event| {
            timed.hear(event);
            scribe.hear(event).map_err(BoxError::from)
        };
        match train::train(decoder, begin, &job, stop, &mut listener) {
            Err(train::Error::Checkpoint { path, reason }) if place.is_some() => {
                drop(scribe);
                pass_over(writer, &path, &reason, output)?;
            }
            Err(error) => {
                drop(scribe);
                // On a full disk there may be no room to say so here.
                let _ = writer.log(&format!("failed: {error}"));
                if let Some((step, path)) = writer.checkpoints()?.last() {
                    output.say(&format!(
                        "the last checkpoint is whole, after step {step}: `{}`",
                        path.display()
                    ));
                }
                return Err(error.into());
            }
            Ok(outcome) => return Ok((step, outcome)),
        }
    }
    unreachable!("the beginning is tried last, and it is no checkpoint")
}

fn pass_over(
    writer: &mut RunWriter,
    path: &Path,
    why: &str,
    output: &Output,
) -> anyhow::Result<()> {
    let text = format!("`{}` is passed over: {why}", path.display());
    output.warn(&text);
    Ok(writer.log(&text)?)
}
