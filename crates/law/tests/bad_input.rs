//! Bad input gets a named error with its row and column, or an answer without a number: never a
//! panic, never NaN.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

mod world;

use law::{Law, Place, Settings, Table, TableRow};
use world::World;

fn rows() -> Vec<TableRow> {
    World::new(&[0.494, 1.236, 3.086], &[0.15, 0.25]).noisy().rows(1)
}

fn settings() -> Settings {
    Settings { starts: 8, simulations: 20, ..Settings::default() }
}

/// Fits, and makes sure that what comes out can be written and read again.
fn fitted(rows: Vec<TableRow>) -> law::Result<Law> {
    let law = law::fit(&Table::new(rows)?, &settings())?;
    let text = serde_json::to_string(&law).unwrap();
    assert!(!text.contains("null") && !text.contains("NaN"), "{text}");
    assert_eq!(serde_json::from_str::<Law>(&text).unwrap(), law);
    Ok(law)
}

fn error(rows: Vec<TableRow>) -> String {
    fitted(rows).unwrap_err().to_string()
}

#[test]
fn an_empty_table() {
    assert_eq!(error(Vec::new()), "the table holds no rows");
}

#[test]
fn a_single_point() {
    let law = fitted(rows().into_iter().take(1).collect()).unwrap();
    assert_eq!(law.groups()[0].decisions()[0].enough().value(), None);
    assert!(law.groups()[0].identifiability().code().contains(&law::Code::LevelsTooFew));
}

#[test]
fn constant_columns() {
    type Spoil = fn(&mut TableRow);
    // Every loss the same; the loss that of the unpruned model; one size; one rate; everything at
    // once but the tokens.
    let spoils: [Spoil; 5] = [
        |row| row.loss = 2.5,
        |row| row.loss = row.loss0,
        |row| (row.n0, row.loss0) = (1e9, 2.2),
        |row| row.rate = 0.25,
        |row| (row.n0, row.rate, row.loss0, row.loss) = (1e9, 0.25, 2.2, 2.5),
    ];
    for (i, spoil) in spoils.into_iter().enumerate() {
        let mut rows = rows();
        rows.iter_mut().for_each(spoil);
        let law = fitted(rows).unwrap();
        let place = Place::new(1.1e9, 0.25, 2.2).unwrap();
        let answer = law.groups()[0].predict(place, 5e8).unwrap();
        assert!(!serde_json::to_string(&answer).unwrap().contains("null"), "{i}: {answer:?}");
    }
    // One token count for a whole run is a row twice.
    let mut rows = rows();
    rows.iter_mut().for_each(|row| row.tokens = 1e8);
    assert!(error(rows).starts_with("row 2 repeats row 1: run `0.494-0.15` at 100000000 tokens"));
}

#[test]
fn infinities_and_nan_in_every_column() {
    type Spoil = fn(&mut TableRow, f64);
    let spoils: [(&str, Spoil); 7] = [
        ("n0", |row, x| row.n0 = x),
        ("rate", |row, x| row.rate = x),
        ("loss0", |row, x| row.loss0 = x),
        ("tokens", |row, x| row.tokens = x),
        ("loss", |row, x| row.loss = x),
        ("weight", |row, x| row.weight = Some(x)),
        ("learning_rate", |row, x| row.learning_rate = Some(x)),
    ];
    for (column, spoil) in spoils {
        for x in [f64::INFINITY, f64::NEG_INFINITY, f64::NAN] {
            let mut rows = rows();
            spoil(&mut rows[6], x);
            assert_eq!(error(rows), format!("row 7: `{column}` is {x}, expected a finite number"));
        }
        for x in [1e308, -1e308] {
            let mut rows = rows();
            spoil(&mut rows[6], x);
            let error = error(rows);
            assert!(error.starts_with(&format!("row 7: `{column}` is {x}, expected ")), "{error}");
        }
    }
}

/// The largest numbers that are let in: an answer, or a named error, and nothing that is no number.
#[test]
fn the_largest_numbers_allowed() {
    type Spoil = fn(&mut TableRow);
    let spoils: [Spoil; 5] = [
        |row| row.n0 *= 1e8,
        |row| row.tokens *= 1e8,
        |row| (row.loss, row.loss0) = (row.loss * 1e5, row.loss0 * 1e5),
        |row| row.weight = Some(1e12),
        |row| row.rate *= 1e-8,
    ];
    for (i, spoil) in spoils.into_iter().enumerate() {
        let mut rows = rows();
        rows.iter_mut().for_each(spoil);
        let law = fitted(rows).unwrap_or_else(|error| panic!("{i}: {error}"));
        assert!(law.groups()[0].fit_objective().is_finite(), "{i}");
    }
}

#[test]
fn groups_with_too_few_points() {
    let few: Vec<TableRow> = rows().into_iter().take(3).collect();
    let settings = Settings { form: "chinchilla".to_owned(), ..settings() };
    let error = law::fit(&Table::new(few.clone()).unwrap(), &settings).unwrap_err().to_string();
    assert_eq!(error, "group `unnamed unnamed` has 3 points, `chinchilla` has 5 constants");
    // `p2` gives way to what three points of one run can tell.
    let law = fitted(few).unwrap();
    assert_eq!(law.groups()[0].form_name(), "p2-one-size-one-rate");
    assert!(
        law.groups()[0].warnings().iter().any(|warning| *warning.code() == "no-interval"),
        "{:?}",
        law.groups()[0].warnings()
    );
}

#[test]
fn unknown_forms_are_answered_with_the_nearest() {
    for (asked, nearest) in
        [("p3", "p2"), ("chinchila", "chinchilla"), ("p2-one-siez", "p2-one-size"), ("", "p2")]
    {
        let settings = Settings { form: asked.to_owned(), ..settings() };
        let error = law::fit(&Table::new(rows()).unwrap(), &settings).unwrap_err().to_string();
        assert_eq!(error, format!("there is no form `{asked}`; the nearest is `{nearest}`"));
    }
}

#[test]
fn a_law_file_of_another_version() {
    let text = serde_json::to_string(&fitted(rows()).unwrap()).unwrap();
    for found in ["0", "3", "99"] {
        let other = text.replacen("\"format\":2", &format!("\"format\":{found}"), 1);
        let error = serde_json::from_str::<Law>(&other).unwrap_err().to_string();
        assert!(error.contains(&format!("format is {found}, expected 2")), "{error}");
    }
}

#[test]
fn a_prediction_at_rate_0_or_n0_0_or_other_places_that_are_none() {
    let law = fitted(rows()).unwrap();
    let good = Place { n0: 1e9, rate: 0.25, loss0: 2.2 };
    let cases = [
        (Place { rate: 0.0, ..good }, 1e9, "`rate` is 0, expected above 0 and below 1"),
        (Place { rate: 1.0, ..good }, 1e9, "`rate` is 1, expected above 0 and below 1"),
        (Place { rate: f64::NAN, ..good }, 1e9, "`rate` is NaN, expected above 0 and below 1"),
        (Place { n0: 0.0, ..good }, 1e9, "`n0` is 0, expected a parameter count from 1 to 1e18"),
        (
            Place { n0: f64::INFINITY, ..good },
            1e9,
            "`n0` is inf, expected a parameter count from 1 to 1e18",
        ),
        (Place { loss0: -1.0, ..good }, 1e9, "`loss0` is -1, expected from 0 to 1e6 nats"),
        (good, 0.0, "`tokens` is 0, expected a token count from 1 to 1e18"),
        (good, 1e308, "`tokens` is 1000000000000000000"),
        (good, f64::INFINITY, "`tokens` is inf, expected a token count from 1 to 1e18"),
    ];
    for (place, tokens, said) in cases {
        let error = law.predict(None, None, place, tokens).unwrap_err().to_string();
        assert!(error.starts_with(said), "{error}");
        if tokens == 1e9 {
            assert!(
                law.plan(None, None, place, &Default::default())
                    .unwrap_err()
                    .to_string()
                    .starts_with(said)
            );
        }
    }
}
