//! What must not matter: units, the order of rows, the number of threads.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

mod world;

use law::{Place, Scale, Settings, Table, TableRow, Units, fit, form};
use proptest::prelude::*;
use world::World;

fn world() -> World {
    World::new(&[0.494, 1.236, 1.544, 3.086], &[0.15, 0.25, 0.36]).noisy()
}

#[test]
fn units_of_size_and_tokens_do_not_change_a_prediction() {
    let whole = world().table(5);
    // Thousandths of models on thousandths of tokens: every row stays in range.
    let shrunk = world().rows(5).into_iter().map(|row| TableRow {
        n0: row.n0 / 1e3,
        tokens: row.tokens / 1e3,
        ..row
    });
    let shrunk = Table::new(shrunk).unwrap();
    let [whole, shrunk] =
        [whole, shrunk].map(|table| law::fit(&table, &Settings::default()).unwrap());
    let ask = |law: &law::Law, unit: f64| {
        law.predict(None, None, Place::new(2e9 / unit, 0.3, 2.0).unwrap(), 2e9 / unit).unwrap()
    };
    let (a, b) = (ask(&whole, 1.0), ask(&shrunk, 1e3));
    assert!((a.loss().unwrap() - b.loss().unwrap()).abs() < 1e-9, "{a:?} {b:?}");
    for (a, b) in a.new_run().unwrap().iter().zip(b.new_run().unwrap()) {
        assert!((a - b).abs() < 1e-7, "{a} {b}");
    }
    for name in ["alpha", "beta", "gamma", "delta"] {
        let [a, b] = [&whole, &shrunk].map(|law| law.groups()[0].constants()[name].value);
        assert!((a - b).abs() < 1e-7, "{name}: {a} {b}");
    }
}

#[test]
fn units_of_the_constants_do_not_change_a_prediction() {
    let ask = |units| {
        let law = law::fit(&world().table(5), &Settings { units, ..Settings::default() }).unwrap();
        law.predict(None, None, Place::new(2e9, 0.3, 2.0).unwrap(), 2e9).unwrap().loss().unwrap()
    };
    assert!((ask(Units::Billions) - ask(Units::Counts)).abs() < 1e-12);
}

#[test]
fn the_order_of_rows_and_the_number_of_threads_change_no_bit() {
    let text = |rows: Vec<TableRow>, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let table = Table::new(rows).unwrap();
        let law = pool.install(|| law::fit(&table, &Settings::default()).unwrap());
        serde_json::to_string(&law).unwrap()
    };
    let rows = world().rows(7);
    let mut turned = rows.clone();
    turned.reverse();
    let first = text(rows.clone(), 1);
    assert_eq!(first, text(rows, 3));
    assert_eq!(first, text(turned, 2));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn constants_in_other_units_are_the_same_law(
        index in 0..form::FORMS.len(), n0 in 0.1..10.0_f64, rate in 0.05..0.6_f64, tokens in 0.01..5.0_f64,
        scale in (1e-3..1e3_f64, 0.1..3.0_f64, 1e-3..1e3_f64),
    ) {
        let form = form::FORMS[index];
        prop_assume!(form.own_units().is_none());
        let scale = Scale { n0: scale.0, rate: scale.1, tokens: scale.2 };
        let parameters: Vec<f64> = (0..form.parameters().len()).map(|i| 0.2 + 0.1 * i as f64).collect();
        let row = law::Row::new(n0, rate, 2.0, tokens);
        let mut rescaled = parameters.clone();
        form.rescale(&mut rescaled, &scale);
        let there = form.value(&parameters, &row.divided_by(&scale));
        let here = form.value(&rescaled, &row);
        prop_assert!((here - there).abs() < 1e-10 * (1.0 + there.abs()), "{} {here} {there}", form.name());
    }

    #[test]
    fn every_gradient_agrees_with_finite_differences(
        index in 0..form::FORMS.len(), n0 in 0.1..10.0_f64, rate in 0.05..0.6_f64, tokens in 0.05..5.0_f64,
    ) {
        let form = form::FORMS[index];
        let row = law::Row::new(n0, rate, 2.0, tokens);
        let count = form.parameters().len();
        let parameters: Vec<f64> = (0..count).map(|i| 0.2 + 0.1 * i as f64).collect();
        let mut gradient = vec![0.0; count];
        form.gradient(&parameters, &row, &mut gradient);
        for i in 0..count {
            let value = |shift: f64| {
                let mut moved = parameters.clone();
                moved[i] += shift;
                form.value(&moved, &row)
            };
            let difference = (value(1e-5) - value(-1e-5)) / 2e-5;
            prop_assert!(
                (difference - gradient[i]).abs() < 1e-6 * (1.0 + gradient[i].abs()),
                "{} {}: {} {difference}", form.name(), form.parameters()[i].name(), gradient[i]
            );
        }
        if let Some(place) = form.token_exponent() {
            let mut along = vec![[0.0; 3]; count];
            form.along_run(&parameters, &row, &mut along);
            let power = tokens.powf(-parameters[place]);
            for (along, gradient) in along.iter().zip(&gradient) {
                let whole = along[0] + along[1] * power + along[2] * power * tokens.ln();
                prop_assert!((whole - gradient).abs() < 1e-12 * (1.0 + gradient.abs()), "{}", form.name());
            }
        }
    }

    /// Small problems of any numbers: an answer or an error, never a panic and never a NaN.
    #[test]
    fn any_table_gets_an_answer_or_an_error(
        rows in proptest::collection::vec(
            (0..5_usize, 0..4_usize, prop_oneof![1.0..20.0_f64, 1e6..1e12_f64, Just(1e18)], 0.0..10.0_f64), 1..40),
        scale in prop_oneof![Just(1.0), Just(1e-9), Just(1e5)],
    ) {
        let row = |(size, rate, tokens, loss): (usize, usize, f64, f64)| TableRow {
            tokens,
            loss: loss * scale,
            ..TableRow::run(&format!("{size} {rate}"), 10.0_f64.powi(4 + 2 * size as i32), [0.0, 0.15, 0.25, 0.6][rate], 2.0)
        };
        let rows = rows.into_iter().map(row);
        let settings = Settings { starts: 6, simulations: 4, ..Settings::default() };
        if let Ok(table) = Table::new(rows)
            && let Ok(law) = law::fit(&table, &settings)
        {
            let text = serde_json::to_string(&law).unwrap();
            prop_assert!(!text.contains("null"));
            let read: Result<law::Law, _> = serde_json::from_str(&text);
            prop_assert!(read.is_ok(), "{:?}", read.err());
            let answer = read.unwrap().groups()[0].predict(Place::new(3e9, 0.3, 2.0).unwrap(), 1e6).unwrap();
            prop_assert!(!serde_json::to_string(&answer).unwrap().contains("null"));
        }
    }
}

#[test]
fn a_fit_says_how_sure_the_search_is() {
    let table = world().table(2);
    let runs: Vec<_> = table.groups()[0].runs().iter().collect();
    let fit = fit::fit_form(form::by_name("p2").unwrap(), &runs, 64);
    assert!(fit.gradient() <= 1e-8, "{:e}", fit.gradient());
    assert!(fit.agreeing() >= 16 && fit.starts() == 64, "{}", fit.agreeing());
    assert!(fit.singular_values().iter().all(|value| *value > 1e-4), "{:?}", fit.singular_values());
}
