//! Pilots that are chosen for a number: what they promise, and that it holds.

use law::design::{Belief, Options, Pilot, Target, Wanted, check, design};
use law::levels::Priors;
use law::{ErrorKind, Settings, Table, TableRow};

/// Three models, three rates, three lengths. Costs are operations.
fn pilots() -> Vec<Pilot> {
    let mut found = Vec::new();
    for (base, n0) in [("1b", 1.24e9), ("3b", 3.21e9), ("8b", 8.03e9)] {
        for rate in [0.15, 0.25, 0.35] {
            for tokens in [5e7, 2e8, 8e8] {
                let cost = 6.0 * n0 * (1.0 - rate) * tokens;
                let pilot = Pilot::new(base, n0, rate, tokens, cost);
                found.push(pilot.expect("the numbers are in range"));
            }
        }
    }
    found
}

fn loss_of(base: &str) -> Target {
    Target::new(base, 8.03e9, 0.25, Wanted::Loss { tokens: 2e9 }).expect("the numbers are in range")
}

fn belief(priors: &Priors) -> Belief<'_> {
    Belief::Priors { priors, excess: 0.4, noise: 0.003 }
}

#[test]
fn a_set_keeps_to_the_budget_has_each_place_once_and_every_run_helps() {
    let (pilots, priors) = (pilots(), Priors::default());
    let mut before = f64::INFINITY;
    for budget in [5e18, 2e19, 8e19] {
        let found =
            design(&pilots, &loss_of("8b"), belief(&priors), budget, &Options::default()).unwrap();
        assert!(found.spent() <= budget * (1.0 + 1e-9));
        let mut places: Vec<(String, u64)> = found
            .runs()
            .iter()
            .map(|run| (run.pilot().base().to_owned(), run.pilot().rate().to_bits()))
            .collect();
        let count = places.len();
        places.sort();
        places.dedup();
        assert_eq!(places.len(), count);
        let widths: Vec<f64> = [found.before().get()]
            .into_iter()
            .chain(found.runs().iter().map(|run| run.after().get()))
            .collect();
        assert!(widths.windows(2).all(|pair| pair[1] < pair[0]), "{widths:?}");
        // More money never leaves more doubt.
        assert!(found.after().get() <= before * (1.0 + 1e-9));
        before = found.after().get();
    }
}

#[test]
fn a_model_that_can_be_piloted_itself_is_known_better_than_another_of_its_size() {
    let (pilots, priors) = (pilots(), Priors::default());
    let width = |base: &str| {
        let found =
            design(&pilots, &loss_of(base), belief(&priors), 2e19, &Options::default()).unwrap();
        found.after().get()
    };
    assert!(width("8b") < 0.9 * width("another"), "{} {}", width("8b"), width("another"));
}

/// Two programs must agree here: the width that lines foretell, and that of posteriors which the
/// sampler draws from made data.
#[test]
fn the_expected_width_is_that_of_posteriors_of_made_tables() {
    let (pilots, priors) = (pilots(), Priors::default());
    let (target, options) = (loss_of("8b"), Options::default());
    let found = design(&pilots, &target, belief(&priors), 4e19, &options).unwrap();
    let chosen: Vec<Pilot> = found.runs().iter().map(|run| run.pilot().clone()).collect();
    let tried = check(&chosen, &target, belief(&priors), 8, &options).unwrap();
    assert_eq!((tried.tables(), tried.answered()), (8, 8));
    let ratio = tried.width().unwrap().get() / found.after().get();
    assert!((0.6..1.6).contains(&ratio), "{ratio}");
    assert!(tried.held() >= 5, "{tried:?}");
}

#[test]
fn a_law_that_is_sure_needs_no_more_runs_and_one_that_is_not_gets_them() {
    let table = |tokens: &[f64]| {
        let mut rows = Vec::new();
        for (base, n0) in [("1b", 1.24e9_f64), ("3b", 3.21e9), ("8b", 8.03e9)] {
            for rate in [0.15_f64, 0.25, 0.35] {
                for tokens in tokens {
                    // Noise without a period, and without a generator.
                    let wobble = 0.002 * (1e-5 * tokens * rate * n0.ln()).sin();
                    let excess = wobble
                        + 0.1
                        + 0.25
                            * (rate / 0.25).powf(1.3)
                            * (n0 / 3e9).powf(-0.1)
                            * (tokens / 2e8).powf(-0.3);
                    rows.push(TableRow {
                        base: Some(base.to_owned()),
                        method: "depth-block-influence".to_owned(),
                        tokens: *tokens,
                        loss: 2.0 + excess,
                        ..TableRow::run(&format!("{base} {rate}"), n0, rate, 2.0)
                    });
                }
            }
        }
        Table::new(rows).unwrap()
    };
    let settings =
        Settings { intervals: law::uncertainty::Intervals::Posterior, ..Settings::default() };
    let law = law::fit(&table(&[1e7, 2e7, 4e7, 8e7, 1.6e8, 3e8]), &settings).unwrap();
    let group = law.group(None, None).unwrap();
    let target = Target::new("8b", 8.03e9, 0.25, Wanted::Loss { tokens: 3e8 }).unwrap();
    let again = |budget: f64| {
        design(&pilots(), &target, Belief::Law(group), budget, &Options::default()).unwrap()
    };
    // One short run of the smallest model tells nothing that the law does not know.
    let small = again(3.5e17);
    assert!(small.is_enough(), "{small:?}");
    let far = Target::new("8b", 8.03e9, 0.25, Wanted::Loss { tokens: 1e10 }).unwrap();
    let found = design(&pilots(), &far, Belief::Law(group), 8e19, &Options::default()).unwrap();
    assert!(!found.is_enough() && found.after().get() < found.before().get());
    let error = check(&pilots(), &far, Belief::Law(group), 2, &Options::default()).unwrap_err();
    assert!(error.to_string().contains("cannot be checked"), "{error}");
}

#[test]
fn what_cannot_be_designed_is_refused() {
    let priors = Priors::default();
    let ask = |pilots: &[Pilot], target: &Target, budget: f64| {
        design(pilots, target, belief(&priors), budget, &Options::default()).unwrap_err()
    };
    let error = ask(&[], &loss_of("8b"), 1.0);
    assert_eq!(error.to_string(), "there are no pilots to choose from, expected one or more");
    let error = ask(&pilots(), &loss_of("8b"), 0.0);
    assert_eq!(error.to_string(), "`budget` is 0, expected a finite budget above 0");
    // No curve of these worlds falls by a thousand nats a doubling.
    let target = Target::new("8b", 8.03e9, 0.25, Wanted::Enough { gain: 1000.0 }).unwrap();
    let error = ask(&pilots(), &target, 1e19);
    assert_eq!(error.kind(), ErrorKind::NoNumber);
    // A budget that pays for nothing chooses nothing, and does not call that enough.
    let found =
        design(&pilots(), &loss_of("8b"), belief(&priors), 1.0, &Options::default()).unwrap();
    assert!(found.runs().is_empty() && !found.is_enough());
}
