//! What a sweep would cost, run by run, before any of it is spent.

use shape::config::ModelConfig;
use shape::count::Count;
use train::memory::TrainingMemory;

use super::folder::SweepFolder;
use super::options::SweepOptions;
use super::plan::{PlannedTeacher, Purpose, SweepJob, Trains};
use super::planned::{planned, spec};
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
#[derive(Clone, Copy, Debug)]
struct TrainingWork {
    parameters: u64,
    tokens: u64,
    operations: f64,
    memory: u64,
}

impl SweepRow {
    /// The name of the job.
    pub fn job(&self) -> &str {
        &self.job
    }

    /// Parameters that are trained; `None` where nothing is trained.
    pub fn parameters(&self) -> Option<u64> {
        self.work.map(|work| work.parameters)
    }

    /// Tokens that are trained on.
    pub fn tokens(&self) -> Option<u64> {
        self.work.map(|work| work.tokens)
    }

    /// Floating-point operations: six a token for every parameter that is multiplied in training,
    /// and two for those of a teacher that runs beside it or writes a cache. Held-out losses are
    /// not counted.
    pub fn operations(&self) -> Option<f64> {
        self.work.map(|work| work.operations).or(self.operations)
    }

    /// An estimate of its memory, in bytes, for our own trainer, with a teacher that runs beside
    /// it. The text and the pages of a cache are not in it.
    pub fn memory(&self) -> Option<u64> {
        self.work.map(|work| work.memory)
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
    Ok(TrainingWork { parameters: count.total(), tokens, operations, memory: memory.total() })
}

/// The operations of writing a cache, once the text is there.
fn taught(base: &ModelConfig, folder: &SweepFolder, sweep: &SweepKeys) -> Option<f64> {
    let corpus = text::Corpus::open(&folder.heal_corpus_of(sweep)).ok()?;
    let each = Count::of(base).forward_flops_per_token() as f64;
    Some(each * corpus.train().tokens() as f64)
}
