//! Do 90 % intervals hold the truth in 90 % of worlds?

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

mod world;

use law::{Place, Settings};
use world::World;

struct Count {
    name: &'static str,
    covered: usize,
    asked: usize,
}

/// Draws tables, fits them and counts how often each interval holds the truth.
fn coverage(world: &World, tables: u64) -> Vec<Count> {
    let beta = world.truth[4];
    let names = [
        "mean in range",
        "mean out of range",
        "new run in range",
        "enough tokens",
        "beta",
        "no lack of fit",
    ];
    let mut counts: Vec<Count> = names.map(|name| Count { name, covered: 0, asked: 0 }).into();
    let out = 2.5 * world.sizes[world.sizes.len() - 1];
    for seed in 0..tables {
        let law = law::fit(&world.table(seed), &Settings::default()).unwrap();
        let group = law.group(None, None).unwrap();
        let mut count = |i: usize, interval: Option<[f64; 2]>, truth: f64| {
            if let Some([low, high]) = interval {
                counts[i].asked += 1;
                counts[i].covered += usize::from((low..=high).contains(&truth));
            }
        };
        let ask = |n0: f64, rate: f64, tokens: f64| {
            let place = Place::new(n0 * 1e9, rate, World::loss0(n0)).unwrap();
            group.predict(place, tokens * 1e9).unwrap()
        };
        let middle = world.sizes[world.sizes.len() / 2];
        let inside = ask(middle, 0.25, 0.6);
        count(0, inside.mean(), world.loss(middle, 0.25, 0.6));
        count(1, ask(out, 0.25, 3.0).mean(), world.loss(out, 0.25, 3.0));
        // A new run of the same world: one point of it, of another seed.
        let new =
            World { sizes: vec![middle], rates: vec![0.25], tokens: vec![0.6], ..copy(world) };
        count(2, inside.new_run(), new.rows(1_000_000 + seed)[0].loss);
        let place = Place::new(middle * 1e9, 0.25, World::loss0(middle)).unwrap();
        let amplitude =
            world.truth[1] * 0.25_f64.powf(-world.truth[5]) * middle.powf(-world.truth[6]);
        let enough = (amplitude * (1.0 - (-beta).exp2()) / 0.01).powf(1.0 / beta) * 1e9;
        count(3, group.plan(place, &Default::default()).unwrap().enough().interval(), enough);
        count(4, group.constants()["beta"].interval, beta);
        let alarm = group.warnings().iter().any(|warning| *warning.code() == "lack-of-fit");
        count(5, Some([f64::from(u8::from(alarm)), 1.0]), 0.0);
    }
    for Count { name, covered, asked } in &counts {
        eprintln!("{name:20} {:5.1} % of {asked}", 100.0 * *covered as f64 / *asked as f64);
    }
    counts
}

fn copy(world: &World) -> World {
    World {
        truth: world.truth,
        sizes: world.sizes.clone(),
        rates: world.rates.clone(),
        tokens: world.tokens.clone(),
        ..*world
    }
}

/// With 100 tables a true 90 % shows 81 to 97 in all but one case of 300. Leaving out bases, of
/// which there are four, makes intervals careful where no base errs, most of all beyond the largest
/// of them.
#[test]
fn intervals_hold_the_truth_about_as_often_as_they_say() {
    let world = World::new(&[0.494, 1.236, 1.544, 3.086], &[0.15, 0.25, 0.36]).noisy();
    for Count { name, covered, asked } in coverage(&world, 100) {
        let most = if ["mean out of range", "no lack of fit"].contains(&name) { 100 } else { 99 };
        assert_eq!(asked, 100, "{name}");
        assert!((81..=most).contains(&covered), "{name}: {covered} of {asked}");
    }
}

/// One size leaves no base out: intervals are of whole runs alone.
#[test]
fn intervals_from_runs_alone_are_neither_short_nor_careful() {
    let world = World::new(&[1.236], &[0.1, 0.14, 0.18, 0.21, 0.25, 0.3, 0.34, 0.38]).noisy();
    for Count { name, covered, asked } in
        coverage(&world, 200).into_iter().filter(|count| count.asked > 0)
    {
        assert_eq!(asked, 200, "{name}");
        assert!(
            (165..=if name == "no lack of fit" { 200 } else { 195 }).contains(&covered),
            "{name}: {covered} of {asked}"
        );
    }
}

#[test]
fn a_base_that_errs_is_covered_where_bases_are_left_out() {
    let world = World::new(&[0.494, 1.236, 1.544, 3.086, 7.616], &[0.15, 0.25, 0.36]).noisy();
    for Count { name, covered, asked } in coverage(&World { base: 0.005, ..world }, 100) {
        assert!(covered * 100 >= 80 * asked && asked == 100, "{name}: {covered} of {asked}");
    }
}

/// Without six runs data are simulated; that is meant to be careful rather than short.
#[test]
fn simulated_intervals_are_careful() {
    let world = World::new(&[1.236], &[0.15, 0.25, 0.36]).noisy();
    let counts = coverage(&world, 60);
    for (i, Count { name, covered, asked }) in
        counts.into_iter().enumerate().filter(|(i, _)| *i != 1)
    {
        assert_eq!(asked, 60, "{name}");
        // Three runs know little of the noise between runs: the law takes up most of it.
        assert!(covered >= if i == 2 { 42 } else { 48 }, "{name}: {covered} of {asked}");
    }
}

/// Run with `cargo test -p regrow-law --release --test coverage -- --ignored --nocapture`.
#[test]
#[ignore = "minutes"]
fn intervals_over_many_tables() {
    let four = &[0.494, 1.236, 1.544, 3.086];
    let rates = &[0.15, 0.25, 0.36];
    let worlds = [
        ("four sizes, three rates", World::new(four, rates).noisy()),
        ("the same with a base offset", World { base: 0.005, ..World::new(four, rates).noisy() }),
        ("three sizes, three rates", World::new(&four[1..], rates).noisy()),
        ("one size, six rates", World::new(&[1.236], &[0.1, 0.15, 0.2, 0.25, 0.3, 0.36]).noisy()),
        ("one size, one rate", World::new(&[1.236], &[0.25]).noisy()),
        ("one size, three rates", World::new(&[1.236], rates).noisy()),
    ];
    for (name, world) in worlds {
        eprintln!("\n{name}");
        let counts = coverage(&world, 400);
        // One run says nothing of the noise between runs, and a warning says so: there it is only
        // printed.
        if name != "one size, one rate" {
            assert!(
                counts[0].covered * 100 >= 85 * counts[0].asked,
                "{name}: {} covered",
                counts[0].covered
            );
        }
    }
}
