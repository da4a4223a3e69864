//! Every warning appears where it should, and does not where it should not.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

mod world;

use law::{GroupLaw, Place, Settings, Table, TableRow, Warning};
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
        .into_groups()
        .remove(0)
}

fn codes(law: &GroupLaw) -> Vec<&str> {
    law.warnings().iter().map(|warning| warning.code().id()).collect()
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
        assert_eq!(law.points(), left, "{name}");
        let concerned = law.warnings().iter().flat_map(|warning| warning.runs());
        assert!(concerned.eq(code.map(|_| "0.494-0.15")), "{name}: {:?}", law.warnings());
    }
    // A phase that is named goes before a learning rate.
    let mut rows = scheduled(cosine);
    rows.iter_mut().for_each(|row| row.phase = Some(ledger::Phase::Constant));
    assert_eq!(codes(&fitted(rows)), [""; 0]);
}

fn warning<'a>(law: &'a GroupLaw, code: &str) -> &'a Warning {
    let found = law.warnings().iter().find(|warning| warning.code().id() == code);
    found.unwrap_or_else(|| panic!("no `{code}` in {:?}", law.warnings()))
}

fn noisy(sizes: &[f64], rates: &[f64]) -> World {
    World::new(sizes, rates).noisy()
}

const RATES: [f64; 3] = [0.15, 0.25, 0.36];

#[test]
fn one_run_gives_no_interval_of_a_new_one() {
    let law = fitted(noisy(&[1.236], &[0.25]).rows(3));
    assert!(warning(&law, "one-run").sentence().contains("a new run has none"));
    let place = Place::new(1.236e9, 0.25, World::loss0(1.236)).unwrap();
    let found = law.predict(place, 6e8).unwrap();
    assert!(found.mean().is_some() && found.new_run().is_none(), "{found:?}");
    assert!(found.code().contains(&law::Code::OneRun), "{found:?}");
    assert!(
        found.sentence().contains("of its own curve, and there is none for a new run"),
        "{found:?}"
    );
    let wish = law::Wish { target_loss: Some(found.loss().unwrap()), ..Default::default() };
    let plan = law.plan(place, &wish).unwrap();
    assert_eq!((plan.loss_then_new_run(), plan.for_target().unwrap().new_run()), (None, None));
    assert!(plan.for_target().unwrap().code().contains(&law::Code::OneRun));
    // Two runs do say how runs differ.
    let two = fitted(noisy(&[1.236], &[0.2, 0.25]).rows(3));
    assert!(two.predict(place, 6e8).unwrap().new_run().is_some());
}

#[test]
fn fewer_than_four_bases_are_said_not_to_show_how_bases_err() {
    let sizes = [0.494, 1.236, 1.544, 3.086];
    for (count, said) in [(1, "one base"), (2, "two bases"), (3, "three bases")] {
        let law = fitted(noisy(&sizes[..count], &RATES).rows(3));
        assert!(warning(&law, "bases-too-few").sentence().starts_with(said), "{count}");
    }
    assert!(!codes(&fitted(noisy(&sizes, &RATES).rows(3))).contains(&"bases-too-few"));
}

#[test]
fn a_floor_that_falls_with_the_rate_is_said() {
    // E below zero enough: post-training ends below the unpruned model, more so the more was
    // pruned.
    let world = World {
        truth: [0.05, 0.25, -0.4, 0.4, 0.5, -1.2, 0.2],
        ..noisy(&[0.494, 1.236, 1.544, 3.086], &RATES)
    };
    let law = fitted(world.rows(3));
    assert!(warning(&law, "floor-falls-with-rate").sentence().contains("more pruning helps"));
}

#[test]
fn tokens_in_proportion_to_the_size_are_said_to_trade_off() {
    let rows = [0.494, 1.236, 1.544, 3.086].iter().flat_map(|&n0| {
        let world = noisy(&[n0], &RATES);
        World { tokens: (1..=10).map(|i| 0.1 * n0 * f64::from(i)).collect(), ..world }.rows(3)
    });
    let law = fitted(rows.collect());
    assert!(
        warning(&law, "tokens-follow-size")
            .sentence()
            .contains("alpha and beta cannot be told apart")
    );
}

#[test]
fn numbers_in_another_unit_are_remarked_on_with_the_likely_one() {
    type Change = fn(&mut TableRow);
    let changes: [(Change, &str); 5] = [
        (|row| row.tokens /= 1e6, "millions of tokens"),
        (|row| (row.loss, row.loss0) = (row.loss.exp(), row.loss0.exp()), "perplexity"),
        (|row| row.loss0 = row.loss0.exp(), "a perplexity"),
        (|row| row.rate /= 100.0, "0.25, not 0.0025"),
        (|row| row.loss0 *= 4.0, "in another unit, or of another text"),
    ];
    for (change, said) in changes {
        let mut rows = good();
        // Losses high enough that their exponential is no loss.
        rows.iter_mut().for_each(|row| (row.loss, row.loss0) = (row.loss + 1.5, row.loss0 + 1.5));
        rows.iter_mut().for_each(change);
        let law = fitted(rows);
        assert!(
            warning(&law, "unlikely-unit").sentence().contains(said),
            "{said}: {:?}",
            law.warnings()
        );
    }
    assert!(!codes(&fitted(good())).contains(&"unlikely-unit"));
}

#[test]
fn one_spoilt_point_among_many_is_named_with_its_row() {
    let mut rows = good();
    // A digit typed wrongly, in the middle of a run.
    let run = rows[0].run.clone();
    let place = rows.iter().filter(|row| row.run == run).count() / 2;
    rows[place].loss += 0.6;
    let law = fitted(rows);
    let found = warning(&law, "spoilt-point");
    assert!(
        found.sentence().starts_with(&format!("row {}: the loss lies 0.6", place + 1)),
        "{found:?}"
    );
    assert_eq!(found.runs(), [run]);
    assert!(!codes(&fitted(good())).contains(&"spoilt-point"));
}

#[test]
fn a_constant_that_the_intervals_leave_open_is_named() {
    // Three sizes near each other fix every constant by structure, and the floor's two by nothing
    // else.
    let law = fitted(noisy(&[1.2, 1.35, 1.5], &RATES).rows(3));
    let known = law.identifiability();
    assert!(known.code().contains(&law::Code::ConstantUndetermined), "{known:?}");
    assert!(known.undetermined().contains(&"N_C".to_owned()), "{known:?}");
    assert!(known.sentence().contains("the intervals leave N_C"), "{known:?}");
}

#[test]
fn a_constant_at_its_bound_is_named() {
    // A floor that does not follow the size at all wants N_C of nothing.
    let world = World {
        truth: [0.0, 0.25, 0.3, 0.4, 0.5, -1.2, 0.2],
        ..noisy(&[0.494, 1.236, 1.544, 3.086], &RATES)
    };
    let found = (0..12)
        .map(|seed| fitted(world.rows(seed)))
        .find(|law| codes(law).contains(&"parameter-at-bound"));
    let law = found.expect("N_C is held at 0 in about half of all tables");
    let named = warning(&law, "parameter-at-bound").constants();
    assert!(
        !named.is_empty() && named.iter().all(|name| law.constants().contains_key(name)),
        "{named:?}"
    );
}

#[test]
fn every_warning_is_written_with_what_it_concerns_and_read_back() {
    let law = fitted(noisy(&[1.236], &[0.25]).rows(3));
    let text = serde_json::to_string(law.warnings()).unwrap();
    let read: Vec<Warning> = serde_json::from_str(&text).unwrap();
    assert_eq!(read, law.warnings());
    // What does not apply is left out.
    assert!(!text.contains("axis") && !text.contains("null"), "{text}");
    for warning in read {
        assert!(
            !warning.sentence().is_empty()
                && warning.code().id().chars().all(|c| c.is_ascii_lowercase() || c == '-')
        );
    }
}
