//! A run from its folder to its model: taken up or begun, trained, finished.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use ledger::{RunSpec, Tokens};
use model::backend::{Backend, cpu::Cpu};
use model::decoder::Decoder;
use store::{RunFolder, RunWriter};
use train::{Begin, BoxError, Event, Job, Outcome};

use super::scribe::Scribe;
use super::start::Beginning;
use super::{Arguments, begin, finish};
use crate::output::{Exit, Output};

/// Everything that is decided before the first step.
pub(super) struct Run {
    pub(super) beginning: Beginning,
    pub(super) spec: RunSpec,
    /// Goes into `recipe.toml`.
    pub(super) recipe: String,
    pub(super) decoder: Decoder<Cpu<f32>>,
    /// In steps.
    pub(super) save_every: u64,
}

/// Trains.
pub(super) fn run(arguments: &Arguments, run: &Run, output: &mut Output) -> anyhow::Result<Exit> {
    let out = arguments.out.as_deref().context("`--out` is missing")?;
    let stop = listen_to_signals()?;
    output.detail(&format!("run {}, kernel {}", run.spec.id(), run.decoder.backend().kernel()));
    if arguments.resume && RunFolder::open(out).is_ok_and(|folder| folder.is_done()) {
        return finish::already_done(run, out, arguments.json, output);
    }
    let mut writer = if arguments.resume && out.symlink_metadata().is_ok() {
        RunFolder::resume(out, &run.spec)?
    } else {
        begin::begin(arguments, run, out, output)?
    };
    match train_from_newest(run, &mut writer, &stop, output)? {
        Outcome::Interrupted { step } => {
            writer.log(&format!("stopped after step {step}"))?;
            output.say(&format!("stopped after step {step}: go on with `--resume`"));
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

/// The first signal lets the run save and stop; the second ends the process at once.
fn listen_to_signals() -> anyhow::Result<Arc<AtomicBool>> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let stop = Arc::new(AtomicBool::new(false));
    let mut signals = vec![SIGINT, SIGTERM];
    #[cfg(unix)]
    signals.push(signal_hook::consts::SIGUSR1);
    for signal in signals {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .with_context(|| format!("signal {signal} cannot be listened to"))?;
    }
    Ok(stop)
}

/// Trains from the newest checkpoint that can be read, or from the beginning.
fn train_from_newest(
    run: &Run,
    writer: &mut RunWriter,
    stop: &AtomicBool,
    output: &Output,
) -> anyhow::Result<Outcome<Cpu<f32>>> {
    let Run { beginning, spec, decoder, save_every, .. } = run;
    let mut begins: Vec<Option<(u64, PathBuf)>> = vec![None];
    begins.extend(writer.checkpoints()?.into_iter().map(Some));
    while let Some(place) = begins.pop() {
        let (step, begin) = match &place {
            Some((step, path)) => (*step, Begin::Checkpoint(path.clone())),
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
            save_every: Some(*save_every),
            checkpoint: &checkpoint,
        };
        let mut scribe = Scribe::new(writer, spec, output)?;
        let mut listener = |event: &Event| scribe.hear(event).map_err(BoxError::from);
        match train::train(decoder, begin, &job, stop, &mut listener) {
            Err(train::Error::Checkpoint { path, reason }) if place.is_some() => {
                output.warn(&format!("`{}` is passed over: {reason}", path.display()));
            }
            Err(error) => {
                drop(scribe);
                writer.log(&format!("failed: {error}"))?;
                return Err(error.into());
            }
            Ok(outcome) => return Ok(outcome),
        }
    }
    unreachable!("the beginning is tried last, and it is no checkpoint")
}
