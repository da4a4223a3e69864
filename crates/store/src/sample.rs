//! A run for the tests.

use ledger::testing::run_spec;
use ledger::{Done, Nats, Params, Phase, Point, Provenance, Rate, RunRecord, RunSpec, Tokens};

pub(crate) fn spec() -> RunSpec {
    RunSpec {
        series: "stories".into(),
        method: "depth-list".into(),
        tokens: Tokens(5120),
        ..run_spec()
    }
}

pub(crate) fn record() -> RunRecord {
    let spec = spec();
    RunRecord {
        format: RunRecord::FORMAT,
        id: spec.id(),
        series: spec.series,
        method: spec.method,
        base: spec.base,
        n0: Params(1000),
        parameters: Params(850),
        rate: Rate::realised(Params(1000), Params(850)).unwrap(),
        rate_without_embedding: Rate::realised(Params(900), Params(750)).unwrap(),
        loss0: Some(Nats(1.25)),
        loss0_phase: None,
        corpus: spec.corpus,
        heldout: spec.heldout,
        tokenizer: spec.tokenizer,
        start: spec.start,
        seed: spec.seed,
        provenance: Provenance {
            regrow: "0.1.0".into(),
            machine: "any".into(),
            threads: 2,
            kernel: "plain".into(),
        },
    }
}

/// A point of the sample run with a training loss, and a held-out loss at even steps.
pub(crate) fn point(step: u64) -> Point {
    let loss = 4.0 / (step + 1) as f64;
    Point {
        loss: (step > 0).then_some(loss),
        eval_loss: step.is_multiple_of(2).then_some(loss + 0.5),
        learning_rate: (step > 0).then_some(3e-4),
        grad_norm: (step > 0).then_some(0.75),
        ..Point::new(step, Tokens(step * 512), step as f64 / 8.0, Phase::Constant)
    }
}

pub(crate) fn done() -> Done {
    Done {
        format: Done::FORMAT,
        steps: 10,
        tokens: Tokens(5120),
        loss_pruned: Some(Nats(4.5)),
        eval_loss: Nats(1.0),
        best_eval_loss: Nats(0.75),
        last_quarter: None,
        last_doubling: None,
        seconds: 2.0,
        tokens_per_second: 2560.0,
        weights: "ee".into(),
    }
}

/// The sample run, new at `path`.
pub(crate) fn create(path: &std::path::Path) -> crate::RunWriter {
    crate::RunFolder::create(path, crate::Existing::Refuse, &spec(), "seed = 7\n", &record(), None)
        .unwrap()
}
