//! How certain an answer is: intervals from whole runs, because the points of one run err together.
//!
//! Intervals that treat points as independent claim 90 % and cover 33 %. By default each run is
//! left out once. With four or more bases each base is too, and the wider interval is reported.
//! Only that one covers an error in a base's own loss.
//!
//! With fewer than six runs, or if a run cannot be left out, data are simulated instead.

mod jackknife;
mod noise;
mod pairs;
mod refit;
mod simulate;

pub use noise::Noise;
pub(crate) use refit::half_width;
pub use refit::{FEWEST_BASES, FEWEST_RUNS, LeftOut, Refit};
pub(crate) use simulate::normal;

use serde::{Deserialize, Serialize};

use crate::fit::Fit;
use crate::table::Run;

/// How intervals are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Intervals {
    /// Sample the posterior of a law with levels: see [`crate::levels`]. Constants keep the
    /// intervals of the jackknife, as a cross-check.
    Posterior,
    /// Leave out one run at a time, and one base at a time if there are four or more.
    Jackknife,
    /// Simulate data from the fitted law and the noise found, and refit.
    Parametric,
    /// Draw whole runs with replacement and refit. Intervals are too short with few runs, so this
    /// is only used on request.
    Pairs,
}

/// The refits for intervals: as asked for, or simulations if that is impossible.
pub fn refits(
    fit: &Fit,
    runs: &[&Run],
    method: &str,
    noise: &Noise,
    wanted: Intervals,
    simulations: usize,
    seed: u64,
) -> Vec<Refit> {
    let left_out = match wanted {
        Intervals::Posterior | Intervals::Jackknife if runs.len() >= FEWEST_RUNS => {
            jackknife::by_run(fit, runs, method)
        }
        Intervals::Pairs if runs.len() >= FEWEST_RUNS => {
            return pairs::refits(fit, runs, method, simulations, seed)
                .unwrap_or_else(|| simulate::refits(fit, runs, noise, simulations, seed));
        }
        _ => None,
    };
    match left_out {
        // Refits without a base only add to those without a run: `half_width` takes the wider.
        Some(mut refits) => {
            refits.extend(jackknife::by_base(fit, runs, method).unwrap_or_default());
            refits
        }
        None => simulate::refits(fit, runs, noise, simulations, seed),
    }
}
