//! Small worlds to make pages from.

use std::sync::OnceLock;

use law::validate::Validation;
use law::{Law, Row, Settings, Table, TableRow, form};
use ledger::testing::{provenance, run_spec};
use ledger::{Curve, Done, Nats, Params, Phase, Point, Rate, RunRecord, RunSpec, Tokens};
use report::{Entropy, Fact, PageInput, RunFacts, SkippedRun};

/// All that an [`PageInput`] borrows.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) title: String,
    pub(crate) law: Law,
    pub(crate) validation: Option<Validation>,
    pub(crate) rows: Vec<TableRow>,
    pub(crate) runs: Vec<RunFacts>,
    pub(crate) bases: Vec<RunFacts>,
    pub(crate) left_out: Vec<SkippedRun>,
    pub(crate) facts: Vec<Fact>,
}

impl World {
    /// Changes every group of the law as its file holds it, and reads the law again.
    pub(crate) fn edit_law(&mut self, edit: impl FnMut(&mut serde_json::Value)) {
        let mut law = serde_json::to_value(&self.law).unwrap();
        law["groups"].as_array_mut().unwrap().iter_mut().for_each(edit);
        self.law = serde_json::from_value(law).unwrap();
    }

    pub(crate) fn input(&self) -> PageInput<'_> {
        PageInput {
            title: &self.title,
            law: &self.law,
            validation: self.validation.as_ref(),
            rows: &self.rows,
            runs: &self.runs,
            bases: &self.bases,
            left_out: &self.left_out,
            entropy: Some(Entropy { nats: 1.75, standard_error: Some(0.0035) }),
            facts: &self.facts,
        }
    }

    pub(crate) fn page(&self) -> String {
        report::page(&self.input())
    }
}

/// Four sizes at three rates with controls, and one size of another series; fitted once.
pub(crate) fn whole() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| world(rows(&[3.1e7, 7.3e7, 1.5e8, 2.9e8], 6)))
}

/// The same with two bases of every size, that differ a little in their loss before pruning.
pub(crate) fn twins() -> World {
    let first = rows(&[3.1e7, 7.3e7, 1.5e8, 2.9e8], 6);
    let twin = |row: &TableRow| TableRow {
        run: format!("{} again", row.run),
        base: row.base.as_ref().map(|base| format!("{base} again")),
        loss0: row.loss0 + 0.01,
        loss: row.loss + 0.011,
        ..row.clone()
    };
    let twins: Vec<TableRow> = first.iter().map(twin).collect();
    world([first, twins].concat())
}

/// One point a run: nothing can be said of tokens.
pub(crate) fn short() -> World {
    world(rows(&[3.1e7, 7.3e7, 1.5e8, 2.9e8], 1))
}

pub(crate) fn world(rows: Vec<TableRow>) -> World {
    let settings = Settings { simulations: 20, starts: 16, ..Settings::default() };
    let table = Table::new(rows.iter().cloned()).unwrap();
    let law = law::fit(&table, &settings).unwrap();
    let validation = law::validate::validate(&table, &settings).ok();
    let fact = |name: &str, value: &str| Fact { name: name.into(), value: value.into() };
    World {
        title: "A small world".into(),
        law,
        validation,
        rows,
        runs: vec![run("a", true), run("b", false), control()],
        bases: vec![run("base-0", true)],
        left_out: vec![SkippedRun {
            run: "c".into(),
            why: "it was killed and has no `done.json`".into(),
        }],
        facts: vec![fact("command", "regrow quickstart"), fact("seed", "seven")],
    }
}

fn rows(sizes: &[f64], points: i32) -> Vec<TableRow> {
    let p2 = form::by_name("p2").unwrap();
    let truth = [0.02, 0.03, 0.04, 0.4, 0.5, -1.2, 0.1];
    let mut rows = Vec::new();
    let places = sizes.iter().map(|&n0| ("llama", n0)).chain([("qwen2", 1e8)]);
    for (i, (series, n0)) in places.enumerate() {
        let loss0 = 2.0 + 0.05 * i as f64;
        for rate in [0.0, 0.15, 0.25, 0.35] {
            for step in 0..points {
                let tokens = 1e6 * 2.0_f64.powi(step);
                let error = 0.002 * ((i as f64 + 10.0 * rate + f64::from(step)) * 12.9898).sin();
                let loss = match rate {
                    0.0 => loss0 - 1e-3 * f64::from(step),
                    _ => p2.value(&truth, &Row::new(n0 / 1e9, rate, loss0, tokens / 1e9)),
                };
                rows.push(TableRow {
                    series: series.into(),
                    method: if rate == 0.0 { "none".into() } else { "depth-list".into() },
                    base: Some(format!("base-{i}")),
                    tokens,
                    loss: loss + error,
                    ..TableRow::run(&format!("run {i} {rate}"), n0, rate, loss0)
                });
            }
        }
    }
    rows
}

/// The unpruned run of the first base.
fn control() -> RunFacts {
    run_of("c", "none", true)
}

fn run(name: &str, done: bool) -> RunFacts {
    run_of(name, "depth-list", done)
}

fn run_of(name: &str, method: &str, done: bool) -> RunFacts {
    let spec = RunSpec {
        series: "llama".into(),
        method: method.into(),
        base: "base-0".into(),
        corpus: "c0ffee".into(),
        heldout: "facade".into(),
        tokenizer: "decade".into(),
        seed: 11,
        ..run_spec()
    };
    let rate = |rate| Rate::new(rate).unwrap();
    let record = RunRecord::of(&spec, Params(31_000_000), Params(26_350_000), provenance())
        .with_rates(rate(0.15), rate(0.2))
        .with_loss0(Nats(2.0), None);
    let point = |step: u64, loss: f64| Point {
        eval_loss: Some(loss),
        ..Point::new(step, Tokens(step * 320_000), 0.0, Phase::Constant)
    };
    // The last quarter takes 0.03125 off, the last doubling 0.0625.
    let curve = Curve::from_points(&[
        point(0, 4.25),
        point(50, 2.1875),
        point(75, 2.15625),
        point(100, 2.125),
    ]);
    let end = Done::of(&record, &curve, (100, Tokens(32_000_000)), 60.0, "feed".into());
    RunFacts { name: name.into(), record, done: end.filter(|_| done) }
}
