//! A run that PyTorch trains: the job file, the check before the first step, and the end.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ledger::count::grouped;
use ledger::{Objective, Point, RunSpec};
use model::folder::{ModelFolder, SHARD_LIMIT, goes_along};
use model::sparsity;
use model::teacher_cache::TeacherCache;
use shape::config::ModelConfig;
use shape::tensors;
use store::{RunFolder, RunWriter};

use super::ended::{Ended, Interruption};
use super::finish;
use super::options::{HealOptions, StartingPoint};
use super::prepared::PreparedRun;
use super::record;
use super::scribe;

use crate::error::{Context, Error, ErrorKind, Result, bail};
use crate::hub;
use crate::loaded::Loaded;
use crate::measure::require_finite;
use crate::observer::{Event, Observer};
use crate::stop::Stop;
use crate::trainer::{
    Belief, Driven, JobFile, Python, TeacherFile, TemplateInput, TorchCommand, TorchPrint, drive,
    known_belief, nemo_automodel, skypilot,
};

/// Checks, before any long work, that PyTorch can train this run.
pub(super) fn check(
    options: &HealOptions,
    spec: &RunSpec,
    observer: &mut dyn Observer,
) -> Result<()> {
    if spec.objective != Objective::Lm && options.torch.printed() == Some(TorchPrint::NemoAutomodel)
    {
        let message = format!(
            "`objective` is {}, expected lm: our template for NeMo AutoModel trains on text alone",
            spec.objective.name()
        );
        return Err(Error::new(ErrorKind::Usage, message).about("objective"));
    }
    if matches!(options.start, StartingPoint::Random(_)) {
        let message = "`trainer` is torch, which trains the model of a folder; random weights are trained by regrow";
        return Err(Error::new(ErrorKind::Usage, message).about("trainer"));
    }
    if options.account.is_some() {
        let message = "the time of a step by operation is known of regrow's own trainer only";
        return Err(Error::new(ErrorKind::Usage, message));
    }
    // A launcher may run on other machines, which have a Python of their own.
    if options.torch.printed().is_none() {
        let python = Python::find(&options.torch)?;
        observer.hear(&Event::Detail(&python.versions()));
    }
    Ok(())
}

/// How long a job whose starter has died may take to save and to end.
const ORPHAN: Duration = Duration::from_secs(120);

/// Locks a run for writing. If the process that started its job was killed, the job is still
/// saving.
pub(super) fn resume(
    out: &Path,
    run: &PreparedRun,
    observer: &mut dyn Observer,
) -> Result<RunWriter> {
    let (begun, mut said) = (Instant::now(), false);
    loop {
        match RunFolder::resume(out, run.spec()) {
            Err(error)
                if error.as_disk().is_some_and(disk::Error::is_locked)
                    && begun.elapsed() < ORPHAN =>
            {
                if !std::mem::replace(&mut said, true) {
                    observer.hear(&Event::Note(&format!("waiting: {error}")));
                }
            }
            found => return Ok(found?),
        }
    }
}

/// Writes the job file, has the job train, and checks what it says.
pub(super) fn train(
    options: &HealOptions,
    run: PreparedRun,
    mut writer: RunWriter,
    stop: &Stop,
    observer: &mut dyn Observer,
) -> Result<Ended> {
    let belief = belief(&run, &writer, observer)?;
    // PyTorch loads the teacher itself.
    let run = &run.without_teacher();
    writer.write_job(&job_file(options, run, &belief)?)?;
    let command = TorchCommand::new(&options.torch, &writer.job_path());
    let folder = RunFolder::open(writer.path())?;
    if let Some(form) = options.torch.printed() {
        observer.hear(&Event::Command(&printed(form, options, run, &folder, &command)?));
        return stopped(run, folder, Interruption::OwnLauncher);
    }
    writer.log(&format!("regrow {}: {command}", crate::VERSION))?;
    // From here on the job holds the lock.
    drop(writer);
    let steps = train::milestones::steps(run.spec());
    let tokens = train::milestones::tokens_per_step(run.spec());
    observer.hear(&Event::Begun {
        stage: "training",
        total: steps * tokens,
        unit: "tokens",
        done: folder.points()?.last().map_or(0, |point| point.tokens.0),
    });
    let mut held_out = String::new();
    let driven = drive(&command, &folder, run.deadline(), stop, &mut |point| {
        hear(point, &belief, &mut held_out, observer)
    });
    observer.hear(&Event::Ended);
    match driven {
        Ok(Driven::Done) => done(run, folder, &belief, observer),
        Ok(Driven::Stopped { limit }) => {
            let why = if limit { Interruption::TimeLimit } else { Interruption::Request };
            stopped(run, folder, why)
        }
        Err(error) => {
            if *error.kind() == ErrorKind::NotBelieved {
                refuse(&folder, &error)?;
            }
            Err(error)
        }
    }
}

/// Reports a run that is already done, and checks it, since a launcher may have trained it unseen.
pub(super) fn already_done(
    run: &PreparedRun,
    out: &Path,
    observer: &mut dyn Observer,
) -> Result<Ended> {
    let folder = finish::folder_of(run, out)?;
    let Some(belief) = known_belief(&folder.job_path(), run.spec()) else {
        bail!("`{}` has no job file of this run", folder.job_path().display());
    };
    let ended = done(run, folder, &belief, observer)?;
    observer.hear(&Event::Note(&format!("`{}` is already done", out.display())));
    Ok(ended)
}

/// The loss that the job must find before its first step. It is measured here, unless an earlier
/// attempt did so.
fn belief(run: &PreparedRun, writer: &RunWriter, observer: &mut dyn Observer) -> Result<Belief> {
    let spec = run.spec();
    if let Some(belief) = known_belief(&writer.job_path(), spec) {
        return Ok(belief);
    }
    let (origin, decoder) = (run.origin(), run.decoder().in_full_precision()?);
    let weights = origin.weights(&decoder, spec.seed)?;
    let stage = "the loss that PyTorch must find";
    let (found, divergence) = record::measure_taught((&decoder, &weights), run, stage, observer)?;
    require_finite(&found, origin.raw.path())?;
    Ok(Belief::new(found.loss(), spec.precision).with_divergence(divergence))
}

fn job_file(options: &HealOptions, run: &PreparedRun, belief: &Belief) -> Result<Vec<u8>> {
    let (origin, spec) = (run.origin(), run.spec());
    let folder = origin.folder.as_ref().context("PyTorch trains the model of a folder")?;
    let (model, corpus) = (absolute(folder.path())?, absolute(&options.corpus)?);
    let file = JobFile {
        id: spec.id(),
        spec,
        steps: train::milestones::steps(spec),
        evaluation_steps: train::milestones::evaluation_steps(spec),
        save_every: run.save_every(),
        recompute: options.recompute,
        compile: options.torch.is_compiled(),
        model: &model,
        corpus: &corpus,
        config: serde_json::from_slice(&origin.raw.to_json())?,
        tensors: shapes(&origin.config),
        dtype: origin.dtype.name(),
        shard_limit: SHARD_LIMIT,
        companions: companions(&model)?,
        sparse: origin.masks.sparsity().tensors.keys().cloned().collect(),
        expected: belief.into(),
        teacher: options.recipe.teacher().map(teacher).transpose()?,
    };
    file.to_json()
}

/// Name and shape of every tensor.
fn shapes(config: &ModelConfig) -> Vec<(String, Vec<usize>)> {
    let tensors = tensors::tensors(config).into_iter();
    tensors.map(|tensor| (tensor.name, tensor.shape)).collect()
}

/// Where the teacher is, which was opened and checked before.
fn teacher(path: &str) -> Result<TeacherFile> {
    let path = Path::new(path);
    if TeacherCache::is_at(path) {
        return Ok(TeacherFile::Cache { cache: absolute(path)? });
    }
    let place = hub::cached_folder(path).unwrap_or_else(|| path.to_path_buf());
    let folder = ModelFolder::open(&place)?;
    Ok(TeacherFile::Model {
        model: absolute(folder.path())?,
        config: serde_json::from_slice(&folder.raw_config().to_json())?,
        tensors: shapes(folder.config()),
    })
}

/// What somebody with a launcher of their own asked for.
fn printed(
    form: TorchPrint,
    options: &HealOptions,
    run: &PreparedRun,
    folder: &RunFolder,
    command: &TorchCommand,
) -> Result<String> {
    let model = run.origin().folder.as_ref().context("PyTorch trains the model of a folder")?;
    let (place, model, corpus) =
        (absolute(folder.path())?, absolute(model.path())?, absolute(&options.corpus)?);
    let teacher = options.recipe.teacher().map(teacher).transpose()?;
    let input = TemplateInput {
        spec: run.spec(),
        steps: train::milestones::steps(run.spec()),
        processes: options.torch.process_count(),
        run: &place,
        model: &model,
        corpus: &corpus,
        teacher: teacher.as_ref().map(TeacherFile::place),
        is_sparse: !run.origin().masks.is_empty(),
    };
    match form {
        TorchPrint::Command => Ok(format!("{command}\n")),
        TorchPrint::Skypilot => Ok(skypilot(&input)),
        TorchPrint::NemoAutomodel => nemo_automodel(&input),
    }
}

fn absolute(path: &Path) -> Result<PathBuf> {
    Ok(path.canonicalize().map_err(disk::io_error("find", path))?)
}

/// Files that go along with the weights, in the order of their names.
fn companions(model: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(model).map_err(disk::io_error("read", model))?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(disk::io_error("read", model))?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let ours = [sparsity::FILE, "cut.json"].contains(&name.as_str());
        if (ours || goes_along(&name)) && entry.path().is_file() {
            found.push(name);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Shows a point. The first one is checked before anything is believed.
fn hear(
    point: &Point,
    belief: &Belief,
    held_out: &mut String,
    observer: &mut dyn Observer,
) -> Result<()> {
    if point.step == 0 {
        first(Some(point), belief)?;
    }
    if let Some(loss) = point.eval_loss {
        *held_out = format!("held-out {loss:.4}");
        let (step, tokens) = (grouped(point.step), grouped(point.tokens.0));
        observer.hear(&Event::Note(&format!("step {step}  tokens {tokens}  {held_out}")));
    }
    let message = scribe::progress(point, held_out);
    observer.hear(&Event::Measured(point));
    observer.hear(&Event::Progress { done: point.tokens.0, message: &message });
    Ok(())
}

/// Checks the loss before the first step.
fn first(point: Option<&Point>, belief: &Belief) -> Result<()> {
    let (point, when) = (point.filter(|point| point.step == 0), "before the first step");
    let loss = point.and_then(|point| point.eval_loss);
    belief.check(loss.unwrap_or(f64::NAN), when)?;
    belief.check_divergence(point.and_then(|point| point.eval_kl), when)
}

/// Checks a run that the job says is done.
fn done(
    run: &PreparedRun,
    folder: RunFolder,
    belief: &Belief,
    observer: &mut dyn Observer,
) -> Result<Ended> {
    if let Err(error) = audit(run, &folder, belief, observer) {
        // A file that cannot be read now may be whole.
        if *error.kind() == ErrorKind::NotBelieved {
            refuse(&folder, &error)?;
        }
        return Err(error);
    }
    folder.write_events()?;
    let done = folder.done()?.context("`done.json` has gone")?;
    finish::remove_checkpoints(&folder, None)?;
    finish::rose(&folder.curve()?, observer);
    finish::ended(folder, &done)
}

/// Holds the curve and the model of a run against what the job says of them.
fn audit(
    run: &PreparedRun,
    folder: &RunFolder,
    belief: &Belief,
    observer: &mut dyn Observer,
) -> Result<()> {
    let spec = run.spec();
    // Reading them checks them against the hash in `done.json`.
    let points = folder.points()?;
    first(points.first(), belief)?;
    let done = folder.done()?.context("`done.json` has gone")?;
    let expected = (train::milestones::steps(spec), run.tokens_after(done.steps()));
    let last = points.last().map_or(0, |point| point.step);
    if (done.steps(), done.tokens()) != expected || last != expected.0 {
        let (found, tokens) = (grouped(done.steps()), grouped(done.tokens().0));
        return Err(not_believed(format!(
            "the trainer says that it is done after {found} steps and {tokens} tokens, expected {} and {}",
            grouped(expected.0),
            grouped(expected.1.0)
        )));
    }
    let model = ModelFolder::open(&folder.model_path())?;
    let hash = model.weights_hash()?;
    if hash != done.weights() {
        return Err(not_believed(format!(
            "the weights in `{}` have the hash {hash}, expected {} as in `done.json`",
            folder.model_path().display(),
            done.weights()
        )));
    }
    if model.config() != &run.origin().config {
        let path = folder.model_path();
        return Err(not_believed(format!("`{}` is a model of another shape", path.display())));
    }
    let loaded = Loaded::new(model, spec.evaluation.context)?;
    let stage = "the model that PyTorch wrote";
    let found = record::measure(loaded.decoder(), loaded.weights(), run, stage, observer)?;
    let said = done.written_loss().unwrap_or_else(|| done.eval_loss());
    Belief::new(found.loss(), spec.precision).check(said.0, "after the last step")
}

fn not_believed(message: String) -> Error {
    Error::new(ErrorKind::NotBelieved, message)
}

/// Takes back `done.json`, the checkpoints and the curve of a run that is not believed: it begins
/// anew when it is resumed.
fn refuse(folder: &RunFolder, error: &Error) -> Result<()> {
    folder.take_back_done()?;
    finish::remove_checkpoints(folder, None)?;
    if let Ok(mut writer) = RunFolder::resume(folder.path(), folder.spec()) {
        writer.log(&format!("refused: {error}"))?;
        writer.clear()?;
    }
    Ok(())
}

/// How a run that can be resumed ended.
fn stopped(run: &PreparedRun, folder: RunFolder, why: Interruption) -> Result<Ended> {
    let step = folder.checkpoints()?.last().map_or(0, |(step, _)| *step);
    let curve = folder.curve()?;
    Ok(Ended::new(folder, curve, (step, run.tokens_after(step)), Some(why)))
}
