//! What is believed before pilots are made, as worlds: from priors, or from the draws of a law.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::Levels;
use super::density::LATENT;
use super::gauge::Gauge;
use super::groups::Groups;
use super::information::{RunPlace, World};
use super::prior::{MEANS, Priors, SHARED};
use super::shape::Shape;
use crate::uncertainty::normal;

/// So many draws of a law are taken before their neighbours.
const APART: usize = 64;

/// Worlds, and how their constants vary together.
#[derive(Clone, Debug)]
pub(crate) struct Believed {
    groups: Groups,
    gauge: Gauge,
    pub(crate) worlds: Vec<World>,
    /// Of the constants in the order of [`World::rows`].
    pub(crate) covariance: Vec<Vec<f64>>,
    /// Worlds that were drawn and left out.
    pub(crate) left_out: usize,
    /// Sizes and rates that were measured already, with the base of each.
    pub(crate) seen: Vec<(String, [f64; 2])>,
}

/// The scales of a table that does not exist yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scales {
    pub(crate) gauge: Gauge,
    /// What is new in the noise of a point, nats.
    pub(crate) noise: f64,
}

impl Believed {
    /// A run of one of the models. `None` of another model.
    pub(crate) fn place(&self, n0: f64, rate: f64, base: &str) -> Option<RunPlace> {
        RunPlace::of(&self.gauge, &self.groups, n0, rate, base)
    }

    /// Worlds drawn from priors, for models by size and name.
    pub(crate) fn of_priors<'a>(
        priors: &Priors,
        scales: &Scales,
        models: impl Iterator<Item = (f64, &'a str)>,
        count: usize,
        seed: u64,
    ) -> Self {
        let groups = Groups::of_models(models);
        let constants = priors.in_order(scales.noise / scales.gauge.excess);
        let mut covariance = identity(MEANS + LATENT * groups.count());
        for (i, prior) in constants[..MEANS].iter().enumerate() {
            covariance[i][i] = prior.sd * prior.sd;
        }
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut world = || World {
            shape: Shape::Fall,
            gauge: scales.gauge,
            shared: constants
                .iter()
                .map(|prior| prior.mean + prior.sd * normal(&mut random))
                .collect(),
            effects: (0..LATENT * groups.count()).map(|_| normal(&mut random)).collect(),
        };
        let worlds = (0..count).map(|_| world()).collect();
        Self { groups, gauge: scales.gauge, worlds, covariance, left_out: 0, seen: Vec::new() }
    }

    /// Worlds from the draws of a law. What it has learnt of a size or a base that is among the
    /// models stays; those that it does not know have effects that anything may be.
    pub(crate) fn of_levels<'a>(
        levels: &Levels,
        models: impl Iterator<Item = (f64, &'a str)>,
        count: usize,
        seed: u64,
    ) -> Self {
        let groups = Groups::of_models(models);
        let of_sizes = groups.sizes().iter().map(|n0| levels.groups.size(*n0));
        let of_bases = groups
            .bases()
            .iter()
            .map(|base| levels.groups.base(base).map(|base| levels.groups.sizes().len() + base));
        // Where each constant stands among those of a draw.
        let places: Vec<Option<usize>> = (0..MEANS)
            .map(Some)
            .chain(of_sizes.chain(of_bases).flat_map(|group| {
                (0..LATENT).map(move |k| group.map(|group| SHARED + LATENT * group + k))
            }))
            .collect();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        // Draws far apart come first: neighbours in a chain are alike.
        let stride = levels.draws.len().div_ceil(APART).max(1);
        let apart = (0..stride).flat_map(|first| levels.draws.iter().skip(first).step_by(stride));
        let world = |draw: &Vec<f64>| World {
            shape: levels.shape,
            gauge: levels.gauge,
            shared: draw[..SHARED].to_vec(),
            effects: places[MEANS..]
                .iter()
                .map(|place| place.map_or_else(|| normal(&mut random), |place| draw[place]))
                .collect(),
        };
        Self {
            worlds: apart.take(count).map(world).collect(),
            covariance: covariance(&levels.draws, &places),
            left_out: 0,
            seen: levels
                .runs
                .iter()
                .map(|run| (levels.bases()[run.base].clone(), [run.n0, run.rate]))
                .collect(),
            groups,
            gauge: levels.gauge,
        }
    }
}

/// The covariance of draws; a constant without a place varies by 1, and with no other.
fn covariance(draws: &[Vec<f64>], places: &[Option<usize>]) -> Vec<Vec<f64>> {
    let count = draws.len() as f64;
    let mean = |place: usize| draws.iter().map(|draw| draw[place]).sum::<f64>() / count;
    let means: Vec<f64> = places.iter().map(|place| place.map_or(0.0, mean)).collect();
    let mut found = identity(places.len());
    for (i, a) in places.iter().enumerate() {
        for (j, b) in places.iter().enumerate() {
            if let (Some(a), Some(b)) = (a, b) {
                let product = |draw: &Vec<f64>| (draw[*a] - means[i]) * (draw[*b] - means[j]);
                found[i][j] = draws.iter().map(product).sum::<f64>() / count;
            }
        }
    }
    found
}

fn identity(size: usize) -> Vec<Vec<f64>> {
    let row = |i: usize| (0..size).map(|j| if i == j { 1.0 } else { 0.0 }).collect();
    (0..size).map(row).collect()
}
