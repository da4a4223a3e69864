//! How well a posterior foretells the runs of a base that it has not seen: the density that it
//! gives their points.
//!
//! For each draw of what bases share, the effects of the base and the constants of its runs are
//! integrated out by Laplace's method: there are three of them for the base and three for each run,
//! and the second derivatives couple a run with its base alone.

use super::Levels;
use super::density::{LATENT, Means, PointNoise, RunPoints, SeenPoint, likelihood, spread};
use super::groups::KINDS;
use super::pareto;
use super::prior::{MEANS, SHARED};
use super::shape::Shape;
use crate::table::Run;

/// The places of sizes and of bases among the kinds.
const SIZE: usize = 0;
const BASE: usize = 1;

/// A base, and what a law that has not seen it would say of its points.
#[derive(Clone, Debug, PartialEq)]
pub struct LeftOutBase {
    /// The base.
    pub base: String,
    /// The logarithm of the density of its points together, per nat of loss and point.
    pub ln_density: f64,
    /// The shape of the tail of the weights that stand for a fit without the base. Above 0.7 they
    /// are not to be trusted (Vehtari et al. 2024).
    pub tail: f64,
}

impl LeftOutBase {
    /// By how much one law says more of the same bases than another: the difference of the
    /// logarithms, summed over bases, and its standard error.
    pub fn difference(one: &[Self], other: &[Self]) -> [f64; 2] {
        let apart = one.iter().zip(other).map(|(one, other)| one.ln_density - other.ln_density);
        let each: Vec<f64> = apart.collect();
        let (count, sum) = (each.len() as f64, each.iter().sum::<f64>());
        let squares: f64 = each.iter().map(|x| (x - sum / count).powi(2)).sum();
        [sum, (count / (count - 1.0) * squares).sqrt()]
    }
}

impl Levels {
    /// What the law would say of each base, had it been fitted without that one. Draws of the law
    /// of all bases are weighted by how much less that base would have had to do with them, so
    /// nothing is sampled again. `runs` are those that the law was fitted to.
    pub fn left_out(&self, runs: &[&Run]) -> Vec<LeftOutBase> {
        let of_base = |base: &String| {
            let own: Vec<&Run> = runs.iter().copied().filter(|run| run.base == *base).collect();
            let first = own.first()?;
            let mut asked = Asked::new(self, &own);
            let size = self.groups.size(first.n0)?;
            let effects = self.groups.find(first.n0, Some(base))[BASE]?;
            let places: Option<Vec<usize>> = own
                .iter()
                .map(|run| self.runs.iter().position(|seen| seen.name == run.name))
                .collect();
            let places = places?;
            let one = |draw: &Vec<f64>| {
                // A draw lies near its own maximum.
                asked.last = Some(State {
                    effects: self.effects(draw, effects),
                    latents: places.iter().map(|run| self.own(draw, *run)).collect(),
                });
                asked.ln_density(&draw[..SHARED], self.effects(draw, size))
            };
            let each: Vec<f64> = self.draws.iter().map(one).collect();
            let mut weights: Vec<f64> = each.iter().map(|ln| -ln).collect();
            let tail = pareto::smooth(&mut weights);
            let both: Vec<f64> =
                weights.iter().zip(&each).map(|(weight, ln)| weight + ln).collect();
            let ln_density = ln_sum(&both) - ln_sum(&weights) - asked.unit(self);
            Some(LeftOutBase { base: base.clone(), ln_density, tail })
        };
        crate::parallel::map(self.bases(), of_base).into_iter().flatten().collect()
    }

    fn effects(&self, draw: &[f64], group: usize) -> [f64; LATENT] {
        std::array::from_fn(|k| draw[SHARED + LATENT * group + k])
    }
}

/// The runs of one base, in the gauge of a law.
struct Asked {
    shape: Shape,
    runs: Vec<RunPoints>,
    /// Where the last search ended: draws differ little, so the next one begins there.
    last: Option<State>,
    /// The highest density that was found, and where. Heavy tails have more than one maximum: a
    /// search that ends far below begins again here.
    best: Option<(f64, State)>,
}

impl Asked {
    fn new(levels: &Levels, runs: &[&Run]) -> Self {
        let gauge = &levels.gauge;
        let points = |run: &&Run| RunPoints {
            groups: [0; KINDS],
            place: gauge.place(run.n0, run.rate),
            points: SeenPoint::of(&run.points, run.loss0, gauge),
        };
        Self {
            shape: levels.shape,
            runs: runs.iter().map(points).collect(),
            last: None,
            best: None,
        }
    }

    /// What the logarithm of a density in the gauge is more than one in nats.
    fn unit(&self, levels: &Levels) -> f64 {
        let points: usize = self.runs.iter().map(|run| run.points.len()).sum();
        points as f64 * levels.gauge.excess.ln()
    }

    /// The logarithm of the density of all points, given what bases share: constants, and the
    /// effects of the size.
    fn ln_density(&mut self, shared: &[f64], of_size: [f64; LATENT]) -> f64 {
        let means = |run: &RunPoints| {
            let mean = Means::of(&shared[..MEANS], run.place).value;
            std::array::from_fn(|k| mean[k] + spread(shared, k, SIZE) * of_size[k])
        };
        let means: Vec<[f64; LATENT]> = self.runs.iter().map(means).collect();
        let expected = State { effects: [0.0; LATENT], latents: means.clone() };
        let given = Given {
            shape: self.shape,
            runs: &self.runs,
            shared,
            noise: PointNoise::of(shared),
            means,
            of_base: std::array::from_fn(|k| spread(shared, k, BASE)),
            of_run: std::array::from_fn(|k| spread(shared, k, KINDS)),
        };
        let mut at = self.last.take().unwrap_or(expected);
        let mut ln = given.integrate(&mut at);
        if let Some((best, there)) = &self.best
            && ln < best - FAR
        {
            let mut again = there.clone();
            let other = given.integrate(&mut again);
            if other > ln {
                (ln, at) = (other, again);
            }
        }
        if self.best.as_ref().is_none_or(|(best, _)| ln > *best) {
            self.best = Some((ln, at.clone()));
        }
        self.last = Some(at);
        ln
    }
}

/// Draws of one posterior do not differ by so much in the density of one base.
const FAR: f64 = 5.0;

/// What is known of one base: all but its effects and the constants of its runs.
struct Given<'a> {
    shape: Shape,
    runs: &'a [RunPoints],
    shared: &'a [f64],
    noise: PointNoise,
    /// The constants that are expected of each run, before effects of the base.
    means: Vec<[f64; LATENT]>,
    /// Deviations of bases and of runs.
    of_base: [f64; LATENT],
    of_run: [f64; LATENT],
}

/// The effects of the base, standard normal, and the constants of each run.
#[derive(Clone, Debug)]
struct State {
    effects: [f64; LATENT],
    latents: Vec<[f64; LATENT]>,
}

type Matrix = [[f64; LATENT]; LATENT];

/// Steps of the search at most. It ends after four or five.
const STEPS: usize = 60;
/// The search ends where a step promises less than this.
const CLOSE: f64 = 1e-7;
/// The step of second derivatives.
const STEP: f64 = 1e-4;

impl Given<'_> {
    /// The logarithm of the integral over effects and constants, and their mode.
    fn integrate(&self, at: &mut State) -> f64 {
        let mut value = self.value(at);
        let mut damping = 0.0;
        let mut curvature = self.curvature(at, damping);
        for _ in 0..STEPS {
            let Some(found) = &curvature else {
                damping = next(damping);
                curvature = self.curvature(at, damping);
                continue;
            };
            if found.promise < CLOSE {
                break;
            }
            let tried = at.moved(&found.step);
            let there = self.value(&tried);
            if there >= value {
                (*at, value) = (tried, there);
                damping = if damping < 1e-3 { 0.0 } else { 0.1 * damping };
            } else {
                damping = next(damping);
            }
            curvature = self.curvature(at, damping);
        }
        // Without a mode the damped curvature is the best that there is.
        let mut determinant = None;
        let mut damping = 0.0;
        while determinant.is_none() && damping < 1e12 {
            determinant = self.curvature(at, damping).map(|found| found.ln_determinant);
            damping = next(damping);
        }
        determinant.map_or(f64::NEG_INFINITY, |ln| value - 0.5 * ln)
    }

    /// The logarithm of the density of points, constants and effects together.
    fn value(&self, at: &State) -> f64 {
        let effects: f64 = at.effects.iter().map(|effect| effect * effect).sum();
        let mut value = -0.5 * effects;
        for (i, latent) in at.latents.iter().enumerate() {
            for k in 0..LATENT {
                let z = self.off(i, latent, &at.effects, k);
                value -= 0.5 * z * z + self.of_run[k].ln();
            }
            value += self.likelihood(i, latent).0;
        }
        value
    }

    /// How far a constant of a run is off what its base makes expected, in deviations of runs.
    fn off(&self, run: usize, latent: &[f64; LATENT], effects: &[f64; LATENT], k: usize) -> f64 {
        (latent[k] - self.means[run][k] - self.of_base[k] * effects[k]) / self.of_run[k]
    }

    /// The logarithm of the density of a run's points, and its derivatives.
    fn likelihood(&self, run: usize, latent: &[f64; LATENT]) -> (f64, [f64; LATENT]) {
        let (mut by_latent, mut by_shared) = ([0.0; LATENT], [0.0; SHARED]);
        let points = &self.runs[run];
        let value = likelihood(
            self.shape,
            points,
            self.shared,
            &self.noise,
            latent,
            &mut by_latent,
            &mut by_shared,
        );
        (value + points.points.len() as f64 * LN_STUDENT, by_latent)
    }

    /// The second derivatives, and the step that they ask for. `None` if they are not those of a
    /// maximum.
    fn curvature(&self, at: &State, damping: f64) -> Option<Curvature> {
        let inverse = self.of_run.map(|w| 1.0 / (w * w));
        let couple: [f64; LATENT] = std::array::from_fn(|k| -self.of_base[k] * inverse[k]);
        let mut schur: Matrix = [[0.0; LATENT]; LATENT];
        let mut by_effects = at.effects.map(|effect| -effect);
        for k in 0..LATENT {
            let runs = self.runs.len() as f64;
            schur[k][k] = 1.0 + damping + runs * self.of_base[k] * self.of_base[k] * inverse[k];
        }
        let mut ln_determinant = 0.0;
        let mut blocks = Vec::with_capacity(self.runs.len());
        for (i, latent) in at.latents.iter().enumerate() {
            let (_, mut slope) = self.likelihood(i, latent);
            let mut block = self.second(i, latent);
            for k in 0..LATENT {
                let z = self.off(i, latent, &at.effects, k) / self.of_run[k];
                slope[k] -= z;
                by_effects[k] += self.of_base[k] * z;
                block[k][k] += inverse[k];
                block[k][k] += damping * block[k][k].abs();
            }
            let lower = cholesky(&block)?;
            ln_determinant += ln_of(&lower);
            let ahead = solve(&lower, slope);
            for k in 0..LATENT {
                by_effects[k] -= couple[k] * ahead[k];
                let mut column = [0.0; LATENT];
                column[k] = couple[k];
                let solved = solve(&lower, column);
                for j in 0..LATENT {
                    schur[j][k] -= couple[j] * solved[j];
                }
            }
            blocks.push((lower, slope));
        }
        let lower = cholesky(&schur)?;
        ln_determinant += ln_of(&lower);
        let effects = solve(&lower, by_effects);
        let mut step = State { effects, latents: Vec::with_capacity(blocks.len()) };
        let mut promise = dot(&effects, &at.effects.map(|effect| -effect));
        for (i, (lower, slope)) in blocks.iter().enumerate() {
            let ahead = std::array::from_fn(|k| slope[k] - couple[k] * effects[k]);
            let moved = solve(lower, ahead);
            promise += dot(&moved, slope);
            let of_prior = std::array::from_fn(|k| {
                self.of_base[k] * self.off(i, &at.latents[i], &at.effects, k) / self.of_run[k]
            });
            promise += dot(&effects, &of_prior);
            step.latents.push(moved);
        }
        Some(Curvature { step, promise, ln_determinant })
    }

    /// Minus the second derivatives of the density of a run's points.
    fn second(&self, run: usize, latent: &[f64; LATENT]) -> Matrix {
        let slope = |k: usize, by: f64| {
            let mut latent = *latent;
            latent[k] += by;
            self.likelihood(run, &latent).1
        };
        let columns: Matrix = std::array::from_fn(|k| {
            let (up, down) = (slope(k, STEP), slope(k, -STEP));
            std::array::from_fn(|j| (down[j] - up[j]) / (2.0 * STEP))
        });
        std::array::from_fn(|j| std::array::from_fn(|k| 0.5 * (columns[j][k] + columns[k][j])))
    }
}

/// The constant of Student's density with five degrees of freedom:
/// `ln(G(3) / (G(5/2) sqrt(5 pi)))`.
const LN_STUDENT: f64 = -0.968_619_589_054_724_4;

struct Curvature {
    step: State,
    /// What the step is along the slope: twice what it gains where the density is normal.
    promise: f64,
    ln_determinant: f64,
}

impl State {
    fn moved(&self, step: &Self) -> Self {
        let add = |a: &[f64; LATENT], b: &[f64; LATENT]| std::array::from_fn(|k| a[k] + b[k]);
        let latents = self.latents.iter().zip(&step.latents).map(|(a, b)| add(a, b)).collect();
        Self { effects: add(&self.effects, &step.effects), latents }
    }
}

fn next(damping: f64) -> f64 {
    if damping == 0.0 { 1e-3 } else { 10.0 * damping }
}

fn dot(a: &[f64; LATENT], b: &[f64; LATENT]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The lower triangle `L` of `L L^T`; `None` if the matrix is not positive definite.
fn cholesky(matrix: &Matrix) -> Option<Matrix> {
    let mut lower: Matrix = [[0.0; LATENT]; LATENT];
    for i in 0..LATENT {
        for j in 0..=i {
            let before: f64 = (0..j).map(|k| lower[i][k] * lower[j][k]).sum();
            let left = matrix[i][j] - before;
            if i != j {
                lower[i][j] = left / lower[j][j];
            } else if left > 0.0 {
                lower[i][i] = left.sqrt();
            } else {
                return None;
            }
        }
    }
    Some(lower)
}

/// The logarithm of the determinant of `L L^T`.
fn ln_of(lower: &Matrix) -> f64 {
    (0..LATENT).map(|k| 2.0 * lower[k][k].ln()).sum()
}

/// `x` of `L L^T x = b`.
fn solve(lower: &Matrix, mut b: [f64; LATENT]) -> [f64; LATENT] {
    for i in 0..LATENT {
        let before: f64 = (0..i).map(|k| lower[i][k] * b[k]).sum();
        b[i] = (b[i] - before) / lower[i][i];
    }
    for i in (0..LATENT).rev() {
        let after: f64 = (i + 1..LATENT).map(|k| lower[k][i] * b[k]).sum();
        b[i] = (b[i] - after) / lower[i][i];
    }
    b
}

/// The logarithm of a sum of numbers that are given by their logarithms.
fn ln_sum(ln: &[f64]) -> f64 {
    let most = ln.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !most.is_finite() {
        return most;
    }
    most + ln.iter().map(|ln| (ln - most).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::levels::prior::NOISE;
    use crate::levels::testing;
    use crate::levels::{Priors, Sampling};
    use crate::uncertainty::normal;

    /// Two runs of a base with a few points each, against a mean over many draws of effects and
    /// constants. Laplace's method is exact where the noise is large. Where points tell much, the
    /// density is skewed, and a run of three points is off by 0.1.
    #[test]
    fn the_density_is_the_mean_over_effects_and_constants() {
        let density = testing::density(Shape::Fall);
        for (noise, allowed) in [(5.0, 0.02), (1.0, 0.03), (0.1, 0.3)] {
            let mut shared: Vec<f64> = density.priors.iter().map(|prior| prior.mean).collect();
            shared[NOISE] = f64::ln(noise);
            let short = |i: usize| {
                let run = &density.curves[i];
                RunPoints { points: run.points[..3].to_vec(), ..run.clone() }
            };
            let runs = vec![short(0), short(1)];
            let mut asked =
                Asked { shape: Shape::Fall, runs: runs.clone(), last: None, best: None };
            let of_size = [0.5, -0.3, 0.2];
            let found = asked.ln_density(&shared, of_size);
            let mut random = ChaCha8Rng::seed_from_u64(1);
            let drawn = |_| one_draw(&shared, of_size, &runs, &mut random);
            let each: Vec<f64> = (0..100_000).map(drawn).collect();
            let expected = ln_sum(&each) - (each.len() as f64).ln();
            assert!((found - expected).abs() < allowed, "{noise}: {found} {expected}");
        }
    }

    /// The logarithm of the density of the points of all runs, for drawn effects and constants.
    fn one_draw(
        shared: &[f64],
        of_size: [f64; LATENT],
        runs: &[RunPoints],
        random: &mut ChaCha8Rng,
    ) -> f64 {
        let noise = PointNoise::of(shared);
        let effects: [f64; LATENT] = std::array::from_fn(|_| normal(random));
        let mut one = |run: &RunPoints| {
            let mean = Means::of(&shared[..MEANS], run.place).value;
            let latent: [f64; LATENT] = std::array::from_fn(|k| {
                mean[k]
                    + spread(shared, k, SIZE) * of_size[k]
                    + spread(shared, k, BASE) * effects[k]
                    + spread(shared, k, KINDS) * normal(random)
            });
            let (mut by_latent, mut by_shared) = ([0.0; LATENT], [0.0; SHARED]);
            let shape = Shape::Fall;
            let ln =
                likelihood(shape, run, shared, &noise, &latent, &mut by_latent, &mut by_shared);
            ln + run.points.len() as f64 * LN_STUDENT
        };
        runs.iter().map(&mut one).sum()
    }

    /// What a law says of a base that it has not seen, of a size that it has.
    fn of_unseen(levels: &Levels, runs: &[&Run]) -> f64 {
        let mut asked = Asked::new(levels, runs);
        let size = levels.groups.size(runs[0].n0).unwrap();
        let one = |draw: &Vec<f64>| asked.ln_density(&draw[..SHARED], levels.effects(draw, size));
        let each: Vec<f64> = levels.draws.iter().map(one).collect();
        ln_sum(&each) - (each.len() as f64).ln() - asked.unit(levels)
    }

    /// The weighted answer is near that of a law that was sampled without the base.
    #[test]
    fn a_base_left_out_by_weights_is_one_left_out_in_the_fit() {
        let runs = testing::runs(Shape::Fall, 3);
        let all: Vec<&Run> = runs.iter().collect();
        let sample = |runs: &[&Run]| {
            let (shape, priors) = (Shape::Fall, Priors::default());
            Levels::sample(runs, shape, &priors, &Sampling::default()).unwrap()
        };
        let weighted = sample(&all).left_out(&all);
        assert_eq!(weighted.len(), 6);
        for found in weighted.iter() {
            let (own, others): (Vec<&Run>, Vec<&Run>) =
                all.iter().partition(|run| run.base == found.base);
            let refitted = of_unseen(&sample(&others), &own);
            assert!((found.ln_density - refitted).abs() < 1.0, "{found:?} {refitted}");
        }
    }
}
