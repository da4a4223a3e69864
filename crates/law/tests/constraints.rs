//! Constants that are set or bounded: a set one stays, a bound holds, and nothing within them is
//! better.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

mod world;

use law::fit::{Constraints, Fit, Loss, fit_within};
use law::{Place, Run, Scale, Settings, form};
use proptest::prelude::*;
use world::World;

const FOUR: [f64; 4] = [0.494, 1.236, 1.544, 3.086];
const RATES: [f64; 3] = [0.15, 0.25, 0.36];

fn none() -> Constraints {
    Constraints::new(Scale::BILLIONS)
}

fn fitted(world: &World, constraints: &Constraints) -> Fit {
    let table = world.table(3);
    let runs: Vec<&Run> = table.groups()[0].runs().iter().collect();
    fit_within(form::by_name("p2").unwrap(), &runs, 32, Loss::LeastSquares, constraints).unwrap()
}

fn settings(constraints: Constraints) -> Settings {
    Settings { constraints, starts: 32, ..Settings::default() }
}

const NAMES: [&str; 7] = ["N_C", "D_C", "E", "alpha", "beta", "gamma", "delta"];

#[test]
fn the_true_value_of_a_constant_leaves_the_others_where_they_are() {
    let world = World::new(&FOUR, &RATES);
    for (name, value) in NAMES.iter().zip(world.truth) {
        let fit = fitted(&world, &none().fix(name, value).unwrap());
        assert_eq!(fit.free(), 6, "{name}");
        for ((known, found), truth) in
            NAMES.iter().zip(fit.constants(&Scale::BILLIONS)).zip(world.truth)
        {
            assert!(
                (found - truth).abs() < 1e-5,
                "{name} set: {known} is {found}, expected {truth}"
            );
        }
        assert!(!fit.at_bound().iter().any(|at| at.contains(name)), "{name}: {:?}", fit.at_bound());
    }
}

#[test]
fn a_wrong_value_stays_and_costs_and_a_bound_is_met_at_its_end() {
    let world = World::new(&FOUR, &RATES).noisy();
    let free = fitted(&world, &none());
    let constants = free.constants(&Scale::BILLIONS);
    for (i, name) in NAMES.iter().enumerate() {
        // A tenth above what the data want, or the same as a bound that keeps out of reach what
        // they want.
        let wrong = constants[i] + 0.1 * constants[i].abs();
        let set = fitted(&world, &none().fix(name, wrong).unwrap());
        assert_eq!(set.constants(&Scale::BILLIONS)[i].to_bits(), wrong.to_bits(), "{name}");
        assert!(
            set.objective() > free.objective(),
            "{name}: {} {}",
            set.objective(),
            free.objective()
        );
        let bounded = fitted(&world, &none().bound(name, wrong, f64::INFINITY).unwrap());
        assert!(
            (bounded.objective() / set.objective() - 1.0).abs() < 1e-9,
            "{name}: {bounded:?}",
            bounded = bounded.objective()
        );
        assert_eq!(bounded.at_bound(), [*name], "{name}");
        let wide =
            fitted(&world, &none().bound(name, constants[i] - 1.0, constants[i] + 1.0).unwrap());
        assert!(
            (wide.objective() / free.objective() - 1.0).abs() < 1e-7,
            "{name}: {} {}",
            wide.objective(),
            free.objective()
        );
    }
}

/// What the data want by themselves costs nothing to set, in whichever units.
#[test]
fn units_of_a_constraint_are_those_of_the_constants() {
    let world = World::new(&FOUR, &RATES).noisy();
    let free = fitted(&world, &none());
    for units in [Scale::BILLIONS, Scale::COUNTS] {
        for (name, value) in NAMES.iter().zip(free.constants(&units)) {
            let set = fitted(&world, &Constraints::new(units).fix(name, value).unwrap());
            assert!(
                (set.objective() / free.objective() - 1.0).abs() < 1e-7,
                "{name}: {} {}",
                set.objective(),
                free.objective()
            );
            let found = set.constants(&units)[free.form().position(name).unwrap()];
            assert!((found / value - 1.0).abs() < 1e-9, "{name}: {found}, {value}");
        }
    }
}

/// Two sizes leave alpha open; who knows it gets numbers at a third size.
#[test]
fn what_is_known_beforehand_makes_up_for_missing_levels() {
    let world = World::new(&FOUR[..2], &RATES);
    let known = settings(none().fix("alpha", world.truth[3]).unwrap());
    let law = law::fit(&world.table(1), &known).unwrap();
    let group = &law.groups()[0];
    assert_eq!(group.form_name(), "p2");
    assert_eq!(group.identifiability().fixed()["alpha"], world.truth[3]);
    assert_eq!(group.constants()["alpha"].interval, None);
    assert!(
        group.identifiability().sentence().contains("set beforehand: alpha to 0.4"),
        "{:?}",
        group.identifiability()
    );
    let place = Place::new(2e9, 0.25, World::loss0(2.0)).unwrap();
    let found = group.predict(place, 1e9).unwrap().loss().unwrap();
    assert!((found - world.loss(2.0, 0.25, 1.0)).abs() < 1e-6, "{found}");
}

#[test]
fn a_law_says_what_was_bounded_and_what_was_of_no_use() {
    let world = World::new(&FOUR, &RATES).noisy();
    let law =
        law::fit(&world.table(1), &settings(none().bound("beta", 0.1, 0.4).unwrap())).unwrap();
    let group = &law.groups()[0];
    let bound = &group.bounds()["beta"];
    assert_eq!((bound.low(), bound.high()), (Some(0.1), Some(0.4)));
    let open = law::fit(&world.table(1), &settings(none().bound("E", 0.0, f64::INFINITY).unwrap()))
        .unwrap();
    let text = serde_json::to_string(&open).unwrap();
    assert!(text.contains(r#""bounds":{"E":{"low":0.0}}"#) && !text.contains("null"), "{text}");
    let warning =
        group.warnings().iter().find(|warning| *warning.code() == "parameter-at-bound").unwrap();
    assert_eq!(
        (group.constants()["beta"].value, warning.constants()),
        (0.4, &["beta".to_owned()][..])
    );
    // It has no interval: refits end at the bound, too, and do not tell how far beyond it the data
    // point.
    assert_eq!(group.constants()["beta"].interval, None);
    assert!(group.constants()["gamma"].interval.is_some());
    let known = group.identifiability();
    assert!(known.undetermined().contains(&"beta".to_owned()), "{known:?}");
    assert!(known.sentence().contains("beta stands at its bound and is open"), "{known:?}");
    assert!(group.replicates().iter().all(|replicate| replicate.constants()["beta"] <= 0.4));
    let one = World::new(&FOUR[..1], &RATES).noisy();
    let law = law::fit(&one.table(1), &settings(none().fix("delta", 0.2).unwrap())).unwrap();
    let warning = law.groups()[0]
        .warnings()
        .iter()
        .find(|warning| *warning.code() == "constraint-unused")
        .unwrap();
    assert_eq!(
        warning.sentence(),
        "form `p2-one-size` has no delta: what was set for it is not used"
    );
    let wrong = law::fit(&one.table(1), &settings(none().fix("omega", 0.2).unwrap())).unwrap_err();
    assert!(wrong.to_string().contains("has no constant"), "{wrong}");
}

#[test]
fn robust_losses_keep_constraints_too() {
    let world = World::new(&FOUR, &RATES).noisy();
    let table = world.table(3);
    let runs: Vec<&Run> = table.groups()[0].runs().iter().collect();
    let constraints = none().fix("beta", 0.45).unwrap().bound("E", 0.2, 0.3).unwrap();
    let fit = fit_within(form::by_name("p2").unwrap(), &runs, 16, Loss::Huber(1e-3), &constraints)
        .unwrap();
    let constants = fit.constants(&Scale::BILLIONS);
    assert_eq!(constants[4], 0.45);
    assert!((0.2..=0.3).contains(&constants[2]), "{constants:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The box of a random choice of constants holds the fit, and no corner or random place
    /// in it is better.
    #[test]
    fn a_constrained_fit_lies_in_its_box_and_is_the_best_there(
        seed in 0..1000_u64, which in proptest::sample::subsequence(NAMES.to_vec(), 1..3),
        ends in proptest::collection::vec((-1.5..1.5_f64, 0.0..1.0_f64), 3), at in proptest::collection::vec(0.0..1.0_f64, 64),
    ) {
        let world = World { tokens: vec![0.05, 0.1, 0.2, 0.4, 0.7, 1.0], ..World::new(&FOUR, &RATES).noisy() };
        let table = world.table(seed);
        let runs: Vec<&Run> = table.groups()[0].runs().iter().collect();
        let form = form::by_name("p2").unwrap();
        let mut constraints = none();
        for (name, (low, width)) in which.iter().zip(&ends) {
            let truth = world.truth[form.position(name).unwrap()];
            let low = truth + low * truth.abs();
            constraints = constraints.bound(name, low, low + width).unwrap();
        }
        let fit = fit_within(form, &runs, 24, Loss::LeastSquares, &constraints).unwrap();
        let found = fit.constants(&Scale::BILLIONS);
        let square = |constants: &[f64]| -> f64 {
            let of_run = |run: &&Run| run.points().iter().map(|point| {
                let row = run.row(point.tokens).divided_by(&Scale::BILLIONS);
                (point.loss - form.value(constants, &row)).powi(2)
            }).sum::<f64>();
            runs.iter().map(of_run).sum()
        };
        prop_assert!((square(&found) / fit.objective() - 1.0).abs() < 1e-6, "{} {}", square(&found), fit.objective());
        for (name, [low, high]) in constraints.bounded() {
            let x = found[form.position(name).unwrap()];
            prop_assert!(low <= x && x <= high, "{} is {}, expected {} to {}", name, x, low, high);
        }
        // Places near the fit, moved back into the box.
        for shares in at.chunks_exact(8) {
            let mut near = found.clone();
            for (x, share) in near.iter_mut().zip(shares) {
                *x += 0.02 * (share - 0.5) * (1.0 + x.abs());
            }
            for (name, [low, high]) in constraints.bounded() {
                let x = &mut near[form.position(name).unwrap()];
                *x = x.clamp(low, high);
            }
            // What is not constrained keeps the form's own rules.
            let legal = [
                ("N_C", near[0] >= 0.0),
                ("D_C", near[1] >= 0.0),
                ("alpha", near[3].abs() >= 0.02),
                ("beta", near[4] >= 0.01),
                ("delta", near[3] + near[6] >= 0.001),
            ];
            if legal.iter().any(|(name, keeps)| !keeps && !which.contains(name)) {
                continue;
            }
            prop_assert!(square(&near) >= fit.objective() * (1.0 - 1e-9), "{:?} is better than {:?}", near, found);
        }
    }
}
