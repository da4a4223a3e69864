//! Curves without noise give their constants back, from the default starts: one loop over every
//! form.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

use law::form::{FORMS, Form};
use law::{Place, Row, Run, Scale, fit};

const STARTS: usize = 64;

/// Sizes, rates and tokens (in billions) that can tell every form's constants.
fn runs(form: &dyn Form, constants: &[f64]) -> Vec<Run> {
    let has = |name| form.position(name).is_some();
    let sizes: &[f64] = if has("floor_slope") {
        &[0.494, 1.544]
    } else if has("alpha") || has("delta") || has("b_N") || has("a") {
        &[0.494, 1.236, 1.544, 3.086, 7.616]
    } else {
        &[1.236]
    };
    let rates: &[f64] = if has("gamma") || has("b_S") || has("a") {
        &[0.15, 0.24, 0.36, 0.6][..if has("b_S") { 4 } else { 3 }]
    } else {
        &[0.25]
    };
    let tokens: &[f64] = if has("beta") || has("b_D") || has("g") {
        &[0.05, 0.08, 0.12, 0.2, 0.3, 0.5, 0.7, 1.0]
    } else if has("token_slope") {
        &[0.1, 1.0]
    } else {
        &[0.5]
    };
    let units = form.own_units().unwrap_or(Scale::BILLIONS);
    let mut runs = Vec::new();
    for &n0 in sizes {
        for &rate in rates {
            // Realised rates are never quite those asked for.
            let rate = if has("gamma") { rate * (1.0 + 0.01 * n0) } else { rate };
            let loss0 = 2.2 - 0.2 * n0.ln();
            let points = tokens.iter().map(|&d| law::Point {
                tokens: d * 1e9,
                loss: form
                    .value(constants, &Row::new(n0 * 1e9, rate, loss0, d * 1e9).divided_by(&units)),
                weight: 1.0,
            });
            let name = format!("{n0}-{rate}");
            let place = Place { n0: n0 * 1e9, rate, loss0 };
            runs.push(Run::new(&name, &n0.to_string(), place, points.collect()));
        }
    }
    runs
}

/// By name: several truths, the last two with a negative E and a floor that falls slowly with the
/// size.
fn truths(form: &dyn Form) -> Vec<Vec<f64>> {
    let sets: [&[(&str, f64)]; 5] = [
        &[
            ("N_C", 0.3),
            ("D_C", 0.25),
            ("E", 0.1),
            ("alpha", 0.4),
            ("beta", 0.5),
            ("gamma", -1.2),
            ("delta", 0.2),
        ],
        &[
            ("N_C", 0.8),
            ("D_C", 0.1),
            ("E", 0.5),
            ("alpha", 0.25),
            ("beta", 0.3),
            ("gamma", -0.7),
            ("delta", 0.1),
        ],
        &[
            ("N_C", 0.1),
            ("D_C", 0.9),
            ("E", 0.05),
            ("alpha", 0.9),
            ("beta", 0.8),
            ("gamma", -2.0),
            ("delta", 0.5),
        ],
        &[
            ("N_C", 0.5),
            ("D_C", 0.4),
            ("E", -0.15),
            ("alpha", 0.35),
            ("beta", 0.45),
            ("gamma", -1.0),
            ("delta", 0.15),
        ],
        &[
            ("N_C", 0.6),
            ("D_C", 0.3),
            ("E", -0.1),
            ("alpha", -0.2),
            ("beta", 0.4),
            ("gamma", -1.4),
            ("delta", 0.45),
        ],
    ];
    let others = [
        ("floor", 0.4),
        ("level", 0.3),
        ("floor_slope", 0.07),
        ("token_slope", 0.06),
        ("D_s", 0.1),
        ("A", 0.6),
        ("B", 0.4),
        ("a_S", 0.5),
        ("c_S", 0.3),
        ("A_D", 0.2),
        ("c", 1.5),
        ("b_S", 1.3),
        ("b_N", 0.3),
        ("b_D", 0.4),
        ("a", 0.7),
        ("b", 1.2),
        ("g", 0.9),
        ("P0", 1.1),
    ];
    let value = |set: &[(&str, f64)], name: &str| {
        set.iter().chain(&others).find(|(n, _)| *n == name).expect("every constant has a truth").1
    };
    let truth =
        |set: &&[(&str, f64)]| form.parameters().iter().map(|p| value(set, p.name())).collect();
    let negative = |set: &&&[(&str, f64)]| {
        value(set, "alpha") > 0.0 || !["p2-no-delta", "chinchilla"].contains(&form.name())
    };
    sets.iter().filter(negative).map(truth).collect()
}

#[test]
fn every_form_gives_its_constants_back() {
    for form in FORMS.iter() {
        for truth in truths(*form) {
            let runs = runs(*form, &truth);
            let fit = fit::fit_form(*form, &runs.iter().collect::<Vec<_>>(), STARTS);
            let found = fit.constants(&Scale::BILLIONS);
            for ((parameter, found), truth) in form.parameters().iter().zip(&found).zip(&truth) {
                let tolerance = if parameter.is_exponent() { 1e-6 } else { 1e-5 };
                assert!(
                    (found - truth).abs() <= tolerance,
                    "{} {}: {found}, expected {truth}; objective {:e}, gradient {:e}, {} of {} starts",
                    form.name(),
                    parameter.name(),
                    fit.objective(),
                    fit.gradient(),
                    fit.agreeing(),
                    fit.starts(),
                );
            }
            eprintln!(
                "{:34} {:2} of {} starts, objective {:.1e}, least singular value {:.1e}",
                form.name(),
                fit.agreeing(),
                fit.starts(),
                fit.objective(),
                fit.singular_values().last().unwrap()
            );
            assert!(
                fit.agreeing() * 4 >= fit.starts(),
                "{}: {} of {}",
                form.name(),
                fit.agreeing(),
                fit.starts()
            );
        }
    }
}
