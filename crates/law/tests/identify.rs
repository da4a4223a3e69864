//! What data of each shape can tell: the structural table as cases, and the two-size trap.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

mod world;

use law::{GroupLaw, Law, Place, Row, Settings, Table, TableRow, form};
use world::World;

fn fitted(world: &World) -> GroupLaw {
    law::fit(&world.table(1), &Settings::default()).unwrap().into_groups().remove(0)
}

/// Sizes, rates, tokens, the form they can fix and constants of `p2` they leave open.
type Case<'a> = (&'a [f64], &'a [f64], &'a [f64], &'a str, &'a [&'a str]);

#[test]
fn every_shape_of_data_gets_the_form_it_can_fix() {
    let (many, rates) = ([0.494, 1.236, 1.544, 3.086], [0.15, 0.25, 0.36]);
    let (two, three, one) = (&many[..2], &many[..3], &many[..1]);
    let tokens: &[f64] = &[0.1, 0.2, 0.4, 0.8];
    let cases: &[Case<'_>] = &[
        (one, &[0.25], tokens, "p2-one-size-one-rate", &["N_C", "alpha", "delta"]),
        (one, &rates, tokens, "p2-one-size", &["N_C", "alpha", "delta"]),
        (two, &[0.25], tokens, "p2-two-sizes-one-rate", &["N_C", "E", "alpha"]),
        (two, &rates, tokens, "p2-two-sizes", &["N_C", "E", "alpha"]),
        (three, &rates, tokens, "p2", &[]),
        (&many, &rates, tokens, "p2", &[]),
        (&many, &[0.25], tokens, "p2-one-rate", &[]),
        (&many, &rates, &tokens[..2], "p2-two-counts", &["D_C", "beta", "E"]),
        (
            one,
            &rates,
            &tokens[..2],
            "p2-one-size-two-counts",
            &["N_C", "alpha", "delta", "D_C", "beta", "E"],
        ),
        (&many, &rates, &tokens[..1], "p2-one-count", &["N_C", "alpha", "D_C", "beta"]),
        (
            one,
            &[0.25],
            &tokens[..1],
            "p2-one-size-one-rate-one-count",
            &["N_C", "alpha", "delta", "D_C", "beta"],
        ),
    ];
    for (sizes, rates, tokens, form, undetermined) in cases {
        let world = World { tokens: tokens.to_vec(), ..World::new(sizes, rates) };
        let found = fitted(&world).identifiability().clone();
        assert_eq!(found.form_taken(), *form);
        for name in *undetermined {
            assert!(
                found.undetermined().iter().any(|known| known == name),
                "{form}: {name} in {found:?}"
            );
        }
        let gamma = found.fixed().get("gamma").copied();
        assert_eq!(gamma, (rates.len() < 2).then_some(0.0), "{form}");
        let too_few = found.code().iter().any(|code| code == "levels-too-few");
        assert_eq!(
            too_few,
            !undetermined.is_empty() || gamma.is_some(),
            "{form}: {:?}",
            found.code()
        );
        assert_eq!(
            found.code().iter().any(|code| code == "floor-unjudged"),
            sizes.len() == 3,
            "{form}"
        );
        assert!(!found.sentence().is_empty());
    }
}

#[test]
fn a_pattern_of_n_in_m_has_no_gamma() {
    let world = World::new(&[0.494, 1.236, 1.544, 3.086], &[0.36, 0.44]);
    let rows = world.rows(1).into_iter().map(|row| TableRow {
        method: "2:4-wanda".to_owned(),
        zeroed: None,
        ..row
    });
    let law = law::fit(&Table::new(rows).unwrap(), &Settings::default()).unwrap();
    assert_eq!(law.groups()[0].form_name(), "p2-one-rate");
    assert_eq!(law.groups()[0].identifiability().fixed()["gamma"], 0.0);
}

/// Floors of 1.0 at 0.494B and 0.8 at 1.544B fit exactly for every alpha and put the floor at 3B
/// anywhere in 0.68 to 0.80.
#[test]
fn two_sizes_give_no_number_for_a_third() {
    let one_size = form::by_name("p2-one-size-one-rate").unwrap();
    let mut rows = Vec::new();
    for (n0, floor) in [(0.494, 1.0), (1.544, 0.8)] {
        for tokens in [0.05, 0.1, 0.2, 0.4, 0.7, 1.0] {
            let loss = one_size.value(&[0.3, floor, 0.5], &Row::new(n0, 0.25, 2.0, tokens));
            rows.push(TableRow {
                tokens: tokens * 1e9,
                loss,
                zeroed: Some(false),
                ..TableRow::run(&n0.to_string(), n0 * 1e9, 0.25, 2.0)
            });
        }
    }
    let law = law::fit(&Table::new(rows).unwrap(), &Settings::default()).unwrap();
    let group = &law.groups()[0];
    let at = |n0: f64| Place::new(n0 * 1e9, 0.25, 2.0).unwrap();
    let floor = |n0: f64| group.plan(at(n0), &Default::default()).unwrap().floor().clone();

    for (n0, expected) in [(0.494, 1.0), (1.544, 0.8)] {
        assert!((floor(n0).value().unwrap() - 2.0 - expected).abs() < 1e-6, "{:?}", floor(n0));
        assert!(group.predict(at(n0), 5e8).unwrap().loss().is_some());
    }
    let there = floor(3.0);
    let [low, high] = there.hull().unwrap();
    assert_eq!(there.value(), None);
    assert!(
        (0.678..0.700).contains(&(low - 2.0)) && (0.79..=0.8001).contains(&(high - 2.0)),
        "{there:?}"
    );

    let prediction = group.predict(at(3.0), 1e9).unwrap();
    assert_eq!((prediction.loss(), prediction.mean(), prediction.new_run()), (None, None, None));
    let [low, high] = prediction.hull().unwrap();
    assert!(low >= 2.98 && high <= 3.101 && high - low > 0.08, "{prediction:?}");
    assert!(prediction.code().contains(&law::Code::LevelsTooFew));
    assert!(
        prediction.sentence().starts_with("the data leave every loss from 2.9"),
        "{}",
        prediction.sentence()
    );
}

#[test]
fn what_the_runs_never_varied_is_not_predicted() {
    let group = fitted(&World::new(&[1.236], &[0.25]).noisy());
    let ask = |n0: f64, rate: f64| group.predict(Place::new(n0, rate, 2.0).unwrap(), 5e8).unwrap();
    assert!(ask(1.236e9, 0.25).loss().is_some());
    for (n0, rate) in [(3e9, 0.25), (1.236e9, 0.35)] {
        let prediction = ask(n0, rate);
        assert_eq!((prediction.loss(), prediction.mean(), prediction.hull()), (None, None, None));
        assert!(
            prediction.sentence().starts_with("the data cannot tell"),
            "{}",
            prediction.sentence()
        );
    }
}

#[test]
fn far_outside_the_data_there_is_an_interval_but_no_number() {
    let group =
        fitted(&World::new(&[0.494, 1.236, 1.544, 3.086, 7.616], &[0.15, 0.25, 0.36]).noisy());
    let ask =
        |n0: f64, tokens: f64| group.predict(Place::new(n0, 0.25, 1.8).unwrap(), tokens).unwrap();
    let near = ask(8e9, 2e9);
    assert!(near.loss().is_some() && near.code().contains(&law::Code::Extrapolation), "{near:?}");
    let far = ask(2e9, 2e10);
    assert!(far.loss().is_none() && far.mean().is_some(), "{far:?}");
    let [low, high] = near.new_run().unwrap();
    let [mean_low, mean_high] = near.mean().unwrap();
    assert!(low < mean_low && mean_high < high);
}

#[test]
fn a_law_survives_its_file_and_answers_the_same() {
    for (sizes, rates) in [
        (&[0.494, 1.236, 1.544, 3.086][..], &[0.15, 0.25][..]),
        (&[0.494, 1.544], &[0.25]),
        (&[1.0], &[0.25]),
    ] {
        let law =
            law::fit(&World::new(sizes, rates).noisy().table(3), &Settings::default()).unwrap();
        let text = serde_json::to_string(&law).unwrap();
        assert!(!text.contains("null") && !text.contains("NaN"), "{text}");
        let read: Law = serde_json::from_str(&text).unwrap();
        assert_eq!(read, law);
        let place = Place::new(1.1e9, 0.2, 2.1).unwrap();
        assert_eq!(
            read.predict(None, None, place, 5e8).unwrap(),
            law.predict(None, None, place, 5e8).unwrap()
        );
    }
}

#[test]
fn a_hostile_law_file_is_refused_by_name() {
    let law =
        law::fit(&World::new(&[1.0], &[0.25]).noisy().table(3), &Settings::default()).unwrap();
    let text = serde_json::to_string(&law).unwrap();
    let cases = [
        ("\"format\":2", "\"format\":3", "format is 3, expected 2"),
        ("\"form\":\"p2-one-size-one-rate\"", "\"form\":\"p3\"", "there is no form `p3`"),
        ("\"constants\":{\"D_C\"", "\"constants\":{\"D_X\"", "`D_C` is missing in"),
        (
            "\"level\":0.9,\"replicates\"",
            "\"level\":2.0,\"replicates\"",
            "`level` is 2, expected a probability",
        ),
        ("\"n0\":[1000000000.0,", "\"n0\":[2000000000.0,", "range of `n0`"),
    ];
    for (from, to, message) in cases {
        assert!(text.contains(from), "{from}");
        let read = serde_json::from_str::<Law>(&text.replacen(from, to, 1));
        let error = read.map(|_| message).unwrap_err().to_string();
        assert!(error.contains(message), "{message}: {error}");
    }
}

#[test]
fn questions_that_are_none_are_refused() {
    let law = law::fit(&World::new(&[1.0], &[0.25]).table(3), &Settings::default()).unwrap();
    let place = Place { n0: 0.0, rate: 0.25, loss0: 2.0 };
    let error = law.predict(None, None, place, 1e9).unwrap_err();
    assert_eq!(error.to_string(), "`n0` is 0, expected a parameter count from 1 to 1e18");
    let error = law.predict(Some("llama"), None, Place { n0: 1e9, ..place }, 1e9).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the law holds no series `llama`; the nearest is `unnamed`, and all are `unnamed` by `unnamed`"
    );
    let error = law.predict(None, None, Place { n0: 1e9, ..place }, f64::NAN).unwrap_err();
    assert_eq!(error.to_string(), "`tokens` is NaN, expected a token count from 1 to 1e18");
}
