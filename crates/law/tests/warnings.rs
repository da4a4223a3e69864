//! Every warning appears where it should, and does not where it should not.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

mod world;

use law::{GroupLaw, Settings, Table, TableRow};
use world::World;

/// Four sizes, three rates and ten token counts of a world without noise.
fn good() -> Vec<TableRow> {
    let world = World::new(&[0.494, 1.236, 1.544, 3.086], &[0.15, 0.25, 0.36]);
    World { tokens: (0..10).map(|i| 0.05 * 20.0_f64.powf(f64::from(i) / 9.0)).collect(), ..world }
        .noisy()
        .rows(3)
}

fn fitted(rows: Vec<TableRow>) -> GroupLaw {
    law::fit(&Table::new(rows).unwrap(), &Settings { starts: 16, ..Settings::default() })
        .unwrap()
        .groups
        .remove(0)
}

fn codes(law: &GroupLaw) -> Vec<&str> {
    law.warnings.iter().map(|warning| warning.code.as_str()).collect()
}

/// The rows of one run, with a learning rate by its place in the run, from 0 to 1.
fn scheduled(rate: fn(f64) -> f64) -> Vec<TableRow> {
    let mut rows = good();
    let first = rows[0].run.clone();
    let count = rows.iter().filter(|row| row.run == first).count();
    for (i, row) in rows.iter_mut().filter(|row| row.run == first).enumerate() {
        row.learning_rate = Some(rate(i as f64 / (count - 1) as f64));
    }
    rows
}

#[test]
fn right_data_are_not_warned_of() {
    assert_eq!(codes(&fitted(good())), [""; 0]);
}

#[test]
fn the_learning_rate_alone_tells_a_decay() {
    let cosine = |share: f64| 1e-4 * (1.0 + 0.9 * (std::f64::consts::PI * share).cos());
    let wsd = |share: f64| if share < 0.75 { 3e-4 } else { 3e-4 * (1.0 - share) };
    let warm = |share: f64| if share < 0.2 { 1e-3 * share } else { 3e-4 };
    for (name, rate, code, left) in [
        ("constant", (|_| 3e-4) as fn(f64) -> f64, None, 120),
        ("cosine", cosine, Some("decaying-schedule"), 111),
        ("warm-up, stable, decay", wsd, Some("mixed-schedule"), 117),
        ("warm-up", warm, Some("warm-up-left-out"), 118),
    ] {
        let law = fitted(scheduled(rate));
        assert_eq!(codes(&law), code.into_iter().collect::<Vec<_>>(), "{name}");
        assert_eq!(law.points, left, "{name}");
        let concerned = law.warnings.iter().flat_map(|warning| &warning.runs);
        assert!(concerned.eq(code.map(|_| "0.494-0.15")), "{name}: {:?}", law.warnings);
    }
    // A phase that is named goes before a learning rate.
    let mut rows = scheduled(cosine);
    rows.iter_mut().for_each(|row| row.phase = Some(ledger::Phase::Constant));
    assert_eq!(codes(&fitted(rows)), [""; 0]);
}
