//! How a run ended.

use std::path::PathBuf;

use ledger::{Curve, Nats, Tokens};
use store::RunFolder;
use train::Why;

/// A run that is done, or that was stopped and can be resumed.
#[derive(Debug)]
pub struct Ended {
    folder: RunFolder,
    curve: Curve,
    steps: u64,
    tokens: Tokens,
    interruption: Option<Interruption>,
}

/// Why a run stopped before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Interruption {
    /// The caller requested it.
    Request,
    /// The time limit was reached.
    TimeLimit,
    /// Nothing was trained: the caller starts the job with a launcher of their own.
    OwnLauncher,
}

impl From<Why> for Interruption {
    fn from(why: Why) -> Self {
        match why {
            Why::Stop => Self::Request,
            Why::Limit => Self::TimeLimit,
        }
    }
}

impl Ended {
    pub(super) fn new(
        folder: RunFolder,
        curve: Curve,
        (steps, tokens): (u64, Tokens),
        interruption: Option<Interruption>,
    ) -> Self {
        Self { folder, curve, steps, tokens, interruption }
    }

    /// Whether the run is done: all tokens were seen or a rule ended it, and the model is written.
    pub fn is_done(&self) -> bool {
        self.interruption.is_none()
    }

    /// Why it stopped; `None` where it is done.
    pub fn interruption(&self) -> Option<Interruption> {
        self.interruption
    }

    /// The run folder.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// Its held-out losses.
    pub fn curve(&self) -> &Curve {
        &self.curve
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Training tokens seen.
    pub fn tokens(&self) -> Tokens {
        self.tokens
    }

    /// Held-out loss of the freshly pruned model.
    pub fn loss_pruned(&self) -> Option<Nats> {
        self.folder.record().loss_pruned(&self.curve)
    }

    /// The healed model, where the run is done.
    pub fn model(&self) -> Option<PathBuf> {
        self.is_done().then(|| self.folder.model_path())
    }

    /// The model with the least held-out loss, if that is neither the final nor the initial one.
    pub fn best_model(&self) -> Option<PathBuf> {
        Some(self.folder.best_path()).filter(|path| self.is_done() && path.is_dir())
    }
}
