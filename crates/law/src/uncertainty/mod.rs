//! How sure: intervals from whole runs, because the points of one run err together.
//!
//! Points treated as independent would claim 90 % and cover 33 %. By default every run is left out
//! once; with four or more bases every base too, and the wider interval is reported, because only
//! that covers an error of a base's own loss. With fewer than six runs, or where a run cannot be
//! spared, data are simulated instead.

mod jackknife;
mod noise;
mod pairs;
mod refit;
mod simulate;

pub use noise::Noise;
pub(crate) use refit::half_width;
pub use refit::{FEWEST_BASES, FEWEST_RUNS, LeftOut, Refit};

use serde::{Deserialize, Serialize};

use crate::fit::Fit;
use crate::table::Run;

/// Which way intervals are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Intervals {
    /// Leave one run out, and one base where there are four or more.
    Jackknife,
    /// Simulate data from the fitted law and the noise found, and fit again.
    Parametric,
    /// Draw whole runs with replacement and fit again: short with few runs, so only on request.
    Pairs,
}

/// Refits for intervals: the way asked for, or simulations where it does not serve.
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
        Intervals::Jackknife if runs.len() >= FEWEST_RUNS => jackknife::by_run(fit, runs, method),
        Intervals::Pairs if runs.len() >= FEWEST_RUNS => {
            return pairs::refits(fit, runs, method, simulations, seed)
                .unwrap_or_else(|| simulate::refits(fit, runs, noise, simulations, seed));
        }
        _ => None,
    };
    match left_out {
        Some(mut refits) => {
            refits.extend(jackknife::by_base(fit, runs, method).unwrap_or_default());
            refits
        }
        None => simulate::refits(fit, runs, noise, simulations, seed),
    }
}
