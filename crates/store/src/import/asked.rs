//! What a user says about a log beyond the log itself.

use std::collections::BTreeMap;

use ledger::Tokens;

use super::words::{Unit, Word};

/// What is known or wanted beside a log. By default the log must say everything.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    pub(super) format: Option<String>,
    pub(super) names: BTreeMap<String, Word>,
    pub(super) run: Option<String>,
    pub(super) training: bool,
    pub(super) unit: Unit,
    pub(super) batches: Batches,
}

/// How many tokens a step takes in: the number itself, or what it is the product of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Batches {
    pub(super) tokens: Option<u64>,
    pub(super) batch: Option<u64>,
    pub(super) accumulation: Option<u64>,
    pub(super) processes: Option<u64>,
    pub(super) length: Option<u64>,
}

impl Asked {
    /// Takes the format by its name instead of telling it by content.
    pub fn with_format(self, format: Option<String>) -> Self {
        Self { format, ..self }
    }

    /// Names a column of the log for one of our words; it then has no other.
    pub fn with_name(mut self, word: Word, name: String) -> Self {
        self.names.insert(name, word);
        self
    }

    /// Takes one of the runs of a log that holds several.
    pub fn with_run(self, run: Option<String>) -> Self {
        Self { run, ..self }
    }

    /// Compares training losses with others, instead of held-out ones.
    pub fn with_training_loss(self, training: bool) -> Self {
        Self { training, ..self }
    }

    /// Takes losses in another unit.
    pub fn with_unit(self, unit: Unit) -> Self {
        Self { unit, ..self }
    }

    /// Sets the tokens of a step.
    pub fn with_batches(self, batches: Batches) -> Self {
        Self { batches, ..self }
    }
}

impl Batches {
    /// So many tokens at every step.
    pub fn of_tokens(tokens: Tokens) -> Self {
        Self { tokens: Some(tokens.0), ..Self::default() }
    }

    /// The factors: sequences of a pass on one process, passes of a step, processes, and tokens of
    /// a sequence. What the log states need not be given.
    pub fn of_factors(
        batch: Option<u64>,
        accumulation: Option<u64>,
        processes: Option<u64>,
        length: Option<u64>,
    ) -> Self {
        Self { tokens: None, batch, accumulation, processes, length }
    }
}
