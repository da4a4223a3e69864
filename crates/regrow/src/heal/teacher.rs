//! The teacher of a run: a model, or a cache of what one says.

use std::path::Path;

use ledger::RunSpec;
use model::decoder::Decoder;
use model::folder::ModelFolder;
use model::teacher::Teacher;
use model::teacher_cache::TeacherCache;
use shape::config::ModelConfig;
use train::Lessons;
use train::memory::TrainingMemory;

use super::origin::Origin;
use crate::error::{Result, bail};
use crate::loaded;
use crate::machine::{HostWeights, TrainingMachine};
use crate::observer::{Event, Observer};
use crate::source::open_corpus;

/// A teacher that was opened and checked against the run, before it is loaded.
pub(super) enum TeacherSource {
    Model { folder: Box<ModelFolder>, hash: String },
    Cache(Box<TeacherCache>),
}

/// A teacher in memory.
#[expect(clippy::large_enum_variant, reason = "a run has one")]
pub(super) enum LoadedTeacher {
    Model {
        decoder: Decoder<TrainingMachine>,
        /// For held-out text.
        exact: Decoder<TrainingMachine>,
        weights: HostWeights,
    },
    Cache {
        cache: Box<TeacherCache>,
        /// Whether it holds the held-out text as the run reads it.
        has_heldout: bool,
    },
}

impl TeacherSource {
    /// Opens a model folder, a model of the hub, or a cache.
    pub(super) fn open(
        path: &Path,
        origin: &Origin,
        corpus: &Path,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        if TeacherCache::is_at(path) {
            let cache = TeacherCache::open(path)?;
            let (info, of) = (cache.info(), origin.corpus.info());
            let shown = path.display();
            for (what, found, expected) in [
                ("tokenizer", info.tokenizer(), of.tokenizer()),
                ("training text", info.corpus(), of.train().text()),
            ] {
                if found != expected {
                    bail!(
                        "`{shown}` was made from another {what}: its hash is {found}, expected {expected} as in `{}`",
                        corpus.display()
                    );
                }
            }
            vocabulary(path, info.vocabulary(), &origin.config)?;
            return Ok(Self::Cache(Box::new(cache)));
        }
        let folder = loaded::open(path, observer)?;
        // For its check that the teacher reads the same tokens.
        open_corpus(corpus, &folder, observer)?;
        vocabulary(path, folder.config().vocab_size(), &origin.config)?;
        let hash = folder.weights_hash()?;
        Ok(Self::Model { folder: Box::new(folder), hash })
    }

    /// SHA-256 of the teacher's weights, and of the cache if there is one.
    pub(super) fn hashes(&self) -> (String, Option<String>) {
        match self {
            Self::Model { hash, .. } => (hash.clone(), None),
            Self::Cache(cache) => {
                (cache.info().teacher().to_owned(), Some(cache.hash().to_owned()))
            }
        }
    }

    /// Checks the lengths of sequences and the temperature.
    pub(super) fn check(
        &self,
        spec: &RunSpec,
        origin: &Origin,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        if let Some(cut) = &origin.lineage.cut
            && spec.objective.teacher().is_some_and(|teacher| teacher != cut.base_hash)
        {
            observer.hear(&Event::Note("the teacher is not the model that was pruned"));
        }
        match self {
            Self::Model { folder, .. } => {
                let longest = folder.config().max_position_embeddings();
                let needed = spec.context.max(spec.evaluation.context);
                if needed > longest {
                    bail!(
                        "the teacher `{}` has positions for {longest} tokens, a sequence of the run has {needed}",
                        folder.path().display()
                    );
                }
            }
            Self::Cache(cache) => {
                let (found, expected) = (cache.info().context(), spec.context);
                if found != expected {
                    bail!(
                        "the teacher's cache was made for windows of {found} tokens, the run's `context` is {expected}"
                    );
                }
                let (known, temperature) =
                    (cache.info().temperatures(), spec.objective.temperature());
                if !known.contains(&temperature) {
                    bail!(
                        "the teacher's cache was made for the temperatures {known:?}, the run's `temperature` is {temperature}"
                    );
                }
                if !has_heldout(cache, spec) {
                    observer.hear(&Event::Note(
                        "the teacher's cache holds the held-out text as it is read with other settings: no divergence from \
                         the teacher is recorded",
                    ));
                }
            }
        }
        Ok(())
    }

    /// Adds what it takes to an estimate.
    pub(super) fn memory(&self, memory: TrainingMemory, spec: &RunSpec) -> TrainingMemory {
        match self {
            Self::Model { folder, .. } => memory.with_teacher(folder.config(), spec),
            Self::Cache(cache) => memory.with_cache(cache, spec),
        }
    }

    /// Loads the model, or checks every byte of the cache.
    pub(super) fn load(self, spec: &RunSpec, machine: TrainingMachine) -> Result<LoadedTeacher> {
        match self {
            Self::Model { folder, .. } => {
                let longest = spec.context.max(spec.evaluation.context);
                let decoder = Decoder::new(machine, folder.config(), longest)?;
                let weights = model::weights::load(&folder, decoder.backend())?;
                Ok(LoadedTeacher::Model { exact: decoder.in_full_precision()?, decoder, weights })
            }
            Self::Cache(cache) => {
                cache.verify()?;
                let has_heldout = has_heldout(&cache, spec);
                Ok(LoadedTeacher::Cache { cache, has_heldout })
            }
        }
    }
}

impl LoadedTeacher {
    /// What it says about held-out text; `None` for a cache of other text.
    pub(super) fn heldout(&self) -> model::Result<Option<Teacher<'_, TrainingMachine>>> {
        Ok(match self {
            Self::Model { exact, weights, .. } => Some(Teacher::network(exact, weights)?),
            Self::Cache { cache, has_heldout } => has_heldout.then(|| Teacher::cache(cache)),
        })
    }

    /// What it says to one training of the run.
    pub(super) fn lessons(&self) -> model::Result<Lessons<'_, TrainingMachine>> {
        let training = match self {
            Self::Model { decoder, weights, .. } => Teacher::network(decoder, weights)?,
            Self::Cache { cache, .. } => Teacher::cache(cache),
        };
        Ok(Lessons::new(training, self.heldout()?))
    }
}

fn has_heldout(cache: &TeacherCache, spec: &RunSpec) -> bool {
    let info = cache.info();
    info.heldout() == spec.heldout && info.has_evaluation(&spec.evaluation)
}

/// Checks that teacher and student have as many logits.
fn vocabulary(path: &Path, found: usize, student: &ModelConfig) -> Result<()> {
    let expected = student.vocab_size();
    if found != expected {
        bail!(
            "the teacher `{}` has a vocabulary of {found}, expected {expected} as the model that is trained",
            path.display()
        );
    }
    Ok(())
}
