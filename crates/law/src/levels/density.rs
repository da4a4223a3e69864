//! The logarithm of the posterior density, and its gradient.
//!
//! The constants stand in this order: those of [`super::prior`], three effects for each size and
//! for each base (standard normal), and level, rate of fall and floor of each run.

use super::gauge::{Gauge, median};
use super::groups::{Groups, KINDS};
use super::prior::{
    BEND, CORRELATION, FALL, FIRST_DEVIATION, FLOOR, LEVEL, MEANS, NOISE, NOISE_SHARE, Normal,
    Priors, RATE_BEND, SHARED, SIZE_BEND, SIZE_RATE, SPREAD,
};
use super::shape::{Arc, Shape};
use crate::neighbours::off_the_line;
use crate::table::{Point, Run};

/// Degrees of freedom of the noise (Student). Normal noise would let one spoilt point bend a curve.
pub(super) const TAILS: f64 = 5.0;
/// Level, rate of fall and floor.
pub(super) const LATENT: usize = 3;

/// The place of a deviation: of sizes, of bases, and as the last of runs.
pub(super) fn deviation(latent: usize, kind: usize) -> usize {
    FIRST_DEVIATION + (KINDS + 1) * latent + kind
}

/// A deviation, as the shared constants give it.
pub(super) fn spread(shared: &[f64], latent: usize, kind: usize) -> f64 {
    (shared[SPREAD + latent] + shared[deviation(latent, kind)]).exp()
}

/// One run in the gauge.
#[derive(Clone, Debug)]
pub(super) struct RunPoints {
    /// The groups that it belongs to: its size and its base.
    pub(super) groups: [usize; KINDS],
    /// `ln N0` and `ln rho`.
    pub(super) place: [f64; 2],
    pub(super) points: Vec<SeenPoint>,
}

/// One point in the gauge.
#[derive(Clone, Copy, Debug)]
pub(super) struct SeenPoint {
    /// `ln D`.
    pub(super) x: f64,
    /// The excess.
    pub(super) excess: f64,
    /// The step of `ln D` from the point before, in median steps.
    pub(super) step: f64,
    /// The root of the point's weight.
    pub(super) root_weight: f64,
}

impl SeenPoint {
    /// The points of a run, whose excesses are counted from a reference loss.
    pub(super) fn of(points: &[Point], reference: f64, gauge: &Gauge) -> Vec<Self> {
        let mut before = None;
        let seen = |point: &Point| {
            let x = gauge.ln_tokens(point.tokens);
            let step = before.map_or(1.0, |before: f64| (x - before) / gauge.step);
            before = Some(x);
            let excess = (point.loss - reference) / gauge.excess;
            Self { x, excess, step, root_weight: point.weight.sqrt() }
        };
        points.iter().map(seen).collect()
    }
}

/// The posterior density of the constants.
#[derive(Clone, Debug)]
pub(super) struct Density {
    pub(super) shape: Shape,
    pub(super) curves: Vec<RunPoints>,
    /// How many sizes, and how many bases.
    pub(super) groups: [usize; KINDS],
    pub(super) priors: [Normal; SHARED],
}

/// The means of a run's three constants, and their derivatives by the constants of the mean curve.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Means {
    pub(super) value: [f64; LATENT],
    pub(super) by: [[f64; MEANS]; LATENT],
}

impl Density {
    pub(super) fn new(
        shape: Shape,
        runs: &[&Run],
        groups: &Groups,
        gauge: &Gauge,
        priors: &Priors,
    ) -> Self {
        let curve = |run: &&Run| RunPoints {
            groups: groups
                .find(run.n0, Some(&run.base))
                .map(|group| group.expect("the lists hold the groups of every run")),
            place: gauge.place(run.n0, run.rate),
            points: SeenPoint::of(&run.points, run.loss0, gauge),
        };
        let curves: Vec<RunPoints> = runs.iter().map(curve).collect();
        let noise = noise_of(&curves);
        Self { shape, curves, groups: groups.counts(), priors: priors.in_order(noise) }
    }

    pub(super) fn dimension(&self) -> usize {
        self.run(self.curves.len())
    }

    /// Where the effects of a size or a base begin.
    pub(super) fn group(&self, group: usize) -> usize {
        SHARED + LATENT * group
    }

    /// Where the constants of a run begin.
    pub(super) fn run(&self, run: usize) -> usize {
        SHARED + LATENT * (self.groups.iter().sum::<usize>() + run)
    }

    /// The logarithm of the density up to a constant. Adds nothing to what `gradient` held.
    pub(super) fn value(&self, at: &[f64], gradient: &mut [f64]) -> f64 {
        gradient.fill(0.0);
        let mut value = 0.0;
        let (shared, effects) = (&at[..SHARED], &at[SHARED..self.run(0)]);
        for (i, (x, prior)) in shared.iter().zip(&self.priors).enumerate() {
            let z = (x - prior.mean) / prior.sd;
            value -= 0.5 * z * z;
            gradient[i] -= z / prior.sd;
        }
        for (i, effect) in effects.iter().enumerate() {
            value -= 0.5 * effect * effect;
            gradient[SHARED + i] -= effect;
        }
        let noise = PointNoise::of(shared);
        for (i, curve) in self.curves.iter().enumerate() {
            let place = self.run(i);
            let latent: [f64; LATENT] = std::array::from_fn(|k| at[place + k]);
            let mut by_latent = [0.0; LATENT];
            value += self.run_prior(curve, at, &latent, &mut by_latent, gradient);
            value +=
                likelihood(self.shape, curve, shared, &noise, &latent, &mut by_latent, gradient);
            for (k, by) in by_latent.into_iter().enumerate() {
                gradient[place + k] += by;
            }
        }
        value
    }

    /// The prior of one run's constants, given those of all runs, of its size and of its base.
    fn run_prior(
        &self,
        curve: &RunPoints,
        at: &[f64],
        latent: &[f64; LATENT],
        by_latent: &mut [f64; LATENT],
        gradient: &mut [f64],
    ) -> f64 {
        let means = Means::of(&at[..MEANS], curve.place);
        let mut value = 0.0;
        for k in 0..LATENT {
            let of_run = deviation(k, KINDS);
            let spreads: [f64; KINDS] = std::array::from_fn(|kind| spread(at, k, kind));
            let places = curve.groups.map(|group| self.group(group) + k);
            let effect: f64 = (0..KINDS).map(|kind| spreads[kind] * at[places[kind]]).sum();
            let width = spread(at, k, KINDS);
            let z = (latent[k] - means.value[k] - effect) / width;
            value -= 0.5 * z * z + at[SPREAD + k] + at[of_run];
            by_latent[k] -= z / width;
            gradient[of_run] += z * z - 1.0;
            gradient[SPREAD + k] += z * z - 1.0 + z / width * effect;
            for (kind, (spread, place)) in spreads.into_iter().zip(places).enumerate() {
                gradient[deviation(k, kind)] += z / width * spread * at[place];
                gradient[place] += z / width * spread;
            }
            for (slope, by) in gradient[..MEANS].iter_mut().zip(&means.by[k]) {
                *slope += z / width * by;
            }
        }
        value
    }
}

/// The noise of points.
#[derive(Clone, Copy, Debug)]
pub(super) struct PointNoise {
    /// Variance, and the variance as a share of the squared excess.
    pub(super) variance: f64,
    pub(super) share: f64,
    /// The correlation over one step, and its logarithm.
    pub(super) correlation: f64,
    pub(super) ln_correlation: f64,
    /// How the logarithm of the correlation follows its constant.
    slope: f64,
}

/// The highest correlation of neighbouring points. At 1 the noise would have no bound.
const HIGHEST: f64 = 0.98;

impl PointNoise {
    pub(super) fn of(shared: &[f64]) -> Self {
        let correlation = HIGHEST / (1.0 + (-shared[CORRELATION]).exp());
        // The points tell what is new in each; correlated noise adds up to more.
        let whole = 1.0 / (1.0 - correlation * correlation);
        Self {
            variance: whole * (2.0 * shared[NOISE]).exp(),
            share: whole * (2.0 * shared[NOISE_SHARE]).exp(),
            correlation,
            // The logarithm of a tiny correlation, without rounding it to minus infinity.
            ln_correlation: HIGHEST.ln() - (-shared[CORRELATION]).exp().ln_1p(),
            slope: 1.0 - correlation / HIGHEST,
        }
    }

    /// The deviation of a point with this excess.
    pub(super) fn deviation(&self, excess: f64) -> f64 {
        (self.variance + self.share * excess * excess).sqrt()
    }

    /// The correlation over some steps.
    pub(super) fn over(&self, steps: f64) -> f64 {
        (self.ln_correlation * steps).exp()
    }
}

/// The density of a run's points. The residuals, each over its deviation, form an autoregression
/// of order 1 along the run; what is new at a point follows Student's distribution.
pub(super) fn likelihood(
    shape: Shape,
    curve: &RunPoints,
    shared: &[f64],
    noise: &PointNoise,
    latent: &[f64; LATENT],
    by_latent: &mut [f64; LATENT],
    gradient: &mut [f64],
) -> f64 {
    let [level, fall, floor] = *latent;
    let arc = Arc::new(shape, level, fall, shared[BEND]);
    let (mut tails, mut variances) = (LnProduct::default(), LnProduct::default());
    let mut by_shared = [0.0; 4]; // bend, noise, its share, correlation
    let mut before = Residual::default();
    let (mut steps, mut over) = (f64::NAN, 0.0);
    // How the logarithm of a deviation follows the correlation.
    let square = noise.correlation * noise.correlation;
    let of_correlation = square * noise.slope / (1.0 - square);
    for (i, point) in curve.points.iter().enumerate() {
        let at = arc.at(point.x);
        let variance = noise.variance + noise.share * point.excess * point.excess;
        let inverse = point.root_weight / variance.sqrt();
        let z = (point.excess - floor - at.y) * inverse;
        let of_noise = noise.variance / variance;
        let residual = Residual {
            z,
            by_latent: [-at.by_level * inverse, -at.by_fall * inverse, -inverse],
            by_shared: [
                -at.by_bend * inverse,
                -z * of_noise,
                -z * (1.0 - of_noise),
                -z * of_correlation,
            ],
        };
        by_shared[1] -= of_noise;
        by_shared[2] -= 1.0 - of_noise;
        by_shared[3] -= of_correlation;
        // The first point follows the whole distribution, the next ones what the one before leaves.
        if i > 0 && point.step != steps {
            (steps, over) = (point.step, noise.over(point.step));
        }
        let correlation = if i == 0 { 0.0 } else { over };
        let left = 1.0 - correlation * correlation;
        let unit = left.sqrt().recip();
        let fresh = (z - correlation * before.z) * unit;
        let tail = 1.0 + fresh * fresh / TAILS;
        tails.times(tail);
        variances.times(variance * left);
        let by_fresh = -(TAILS + 1.0) * fresh / (TAILS * tail);
        for (k, by) in by_latent.iter_mut().enumerate() {
            *by += by_fresh * unit * (residual.by_latent[k] - correlation * before.by_latent[k]);
        }
        for (k, by) in by_shared.iter_mut().enumerate() {
            *by += by_fresh * unit * (residual.by_shared[k] - correlation * before.by_shared[k]);
        }
        if i > 0 {
            let by_correlation =
                by_fresh * (correlation * fresh * unit - before.z) * unit + correlation / left;
            by_shared[3] += by_correlation * correlation * point.step * noise.slope;
        }
        before = residual;
    }
    for (place, by) in [BEND, NOISE, NOISE_SHARE, CORRELATION].into_iter().zip(by_shared) {
        gradient[place] += by;
    }
    -0.5 * ((TAILS + 1.0) * tails.ln() + variances.ln())
}

/// The logarithm of a product of many positive numbers. One logarithm a run is a fifth faster
/// than one a point.
struct LnProduct {
    ln: f64,
    product: f64,
}

impl Default for LnProduct {
    fn default() -> Self {
        Self { ln: 0.0, product: 1.0 }
    }
}

impl LnProduct {
    fn times(&mut self, factor: f64) {
        let product = self.product * factor;
        // Far from where numbers end. A product that is not finite is told by its logarithm.
        if (1e-200..1e200).contains(&product) {
            self.product = product;
        } else {
            self.ln += self.product.ln() + factor.ln();
            self.product = 1.0;
        }
    }

    fn ln(&self) -> f64 {
        self.ln + self.product.ln()
    }
}

#[derive(Clone, Copy, Default)]
struct Residual {
    z: f64,
    by_latent: [f64; LATENT],
    by_shared: [f64; 4],
}

impl Means {
    /// The means at a place, from the constants of the mean curve.
    pub(super) fn of(constants: &[f64], [size, rate]: [f64; 2]) -> Self {
        let (bent, by_bend) = bent_rate(rate, constants[RATE_BEND]);
        let mut means = Self::default();
        let mut add = |k: usize, place: usize, factor: f64| {
            means.value[k] += constants[place] * factor;
            means.by[k][place] = factor;
        };
        // Each has a constant, a slope in the size and a slope in the rate, side by side.
        for (k, place) in [LEVEL, FALL, FLOOR].into_iter().enumerate() {
            add(k, place, 1.0);
            add(k, place + 1, size);
            add(k, place + 2, if place == LEVEL { bent } else { rate });
        }
        add(0, SIZE_BEND, size * size);
        add(0, SIZE_RATE, size * bent);
        means.by[0][RATE_BEND] = (constants[LEVEL + 2] + constants[SIZE_RATE] * size) * by_bend;
        means
    }
}

/// `(rho^b - 1) / b` of `ln rho`, and its derivative by `b`. For `b = 0` it is `ln rho`.
fn bent_rate(ln_rate: f64, b: f64) -> (f64, f64) {
    let t = b * ln_rate;
    if t.abs() < 1e-3 {
        let value = ln_rate * (1.0 + t / 2.0 + t * t / 6.0);
        return (value, ln_rate * ln_rate * (0.5 + t / 3.0 + t * t / 8.0));
    }
    let value = t.exp_m1() / b;
    (value, (ln_rate * t.exp() - value) / b)
}

/// The noise of a point by what neighbouring points show: the median square of how far a point lies
/// from the line through its neighbours.
fn noise_of(curves: &[RunPoints]) -> f64 {
    let squares = curves.iter().flat_map(|curve| {
        curve.points.windows(3).filter(|three| three[2].x > three[0].x).map(|three| {
            let (off, variance) = off_the_line([0, 1, 2].map(|i| [three[i].x, three[i].excess]));
            off * off / variance
        })
    });
    /// The median of a squared standard normal number.
    const MEDIAN: f64 = 0.4549;
    // A table without noise, or without three points a run, still has some.
    median(squares.collect()).map_or(0.01, |square| (square / MEDIAN).sqrt()).max(1e-4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::levels::testing;

    #[test]
    fn the_gradient_agrees_with_finite_differences() {
        for shape in [Shape::Fall, Shape::Power] {
            let density = testing::density(shape);
            let mut at: Vec<f64> = density.priors.iter().map(|prior| prior.mean).collect();
            at.resize(density.dimension(), 0.0);
            for (i, x) in at.iter_mut().enumerate() {
                *x += 0.2 * (1.7 * i as f64).sin();
            }
            let mut gradient = vec![0.0; at.len()];
            density.value(&at, &mut gradient);
            let mut other = gradient.clone();
            for i in 0..at.len() {
                let step = 1e-5;
                let mut value = |by: f64| {
                    let mut at = at.clone();
                    at[i] += by;
                    density.value(&at, &mut other)
                };
                let slope = (value(step) - value(-step)) / (2.0 * step);
                assert!(
                    (gradient[i] - slope).abs() < 1e-5 * (1.0 + slope.abs()),
                    "{shape:?} {i}: {} {slope}",
                    gradient[i]
                );
            }
        }
    }

    #[test]
    fn the_logarithm_of_a_product_is_the_sum_of_logarithms() {
        let factors = [3.0, 1e-180, 1e-180, 0.5, 1e250, 1e250, 7.0];
        let mut product = LnProduct::default();
        factors.iter().for_each(|factor| product.times(*factor));
        let sum: f64 = factors.iter().map(|factor: &f64| factor.ln()).sum();
        assert!((product.ln() - sum).abs() < 1e-11, "{} {sum}", product.ln());
        product.times(f64::NAN);
        assert!(product.ln().is_nan());
    }

    #[test]
    fn noise_is_found_whatever_the_curve() {
        let density = testing::density(Shape::Fall);
        let found = density.priors[NOISE].mean.exp();
        assert!((0.5..2.0).contains(&(found / testing::NOISE)), "{found}");
    }
}
