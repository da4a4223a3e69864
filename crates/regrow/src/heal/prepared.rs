//! Resolves the options of a run before its first step.

use std::path::Path;
use std::time::Instant;

use ledger::{Params, RunSpec, Tokens};
use model::backend::Backend;
use model::backend::profiled::Account;
use model::decoder::Decoder;
use train::memory::TrainingMemory;

use super::check;
use super::options::{HealOptions, StartingPoint};
use super::origin::Origin;
use super::teacher::{LoadedTeacher, TeacherSource};
use crate::error::Result;
use crate::loaded::default_context;
use crate::machine::{TrainingMachine, training_machine};
use crate::observer::{Event, Observer};
use crate::recipe::{CorpusFacts, Setting};

/// A run with valid options, before anything large is read.
pub(super) struct Prepared {
    origin: Origin,
    spec: RunSpec,
    teacher: Option<TeacherSource>,
}

/// A run that is ready to start.
pub(super) struct PreparedRun {
    origin: Origin,
    spec: RunSpec,
    /// The text for `recipe.toml`.
    recipe: String,
    decoder: Decoder<TrainingMachine>,
    teacher: Option<LoadedTeacher>,
    account: Option<Account>,
    /// In steps.
    save_every: u64,
    /// By when it must have saved and stopped.
    deadline: Option<Instant>,
}

/// What a run would do, and the memory it needs.
#[derive(Clone, Debug)]
pub struct HealPreview {
    spec: RunSpec,
    parameters: Params,
    memory: TrainingMemory,
}

impl HealPreview {
    /// The resolved run.
    pub fn spec(&self) -> &RunSpec {
        &self.spec
    }

    /// Parameters that are trained.
    pub fn parameters(&self) -> Params {
        self.parameters
    }

    /// An estimate of the memory that it takes.
    pub fn memory(&self) -> &TrainingMemory {
        &self.memory
    }
}

impl Prepared {
    /// Resolves the options and refuses what cannot become a run. `begun_with` are the tokens of a
    /// run that is there already.
    pub(super) fn new(
        options: &HealOptions,
        begun_with: Option<Tokens>,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let origin = match &options.start {
            StartingPoint::Model(path) => Origin::model(path, &options.corpus, observer)?,
            StartingPoint::Random(path) => Origin::random(path, &options.corpus)?,
        };
        let corpus = &options.corpus;
        let recipe = &options.recipe;
        // Its keys first: opening a teacher may fetch it, and reads all of its weights.
        recipe.objective(recipe.teacher().map(|_| (String::new(), None)))?;
        let teacher = recipe
            .teacher()
            .map(|path| TeacherSource::open(Path::new(path), &origin, corpus, observer))
            .transpose()?;
        let spec = options.recipe.resolve(Setting {
            series: origin.lineage.series.clone(),
            method: origin.method().to_owned(),
            base: origin.lineage.base.clone(),
            corpus: CorpusFacts::of(origin.corpus.info()),
            context: default_context(&origin.config),
            start: origin.start.clone(),
            objective: recipe.objective(teacher.as_ref().map(TeacherSource::hashes))?,
            begun_with,
        })?;
        // Cheap checks first: the corpus is read in full only in `load`.
        check::held_out(&origin)?;
        train::milestones::check(&spec)?;
        check::training(&spec, &origin)?;
        if let Some(teacher) = &teacher {
            teacher.check(&spec, &origin, observer)?;
        }
        warn(&spec, &origin, observer)?;
        Ok(Self { origin, spec, teacher })
    }

    pub(super) fn spec(&self) -> &RunSpec {
        &self.spec
    }

    pub(super) fn preview(self, options: &HealOptions) -> Result<HealPreview> {
        let memory = self.memory(options)?;
        Ok(HealPreview { parameters: self.origin.parameters()?, spec: self.spec, memory })
    }

    fn memory(&self, options: &HealOptions) -> Result<TrainingMemory> {
        let (config, spec) = (&self.origin.config, &self.spec);
        let memory = TrainingMemory::of(config, spec, options.recompute)?
            .with_text(&self.origin.corpus, spec);
        Ok(match &self.teacher {
            Some(teacher) => teacher.memory(memory, spec),
            None => memory,
        })
    }

    pub(super) fn check_memory(&self, options: &HealOptions) -> Result<()> {
        check::memory(&self.spec, &self.origin, &self.memory(options)?, options)
    }

    /// Reads the whole corpus and makes the network.
    pub(super) fn load(self, options: &HealOptions) -> Result<PreparedRun> {
        let Self { origin, spec, teacher } = self;
        // Checks every token id and hash now. Otherwise damage would show only when training
        // reaches it.
        origin.corpus.verify()?;
        let recipe = match &options.written {
            Some(text) => text.clone(),
            None => options.recipe.to_toml()?,
        };
        // The network allocates for the longer of training and evaluation sequences.
        let longest = spec.context.max(spec.evaluation.context);
        // Without an account the backend measures no times, so that normal runs are not slowed
        // down.
        let account = options.account.map(|_| Account::default());
        let machine = training_machine(spec.precision, account.clone());
        // On the same machine, so that an account holds the teacher's work too.
        let teacher = teacher.map(|teacher| teacher.load(&spec, machine.clone())).transpose()?;
        let decoder = Decoder::new(machine, &origin.config, longest)?;
        let save_every = options.recipe.save_every(&spec);
        let deadline = options.deadline;
        Ok(PreparedRun { origin, spec, recipe, decoder, teacher, account, save_every, deadline })
    }
}

impl PreparedRun {
    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(super) fn spec(&self) -> &RunSpec {
        &self.spec
    }

    pub(super) fn recipe(&self) -> &str {
        &self.recipe
    }

    pub(super) fn decoder(&self) -> &Decoder<TrainingMachine> {
        &self.decoder
    }

    /// The teacher, if the objective has one.
    pub(super) fn teacher(&self) -> Option<&LoadedTeacher> {
        self.teacher.as_ref()
    }

    /// The same run without the teacher's weights, once they are no longer needed here.
    pub(super) fn without_teacher(self) -> Self {
        Self { teacher: None, ..self }
    }

    /// The account of time by operation, if requested.
    pub(super) fn account(&self) -> Option<&Account> {
        self.account.as_ref()
    }

    pub(super) fn save_every(&self) -> u64 {
        self.save_every
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    pub(super) fn kernel(&self) -> String {
        self.decoder.backend().kernel()
    }

    /// Training tokens seen after `steps` steps.
    pub(super) fn tokens_after(&self, steps: u64) -> Tokens {
        Tokens(steps * train::milestones::tokens_per_step(&self.spec))
    }
}

/// A learning rate from which on AdamW makes no sense of any model.
const ODD_LEARNING_RATE: f64 = 0.3;

/// Warns of settings that are allowed but make a curve misleading.
fn warn(spec: &RunSpec, origin: &Origin, observer: &mut dyn Observer) -> Result<()> {
    let overlapping = origin.corpus.overlapping_documents()?;
    if overlapping > 0 {
        observer.hear(&Event::Warning(&format!(
            "held-out text that is also training text: {overlapping} of {} held-out documents; the held-out loss will \
             look better than it is",
            origin.corpus.heldout().documents()
        )));
    }
    let rate = spec.optimizer.learning_rate;
    if rate >= ODD_LEARNING_RATE {
        observer.hear(&Event::Warning(&format!(
            "`learning_rate` is {rate}, expected a number such as 3e-4: AdamW moves every weight by about that much a step"
        )));
    }
    let train = Tokens(origin.corpus.train().tokens());
    if spec.tokens > train {
        observer.hear(&Event::Warning(&format!(
            "{} are asked for, the corpus has {train}: text will be repeated",
            spec.tokens
        )));
    }
    Ok(())
}
