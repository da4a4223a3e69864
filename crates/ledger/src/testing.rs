//! Sample runs for tests. A new field of [`RunSpec`] or [`RunRecord`] then changes only this file.

use crate::record::{Provenance, RunRecord};
use crate::spec::{
    AdamW, Convention, Evaluation, Objective, Precision, RunSpec, Schedule, Start, Trainer,
};
use crate::units::{Params, Rate, Tokens};

/// A short run of a small model. A test changes only the fields that it checks.
///
/// ```
/// use ledger::{RunSpec, testing::run_spec};
/// let other = RunSpec { seed: 8, ..run_spec() };
/// assert_ne!(other.id(), run_spec().id());
/// ```
pub fn run_spec() -> RunSpec {
    RunSpec {
        format: RunSpec::FORMAT,
        series: "llama-3".into(),
        method: "depth-block-influence".into(),
        base: "stories260K".into(),
        corpus: "aa".into(),
        heldout: "bb".into(),
        tokenizer: "cc".into(),
        context: 256,
        batch: 8,
        micro_batch: 4,
        tokens: Tokens(1_000_000),
        seed: 7,
        precision: Precision::F32,
        start: Start::Weights { hash: "dd".into(), sparsity: None },
        optimizer: AdamW {
            learning_rate: 3e-4,
            beta1: 0.9,
            beta2: 0.95,
            epsilon: 1e-8,
            weight_decay: 0.1,
            clip_norm: 1.0,
        },
        schedule: Schedule { warmup: Tokens(20_000), decay: Tokens(0) },
        evaluation: Evaluation {
            points: 24,
            first: Tokens(4096),
            convention: Convention::Documents,
            context: 256,
            stride: 256,
            tokens: Tokens(100_000),
        },
        trainer: Trainer::Regrow,
        objective: Objective::Lm,
    }
}

/// The record of [`run_spec`]: 15 % of a thousand parameters were removed.
pub fn run_record() -> RunRecord {
    let rate = |all: u64| Rate::realised(Params(all), Params(all - 150)).unwrap_or_default();
    RunRecord::of(&run_spec(), Params(1000), Params(850), provenance())
        .with_rates(rate(1000), rate(900))
}

/// The provenance of [`run_record`].
pub fn provenance() -> Provenance {
    Provenance {
        regrow: "0.1.0".into(),
        machine: "two cores".into(),
        threads: 2,
        kernel: "avx512".into(),
    }
}
