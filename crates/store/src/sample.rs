//! A run for the tests.

use ledger::testing::{provenance, run_spec};
use ledger::{Curve, Done, Nats, Params, Phase, Point, Rate, RunRecord, RunSpec, Tokens};

pub(crate) fn spec() -> RunSpec {
    RunSpec {
        series: "stories".into(),
        method: "depth-list".into(),
        tokens: Tokens(5120),
        ..run_spec()
    }
}

pub(crate) fn record() -> RunRecord {
    record_of(&spec())
}

/// The record of a run with this spec.
pub(crate) fn record_of(spec: &RunSpec) -> RunRecord {
    let rate = |all: u64| Rate::realised(Params(all), Params(all - 150)).unwrap();
    RunRecord::of(spec, Params(1000), Params(850), provenance())
        .with_rates(rate(1000), rate(900))
        .with_loss0(Nats(1.25), None)
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
    done_after(2.0)
}

/// The end of the sample run after so many seconds.
pub(crate) fn done_after(seconds: f64) -> Done {
    let curve = Curve::from_points(&[point(0), point(8)]);
    Done::of(&record(), &curve, (10, Tokens(5120)), seconds, "ee".into()).unwrap()
}

/// The end of the sample run as its file has it, with the hash of its curve.
pub(crate) fn done_at(path: &std::path::Path) -> Done {
    done().with_curve(ledger::Sha256::of(std::fs::read(path.join("metrics.jsonl")).unwrap()))
}

/// The sample run, new at `path`.
pub(crate) fn create(path: &std::path::Path) -> crate::RunWriter {
    crate::RunFolder::create(path, crate::Existing::Refuse, &spec(), "seed = 7\n", &record(), None)
        .unwrap()
}
