//! A form that is wrong for the data is noticed along the axis where it fails, and then names no
//! number of tokens.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

mod world;

use law::{GroupLaw, Row, Settings, Table, TableRow};
use world::World;

/// Changes the constants at a size and a rate.
type Bend = fn(&mut [f64; 7], f64, f64);

/// Twenty-four runs of a bent truth, and a form fitted to them.
fn fitted(form: &str, bend: Bend, seed: u64) -> GroupLaw {
    let world =
        World::new(&[0.494, 1.236, 1.544, 3.086, 7.616, 8.03], &[0.1, 0.18, 0.27, 0.4]).noisy();
    let rows = world.rows(seed).into_iter().map(|row| {
        let (n0, tokens) = (row.n0 / 1e9, row.tokens / 1e9);
        let mut truth = world.truth;
        bend(&mut truth, n0, row.rate);
        let bent = World::p2().value(&truth, &Row::new(n0, row.rate, row.loss0, tokens));
        TableRow { loss: row.loss + bent - world.loss(n0, row.rate, tokens), ..row }
    });
    law::fit(&Table::new(rows).unwrap(), &Settings { form: form.to_owned(), ..Settings::default() })
        .unwrap()
        .into_groups()
        .remove(0)
}

#[test]
fn each_misfit_is_noticed_along_its_axis() {
    let cases: [(&str, &str, Bend, &str); 4] = [
        (
            "beta grows with the rate",
            "p2",
            |p, _, rate| p[4] += 0.3 * (rate / 0.2).ln(),
            "along `rate`: the curves",
        ),
        ("delta left out", "p2-no-delta", |p, _, _| p[6] = 0.5, "along `n0`: the curves"),
        (
            "no power of the rate",
            "p2",
            |p, _, rate| p[5] -= 0.4 * (rate / 0.2).ln(),
            "along `rate`: the loss",
        ),
        (
            "beta grows with the size",
            "p2",
            |p, n0, _| p[4] += 0.3 * (n0 / 1.5).ln(),
            "along `n0`: the power",
        ),
    ];
    for (name, form, bend, sentence) in cases {
        for seed in 0..5 {
            let law = fitted(form, bend, seed);
            let axis = sentence.split('`').nth(1);
            let found = law.warnings().iter().any(|w| {
                *w.code() == "lack-of-fit"
                    && w.axis().map(law::form::Axis::name) == axis
                    && w.sentence().starts_with(sentence)
            });
            assert!(found, "{name}, seed {seed}: {:?}", law.warnings());
            assert!(law.decisions().iter().all(|plan| plan.enough().value().is_none()), "{name}");
        }
    }
}

/// A shift in the tokens leaves no trend among runs; the rival that counts with it shows it.
#[test]
fn tokens_counted_from_another_beginning_are_noticed() {
    for seed in 0..5 {
        let law = shifted(0.1, seed);
        let warning = law.warnings().iter().find(|w| *w.code() == "lack-of-fit").unwrap();
        assert_eq!(warning.axis(), Some(law::form::Axis::Tokens), "seed {seed}: {warning:?}");
        assert!(
            warning
                .sentence()
                .starts_with("along `tokens`: the form predicts left-out runs better")
                && warning.sentence().contains("M tokens are added"),
            "{warning:?}"
        );
        assert!(law.decisions().iter().all(|plan| plan.enough().value().is_none()));
        assert!(
            law.decisions().iter().all(|plan| plan.enough().code().contains(&law::Code::LackOfFit))
        );
    }
}

/// The same twenty-four runs, their tokens counted from a beginning so many billions before.
fn shifted(by: f64, seed: u64) -> GroupLaw {
    let world =
        World::new(&[0.494, 1.236, 1.544, 3.086, 7.616, 8.03], &[0.1, 0.18, 0.27, 0.4]).noisy();
    let rows = world.rows(seed).into_iter().map(|row| {
        let (n0, tokens) = (row.n0 / 1e9, row.tokens / 1e9);
        let moved = world.loss(n0, row.rate, tokens + by) - world.loss(n0, row.rate, tokens);
        TableRow { loss: row.loss + moved, ..row }
    });
    law::fit(&Table::new(rows).unwrap(), &Settings::default()).unwrap().into_groups().remove(0)
}

#[test]
fn a_right_form_raises_few_alarms() {
    let alarms = (0..40).filter(|seed| {
        fitted("p2", |_, _, _| (), *seed).warnings().iter().any(|w| *w.code() == "lack-of-fit")
    });
    let alarms = alarms.count();
    assert!(alarms <= 5, "{alarms} of 40 at five tests of 1 %");
}
