//! Runs made from a world, to try what a posterior says of them.

use rand_chacha::ChaCha8Rng;

use super::density::{LATENT, PointNoise, spread};
use super::draws::student;
use super::groups::KINDS;
use super::information::{Curve, RunPlace, World};
use super::prior::BEND;
use crate::uncertainty::normal;

impl World {
    /// The curve of a run with effects of its own.
    pub(crate) fn curve(&self, run: &RunPlace, random: &mut ChaCha8Rng) -> Curve {
        let mut at = [0.0; LATENT + 1];
        for (k, middle) in self.latent(run).into_iter().enumerate() {
            at[k] = middle + spread(&self.shared, k, KINDS) * normal(random);
        }
        at[LATENT] = self.shared[BEND];
        Curve::new(self.shape, at, &self.gauge)
    }

    /// The excesses that a curve would show after some tokens, nats.
    pub(crate) fn measured(
        &self,
        curve: &Curve,
        tokens: &[f64],
        random: &mut ChaCha8Rng,
    ) -> Vec<f64> {
        let noise = PointNoise::of(&self.shared);
        let mut before: Option<(f64, f64)> = None;
        let mut one = |tokens: &f64| {
            let x = self.gauge.ln_tokens(*tokens);
            let fresh = student(random);
            let z = match before {
                Some((last, z)) => {
                    let correlation = noise.over(((x - last) / self.gauge.step).abs());
                    correlation * z + (1.0 - correlation * correlation).sqrt() * fresh
                }
                None => fresh,
            };
            before = Some((x, z));
            let excess = curve.excess(*tokens);
            excess + z * self.gauge.excess * noise.deviation(excess / self.gauge.excess)
        };
        tokens.iter().map(&mut one).collect()
    }
}
