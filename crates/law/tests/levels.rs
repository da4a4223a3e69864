//! A law with levels: three questions, the same bits on any number of threads, and its file.

use std::sync::LazyLock;

use law::levels::{Normal, Priors, Subject, quantile};
use law::uncertainty::Intervals;
use law::{About, Code, GroupLaw, Law, Place, Settings, Table, TableRow, Wish};

/// How much bases and runs differ, as shares of the excess.
const OF_BASES: f64 = 0.1;
const OF_RUNS: f64 = 0.15;

/// A number from -1.7 to 1.7 of mean 0 and variance 1 that only looks random.
fn shuffled(seed: usize) -> f64 {
    let x = (seed as f64 * 12.9898 + 4.1414).sin() * 43_758.547;
    (x - x.floor() - 0.5) * 12.0_f64.sqrt()
}

/// The excess of a run: a power of tokens over a floor, times what its base and itself bring.
fn excess(size: usize, base: usize, rate: usize, tokens: f64) -> f64 {
    let of_base = OF_BASES * shuffled(7 + 10 * size + base);
    let of_run = OF_RUNS * shuffled(500 + 100 * size + 10 * base + rate);
    let level = -1.2 - 0.3 * size as f64 + 0.5 * rate as f64 + of_base + of_run;
    0.02 + level.exp() * (tokens / 1e8).powf(-0.5)
}

fn rows(points: usize) -> Vec<TableRow> {
    let mut rows = Vec::new();
    for (size, n0) in [0.5e9, 1.2e9, 3.1e9].into_iter().enumerate() {
        for base in 0..2 {
            for (rate, share) in [0.15, 0.22, 0.32].into_iter().enumerate() {
                for i in 0..points {
                    let tokens = 2e7 * 1.5_f64.powi(i as i32);
                    let noise = 0.002 * shuffled(9000 + rows.len());
                    let run = TableRow::run(&format!("{size}-{base}-{rate}"), n0, share, 2.0);
                    rows.push(TableRow {
                        series: "llama".into(),
                        method: "depth-list".into(),
                        base: Some(format!("base {size}-{base}")),
                        tokens,
                        loss: 2.0 + excess(size, base, rate, tokens) + noise,
                        ..run
                    });
                }
            }
        }
    }
    rows
}

fn settings() -> Settings {
    Settings { intervals: Intervals::Posterior, starts: 16, ..Settings::default() }
}

/// Sampled once for all tests.
static LAW: LazyLock<Law> = LazyLock::new(|| {
    let table = Table::new(rows(9)).expect("the rows are points");
    law::fit(&table, &settings()).expect("the points determine a law")
});

fn group() -> &'static GroupLaw {
    LAW.group(None, None).expect("the law has one group")
}

fn width(ends: Option<[f64; 2]>) -> f64 {
    let [low, high] = ends.expect("there is an interval");
    high - low
}

#[test]
fn the_less_is_known_the_wider_is_the_answer() {
    let (place, tokens) = (Place::new(1.2e9, 0.22, 2.0).unwrap(), 6e8);
    let run = group().predict_run("1-0-1", 1e9).unwrap();
    let base = group().predict_base("base 1-0", place, tokens).unwrap();
    let new = group().predict(place, tokens).unwrap();
    assert_eq!(
        [run.about(), base.about(), new.about()].map(Option::unwrap),
        [About::Run, About::KnownBase, About::NewBase]
    );
    assert!(width(run.new_run()) < 0.5 * width(base.new_run()), "{run:?} {base:?}");
    assert!(width(base.new_run()) < width(new.new_run()), "{base:?} {new:?}");
    assert!(new.sentence().contains("for a run from a base that the law has not seen"));
}

#[test]
fn runs_end_inside_their_intervals() {
    // Each run is asked about at twice its last tokens; the truth is known there.
    let mut held = 0;
    let last = 2e7 * 1.5_f64.powi(8);
    for size in 0..3 {
        for base in 0..2 {
            for rate in 0..3 {
                let name = format!("{size}-{base}-{rate}");
                let found = group().predict_run(&name, 2.0 * last).unwrap();
                let [low, high] = found.new_run().unwrap();
                let truth = 2.0 + excess(size, base, rate, 2.0 * last);
                held += usize::from((low..=high).contains(&truth));
                assert!(high - low < 0.025, "{name}: {low} to {high}");
            }
        }
    }
    assert!(held >= 15, "{held} of 18");
}

#[test]
fn deviations_are_found() {
    let levels = group().levels().unwrap();
    let spread = levels.constant("level_spread").unwrap();
    let middle = |name: &str| {
        let own = levels.constant(name).unwrap();
        let mut both: Vec<f64> = own.iter().zip(&spread).map(|(own, all)| own + all).collect();
        quantile(&mut both, 0.5).unwrap().exp()
    };
    assert!((0.07..0.3).contains(&middle("run_level")), "{}", middle("run_level"));
    assert!((0.03..0.25).contains(&middle("base_level")), "{}", middle("base_level"));
    assert!(levels.diagnostics().is_good(), "{}", levels.diagnostics().sentence());
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let table = Table::new(rows(5)).unwrap();
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| serde_json::to_string(&law::fit(&table, &settings()).unwrap()).unwrap())
    };
    assert!(on(1) == on(3));
}

#[test]
fn plan_and_predict_agree_about_the_same_question() {
    let place = Place::new(1.2e9, 0.22, 2.0).unwrap();
    // By 0.01 nats it would lie more than ten times beyond the measured tokens.
    let wish = Wish { doubling_gain: 0.03, ..Wish::default() };
    let plan = group().plan(place, &wish).unwrap();
    let tokens = plan.enough().value().unwrap();
    let [low, high] = plan.enough().interval().unwrap();
    assert!(low < tokens && tokens < high && high / low > 1.2, "{low} {tokens} {high}");
    // Where one refuses a number, the other does too.
    for gain in [0.03, 0.08] {
        let plan = group().plan(place, &Wish { doubling_gain: gain, ..wish }).unwrap();
        let then = group().predict(place, plan.enough().value().unwrap()).unwrap();
        assert_eq!((plan.loss_then(), plan.loss_then_mean()), (then.loss(), then.mean()));
    }
    // What the law has measured is planned for the base that was measured.
    assert!(group().decisions().iter().all(|plan| plan.base().is_some()));
    assert_eq!(group().decisions().len(), 18);
}

#[test]
fn no_run_lies_below_its_own_floor() {
    let levels = group().levels().unwrap();
    for run in levels.runs() {
        let curves = levels.curves(Subject::Run(run.name()), run.n0(), run.rate()).unwrap();
        let low = quantile(&mut curves.floors(), 0.05).unwrap();
        let last = 2.0 + low;
        assert!(last < 2.0 + 0.3, "{}: {last}", run.name());
    }
    assert!(!group().warnings().iter().any(|found| *found.code() == Code::FloorContradicted));
}

#[test]
fn a_law_comes_back_from_its_file_and_an_older_one_is_read() {
    let text = serde_json::to_string(&*LAW).unwrap();
    let back: Law = serde_json::from_str(&text).unwrap();
    assert!(back == *LAW);
    let without = law::fit(&Table::new(rows(5)).unwrap(), &Settings::default()).unwrap();
    let text = serde_json::to_string(&without).unwrap();
    let older = text.replacen("\"format\":2", "\"format\":1", 1).replacen(
        "\"fit_objective\"",
        "\"objective\"",
        1,
    );
    assert_ne!(older, text);
    assert!(serde_json::from_str::<Law>(&older).unwrap() == without);
}

#[test]
fn damaged_draws_are_named() {
    let mut file = serde_json::to_value(&*LAW).unwrap();
    let draws = &mut file["groups"][0]["levels"]["draws"];
    draws[4].as_array_mut().unwrap().pop();
    let error = serde_json::from_value::<Law>(file).unwrap_err().to_string();
    assert!(error.contains("draw 5 of `levels` holds"), "{error}");
}

#[test]
fn draws_that_no_data_gave_give_no_number_but_never_nan() {
    let mut file = serde_json::to_value(&*LAW).unwrap();
    for draw in file["groups"][0]["levels"]["draws"].as_array_mut().unwrap() {
        draw.as_array_mut().unwrap().fill(900.0.into());
    }
    let law: Law = serde_json::from_value(file).unwrap();
    let place = Place::new(1.2e9, 0.22, 2.0).unwrap();
    let found = law.predict(None, None, place, 1e8).unwrap();
    assert_eq!((found.loss(), found.mean(), found.new_run()), (None, None, None));
    let plan = law.plan(None, None, place, &Wish::default()).unwrap();
    assert!(!serde_json::to_string(&plan).unwrap().contains("null"), "{plan:?}");
}

#[test]
fn what_the_law_has_not_seen_is_named_with_the_nearest() {
    let place = Place::new(1.2e9, 0.22, 2.0).unwrap();
    let run = group().predict_run("1-0-9", 1e8).unwrap_err().to_string();
    assert!(run.starts_with("the law has seen no run `1-0-9`; the nearest is `1-0-"), "{run}");
    let base = group().predict_base("base 1", place, 1e8).unwrap_err().to_string();
    assert!(base.starts_with("the law has seen no base `base 1`"), "{base}");
    let other = Place::new(3.1e9, 0.22, 2.0).unwrap();
    let size = group().predict_base("base 1-0", other, 1e8).unwrap_err().to_string();
    assert!(size.contains("has 1200000000 parameters, found 3100000000"), "{size}");
    let without = law::fit(&Table::new(rows(5)).unwrap(), &Settings::default()).unwrap();
    let error = without.group(None, None).unwrap().predict_run("1-0-1", 1e8).unwrap_err();
    assert!(error.to_string().contains("has no posterior"), "{error}");
}

#[test]
fn a_prior_moves_what_the_data_leave_open() {
    let narrow = [("floor".to_owned(), Normal { mean: -0.2, sd: 0.01 })];
    let priors = Priors::default().with(narrow).unwrap();
    let table = Table::new(rows(5)).unwrap();
    let law = law::fit(&table, &Settings { priors, ..settings() }).unwrap();
    let group = law.group(None, None).unwrap();
    let levels = group.levels().unwrap();
    let middle = quantile(&mut levels.constant("floor").unwrap(), 0.5).unwrap();
    assert!((middle + 0.2).abs() < 0.05, "{middle}");
}
