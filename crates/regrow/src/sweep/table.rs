//! What a sweep would cost, run by run, before any of it is spent.

use ledger::{RunSpec, Trainer};
use shape::config::ModelConfig;
use shape::count::Count;
use train::memory::TrainingMemory;

use super::folder::SweepFolder;
use super::options::SweepOptions;
use super::plan::{PlannedTeacher, Purpose, SweepJob, Trains};
use super::planned::{planned, spec};
use super::probe::Prober;
use super::recipe::{SweepKeys, SweepRecipe};
use super::steps::Steps;
use crate::error::Result;

/// A job of a sweep, and what it would take.
#[derive(Clone, Debug)]
pub struct SweepRow {
    job: String,
    work: Option<TrainingWork>,
    /// Of a job that trains nothing and still costs operations.
    operations: Option<f64>,
    done: bool,
}

/// What a training takes.
#[derive(Clone, Debug)]
struct TrainingWork {
    parameters: u64,
    tokens: u64,
    operations: f64,
    memory: u64,
    /// What is trained and how, where our own trainer does it.
    own: Option<Box<(ModelConfig, RunSpec)>>,
    threads: usize,
    seconds: Option<f64>,
}

impl SweepRow {
    /// The name of the job.
    pub fn job(&self) -> &str {
        &self.job
    }

    /// Parameters that are trained; `None` where nothing is trained.
    pub fn parameters(&self) -> Option<u64> {
        self.work.as_ref().map(|work| work.parameters)
    }

    /// Tokens that are trained on.
    pub fn tokens(&self) -> Option<u64> {
        self.work.as_ref().map(|work| work.tokens)
    }

    /// Floating-point operations: six a token for every parameter that is multiplied in training,
    /// and two for those of a teacher that runs beside it or writes a cache. Held-out losses are
    /// not counted.
    pub fn operations(&self) -> Option<f64> {
        self.work.as_ref().map(|work| work.operations).or(self.operations)
    }

    /// An estimate of its memory, in bytes, for our own trainer, with a teacher that runs beside
    /// it. The text and the pages of a cache are not in it.
    pub fn memory(&self) -> Option<u64> {
        self.work.as_ref().map(|work| work.memory)
    }

    /// Seconds of training on this machine, without held-out losses and checkpoints, where a probe
    /// was made: see [`probe`].
    pub fn seconds(&self) -> Option<f64> {
        self.work.as_ref().and_then(|work| work.seconds)
    }

    /// Whether its result exists.
    pub fn is_done(&self) -> bool {
        self.done
    }
}

/// What the jobs of a sweep would take, in the order in which they are submitted.
///
/// # Errors
/// Where the recipe is not valid.
pub fn table(recipe: &SweepRecipe, options: &SweepOptions) -> Result<Vec<SweepRow>> {
    let plan = planned(recipe, options)?;
    let folder = SweepFolder::new(&options.out);
    let steps = Steps::of(&plan, &folder);
    let row = |job: &SweepJob| {
        let work =
            job.trains.as_ref().map(|trains| work(job, trains, recipe.keys())).transpose()?;
        let operations = match &job.purpose {
            Purpose::Teach { base } => taught(base, &folder, recipe.keys()),
            _ => None,
        };
        let done = job.job.is_done() && steps.is_of_this_step(&folder, &job.job);
        Ok(SweepRow { job: job.job.name().to_owned(), work, operations, done })
    };
    plan.jobs.iter().map(row).collect()
}

/// Probes how long the trainings that are left would take on this machine, with our own trainer.
/// Each width, window and precision is probed once, for about a second; models of another depth or
/// with a teacher are told by their operations. Rows of models that are too large for this machine
/// get no time.
///
/// # Errors
/// Where a step fails.
pub fn probe(rows: &mut [SweepRow]) -> Result<()> {
    let mut prober = Prober::default();
    for row in rows.iter_mut().filter(|row| !row.done) {
        let Some(work) = &mut row.work else { continue };
        let Some((config, spec)) = work.own.as_deref() else { continue };
        let each = prober.seconds_per_operation(config, spec, work.threads, work.memory)?;
        work.seconds = each.map(|each| each * work.operations);
    }
    Ok(())
}

fn work(job: &SweepJob, trains: &Trains, sweep: &SweepKeys) -> Result<TrainingWork> {
    let spec = spec(job, trains, sweep)?;
    let memory = TrainingMemory::of(&trains.config, &spec, false)?;
    let count = Count::of(&trains.config);
    let (memory, beside) = match &trains.teacher {
        None => (memory, 0),
        Some(PlannedTeacher::Model(teacher)) => {
            (memory.with_teacher(teacher, &spec), Count::of(teacher).forward_flops_per_token())
        }
        // Its pass was made before.
        Some(PlannedTeacher::Cache { top }) => (memory.with_top(*top, &spec), 0),
    };
    let tokens = job.tokens();
    let operations = (count.training_flops_per_token() + beside) as f64 * tokens as f64;
    let ours = trains.keys.trainer().is_none_or(|trainer| trainer == Trainer::Regrow);
    Ok(TrainingWork {
        parameters: count.total(),
        tokens,
        operations,
        memory: memory.total(),
        own: ours.then(|| Box::new((trains.config.clone(), spec))),
        threads: job.job.resources().threads,
        seconds: None,
    })
}

/// The operations of writing a cache, once the text is there.
fn taught(base: &ModelConfig, folder: &SweepFolder, sweep: &SweepKeys) -> Option<f64> {
    let corpus = text::Corpus::open(&folder.heal_corpus_of(sweep)).ok()?;
    let each = Count::of(base).forward_flops_per_token() as f64;
    Some(each * corpus.train().tokens() as f64)
}
