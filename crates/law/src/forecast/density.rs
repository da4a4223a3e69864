//! What is believed of one run before and after its points: priors, and the posterior density.
//!
//! A run stands here by what its points show in their middle: loss, slope, and how fast the slope
//! slackens. Few points fix all three. How much of the slackening is a floor, and how much a bend,
//! is what a forecast hangs on.

use crate::levels::{Normal, OF_RUN, OneRun};
use crate::uncertainty::normal;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

type Constants = [f64; OF_RUN];

/// A prior of the run's own points: its name, its numbers and what it means.
pub(super) struct Weak {
    pub(super) name: &'static str,
    pub(super) prior: Normal,
    pub(super) meaning: &'static str,
}

const fn weak(name: &'static str, mean: f64, sd: f64, meaning: &'static str) -> Weak {
    Weak { name, prior: Normal { mean, sd }, meaning }
}

/// Without a law. They were chosen before any measured curve was forecast, by what is known of
/// losses: exponents of training lie between 0.1 and 1, a curve bends as those of healed runs do
/// (see [`crate::levels::Priors`]), and evaluations differ by thousandths to hundredths of a nat.
pub(super) const WEAK: [Weak; OF_RUN] = [
    weak("loss", 0.0, 1.0, "the loss in the middle of the points, nats beside their mean"),
    weak("slope", -2.3, 2.0, "ln of the slope there, nats as tokens grow e-fold"),
    weak("exponent", -1.2, 0.7, "ln of the exponent that the excess over the floor falls with"),
    weak("bend", -1.2, 0.7, "ln of s: the excess y falls as y^(1 + s), so a smaller one slower"),
    weak("noise", -5.5, 1.2, "ln of what is new in the noise of a point, nats"),
    weak("noise_share", -4.6, 1.0, "ln of the noise, as a share of the distance to the last loss"),
    weak("correlation", 0.0, 0.8, "logit of the correlation of neighbours, as a share of 0.98"),
];

/// The prior of one run.
#[derive(Clone, Debug)]
pub(super) enum RunPrior {
    /// Weak ones; the first is around this excess.
    Weak { excess: f64 },
    /// What a law holds possible: Student's distribution around the mean of its draws, with their
    /// covariance. Its tails leave room for a run that is like none of the law's.
    Law { mean: Constants, factor: Box<[Constants; OF_RUN]> },
}

/// Degrees of freedom of a law's prior.
const TAILS: f64 = 5.0;
/// Starting points to choose from.
const STARTS: usize = 2000;
/// Of these, the best.
const BEST: usize = 100;

/// The posterior of one run.
pub(super) struct RunDensity<'a> {
    run: &'a OneRun,
    prior: RunPrior,
    middle: f64,
}

impl<'a> RunDensity<'a> {
    pub(super) fn new(run: &'a OneRun, prior: RunPrior) -> Self {
        Self { run, prior, middle: run.middle() }
    }

    /// Level, rate of fall and floor of what is shown; and the logarithm of how volumes change.
    /// `None` where there is no such curve.
    pub(super) fn constants(&self, shown: &Constants) -> Option<(Constants, f64)> {
        let [excess, slope, _, bend, ..] = *shown;
        let exponent = self.exponent(shown);
        let ln_y = slope - exponent;
        let y = ln_y.exp();
        let (k, carried) = (exponent.exp(), exponent.exp() * self.middle);
        let mut at = *shown;
        at[2] = excess - y;
        if self.run.is_power() {
            (at[0], at[1]) = (ln_y + carried, exponent);
            return y.is_finite().then_some((at, 0.0));
        }
        let s = bend.exp();
        let bracket = 1.0 - s * carried;
        let is_curve = bracket > 0.0 && y.is_finite() && k.is_finite() && s.is_finite();
        at[0] = ln_y - bracket.ln() / s;
        at[1] = slope - (1.0 + s) * ln_y;
        (is_curve && at[0].is_finite()).then(|| (at, -bracket.ln()))
    }

    /// The logarithm of the exponent that the excess over the floor falls with. The slope itself
    /// falls with an exponent that is larger by the factor `1 + s`.
    fn exponent(&self, shown: &Constants) -> f64 {
        shown[2] - self.slackening(shown[3])
    }

    fn slackening(&self, bend: f64) -> f64 {
        if self.run.is_power() { 0.0 } else { bend.exp().ln_1p() }
    }

    /// The logarithm of the posterior density.
    pub(super) fn value(&self, shown: &Constants) -> f64 {
        let Some((at, volume)) = self.constants(shown) else { return f64::NEG_INFINITY };
        let prior = match &self.prior {
            // No loss is below zero, so no floor is.
            RunPrior::Weak { .. } if at[2] < self.run.zero_loss() => return f64::NEG_INFINITY,
            RunPrior::Weak { excess } => {
                let mut sum = 0.0;
                let mut believed = *shown;
                believed[0] -= excess;
                believed[2] = self.exponent(shown);
                for (x, Weak { prior, .. }) in believed.iter().zip(&WEAK) {
                    sum -= 0.5 * ((x - prior.mean) / prior.sd).powi(2);
                }
                sum
            }
            RunPrior::Law { mean, factor } => {
                let mut z = [0.0; OF_RUN];
                for i in 0..OF_RUN {
                    let before: f64 = (0..i).map(|k| factor[i][k] * z[k]).sum();
                    z[i] = (at[i] - mean[i] - before) / factor[i][i];
                }
                let square: f64 = z.iter().map(|z| z * z).sum();
                volume - 0.5 * (TAILS + OF_RUN as f64) * (square / TAILS).ln_1p()
            }
        };
        prior + self.run.ln_likelihood(&at)
    }

    /// Places to begin at, the best first.
    pub(super) fn starts(&self, of_law: &[Constants], seed: u64) -> Vec<Constants> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(u64::MAX);
        let line = line(self.run.seen());
        let mut found: Vec<(f64, Constants)> = (0..STARTS)
            .map(|i| {
                let mut at: Constants =
                    WEAK.map(|weak| weak.prior.mean + weak.prior.sd * normal(&mut random));
                at[2] += self.slackening(at[3]);
                if !of_law.is_empty() {
                    let of_run = &of_law[i % of_law.len()];
                    let [excess, slope, y] = self.run.shown(of_run, self.middle);
                    at = *of_run;
                    (at[0], at[1], at[2]) = (excess, slope.ln(), (slope / y).ln());
                    at[2] += self.slackening(at[3]);
                }
                // What the points fix is known well enough to begin there, half of the time.
                if let Some([excess, slope, off]) = line.filter(|_| i % 2 == 0) {
                    at[0] = excess + off * normal(&mut random);
                    if slope > 0.0 {
                        at[1] = slope.ln() + 0.3 * normal(&mut random);
                    }
                }
                (self.value(&at), at)
            })
            .filter(|(value, _)| value.is_finite())
            .collect();
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        found.into_iter().take(BEST).map(|(_, at)| at).collect()
    }
}

impl RunPrior {
    /// The moments of a law's draws. `None` where they do not scatter.
    pub(super) fn of_draws(draws: &[Constants]) -> Option<Self> {
        let n = draws.len() as f64;
        let mean: Constants =
            std::array::from_fn(|k| draws.iter().map(|draw| draw[k]).sum::<f64>() / n);
        let together = |i: usize, k: usize| {
            let products = draws.iter().map(|draw| (draw[i] - mean[i]) * (draw[k] - mean[k]));
            // A few hundred draws leave no direction without any width.
            products.sum::<f64>() / n + if i == k { 1e-8 } else { 0.0 }
        };
        let mut factor = Box::new([[0.0; OF_RUN]; OF_RUN]);
        for i in 0..OF_RUN {
            for k in 0..=i {
                let left: f64 =
                    together(i, k) - (0..k).map(|j| factor[i][j] * factor[k][j]).sum::<f64>();
                factor[i][k] = if i == k { left.sqrt() } else { left / factor[k][k] };
            }
            // Written so that NaN is refused.
            (factor[i][i] > 0.0).then_some(())?;
        }
        Some(Self::Law { mean, factor })
    }
}

/// Mean, fall and scatter of a line through points; `None` of fewer than two.
fn line(points: impl ExactSizeIterator<Item = [f64; 2]>) -> Option<[f64; 3]> {
    let points: Vec<[f64; 2]> = points.collect();
    let n = points.len() as f64;
    let mean = |k: usize| points.iter().map(|point| point[k]).sum::<f64>() / n;
    let (x, y) = (mean(0), mean(1));
    let of = |f: fn(f64, f64) -> f64| points.iter().map(|p| f(p[0] - x, p[1] - y)).sum::<f64>();
    let (square, product) = (of(|x, _| x * x), of(|x, y| x * y));
    let off = (of(|_, y| y * y) / n).sqrt().max(1e-3);
    (square > 0.0).then(|| [y, -product / square, 0.3 * off])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Point;

    fn run() -> OneRun {
        let points: Vec<Point> = (1..9)
            .map(|i| {
                let tokens = 1e6 * 1.5_f64.powi(i);
                Point { tokens, loss: 2.0 + 30.0 * tokens.powf(-0.3), weight: 1.0 }
            })
            .collect();
        OneRun::alone(&points, points[7].loss)
    }

    #[test]
    fn the_curve_shows_what_it_was_asked_for() {
        let run = run();
        let density = RunDensity { run: &run, prior: RunPrior::Weak { excess: 0.2 }, middle: 0.7 };
        let shown = [0.25, -1.6, -1.1, -1.3, -5.0, -4.0, 0.0];
        let (at, _) = density.constants(&shown).unwrap();
        let [excess, slope, y] = run.shown(&at, 0.7);
        assert!((excess - 0.25).abs() < 1e-9 && (slope.ln() + 1.6).abs() < 1e-6);
        assert!(((slope / y).ln() + (-1.3_f64).exp().ln_1p() + 1.1).abs() < 1e-6);
    }

    #[test]
    fn volumes_change_as_finite_differences_say() {
        let run = run();
        let density = RunDensity { run: &run, prior: RunPrior::Weak { excess: 0.2 }, middle: -0.6 };
        let shown = [0.25, -1.6, -1.1, -1.3, -5.0, -4.0, 0.0];
        let step = 1e-5;
        let by = |k: usize| -> [f64; 3] {
            let moved = |by: f64| {
                let mut shown = shown;
                shown[k] += by;
                density.constants(&shown).unwrap().0
            };
            let (up, down) = (moved(step), moved(-step));
            std::array::from_fn(|i| (up[i] - down[i]) / (2.0 * step))
        };
        let [a, b, c] = [by(0), by(1), by(2)];
        let determinant = a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0])
            + a[2] * (b[0] * c[1] - b[1] * c[0]);
        let volume = density.constants(&shown).unwrap().1;
        assert!((volume - determinant.abs().ln()).abs() < 1e-6, "{volume} {determinant}");
    }

    #[test]
    fn no_floor_lies_below_a_loss_of_zero() {
        let run = run();
        let density = RunDensity::new(&run, RunPrior::Weak { excess: 0.2 });
        let mut shown = [0.1, -1.6, -1.1, -1.3, -5.0, -4.0, 0.0];
        assert!(density.value(&shown).is_finite());
        // An exponent this small would need an excess of 20 nats.
        shown[2] = -4.6;
        assert_eq!(density.value(&shown), f64::NEG_INFINITY);
    }
}
