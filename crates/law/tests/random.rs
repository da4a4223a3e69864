//! Ten thousand small problems of random numbers, a third of them near a law: an answer or an error
//! that names its place, never a panic, never a number that is none.
//!
//! `REGROW_FUZZ=30 cargo test -p regrow-law --test random` tries thirty times as many.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

use law::fit::Loss;
use law::uncertainty::Intervals;
use law::validate::validate;
use law::{ErrorKind, Law, Place, Row, Settings, Table, TableRow, Units, Wish, form};
use ledger::Phase;
use proptest::prelude::*;
use proptest::sample::select;

fn cases(count: u32) -> ProptestConfig {
    let times = std::env::var("REGROW_FUZZ").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(count * times) }
}

/// Any bits, with the numbers that break things more often than they come by themselves.
fn wild() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => any::<f64>(),
        2 => select(vec![
            0.0, -0.0, 1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE, 5e-324, 1e308, -1e308, 1e18,
            1e-12,
        ]),
    ]
}

/// In range, and mostly as tables have them.
fn number(low: f64, high: f64) -> impl Strategy<Value = f64> {
    prop_oneof![8 => low..high, 1 => Just(low), 1 => Just(high), 1 => (low.max(1e-9).ln()..high.ln()).prop_map(f64::exp)]
}

fn phase() -> impl Strategy<Value = Option<Phase>> {
    select(vec![None, None, None, Some(Phase::Warmup), Some(Phase::Constant), Some(Phase::Decay)])
}

/// A row whose run fixes what a run has once, so that most tables are sound.
fn row() -> impl Strategy<Value = TableRow> {
    let names = (0..2_usize, select(vec!["depth", "2:4-wanda", "none"]), 0..3_usize, 0..4_usize);
    let numbers = (number(1.0, 1e18), prop_oneof![6 => 0.0..8.0_f64, 1 => number(0.0, 1e6)]);
    let more = (phase(), proptest::option::weighted(0.2, number(0.0, 1e6)));
    let weight = proptest::option::weighted(0.2, number(1e-12, 1e12));
    (names, numbers, more, weight, proptest::bool::weighted(0.05)).prop_map(
        |(
            (series, method, size, rate),
            (tokens, loss),
            (phase, learning_rate),
            weight,
            repeated,
        )| {
            let n0 = [1.0, 1e6, 1e18][size];
            let rate = if method == "none" { 0.0 } else { [0.0, 1e-9, 0.25, 1.0 - 1e-12][rate] };
            TableRow {
                series: series.to_string(),
                method: method.to_owned(),
                tokens,
                loss,
                phase,
                learning_rate,
                weight,
                repeated,
                zeroed: repeated.then_some(false),
                ..TableRow::run(&format!("{size} {rate}"), n0, rate, 2.0)
            }
        },
    )
}

/// Points of a law of any constants, with noise or without, of few or many sizes, rates and counts.
fn lawful() -> impl Strategy<Value = Vec<TableRow>> {
    let truth = (
        0.0..1.0_f64,
        0.0..1.0_f64,
        -0.5..0.5_f64,
        -0.5..1.5_f64,
        0.02..3.0_f64,
        -3.0..0.5_f64,
        0.0..1.0_f64,
    );
    let design = (
        1..5_usize,
        1..4_usize,
        1..7_usize,
        select(vec![1e-3, 1.0, 1e6]),
        select(vec![0.0, 1e-12, 1e-3, 0.1]),
    );
    (truth, design, any::<u32>()).prop_map(|(truth, (sizes, rates, counts, unit, noise), seed)| {
        let (n_c, d_c, e, alpha, beta, gamma, both) = truth;
        let constants = [n_c, d_c, e, alpha, beta, gamma, both - alpha];
        let p2 = form::by_name("p2").unwrap();
        let mut rows = Vec::new();
        for n0 in &[0.5, 1.2, 3.1, 7.6][..sizes] {
            for rate in &[0.15, 0.25, 0.5][..rates] {
                for i in 0..counts {
                    let tokens = 0.05 * 1.9_f64.powi(i as i32);
                    let error =
                        noise * (f64::from(seed % 1000) + 12.9898 * rows.len() as f64).sin();
                    let loss = p2.value(&constants, &Row::new(*n0, *rate, 2.0, tokens)) + error;
                    let run = TableRow::run(&format!("{n0} {rate}"), n0 * 1e9 * unit, *rate, 2.0);
                    rows.push(TableRow {
                        tokens: tokens * 1e9 * unit,
                        loss: loss.clamp(0.0, 1e6),
                        ..run
                    });
                }
            }
        }
        rows
    })
}

fn settings() -> impl Strategy<Value = Settings> {
    let names: Vec<&str> = form::FORMS.iter().map(|form| form.name()).collect();
    let losses = vec![
        Loss::LeastSquares,
        Loss::LeastSquares,
        Loss::LeastSquares,
        Loss::Huber(1e-3),
        Loss::LogHuber(1e-3),
    ];
    let ways =
        vec![Intervals::Jackknife, Intervals::Jackknife, Intervals::Parametric, Intervals::Pairs];
    let form = prop_oneof![2 => Just("p2"), 1 => select(names)];
    (form, select(losses), select(ways), any::<bool>(), 0.5..0.999_f64).prop_map(
        |(form, loss, intervals, counts, level)| Settings {
            form: form.to_owned(),
            starts: 4,
            loss,
            intervals,
            simulations: 3,
            units: if counts { Units::Counts } else { Units::Billions },
            level,
            ..Settings::default()
        },
    )
}

/// Whatever is answered has no hole: what JSON writes for a number that is none is `null`.
fn sound(answer: &impl serde::Serialize) -> String {
    let text = serde_json::to_string(answer).unwrap();
    assert!(!text.contains("null"), "{text}");
    text
}

/// A fit, its file read back, and what it says of a place, if there is anything to fit.
fn ask(rows: Vec<TableRow>, settings: &Settings, place: [f64; 4]) {
    let count = rows.len();
    let table = match Table::new(rows) {
        Ok(table) => table,
        Err(error) => return named(&error, count),
    };
    let law = match law::fit(&table, settings) {
        Ok(law) => law,
        Err(error) if error.kind() == ErrorKind::NoFit => return,
        Err(error) => panic!("{error}"),
    };
    let law: Law = serde_json::from_str(&sound(&law)).unwrap();
    for group in law.groups() {
        for estimate in group.constants().values() {
            let ends = estimate.interval.unwrap_or([estimate.value; 2]);
            assert!(ends[0] <= estimate.value && estimate.value <= ends[1], "{estimate:?}");
        }
        let Ok(at) = Place::new(place[0], place[1], place[2]) else { continue };
        if let Ok(prediction) = group.predict(at, place[3]) {
            sound(&prediction);
        }
        if let Ok(plan) = group.plan(at, &Wish::default()) {
            sound(&plan);
        }
    }
}

/// An error of a table says which row it means, and the row is there.
fn named(error: &law::Error, rows: usize) {
    let said = error.to_string();
    match (error.kind(), error.row()) {
        (ErrorKind::NothingToFit, None) => return,
        (ErrorKind::BadRow, Some(row)) => assert!((1..=rows).contains(&row), "{said}"),
        _ => panic!("{said}"),
    }
    assert!(said.starts_with("row "), "{said}");
}

proptest! {
    #![proptest_config(cases(3000))]

    #[test]
    fn tables_of_any_numbers_are_answered_or_refused(
        mut rows in proptest::collection::vec(row(), 0..30), settings in settings(),
        spoilt in proptest::option::weighted(0.2, (0..30_usize, 0..6_usize, wild())),
        place in [number(1.0, 1e18), number(1e-9, 0.999), number(0.0, 1e6), number(1.0, 1e18)],
    ) {
        if let Some((at, column, x)) = spoilt && let Some(row) = rows.get_mut(at) {
            let TableRow { n0, rate, loss0, tokens, loss, .. } = row;
            match column {
                0 => *n0 = x,
                1 => *rate = x,
                2 => *loss0 = x,
                3 => *tokens = x,
                4 => *loss = x,
                _ => row.weight = Some(x),
            }
        }
        ask(rows, &settings, place);
    }
}

proptest! {
    #![proptest_config(cases(3500))]

    #[test]
    fn tables_near_a_law_are_answered(
        rows in lawful(), settings in settings(),
        place in [number(1e6, 1e12), number(1e-3, 0.9), number(0.0, 5.0), number(1e6, 1e13)],
    ) {
        ask(rows, &settings, place);
    }

    #[test]
    fn places_of_any_bits_are_answered_or_refused(
        rows in lawful(), place in [wild(), wild(), wild(), wild()], sound_place in any::<bool>(),
    ) {
        let place = if sound_place { [2e9, 0.3, 2.0, place[3]] } else { place };
        ask(rows, &Settings { starts: 3, simulations: 3, ..Settings::default() }, place);
    }
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn whatever_is_held_out_is_judged_without_a_hole(rows in prop_oneof![lawful(), proptest::collection::vec(row(), 1..20)]) {
        let settings = Settings { starts: 2, simulations: 2, ..Settings::default() };
        if let Ok(table) = Table::new(rows) && let Ok(validation) = validate(&table, &settings) {
            sound(&validation);
        }
    }
}
