//! The parametric fallback: simulates the fitted law with run offsets and AR(1) errors, and refits.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::noise::Noise;
use super::refit::{LeftOut, Refit};
use crate::fit::{Fit, refit};
use crate::parallel;
use crate::table::Run;

/// `count` refits of simulated data. Each has its own random stream, so their order does not
/// matter.
pub(super) fn refits(
    fit: &Fit,
    runs: &[&Run],
    noise: &Noise,
    count: usize,
    seed: u64,
) -> Vec<Refit> {
    // Without noise all simulations would be the same.
    if noise.point.is_none() && noise.run.is_none() {
        return Vec::new();
    }
    let numbers: Vec<usize> = (0..count).collect();
    parallel::map(&numbers, |&number| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(number as u64);
        let drawn: Vec<Run> = runs.iter().map(|run| draw(fit, run, noise, &mut random)).collect();
        let problem = fit.problem(&drawn.iter().collect::<Vec<_>>());
        let parameters = refit(&problem, &fit.parameters, &[]).parameters;
        Refit { left_out: LeftOut::Simulation(number), parameters }
    })
}

fn draw(fit: &Fit, run: &Run, noise: &Noise, random: &mut ChaCha8Rng) -> Run {
    let offset = noise.run.unwrap_or(0.0) * normal(random);
    let (point, correlation) = (noise.point.unwrap_or(0.0), noise.autocorrelation.unwrap_or(0.0));
    // New noise of this size keeps the variance of an AR(1) error at 1.
    let fresh = (1.0 - correlation * correlation).sqrt();
    // The first error already has the stationary variance of the AR(1) process.
    let mut error = normal(random);
    let mut drawn = run.clone();
    for place in &mut drawn.points {
        place.loss = fit.value(&run.row(place.tokens)) + offset + point * error;
        error = correlation * error + fresh * normal(random);
    }
    drawn
}

/// A standard normal number (Box and Muller).
pub(crate) fn normal(random: &mut impl Rng) -> f64 {
    // The number lies in (0, 1], so its logarithm is finite.
    let mut uniform = || ((random.next_u64() >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    let (radius, angle) = ((-2.0 * uniform().ln()).sqrt(), std::f64::consts::TAU * uniform());
    radius * angle.cos()
}
