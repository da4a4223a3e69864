//! From a law to a decision: closed forms, a search that knows nothing of them, and rules that must
//! always hold.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

mod world;

use law::plan::{
    Allocation, Bill, Candidate, Limits, Machine, Offer, Recovery, held_parameters,
    multiplied_parameters,
};
use law::{GroupLaw, Law, Place, Row, Settings, Table, TableRow, Wish, form};
use ledger::MethodKind;
use proptest::prelude::*;
use std::sync::OnceLock;
use world::World;

const SIZES: [f64; 4] = [0.494, 1.236, 1.544, 3.086];
const RATES: [f64; 3] = [0.15, 0.25, 0.36];

fn fit(rows: Vec<TableRow>) -> Law {
    law::fit(&Table::new(rows).unwrap(), &Settings { starts: 16, ..Settings::default() }).unwrap()
}

/// Two methods of one series, from different truths, with noise.
fn noisy() -> &'static Law {
    static LAW: OnceLock<Law> = OnceLock::new();
    LAW.get_or_init(|| {
        let named = |method: &str, world: World, seed| {
            let row = |row: TableRow| TableRow { series: "s".into(), method: method.into(), ..row };
            world.rows(seed).into_iter().map(row).collect::<Vec<_>>()
        };
        let depth = named("depth-list", World::new(&SIZES, &RATES).noisy(), 3);
        let width = World {
            truth: [0.28, 0.3, 0.05, 0.4, 0.55, -1.3, 0.2],
            ..World::new(&SIZES, &RATES).noisy()
        };
        fit([depth, named("width-activation", width, 4)].concat())
    })
}

/// One method without noise: the law is the truth.
fn exact() -> &'static GroupLaw {
    static LAW: OnceLock<Law> = OnceLock::new();
    &LAW.get_or_init(|| fit(World::new(&SIZES, &RATES).rows(1))).groups()[0]
}

fn place(n0: f64, rate: f64) -> Place {
    Place::new(n0 * 1e9, rate, World::loss0(n0)).unwrap()
}

fn close(found: f64, expected: f64, tolerance: f64) {
    assert!((found / expected - 1.0).abs() < tolerance, "{found}, expected {expected}");
}

#[test]
fn enough_tokens_are_those_of_the_formulas() {
    let world = World::new(&SIZES, &RATES);
    let [n_c, d_c, e, alpha, beta, gamma, delta] = world.truth;
    for (n0, rate) in [(0.494, 0.15), (1.5, 0.25), (3.086, 0.36), (6.0, 0.3)] {
        let common = rate_power(rate, gamma) * f64::powf(n0, -delta);
        let amplitude = d_c * common;
        let floor = World::loss0(n0) + common * (n_c * f64::powf(n0, -alpha) + e);
        // A million tokens are a thousandth of the unit.
        let (gain, target) = (1e-4, floor + 0.6 * amplitude);
        let wish = Wish { min_gain: Some(gain), target_loss: Some(target), ..Wish::default() };
        let plan = exact().plan(place(n0, rate), &wish).unwrap();
        close(plan.floor().value().unwrap(), floor, 1e-7);
        let by_gain = (beta * amplitude / (gain * 1e3)).powf(1.0 / (beta + 1.0)) * 1e9;
        close(plan.enough_by_gain().unwrap().value().unwrap(), by_gain, 1e-5);
        close(plan.for_target().unwrap().value().unwrap(), f64::powf(0.6, -1.0 / beta) * 1e9, 1e-5);
        let by_doubling = (amplitude * (1.0 - f64::powf(2.0, -beta)) / 0.01).powf(1.0 / beta) * 1e9;
        // Where that is more than ten times what was measured there is no number.
        match plan.enough().value() {
            Some(tokens) => close(tokens, by_doubling, 1e-5),
            None => {
                assert!(
                    by_doubling > 10e9 && plan.enough().code().contains(&law::Code::Extrapolation)
                );
            }
        }
        for doubling in plan.doublings() {
            let loss = |tokens: f64| world.loss(n0, rate, tokens / 1e9);
            let gain = loss(doubling.from()) - loss(2.0 * doubling.from());
            assert!((doubling.gain() - gain).abs() < 1e-7, "{doubling:?} {gain}");
        }
    }
}

fn rate_power(rate: f64, gamma: f64) -> f64 {
    rate.powf(-gamma)
}

#[test]
fn at_enough_tokens_a_doubling_buys_the_gain_and_a_million_more_the_other() {
    let wish = Wish { doubling_gain: 0.02, min_gain: Some(3e-5), ..Wish::default() };
    let plan = exact().plan(place(1.236, 0.25), &wish).unwrap();
    let loss = |tokens: f64| World::new(&SIZES, &RATES).loss(1.236, 0.25, tokens / 1e9);
    let tokens = plan.enough().value().unwrap();
    close(loss(tokens) - loss(2.0 * tokens), 0.02, 1e-5);
    close(plan.loss_then().unwrap(), loss(tokens), 1e-8);
    let tokens = plan.enough_by_gain().unwrap().value().unwrap();
    // A secant over a million tokens, against the tangent: the difference is of the order of a
    // million by the tokens.
    close(loss(tokens - 5e5) - loss(tokens + 5e5), 3e-5, 1e-4);
}

#[test]
fn a_loss_under_the_floor_cannot_be_reached_and_the_floor_is_named() {
    let plan = exact().plan(place(1.236, 0.25), &Wish::default()).unwrap();
    let floor = plan.floor().value().unwrap();
    for below in [floor - 1e-6, floor - 0.5, -1.0] {
        let wish = Wish { target_loss: Some(below), ..Wish::default() };
        let plan = exact().plan(place(1.236, 0.25), &wish).unwrap();
        let answer = plan.for_target().unwrap();
        assert!(
            answer.code().contains(&law::Code::BelowFloor) && answer.value().is_none(),
            "{answer:?}"
        );
        let said = format!(
            "cannot be reached; nats per token that the curve tends to, an extrapolation to tokens without end: {floor:.4}"
        );
        assert!(answer.sentence().contains(&said), "{}", answer.sentence());
    }
}

#[test]
fn a_share_is_won_back_from_a_measured_loss() {
    let place = place(1.236, 0.15);
    let reference = place.loss0 + 2.0;
    let recover = Some(Recovery { share: 0.9, reference });
    let plan = exact().plan(place, &Wish { recover, ..Wish::default() }).unwrap();
    let target = place.loss0 + 0.2;
    assert!((plan.recovered_loss().unwrap() - target).abs() < 1e-12);
    let same = exact().plan(place, &Wish { target_loss: Some(target), ..Wish::default() }).unwrap();
    assert_eq!(plan.for_recovery().unwrap().value(), same.for_target().unwrap().value());
    for (share, reference) in
        [(0.0, 4.0), (1.1, 4.0), (f64::NAN, 4.0), (0.9, place.loss0), (0.9, f64::NAN)]
    {
        let recover = Some(Recovery { share, reference });
        assert!(
            exact().plan(place, &Wish { recover, ..Wish::default() }).is_err(),
            "{share} {reference}"
        );
    }
}

#[test]
fn a_new_run_meets_a_loss_in_a_wider_interval_than_the_mean_curve() {
    let group = &noisy().groups()[0];
    let place = place(1.236, 0.25);
    let target = group.predict(place, 5e8).unwrap().loss().unwrap();
    let plan = group.plan(place, &Wish { target_loss: Some(target), ..Wish::default() }).unwrap();
    let answer = plan.for_target().unwrap();
    let ([low, high], [run_low, run_high]) =
        (answer.interval().unwrap(), answer.new_run().unwrap());
    assert!(run_low < low && low < 5e8 && 5e8 < high && high < run_high, "{answer:?}");
    assert!(
        answer.sentence().contains("a run of your own gets there between"),
        "{}",
        answer.sentence()
    );
    // So near the floor the noise of a run alone is more than what is left to gain.
    let target = plan.floor().value().unwrap() + 0.004;
    let plan = group.plan(place, &Wish { target_loss: Some(target), ..Wish::default() }).unwrap();
    let answer = plan.for_target().unwrap();
    assert!(
        answer.value().is_none() || answer.code().contains(&law::Code::NewRunMayMiss),
        "{answer:?}"
    );
}

#[test]
fn two_sizes_tell_what_tokens_buy_at_a_third_and_not_when_a_loss_is_met() {
    let law = fit(World::new(&SIZES[..2], &RATES).noisy().rows(1));
    let wish = Wish { target_loss: Some(World::loss0(3.086) + 0.1), ..Wish::default() };
    let plan = law.groups()[0].plan(place(3.086, 0.25), &wish).unwrap();
    assert!(
        plan.enough().value().is_none() && plan.enough().interval().is_some(),
        "{:?}",
        plan.enough()
    );
    let target = plan.for_target().unwrap();
    assert!(
        target.value().is_none() && target.interval().is_none() && !target.is_told(),
        "{target:?}"
    );
    assert!(target.code().contains(&law::Code::LevelsTooFew), "{target:?}");
}

#[test]
fn a_law_without_a_token_term_gives_no_number_of_tokens() {
    let world = World { tokens: vec![1.0], ..World::new(&SIZES, &RATES).noisy() };
    let law = fit(world.rows(1));
    let wish = Wish {
        target_loss: Some(3.0),
        min_gain: Some(1e-4),
        budget: Some(1e18),
        ..Wish::default()
    };
    let plan = law.groups()[0].plan(place(1.236, 0.25), &wish).unwrap();
    for answer in [plan.enough(), plan.for_target().unwrap(), plan.enough_by_gain().unwrap()] {
        assert!(
            !answer.is_told() && answer.code().contains(&law::Code::TokensUntold),
            "{answer:?}"
        );
        assert!(
            answer.sentence().contains("nothing in the data says what more tokens buy"),
            "{answer:?}"
        );
    }
    assert!(plan.for_budget().unwrap().prediction().loss().is_none());
    let found = law
        .allocate(&[candidate("unnamed", 1.236, 0.25)], &Limits::default(), &Wish::default())
        .unwrap();
    // The one token count that was measured is all that can be offered.
    assert!(found.best().iter().all(|offer| offer.tokens() == 1e9), "{found:?}");
}

#[test]
fn a_misfit_gates_tokens_and_what_lies_outside() {
    let group = noisy().groups()[0].clone();
    let at = |group: &GroupLaw, rate, tokens| group.predict(place(1.236, rate), tokens).unwrap();
    assert!(at(&group, 0.25, 2e9).loss().is_some());
    let warning = r#"{"code":"lack-of-fit","sentence":"along `rate`: the curves bend otherwise"}"#;
    let mut json = serde_json::to_value(&group).unwrap();
    let warning: serde_json::Value = serde_json::from_str(warning).unwrap();
    json["warnings"].as_array_mut().unwrap().push(warning);
    let group: GroupLaw = serde_json::from_value(json).unwrap();
    let (inside, outside) = (at(&group, 0.25, 5e8), at(&group, 0.25, 2e9));
    assert!(
        inside.loss().is_some() && outside.loss().is_none() && outside.mean().is_some(),
        "{outside:?}"
    );
    for prediction in [inside, outside] {
        assert!(prediction.code().contains(&law::Code::LackOfFit), "{prediction:?}");
        assert!(
            prediction.sentence().contains("does not fit its own data along `rate`"),
            "{prediction:?}"
        );
    }
    let plan = group.plan(place(1.236, 0.25), &Wish::default()).unwrap();
    assert!(
        plan.enough().value().is_none() && plan.enough().interval().is_some(),
        "{:?}",
        plan.enough()
    );
    assert!(plan.enough().code().contains(&law::Code::LackOfFit));
}

#[test]
fn outside_the_data_axis_and_factor_are_given_and_far_outside_no_number() {
    let prediction = exact().predict(place(6.172, 0.25), 2e9).unwrap();
    let found: Vec<_> = prediction
        .outside()
        .iter()
        .map(|o| (o.axis().name(), (o.factor() * 1e3).round() / 1e3))
        .collect();
    assert_eq!(found, [("n0", 2.0), ("tokens", 2.0)]);
    assert!(
        prediction.sentence().contains("`n0` lies 2.0 times outside the data, 494M to 3.09B"),
        "{prediction:?}"
    );
    assert!(prediction.loss().is_some() && prediction.code().contains(&law::Code::Extrapolation));
    for (n0, tokens) in [(31.0, 5e8), (1.236, 1.1e10), (1.236, 4e6)] {
        let far = exact().predict(place(n0, 0.25), tokens).unwrap();
        assert!(far.loss().is_none() && far.mean().is_some(), "{n0} {tokens}: {far:?}");
    }
}

#[test]
fn text_and_a_teacher_are_compared_at_equal_cost() {
    let row = |objective: Option<&str>, gain: f64, tokens: f64| TableRow {
        loss: 2.3 + 40.0 * gain * tokens.powf(-0.5),
        tokens,
        method: "depth-list".into(),
        objective: objective.map(str::to_owned),
        ..TableRow::run("a", 1e9, 0.25, 2.0)
    };
    let tokens = [1e4, 1e5, 1e6, 1e7];
    // A teacher is worth a factor of 1.2 in what is left above the floor.
    let rows = tokens.map(|d| row(None, 1.0, d)).into_iter();
    let rows = rows.chain(tokens.map(|d| row(Some("distil"), 1.0 / 1.2, d)));
    let law = law::fit(&Table::new(rows).unwrap(), &Settings::default()).unwrap();
    let candidate = |objective: &str| Candidate {
        model: None,
        series: "unnamed".into(),
        method: "depth-list".into(),
        objective: Some(objective.into()),
        place: Place { n0: 1e9, rate: 0.25, loss0: 2.0 },
        embedding: 0.0,
    };
    let candidates = ["lm", "distil"].map(candidate);
    let flops = 6.0 * 7.5e8 * 4e6;
    let limits = Limits { flops: Some(flops), ..Limits::default() };
    let best = |cached: bool| {
        let bill = Bill::new(0.0, None).with_cached_teacher(cached);
        let found = law.allocate(&candidates, &limits, &Wish { bill, ..Wish::default() }).unwrap();
        let of = |objective: &str| {
            let offer = found.best().iter().find(|o| o.pruned().objective() == objective).unwrap();
            assert!((offer.cost().flops() / flops - 1.0).abs() < 1e-5, "{offer:?}");
            (offer.tokens(), offer.loss())
        };
        (of("lm"), of("distil"), found.best()[0].pruned().objective().to_owned())
    };
    // 6 x 0.75 operations a parameter and token on text, 2 more with a teacher of the size before
    // pruning: 4e6 x 4.5 / 6.5 tokens, and the root of 6.5 / 4.5 is just above 1.2.
    let ((text, _), (taught, loss), winner) = best(false);
    assert_eq!((text, taught, winner.as_str()), (4e6, (4e6_f64 * 4.5 / 6.5).floor(), "lm"));
    assert!((loss - 2.3 - 40.0 / 1.2 * taught.powf(-0.5)).abs() < 1e-6);
    let ((text, _), (taught, _), winner) = best(true);
    assert_eq!((text, taught, winner.as_str()), (4e6, 4e6, "distil"));
}

#[test]
fn numbers_out_of_range_are_refused_by_name() {
    let plan = |wish: Wish| exact().plan(place(1.236, 0.25), &wish).unwrap_err().to_string();
    for (name, found) in [
        ("doubling-gain", plan(Wish { doubling_gain: 0.0, ..Wish::default() })),
        ("min-gain", plan(Wish { min_gain: Some(f64::NAN), ..Wish::default() })),
        ("target-loss", plan(Wish { target_loss: Some(f64::INFINITY), ..Wish::default() })),
        ("budget", plan(Wish { budget: Some(-1.0), ..Wish::default() })),
        ("budget", plan(Wish { budget: Some(1.0), ..Wish::default() })),
        ("embedding", plan(Wish { bill: Bill::new(1e10, None), ..Wish::default() })),
    ] {
        assert!(found.starts_with(&format!("`{name}` is ")), "{found}");
    }
    for (n0, rate, loss0, name) in [
        (0.0, 0.25, 2.0, "n0"),
        (1e308, 0.25, 2.0, "n0"),
        (f64::NAN, 0.25, 2.0, "n0"),
        (1e9, 0.0, 2.0, "rate"),
        (1e9, 1.0, 2.0, "rate"),
        (1e9, f64::NAN, 2.0, "rate"),
        (1e9, 0.25, f64::INFINITY, "loss0"),
        (1e9, 0.25, -1.0, "loss0"),
    ] {
        let place = Place { n0, rate, loss0 };
        let expected = format!("`{name}` is ");
        for error in
            [exact().plan(place, &Wish::default()).map(drop), exact().predict(place, 1e9).map(drop)]
        {
            assert!(error.unwrap_err().to_string().starts_with(&expected), "{place:?}");
        }
    }
    for tokens in [0.0, -1.0, 1e308, f64::NAN, f64::INFINITY] {
        assert!(exact().predict(place(1.236, 0.25), tokens).is_err(), "{tokens}");
    }
}

#[test]
fn unknown_names_are_answered_with_the_nearest() {
    let said = |series, method| noisy().group(series, method).unwrap_err().to_string();
    assert!(said(None, None).contains("say which series and which method"));
    assert!(noisy().group(None, Some("depth-list")).is_ok());
    let error = said(Some("s"), Some("widht-activation"));
    assert!(
        error.contains("no method `widht-activation`; the nearest is `width-activation`"),
        "{error}"
    );
    let error = said(Some("t"), None);
    assert!(error.contains("no series `t`; the nearest is `s`"), "{error}");
}

fn candidate(method: &str, n0: f64, rate: f64) -> Candidate {
    let series = if method == "unnamed" { "unnamed" } else { "s" };
    Candidate {
        model: Some(format!("{n0}B")),
        series: series.into(),
        method: method.into(),
        objective: None,
        place: place(n0, rate),
        embedding: 0.0,
    }
}

fn candidates() -> Vec<Candidate> {
    let mut all = Vec::new();
    for method in ["depth-list", "width-activation"] {
        for n0 in SIZES {
            all.extend(RATES.map(|rate| candidate(method, n0, rate)));
        }
    }
    all
}

fn allocate(limits: Limits) -> Allocation {
    noisy().allocate(&candidates(), &limits, &Wish::default()).unwrap()
}

/// The lowest loss that the truth of the fitted constants allows, by walking every candidate
/// through every number of tokens on a fine grid; it uses the formula and nothing of the plan.
fn by_brute_force(limits: &Limits) -> Option<(f64, f64)> {
    let p2 = form::by_name("p2").unwrap();
    let mut best: Option<(f64, f64)> = None;
    for candidate in candidates() {
        let group = noisy().group(Some("s"), Some(&candidate.method)).unwrap();
        let constants: Vec<f64> = ["N_C", "D_C", "E", "alpha", "beta", "gamma", "delta"]
            .iter()
            .map(|name| group.constants()[*name].value)
            .collect();
        let kept = candidate.place.n0 * (1.0 - candidate.place.rate);
        if limits.parameters.is_some_and(|most| kept > most) {
            continue;
        }
        for step in 0..=20_000 {
            let tokens = 5e6 * 10.0_f64.powf(f64::from(step) / 20_000.0 * 3.301);
            let flops = 6.0 * kept * tokens;
            if limits.flops.is_some_and(|most| flops > most)
                || limits.tokens.is_some_and(|most| tokens > most)
            {
                continue;
            }
            let Place { n0, rate, loss0 } = candidate.place;
            let loss = p2.value(&constants, &Row::new(n0 / 1e9, rate, loss0, tokens / 1e9));
            if best.is_none_or(|(lowest, _)| loss < lowest) {
                best = Some((loss, tokens));
            }
        }
    }
    best
}

#[test]
fn the_best_offer_is_what_brute_force_finds() {
    let mut compared = 0;
    for parameters in [None, Some(4e8), Some(1.2e9), Some(2e9)] {
        for (flops, tokens) in
            [(Some(3e17), None), (Some(5e18), None), (None, Some(4e8)), (Some(2e18), Some(1e9))]
        {
            let limits = Limits { parameters, tokens, flops };
            let found = allocate(limits);
            let (loss, tokens) = by_brute_force(&limits).unwrap();
            let best = found.lowest().unwrap();
            // A step of the grid is 0.04 % of the tokens.
            assert!((best.tokens() / tokens - 1.0).abs() < 1e-3, "{limits:?}: {best:?}, {tokens}");
            assert!(
                best.loss() <= loss + 1e-12 && loss - best.loss() < 1e-4,
                "{limits:?}: {best:?}, {loss}"
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 16);
}

fn beats(a: &Offer, b: &Offer) -> bool {
    let key = |offer: &Offer| [offer.loss(), offer.cost().flops(), offer.parameters()];
    let (a, b) = (key(a), key(b));
    a.iter().zip(&b).all(|(a, b)| a <= b) && a != b
}

#[test]
fn a_model_as_it_is_stands_on_the_front_and_shames_what_it_beats() {
    let mut all = candidates();
    // A small sibling that is better than anything pruned to its size.
    let sibling = Place { n0: 0.3e9, rate: 0.0, loss0: 1.0 };
    all.push(Candidate {
        place: sibling,
        model: Some("sibling".into()),
        ..candidate("none", 1.0, 0.25)
    });
    let found = noisy().allocate(&all, &Limits::default(), &Wish::default()).unwrap();
    assert!(found.best().iter().all(|offer| offer.code().contains(&law::Code::SiblingIsBetter)));
    let names: Vec<_> = found.front().iter().map(|offer| offer.pruned().model().unwrap()).collect();
    assert_eq!(names, ["sibling"]);
    assert_eq!((found.front()[0].tokens(), found.front()[0].cost().flops()), (0.0, 0.0));
}

#[test]
fn candidates_that_cannot_be_are_refused_with_the_reason() {
    let found = allocate(Limits { parameters: Some(1e9), tokens: Some(1e6), ..Limits::default() });
    let codes: Vec<&str> = found
        .refused()
        .iter()
        .flat_map(|refusal| refusal.code().iter().map(law::Code::id))
        .collect();
    assert!(codes.contains(&"too-large") && codes.contains(&"too-few-tokens"), "{codes:?}");
    assert!(found.best().is_empty() && found.tied() == 0, "{found:?}");
    let far = Candidate { place: place(60.0, 0.25), ..candidate("depth-list", 1.0, 0.25) };
    let found = noisy().allocate(&[far], &Limits::default(), &Wish::default()).unwrap();
    assert!(found.refused()[0].code().contains(&law::Code::Extrapolation), "{found:?}");
    let none = noisy().allocate(&[], &Limits::default(), &Wish::default());
    assert_eq!(none.unwrap_err().to_string(), "there is no candidate to choose from");
    let unknown = candidate("depth-lsit", 1.236, 0.25);
    let error = noisy().allocate(&[unknown], &Limits::default(), &Wish::default()).unwrap_err();
    assert!(error.to_string().contains("the nearest is `depth-list`"), "{error}");
    for limits in [
        Limits { tokens: Some(0.0), ..Limits::default() },
        Limits { flops: Some(f64::NAN), ..Limits::default() },
    ] {
        assert!(noisy().allocate(&candidates(), &limits, &Wish::default()).is_err(), "{limits:?}");
    }
}

#[test]
fn several_series_are_compared_with_a_warning() {
    let mut rows = World::new(&SIZES, &RATES).noisy().rows(3);
    rows.extend(
        World::new(&SIZES, &RATES)
            .noisy()
            .rows(4)
            .into_iter()
            .map(|row| TableRow { series: "t".into(), ..row }),
    );
    let law = fit(rows);
    let one = candidate("unnamed", 1.236, 0.25);
    let other = Candidate { series: "t".into(), ..one.clone() };
    let found = law.allocate(&[one, other], &Limits::default(), &Wish::default()).unwrap();
    assert_eq!(found.warnings()[0].code(), &law::Code::SeveralSeries);
    assert_eq!(
        (found.best().len(), found.tied()),
        (2, 2),
        "the same truth: they cannot be told apart"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn more_budget_never_gives_a_worse_loss(
        flops in 15.5..20.0_f64, more in 1.0..30.0_f64, parameters in proptest::option::of(3e8..4e9_f64),
    ) {
        let limits = |factor: f64| Limits { parameters, tokens: None, flops: Some(10_f64.powf(flops) * factor) };
        let (less, more) = (allocate(limits(1.0)), allocate(limits(more)));
        if let Some(before) = less.lowest() {
            let after = more.lowest();
            prop_assert!(after.is_some_and(|after| after.loss() <= before.loss()), "{before:?} {after:?}");
        }
        prop_assert!(more.best().iter().all(|offer| offer.cost().flops() <= more.limits().flops.unwrap() * (1.0 + 1e-12)));
    }

    #[test]
    fn the_front_is_beaten_by_nothing_and_leaves_nothing_out(
        flops in proptest::option::of(16.0..20.0_f64), tokens in proptest::option::of(5e7..5e9_f64),
        parameters in proptest::option::of(3e8..4e9_f64),
    ) {
        let found = allocate(Limits { parameters, tokens, flops: flops.map(|x| 10_f64.powf(x)) });
        for a in found.front() {
            prop_assert!(!found.front().iter().chain(found.best()).any(|b| beats(b, a)), "{a:?}");
            prop_assert!(parameters.is_none_or(|most| a.parameters() <= most));
            prop_assert!(tokens.is_none_or(|most| a.tokens() <= most));
        }
        for offer in found.best() {
            let same = |a: &Offer| a.loss() == offer.loss() && a.parameters() == offer.parameters() && a.cost() == offer.cost();
            prop_assert!(found.front().iter().any(|a| same(a) || beats(a, offer)), "{offer:?}");
        }
        prop_assert!(found.front().windows(2).all(|pair| pair[0].cost().flops() <= pair[1].cost().flops()));
    }

    #[test]
    fn intervals_hold_their_number_and_a_new_run_has_the_wider_one(
        n0 in 0.3..20.0_f64, rate in 0.05..0.6_f64, loss in -0.1..1.5_f64, tokens in 6.0..11.0_f64,
        gain in 1e-4..0.3_f64, budget in 14.0..22.0_f64, machine in any::<bool>(),
    ) {
        let place = place(n0, rate);
        let prediction = noisy().groups()[0].predict(place, 10_f64.powf(tokens)).unwrap();
        if let (Some([low, high]), Some([run_low, run_high])) = (prediction.mean(), prediction.new_run()) {
            prop_assert!(run_low <= low && low <= high && high <= run_high);
            prop_assert!(prediction.loss().is_none_or(|loss| low <= loss && loss <= high));
        }
        let machine = machine.then(|| Machine::new(989e12, 0.4, Some(2.0)).unwrap());
        let wish = Wish {
            doubling_gain: gain,
            min_gain: Some(gain / 100.0),
            target_loss: Some(place.loss0 + loss),
            recover: Some(Recovery { share: 0.9, reference: place.loss0 + 3.0 }),
            budget: Some(10_f64.powf(budget)),
            bill: Bill::new(0.0, machine),
        };
        let plan = noisy().groups()[0].plan(place, &wish).unwrap();
        let text = serde_json::to_string(&plan).unwrap();
        prop_assert!(!text.contains("null"), "{text}");
        prop_assert_eq!(&serde_json::from_str::<law::Plan>(&text).unwrap(), &plan);
        let answers = [Some(plan.floor()), Some(plan.enough()), plan.enough_by_gain(), plan.for_target(),
            plan.for_recovery()];
        for answer in answers.into_iter().flatten() {
            if let (Some(x), Some([low, high])) = (answer.value(), answer.interval()) {
                prop_assert!(low <= x && x <= high, "{answer:?}");
            }
            if let (Some([low, high]), Some([run_low, run_high])) = (answer.interval(), answer.new_run()) {
                prop_assert!(run_low <= run_high && low <= high, "{answer:?}");
            }
            if let (Some(cost), Some(tokens)) = (answer.cost(), answer.value()) {
                let flops = cost.flops.value.unwrap();
                prop_assert!((flops / (6.0 * n0 * 1e9 * (1.0 - rate) * tokens) - 1.0).abs() < 1e-9);
                prop_assert_eq!(cost.usd.is_some(), machine.is_some());
            }
            prop_assert!(!answer.sentence().contains("NaN") && !answer.sentence().contains("inf"), "{answer:?}");
        }
        let bought = plan.for_budget().unwrap();
        prop_assert!(bought.cost().flops() <= wish.budget.unwrap());
        prop_assert!(bought.cost().flops() + plan.flops_per_token().unwrap() > wish.budget.unwrap() * (1.0 - 1e-12));
    }

    #[test]
    fn a_sparse_model_holds_and_multiplies_all_it_had(n0 in 1e6..1e12_f64, rate in 0.01..0.9_f64, share in 0.0..0.05_f64) {
        let place = Place::new(n0, rate, 2.0).unwrap();
        for (kind, kept) in [(MethodKind::Removes, 1.0 - rate), (MethodKind::Zeroes, 1.0)] {
            prop_assert_eq!(held_parameters(&place, kind), n0 * kept);
            let multiplied = multiplied_parameters(&place, kind, share * n0).unwrap();
            prop_assert!((multiplied - (kept - share) * n0).abs() <= 1e-9 * n0);
        }
    }
}
