//! Runs made from a known posterior, for tests.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::density::Density;
use super::gauge::Gauge;
use super::groups::Groups;
use super::prior::Priors;
use super::shape::Shape;
use crate::place::Place;
use crate::table::{Point, Run};
use crate::uncertainty::normal;

/// The noise of a point, as a share of the excess at the mean tokens.
pub(super) const NOISE: f64 = 0.02;

/// Three sizes, two bases each, three rates, eight points a run. Effects are 0.1.
pub(super) fn runs(shape: Shape, seed: u64) -> Vec<Run> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut runs = Vec::new();
    for size in [-1.0_f64, 0.0, 1.0] {
        for base in 0..2 {
            let of_base: [f64; 3] = std::array::from_fn(|_| 0.1 * normal(&mut random));
            for rate in [-0.5_f64, 0.0, 0.5] {
                let mut effect = |k: usize| of_base[k] + 0.1 * normal(&mut random);
                let level = -1.0 - 0.3 * size + 1.2 * rate + effect(0);
                let fall = -0.8 + effect(1);
                let floor = 0.1 + 0.05 * effect(2);
                let place = Place { n0: 1e9 * size.exp(), rate: 0.25 * rate.exp(), loss0: 2.0 };
                let points = (0..8).map(|i| {
                    let x = -1.5 + 0.4 * f64::from(i);
                    let excess = floor + shape.at(level, fall, -1.2, x).y;
                    let loss = 2.0 + excess + NOISE * (-1.0_f64).exp() * normal(&mut random);
                    Point { tokens: 1e8 * x.exp(), loss, weight: 1.0 }
                });
                let points = points.collect();
                let base = format!("{size} {base}");
                runs.push(Run::new(&format!("{base} {rate}"), &base, place, points));
            }
        }
    }
    runs
}

pub(super) fn density(shape: Shape) -> Density {
    let runs = runs(shape, 1);
    let runs: Vec<&Run> = runs.iter().collect();
    let gauge = Gauge::of(&runs);
    Density::new(shape, &runs, &Groups::of(&runs), &gauge, &Priors::default())
}
