//! A run from its folder to its model: taken up or begun, listened to, finished.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, bail};
use disk::Existing;
use ledger::{Curve, Done, Nats, Point, Provenance, RunRecord, RunSpec, Tokens};
use model::backend::{Backend, cpu::Cpu};
use model::decoder::Decoder;
use model::evaluate::{Protocol, evaluate, planned_tokens};
use model::folder::{FolderWriter, ModelFolder, SHARD_LIMIT};
use model::workspace::Workspace;
use serde::Serialize;
use store::{RunFolder, RunWriter};
use train::{Begin, BoxError, Event, Job, Outcome};

use super::Arguments;
use super::start::Beginning;
use crate::count::grouped;
use crate::loaded::Loaded;
use crate::output::{Exit, Output};
use crate::progress::Progress;
use crate::source::open_corpus;
use crate::table::Table;

/// Checkpoints that stay: the last, and one before it in case the last is damaged.
const KEPT: usize = 2;

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

/// What `--json` prints at the end.
#[derive(Serialize)]
struct Report<'a> {
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
    model: Option<PathBuf>,
}

/// Trains.
pub(super) fn run(arguments: &Arguments, run: &Run, output: &mut Output) -> anyhow::Result<Exit> {
    let out = arguments.out.as_deref().context("`--out` is missing")?;
    let stop = listen_to_signals()?;
    output.detail(&format!("run {}, kernel {}", run.spec.id(), run.decoder.backend().kernel()));
    if arguments.resume && RunFolder::open(out).is_ok_and(|folder| folder.is_done()) {
        return already_done(run, out, arguments.json, output);
    }
    let mut writer = if arguments.resume && out.symlink_metadata().is_ok() {
        RunFolder::resume(out, &run.spec)?
    } else {
        begin(arguments, run, out, output)?
    };
    match train_from_newest(run, &mut writer, &stop, output)? {
        Outcome::Interrupted { step } => {
            writer.log(&format!("stopped after step {step}"))?;
            output.say(&format!("stopped after step {step}: go on with `--resume`"));
            if arguments.json {
                let curve = writer.curve()?;
                let tokens = Tokens(step * train::milestones::tokens_per_step(&run.spec));
                output.json(&report(&writer, "resumable", step, tokens, &curve))?;
            }
            Ok(Exit::Interrupted)
        }
        Outcome::Finished { weights, steps, seconds } => {
            finish(run, writer, &weights, steps, seconds, arguments.json, output)
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

/// Makes the run folder, with what is known before the first step.
fn begin(arguments: &Arguments, run: &Run, out: &Path, output: &Output) -> anyhow::Result<RunWriter> {
    let Run { beginning, spec, recipe, decoder, .. } = run;
    let (n0, rate, rate_without_embedding) = beginning.sizes()?;
    let info = beginning.corpus.info();
    let record = RunRecord {
        format: RunRecord::FORMAT,
        id: spec.id(),
        series: spec.series.clone(),
        method: spec.method.clone(),
        base: spec.base.clone(),
        n0,
        parameters: beginning.parameters()?,
        rate,
        rate_without_embedding,
        loss0: loss0(arguments, run, output)?,
        loss0_phase: None,
        corpus: info.train.text.clone(),
        heldout: info.heldout.text.clone(),
        tokenizer: info.tokenizer.clone(),
        start: spec.start.clone(),
        seed: spec.seed,
        provenance: Provenance {
            regrow: env!("CARGO_PKG_VERSION").to_owned(),
            machine: machine(),
            threads: rayon::current_num_threads(),
            kernel: decoder.backend().kernel(),
        },
    };
    let existing = if arguments.force { Existing::Replace } else { Existing::Refuse };
    let cut = beginning.lineage.cut.as_ref().map(serde_json::to_vec_pretty).transpose()?;
    Ok(RunFolder::create(out, existing, spec, recipe, &record, cut.as_deref())?)
}

/// The loss of the model before pruning, on the held-out text of this run and by its protocol.
fn loss0(arguments: &Arguments, run: &Run, output: &Output) -> anyhow::Result<Option<Nats>> {
    let Run { beginning, spec, decoder, .. } = run;
    let measure = |decoder: &Decoder<Cpu<f32>>, weights: &Vec<f32>| -> anyhow::Result<Option<Nats>> {
        let (part, protocol) = (beginning.corpus.heldout(), Protocol::from(&spec.evaluation));
        let mut space = Workspace::new(decoder)?;
        let label = "the loss before pruning";
        let mut progress = output.progress(label, planned_tokens(part, &protocol), "tokens");
        let found =
            evaluate(decoder, weights, &mut space, part, &protocol, &mut |done| progress.at(done, ""))?;
        Ok(Some(found.loss()))
    };
    if let Some(loss) = arguments.loss0 {
        if !(loss.is_finite() && loss >= 0.0) {
            bail!("`--loss0` is {loss}, expected nats per token, 0 or more");
        }
        return Ok(Some(Nats(loss)));
    }
    if let Some(path) = &arguments.base {
        let folder = ModelFolder::open(path)?;
        open_corpus(&arguments.corpus, &folder, output)?;
        if let Some(cut) = &beginning.lineage.cut {
            let found = folder.weights_hash()?;
            if found != cut.base_hash {
                bail!(
                    "`{}` is not the model that was pruned: its weights have the hash {found}, expected {}",
                    path.display(),
                    cut.base_hash
                );
            }
        }
        let base = Loaded::new(folder, spec.evaluation.context)?;
        return measure(&base.decoder, &base.weights);
    }
    match (&beginning.folder, &beginning.lineage.cut) {
        // Training from scratch has no model before it.
        (None, _) => Ok(None),
        // A control is its own base.
        (Some(_), None) => measure(decoder, &beginning.weights(decoder, spec.seed)?),
        (Some(_), Some(_)) => {
            output.warn(
                "the loss of the model before pruning is not known, and laws need it: give `--base DIR` or `--loss0 NATS`",
            );
            Ok(None)
        }
    }
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
        let job =
            Job { spec, corpus: &beginning.corpus, save_every: Some(*save_every), checkpoint: &checkpoint };
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

/// Writes down what the trainer tells, and shows it.
struct Scribe<'a> {
    writer: &'a mut RunWriter,
    progress: Progress,
    /// The state before the first step stands in the curve already.
    begun: bool,
    held_out: Option<f64>,
    output: &'a Output,
}

impl<'a> Scribe<'a> {
    fn new(writer: &'a mut RunWriter, spec: &RunSpec, output: &'a Output) -> anyhow::Result<Self> {
        let points = writer.points()?;
        let tokens = train::milestones::steps(spec) * train::milestones::tokens_per_step(spec);
        let progress = output.progress("training", tokens, "tokens");
        let held_out = points.iter().rev().find_map(|point| point.eval_loss);
        Ok(Self { writer, progress, begun: !points.is_empty(), held_out, output })
    }

    fn hear(&mut self, event: &Event) -> anyhow::Result<()> {
        match event {
            Event::Started { step, steps } => {
                let version = env!("CARGO_PKG_VERSION");
                self.writer.log(&format!("regrow {version}: step {step} of {steps}"))?;
                if *step > 0 {
                    self.progress.say(&format!(
                        "going on after step {} of {}",
                        grouped(*step),
                        grouped(*steps)
                    ));
                }
            }
            Event::Evaluating { .. } => {}
            Event::Point(point) => self.point(point)?,
            Event::SecondEpoch { step } => {
                let text = format!("from step {step} on, text is read a second time");
                self.writer.log(&text)?;
                self.progress.say(&text);
            }
            Event::Saving { .. } => self.writer.sync()?,
            Event::Saved { step, .. } => {
                self.writer.log(&format!("saved after step {step}"))?;
                let mut checkpoints = self.writer.checkpoints()?;
                checkpoints.truncate(checkpoints.len().saturating_sub(KEPT));
                self.remove(&checkpoints);
            }
        }
        Ok(())
    }

    fn point(&mut self, point: &Point) -> anyhow::Result<()> {
        if point.step > 0 || !self.begun {
            self.writer.append(point)?;
        }
        if let Some(loss) = point.eval_loss {
            self.held_out = Some(loss);
            let text = in_words(point);
            self.writer.log(&text)?;
            self.progress.say(&text);
        }
        let held_out = self.held_out.map_or_else(String::new, |loss| format!("held-out {loss:.4}"));
        let message = match (point.loss, point.tokens_per_second) {
            (Some(loss), Some(speed)) => {
                format!("loss {loss:.4}  {held_out}  {} tokens/s", grouped(speed.round() as u64))
            }
            _ => held_out,
        };
        self.progress.at(point.tokens.0, &message);
        Ok(())
    }

    /// A checkpoint that cannot be removed takes room, nothing else.
    fn remove(&self, checkpoints: &[(u64, PathBuf)]) {
        for (_, path) in checkpoints {
            if let Err(error) = std::fs::remove_dir_all(path) {
                self.output.warn(&format!("`{}` cannot be removed: {error}", path.display()));
            }
        }
    }
}

fn in_words(point: &Point) -> String {
    let number = |name: &str, number: Option<f64>| {
        number.map_or_else(String::new, |number| format!("  {name} {number:.4}"))
    };
    format!(
        "step {}  tokens {}{}{}",
        grouped(point.step),
        grouped(point.tokens.0),
        number("loss", point.loss),
        number("held-out", point.eval_loss)
    )
}

/// Writes the model, ends the run, and says how it ended.
fn finish(
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
    let tokens = Tokens(steps * train::milestones::tokens_per_step(&run.spec));
    let done = Done {
        format: Done::FORMAT,
        steps,
        tokens,
        loss_pruned: loss_pruned(&writer, &curve),
        eval_loss: last.loss,
        best_eval_loss: best.loss,
        seconds,
        tokens_per_second: tokens.0 as f64 / seconds.max(1e-9),
        weights: ModelFolder::open(&writer.model_path())?.weights_hash()?,
    };
    let folder = writer.finish(&done)?;
    for (_, path) in folder.checkpoints()? {
        // A done run does not go on: its checkpoints have no reader.
        std::fs::remove_dir_all(&path).map_err(disk::io_error("remove", &path))?;
    }
    show(&folder, &done, json, output)
}

fn write_model(run: &Run, path: &Path, weights: &Vec<f32>) -> anyhow::Result<()> {
    let Run { beginning, decoder, .. } = run;
    let plan = model::weights::plan(&beginning.config, beginning.dtype);
    let mut writer = FolderWriter::create(path, Existing::Replace, &beginning.raw, plan, SHARD_LIMIT)?;
    model::weights::save(decoder.layout(), decoder.backend(), weights, &mut writer)?;
    match &beginning.folder {
        Some(folder) => writer.copy_companions(folder.path())?,
        None => {
            writer.add_file("tokenizer.json", &beginning.corpus.tokenizer()?.to_json())?;
            writer.add_file("tokenizer_config.json", &beginning.tokenizer_config())?;
        }
    }
    if let Some(cut) = &beginning.lineage.cut {
        writer.add_file("cut.json", &serde_json::to_vec_pretty(cut)?)?;
    }
    Ok(writer.commit()?)
}

fn already_done(run: &Run, out: &Path, json: bool, output: &mut Output) -> anyhow::Result<Exit> {
    let folder = RunFolder::open(out)?;
    let differences = folder.spec().differences(&run.spec);
    if !differences.is_empty() {
        return Err(store::Error::Differs { path: out.to_path_buf(), differences }.into());
    }
    output.say(&format!("`{}` is already done", out.display()));
    let done = folder.done()?.context("`done.json` has gone")?;
    show(&folder, &done, json, output)
}

/// Held-out loss of the freshly pruned model.
fn loss_pruned(folder: &RunFolder, curve: &Curve) -> Option<Nats> {
    let first = curve.points().first().filter(|point| point.step == 0)?;
    (folder.record().method != "none").then_some(first.loss)
}

fn report<'a>(
    folder: &'a RunFolder,
    state: &'a str,
    steps: u64,
    tokens: Tokens,
    curve: &Curve,
) -> Report<'a> {
    Report {
        format: 1,
        run: folder.path(),
        id: &folder.record().id,
        state,
        steps,
        tokens: tokens.0,
        loss0: folder.record().loss0.map(|loss| loss.0),
        loss_pruned: loss_pruned(folder, curve).map(|loss| loss.0),
        eval_loss: curve.last().map(|point| point.loss.0),
        best_eval_loss: curve.best().map(|point| point.loss.0),
        model: folder.is_done().then(|| folder.model_path()),
    }
}

fn show(folder: &RunFolder, done: &Done, json: bool, output: &mut Output) -> anyhow::Result<Exit> {
    let curve = folder.curve()?;
    if json {
        output.json(&report(folder, "done", done.steps, done.tokens, &curve))?;
        return Ok(Exit::Done);
    }
    let nats = |loss: Nats| format!("{:.4} nats per token", loss.0);
    let mut table = Table::facts();
    if let Some(loss) = folder.record().loss0 {
        table.fact("held-out loss before pruning", nats(loss));
    }
    if let Some(first) = curve.points().first().filter(|point| point.step == 0) {
        table.fact("before training", nats(first.loss));
    }
    table
        .fact("after training", nats(done.eval_loss))
        .fact("best on the way", nats(done.best_eval_loss))
        .fact("tokens", format!("{} in {} steps", grouped(done.tokens.0), grouped(done.steps)))
        .fact("speed", format!("{} tokens per second", grouped(done.tokens_per_second.round() as u64)))
        .fact("model", folder.model_path().display().to_string());
    output.table(&table)?;
    Ok(Exit::Done)
}

/// The model of the CPU, where the system says.
fn machine() -> String {
    let named = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    named.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}
