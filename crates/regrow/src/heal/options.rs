//! The options of a run.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ledger::{Nats, Trainer};

use super::stop_rule::StopRule;
use crate::recipe::Recipe;
use crate::trainer::TorchOptions;

/// The options of a run: its starting point, its text and its recipe.
///
/// ```no_run
/// use regrow::heal::{HealOptions, StartingPoint, heal};
/// use regrow::{Recipe, Silent, Stop};
///
/// let recipe: Recipe = "format = 1\ntokens = \"20M\"\n".parse()?;
/// let start = StartingPoint::Model("llama-1b-75".into());
/// let options = HealOptions::new(start, "corpus", recipe).base("llama-1b");
/// let ended = heal(&options, "runs/healed", &Stop::new(), &mut Silent)?;
/// assert!(ended.is_done());
/// # Ok::<(), regrow::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct HealOptions {
    pub(super) start: StartingPoint,
    pub(super) corpus: PathBuf,
    pub(super) recipe: Recipe,
    /// The text of the recipe file, which is copied into the run folder unchanged.
    pub(super) written: Option<String>,
    pub(super) before: LossBefore,
    pub(super) folder: RunMode,
    pub(super) deadline: Option<Instant>,
    pub(super) stop_when: Option<StopRule>,
    pub(super) keep_checkpoint: bool,
    pub(super) recompute: bool,
    /// In bytes.
    pub(super) memory: Option<u64>,
    pub(super) account: Option<ShowAccount>,
    /// How PyTorch is started, if it trains.
    pub(super) torch: TorchOptions,
    /// Other files that the caller has read for this run.
    pub(super) inputs: Vec<PathBuf>,
}

/// What a run starts from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartingPoint {
    /// The weights of a model folder, or of a model on the hub.
    Model(PathBuf),
    /// Random weights of the shape in a `config.json`.
    Random(PathBuf),
}

/// Where the held-out loss of the model before pruning comes from. Laws need this loss.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum LossBefore {
    /// Not given. For an unpruned model it is measured on the model itself.
    Unsaid,
    /// Measure it on this model folder.
    Of(PathBuf),
    /// Measured before, and kept in this file.
    Kept(PathBuf),
    /// Given as a number.
    Known(Nats),
}

/// What to do if the run folder exists already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunMode {
    /// Refuse it.
    New,
    /// Replace it.
    Replace,
    /// Resume from its last checkpoint.
    Resume,
}

/// Formats the account of a step's time as lines for people.
pub type ShowAccount = fn(&super::StepAccount) -> String;

impl HealOptions {
    /// Trains from `start` on the corpus folder `corpus` as `recipe` says.
    pub fn new(start: StartingPoint, corpus: impl AsRef<Path>, recipe: Recipe) -> Self {
        Self {
            start,
            corpus: corpus.as_ref().to_path_buf(),
            recipe,
            written: None,
            before: LossBefore::Unsaid,
            folder: RunMode::New,
            deadline: None,
            stop_when: None,
            keep_checkpoint: false,
            recompute: false,
            memory: None,
            account: None,
            torch: TorchOptions::new(),
            inputs: Vec::new(),
        }
    }

    /// Names a file that was read for this run, such as its recipe. A run that replaces another
    /// never replaces what it was made from.
    #[must_use]
    pub fn made_from(mut self, file: impl AsRef<Path>) -> Self {
        self.inputs.push(file.as_ref().to_path_buf());
        self
    }

    /// Everything that is read for this run.
    pub(super) fn inputs(&self) -> Vec<&Path> {
        let start = match &self.start {
            StartingPoint::Model(path) | StartingPoint::Random(path) => path,
        };
        let base = match &self.before {
            LossBefore::Of(path) | LossBefore::Kept(path) => Some(path),
            LossBefore::Unsaid | LossBefore::Known(_) => None,
        };
        let teacher = self.recipe.teacher().map(Path::new);
        let named = [start, &self.corpus].into_iter().chain(base).chain(&self.inputs);
        named.map(PathBuf::as_path).chain(teacher).collect()
    }

    /// Stores this text of the recipe in the run folder, instead of a text generated from its keys.
    #[must_use]
    pub fn written(mut self, text: impl Into<String>) -> Self {
        self.written = Some(text.into());
        self
    }

    /// Measures the loss before pruning on this model folder.
    #[must_use]
    pub fn base(mut self, model: impl AsRef<Path>) -> Self {
        self.before = LossBefore::Of(model.as_ref().to_path_buf());
        self
    }

    /// Takes the loss before pruning from a file that [`crate::measure::keep`] wrote.
    #[must_use]
    pub fn base_loss(mut self, file: impl AsRef<Path>) -> Self {
        self.before = LossBefore::Kept(file.as_ref().to_path_buf());
        self
    }

    /// Takes the loss before pruning as known.
    #[must_use]
    pub fn loss0(mut self, loss: Nats) -> Self {
        self.before = LossBefore::Known(loss);
        self
    }

    /// Sets what to do if the run folder exists already. The default is to refuse it.
    #[must_use]
    pub fn mode(mut self, mode: RunMode) -> Self {
        self.folder = mode;
        self
    }

    /// Saves and stops before this much time has passed, counted from now.
    #[must_use]
    pub fn time_limit(mut self, time: Duration) -> Self {
        self.deadline = Some(Instant::now() + time);
        self
    }

    /// Ends the run once this rule holds, before its tokens are used up. The rule is no part of the
    /// run's spec: without it, the same run goes on.
    #[must_use]
    pub fn stop_when(mut self, rule: StopRule) -> Self {
        self.stop_when = Some(rule);
        self
    }

    /// Keeps a checkpoint of the end. A run that has one can be extended to more tokens.
    #[must_use]
    pub fn keep_checkpoint(mut self, keep: bool) -> Self {
        self.keep_checkpoint = keep;
        self
    }

    /// Recomputes activations in the backward pass instead of keeping them. This takes less memory
    /// and more time, and gives the same numbers.
    #[must_use]
    pub fn recompute(mut self, recompute: bool) -> Self {
        self.recompute = recompute;
        self
    }

    /// Limits memory to this many bytes. The default limit is the free memory.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// Whether PyTorch trains.
    pub fn is_by_torch(&self) -> bool {
        self.recipe.trainer() == Trainer::Torch
    }

    /// Sets how PyTorch is started, where the recipe's trainer is `torch`.
    #[must_use]
    pub fn torch(mut self, options: TorchOptions) -> Self {
        self.torch = options;
        self
    }

    /// Keeps an account of a step's time by operation. `show` formats it for the run's log.
    #[must_use]
    pub fn account(mut self, show: ShowAccount) -> Self {
        self.account = Some(show);
        self
    }
}
