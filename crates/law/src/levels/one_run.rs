//! The points of one run, and how well a curve with its noise describes them.
//!
//! The density of many runs shares constants between them. Here a run stands alone: its curve, its
//! bend and its noise are seven numbers.

use super::Levels;
use super::density::{LATENT, PointNoise, SeenPoint, TAILS};
use super::draws::{Curves, Drawn, Subject};
use super::gauge::Gauge;
use super::prior::{BEND, CORRELATION, NOISE, NOISE_SHARE, SHARED};
use super::shape::{Arc, Shape};
use crate::table::Point;

/// Level, rate of fall, floor, bend, noise, its share of the excess, and its correlation.
pub(crate) const OF_RUN: usize = 7;
/// The places of the last four.
const SHARED_OF_RUN: [usize; 4] = [BEND, NOISE, NOISE_SHARE, CORRELATION];

/// The points of one run, in a gauge.
#[derive(Clone, Debug)]
pub(crate) struct OneRun {
    shape: Shape,
    gauge: Gauge,
    /// The loss that excesses are counted from.
    reference: f64,
    points: Vec<SeenPoint>,
}

impl OneRun {
    /// Points in a gauge of their own: tokens around their middle, losses in nats from a reference.
    /// There must be two points or more.
    pub(crate) fn alone(points: &[Point], reference: f64) -> Self {
        let logs = points.iter().map(|point| point.tokens.ln());
        let middle = logs.sum::<f64>() / points.len() as f64;
        let steps = points.windows(2).map(|pair| (pair[1].tokens / pair[0].tokens).ln());
        let step = super::gauge::median(steps.filter(|step| *step > 0.0).collect());
        let gauge = Gauge {
            n0: 1.0,
            rate: 1.0,
            tokens: middle.exp(),
            excess: 1.0,
            step: step.unwrap_or(1.0),
        };
        Self::within(Shape::Fall, gauge, points, reference)
    }

    /// Points in the gauge of a law, which counts excesses from the loss before pruning.
    pub(crate) fn of_law(levels: &Levels, points: &[Point], loss0: f64) -> Self {
        Self::within(levels.shape, levels.gauge, points, loss0)
    }

    fn within(shape: Shape, gauge: Gauge, points: &[Point], reference: f64) -> Self {
        let points = SeenPoint::of(points, reference, &gauge);
        Self { shape, gauge, reference, points }
    }

    pub(crate) fn is_power(&self) -> bool {
        self.shape == Shape::Power
    }

    /// The middle of the points, as `ln D` in the gauge; 0 without points.
    pub(crate) fn middle(&self) -> f64 {
        let sum: f64 = self.points.iter().map(|point| point.x).sum();
        sum / self.points.len().max(1) as f64
    }

    /// `ln D` and excess of each point, in the gauge.
    pub(crate) fn seen(&self) -> impl ExactSizeIterator<Item = [f64; 2]> {
        self.points.iter().map(|point| [point.x, point.excess])
    }

    /// The excess of a loss of zero, in the gauge.
    pub(crate) fn zero_loss(&self) -> f64 {
        -self.reference / self.gauge.excess
    }

    /// Excess and its slope at the place `x` of a curve, and the excess over the floor.
    pub(crate) fn shown(&self, at: &[f64; OF_RUN], x: f64) -> [f64; 3] {
        let arc = Arc::new(self.shape, at[0], at[1], at[3]);
        let y = arc.at(x).y;
        let step = 1e-4;
        let slope = (arc.at(x - step).y - arc.at(x + step).y) / (2.0 * step);
        [at[2] + y, slope, y]
    }

    /// The logarithm of the density of the points. Residuals, each over its deviation, form an
    /// autoregression of order 1; what is new at a point follows Student's distribution.
    pub(crate) fn ln_likelihood(&self, at: &[f64; OF_RUN]) -> f64 {
        let arc = Arc::new(self.shape, at[0], at[1], at[3]);
        let noise = noise_of(at);
        let (mut value, mut before) = (0.0, 0.0);
        for (i, point) in self.points.iter().enumerate() {
            let deviation = noise.deviation(point.excess) / point.root_weight;
            let z = (point.excess - at[2] - arc.at(point.x).y) / deviation;
            let correlation = if i == 0 { 0.0 } else { noise.over(point.step) };
            let left = 1.0 - correlation * correlation;
            let fresh = (z - correlation * before) / left.sqrt();
            value -= 0.5 * (TAILS + 1.0) * (fresh * fresh / TAILS).ln_1p()
                + deviation.ln()
                + 0.5 * left.ln();
            before = z;
        }
        value
    }

    /// The curves that some constants describe. They go on from the last residual.
    pub(crate) fn curves(&self, draws: &[[f64; OF_RUN]], seed: u64) -> Curves {
        let last = self.points.last();
        let drawn = |at: &[f64; OF_RUN]| {
            let arc = Arc::new(self.shape, at[0], at[1], at[3]);
            let noise = noise_of(at);
            let residual = last.map(|point| {
                let left = point.excess - at[2] - arc.at(point.x).y;
                // A mean of several evaluations has less noise than the next one.
                (left / noise.deviation(point.excess), point.x)
            });
            Drawn { arc, floor: at[2], noise, last: residual }
        };
        Curves::of_drawn(&self.gauge, draws.iter().map(drawn), seed)
    }

    /// The loss that excesses are counted from.
    pub(crate) fn reference(&self) -> f64 {
        self.reference
    }
}

fn noise_of(at: &[f64; OF_RUN]) -> PointNoise {
    let mut shared = [0.0; SHARED];
    for (place, x) in SHARED_OF_RUN.into_iter().zip(&at[LATENT..]) {
        shared[place] = *x;
    }
    PointNoise::of(&shared)
}

impl Levels {
    /// What the law holds possible for one run, before its own points: draws of its constants.
    /// `None` if the law knows no such run or base.
    pub(crate) fn draws_of_run(
        &self,
        subject: Subject<'_>,
        n0: f64,
        rate: f64,
    ) -> Option<Vec<[f64; OF_RUN]>> {
        let curves = self.curves(subject, n0, rate)?;
        // Curves are drawn several times from each draw, in the order of the draws.
        let all = curves.latents().zip(self.draws.iter().cycle());
        let one = |(latent, draw): ([f64; LATENT], &Vec<f64>)| {
            let [level, fall, floor] = latent;
            let [bend, noise, share, correlation] = SHARED_OF_RUN.map(|place| draw[place]);
            [level, fall, floor, bend, noise, share, correlation]
        };
        Some(all.map(one).collect())
    }
}

#[cfg(all(test, feature = "sampler"))]
mod tests {
    use super::super::groups::Groups;
    use super::super::prior::Priors;
    use super::super::{density::Density, testing};
    use super::*;

    #[test]
    fn one_run_has_the_likelihood_that_the_density_of_many_gives_it() {
        let runs = testing::runs(Shape::Fall, 3);
        let one = [&runs[4]];
        let gauge = Gauge::of(&one);
        let density =
            Density::new(Shape::Fall, &one, &Groups::of(&one), &gauge, &Priors::default());
        let alone = OneRun::within(Shape::Fall, gauge, &one[0].points, one[0].loss0);
        let value = |at: &[f64; OF_RUN]| {
            let mut all: Vec<f64> = density.priors.iter().map(|prior| prior.mean).collect();
            all.resize(density.dimension(), 0.0);
            SHARED_OF_RUN.iter().zip(&at[LATENT..]).for_each(|(place, x)| all[*place] = *x);
            let place = density.run(0);
            all[place..].copy_from_slice(&at[..LATENT]);
            let priors: f64 = SHARED_OF_RUN
                .iter()
                .map(|place| {
                    let prior = density.priors[*place];
                    -0.5 * ((all[*place] - prior.mean) / prior.sd).powi(2)
                })
                .sum();
            // With the latents at their means, only the shared priors are left to take away.
            let means = super::super::density::Means::of(&all[..13], density.curves[0].place);
            let mut of_run = 0.0;
            for (k, x) in at[..LATENT].iter().enumerate() {
                let width = super::super::density::spread(&all, k, 2);
                of_run -= 0.5 * ((x - means.value[k]) / width).powi(2) + width.ln();
            }
            let mut gradient = vec![0.0; all.len()];
            density.value(&all, &mut gradient) - priors - of_run
        };
        let (a, b) =
            ([-0.2, -0.7, 0.1, -1.2, -4.0, -5.0, 0.3], [0.1, -0.5, 0.2, -1.0, -3.0, -4.0, -1.0]);
        let expected = value(&a) - value(&b);
        let found = alone.ln_likelihood(&a) - alone.ln_likelihood(&b);
        assert!((found - expected).abs() < 1e-9 * expected.abs(), "{found} {expected}");
    }
}
