//! Draws from the posterior: the No-U-Turn Sampler of `nuts-rs`, started at the mode.

use std::collections::HashMap;
use std::fmt;

use nuts_rs::{Chain, CpuLogpFunc, CpuMathError, DiagNutsSettings, HasDims, LogpError, Settings};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::density::Density;
use super::diagnostics::Diagnostics;
use super::mode::Coordinates;
use super::steady::Steady;
use crate::parallel;
use crate::uncertainty::normal;

/// How often chains that have not met go on, each time with twice as many draws as before.
const EXTENSIONS: usize = 2;

/// How many draws are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Chains.
    chains: usize,
    /// Steps of each chain that only tune the sampler.
    tune: usize,
    /// Draws of each chain after that.
    draws: usize,
    /// The seed. The same seed gives the same draws on any number of threads, and on any processor
    /// that multiplies and adds in one rounding.
    seed: u64,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { chains: 4, tune: 800, draws: 500, seed: 1 }
    }
}

impl Sampling {
    /// The same with another seed. The same seed gives the same draws on any number of threads.
    pub fn seeded(self, seed: u64) -> Self {
        Self { seed, ..self }
    }
}

/// Draws of the constants, in the order of the density, chain by chain.
pub(super) struct Drawn {
    pub(super) draws: Vec<Vec<f64>>,
    pub(super) diagnostics: Diagnostics,
}

/// Samples, and goes on where chains have not met. `None` if a chain cannot start.
pub(super) fn sample(density: &Density, sampling: &Sampling) -> Option<Drawn> {
    let coordinates = Coordinates::find(density)?;
    let mut chains: Vec<Chained> =
        (0..sampling.chains).map(|chain| Chained::new(density, sampling, chain as u64)).collect();
    let mut part = *sampling;
    for extension in 0..=EXTENSIONS {
        let draw = |chain: &Chained| chain.longer(density, &coordinates, &part);
        chains = parallel::map(&chains, draw).into_iter().collect::<Option<_>>()?;
        let diagnostics = diagnose(&chains, density.dimension());
        if diagnostics.is_good() || diagnostics.is_hopeless() || extension == EXTENSIONS {
            let draws = chains.into_iter().flat_map(|chain| chain.draws).collect();
            return Some(Drawn { draws, diagnostics });
        }
        // A chain that goes on begins where the density is high, so half the tuning is enough.
        part = Sampling { tune: sampling.tune / 2, draws: 2 * part.draws, ..part };
    }
    None
}

fn diagnose(chains: &[Chained], dimension: usize) -> Diagnostics {
    let draws: Vec<&[Vec<f64>]> = chains.iter().map(|chain| chain.draws.as_slice()).collect();
    let divergences = chains.iter().map(|chain| chain.divergences).sum();
    Diagnostics::of(&draws, dimension).diverging(divergences)
}

/// One chain: its draws, and how many trajectories were given up.
#[derive(Clone)]
struct Chained {
    random: ChaCha8Rng,
    /// Where the next draws begin, in the coordinates around the mode.
    position: Vec<f64>,
    draws: Vec<Vec<f64>>,
    divergences: usize,
}

impl Chained {
    fn new(density: &Density, sampling: &Sampling, chain: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(sampling.seed);
        random.set_stream(chain);
        // Chains begin apart, so that R-hat means something; a gradient of exactly 0 is refused.
        let position = (0..density.dimension()).map(|_| 0.2 * normal(&mut random)).collect();
        Self { random, position, draws: Vec::new(), divergences: 0 }
    }

    /// The same chain with more draws. The sampler is tuned anew before them. `None` if it fails.
    fn longer(
        &self,
        density: &Density,
        coordinates: &Coordinates,
        sampling: &Sampling,
    ) -> Option<Self> {
        let mut chain = self.clone();
        let n = density.dimension();
        let mut settings = DiagNutsSettings {
            num_tune: sampling.tune as u64,
            num_draws: sampling.draws as u64,
            num_chains: sampling.chains,
            maxdepth: 8,
            ..DiagNutsSettings::default()
        };
        // Steps shorter than the default: where few points show a floor, the density has a sharp
        // edge.
        settings.adapt_options.step_size_settings.target_accept = 0.9;
        let target = Target { density, coordinates, at: vec![0.0; n], gradient: vec![0.0; n] };
        let number = chain.random.get_stream();
        let math = Steady::new(target);
        let mut sampler = settings.new_chain(number, math, &mut chain.random).ok()?;
        sampler.set_position(&self.position).ok()?;
        for i in 0..sampling.tune + sampling.draws {
            let (position, progress) = sampler.draw().ok()?;
            if i >= sampling.tune {
                chain.divergences += usize::from(progress.diverging);
                let mut at = vec![0.0; n];
                coordinates.constants(&position, &mut at)?;
                chain.draws.push(at);
            }
            chain.position.copy_from_slice(&position);
        }
        Some(chain)
    }
}

/// The density in the coordinates around the mode.
struct Target<'a> {
    density: &'a Density,
    coordinates: &'a Coordinates,
    at: Vec<f64>,
    gradient: Vec<f64>,
}

/// The density is not finite here. The sampler turns back.
#[derive(Debug)]
struct OffTheEdge;

impl fmt::Display for OffTheEdge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the density is not finite")
    }
}

impl std::error::Error for OffTheEdge {}

impl LogpError for OffTheEdge {
    fn is_recoverable(&self) -> bool {
        true
    }
}

impl HasDims for Target<'_> {
    fn dim_sizes(&self) -> HashMap<String, u64> {
        HashMap::from([("unconstrained_parameter".to_owned(), self.density.dimension() as u64)])
    }
}

impl CpuLogpFunc for Target<'_> {
    type LogpError = OffTheEdge;
    type FlowParameters = ();
    type ExpandedVector = Vec<f64>;

    fn dim(&self) -> usize {
        self.density.dimension()
    }

    fn logp(&mut self, around: &[f64], gradient: &mut [f64]) -> Result<f64, OffTheEdge> {
        let naturals = self.coordinates.constants(around, &mut self.at).ok_or(OffTheEdge)?;
        let volume: f64 = naturals.iter().map(|natural| natural.ln_volume).sum();
        let value = volume + self.density.value(&self.at, &mut self.gradient);
        self.coordinates.pull_back(&naturals, &self.gradient, gradient);
        let is_finite = value.is_finite() && gradient.iter().all(|x| x.is_finite());
        is_finite.then_some(value).ok_or(OffTheEdge)
    }

    fn expand_vector<R: nuts_rs::rand::Rng + ?Sized>(
        &mut self,
        _random: &mut R,
        around: &[f64],
    ) -> Result<Vec<f64>, CpuMathError> {
        Ok(around.to_vec())
    }
}
