//! Which pilot runs make a wanted number certain for the least money.
//!
//! Before a run is made it is known where it will be evaluated, and about how noisy that is. So it
//! is known how much it will tell. [`design()`] holds sets of pilots against each other by the
//! width that the interval of the wanted number would have, and finds the best set within a budget.
//!
//! The law is that with levels. What is believed before comes from priors, or from a law that was
//! fitted to earlier runs. It is drawn as some worlds. In each, curves follow the constants along
//! lines, and widths are averaged over the worlds. How much runs and bases differ is taken from
//! each world and is not learnt by the pilots.
//!
//! ```
//! use law::design::{Belief, Options, Pilot, Target, Wanted, design};
//! let mut pilots = Vec::new();
//! for (base, n0) in [("1b", 1.24e9), ("3b", 3.21e9), ("8b", 8.03e9)] {
//!     for rate in [0.15, 0.25, 0.35] {
//!         for tokens in [5e7, 2e8, 8e8] {
//!             pilots.push(Pilot::new(base, n0, rate, tokens, 6.0 * n0 * (1.0 - rate) * tokens)?);
//!         }
//!     }
//! }
//! let target = Target::new("8b", 8.03e9, 0.25, Wanted::Loss { tokens: 2e9 })?;
//! let priors = law::levels::Priors::default();
//! let belief = Belief::Priors { priors: &priors, excess: 0.4, noise: 0.003 };
//! let found = design(&pilots, &target, belief, 2e19, &Options::default())?;
//! let [before, after] = [found.before(), found.after()];
//! assert!(after.get() < 0.5 * before.get());
//! assert!(found.spent() <= 2e19);
//! # Ok::<(), law::Error>(())
//! ```

mod answer;
#[cfg(feature = "sampler")]
mod check;
mod problem;
mod question;
mod search;
mod view;

pub use self::answer::{Chosen, Design, Width};
#[cfg(feature = "sampler")]
pub use self::check::{Check, check};
use self::problem::Problem;
pub use self::question::{Belief, Options, Pilot, Target, Wanted};
pub use self::search::best_set;
pub use self::view::{After, View};

use crate::error::{Fault, Result};
use crate::student::two_sided;

/// With so many degrees of freedom Student's distribution is normal to four digits.
const MANY: usize = 10_000;
/// If the best set narrows the interval by less than this share, it is enough.
const ENOUGH: f64 = 0.05;

/// The best pilots for a number.
///
/// # Errors
/// If there is no pilot, a setting is out of range, the law has no posterior, or too few worlds
/// have the wanted number.
pub fn design(
    pilots: &[Pilot],
    target: &Target,
    belief: Belief<'_>,
    budget: f64,
    options: &Options,
) -> Result<Design> {
    options.check()?;
    if !(budget > 0.0 && budget.is_finite()) {
        let expected = "a finite budget above 0";
        return Err(Fault::Setting { name: "budget", found: budget, expected }.into());
    }
    let problem = Problem::new(pilots, target, belief, options)?;
    let costs: Vec<f64> = pilots.iter().map(Pilot::cost).collect();
    let places = places(pilots);
    let chosen = best_set(&costs, &places, budget, |set, more| problem.ln_deviations(set, more));
    let z = two_sided(options.level, MANY);
    let width = |set: &[usize]| Width::of(target.wanted, z * problem.ln_deviation(set).exp());
    let mut spent = 0.0;
    let steps = chosen.iter().enumerate().map(|(i, pilot)| {
        spent += pilots[*pilot].cost;
        Chosen { pilot: pilots[*pilot].clone(), spent, after: width(&chosen[..=i]) }
    });
    let runs: Vec<Chosen> = steps.collect();
    let narrowed = 1.0 - (problem.ln_deviation(&chosen) - problem.ln_deviation(&[])).exp();
    Ok(Design {
        format: ledger::Format,
        wanted: target.wanted,
        level: options.level,
        before: width(&[]),
        runs,
        is_enough: narrowed < ENOUGH && costs.iter().any(|cost| *cost <= budget),
        worlds: problem.worlds.len(),
        left_out: problem.left_out,
    })
}

/// Pilots of one base, rate and seed have one number: a longer run holds the shorter ones.
fn places(pilots: &[Pilot]) -> Vec<usize> {
    let place = |pilot: &Pilot| (pilot.base.clone(), pilot.rate.to_bits(), pilot.seed);
    let mut known = Vec::new();
    let mut number = |pilot: &Pilot| {
        let place = place(pilot);
        known.iter().position(|other| *other == place).unwrap_or_else(|| {
            known.push(place);
            known.len() - 1
        })
    };
    pilots.iter().map(&mut number).collect()
}
