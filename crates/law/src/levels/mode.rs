//! The mode of the posterior for given deviations, and the coordinates around it in which the
//! posterior is nearly round.
//!
//! Runs touch each other only through the shared constants and the effects of groups. So the
//! Hessian is an arrow: a small block for each run, and a dense one for what they share. One step
//! costs as much as there are points, plus the cube of what is shared.
//!
//! A run stands here by its excess, slope and floor: see [`super::anchor`].

use faer::Mat;

use super::anchor::{Anchor, Natural};
use super::density::{Density, LATENT, Means, PointNoise, RunPoints, deviation, spread};
use super::gauge::median;
use super::groups::KINDS;
use super::prior::{
    BEND, DEVIATIONS, FALL, FIRST_DEVIATION, MEANS, NOISE, NOISE_SHARE, SHARED, SPREAD,
};
use super::shape::Arc;
use super::triangle::{Triangle, lower_factor};

type Square = [[f64; LATENT]; LATENT];
/// What one run shares with others: the constants of the mean curve and the effects of its
/// groups.
const TOUCHED: usize = MEANS + KINDS * LATENT;
type Coupling = [[f64; TOUCHED]; LATENT];

/// Neighbouring points err together, so a run's points tell less than as many independent ones.
const INFLATION: f64 = 2.0;
/// Steps of the search, at most.
const STEPS: usize = 40;
/// How often the deviations are estimated anew.
const ROUNDS: usize = 3;

/// Coordinates around a mode.
pub(super) struct Coordinates {
    /// The mode, in the order of the density, with runs by their anchors.
    mode: Vec<f64>,
    /// The inverse of the transposed factor of what is shared.
    shared: Triangle,
    runs: Vec<RunMap>,
    /// Steps of the deviations and of the noise.
    scales: [f64; DEVIATIONS + 6],
}

struct RunMap {
    groups: [usize; KINDS],
    anchor: Anchor,
    /// How the run's constants follow what is shared.
    follow: Coupling,
    /// The factor of the run's own covariance, lower triangular.
    factor: Square,
}

/// The normal equations at one point.
struct Equations {
    objective: f64,
    shared: Mat<f64>,
    shared_gradient: Vec<f64>,
    runs: Vec<RunEquations>,
}

struct RunEquations {
    block: Square,
    side: Coupling,
    gradient: [f64; LATENT],
}

impl Coordinates {
    /// Finds the mode and the shape of the density around it.
    pub(super) fn find(density: &Density) -> Option<Self> {
        let anchors: Vec<Anchor> =
            density.curves.iter().map(|curve| Anchor::of(density.shape, curve)).collect();
        let problem = Search { density, anchors };
        let mut at = problem.begin();
        for _ in 0..ROUNDS {
            problem.descend(&mut at);
            problem.deviations(&mut at);
        }
        problem.descend(&mut at);
        let normal = problem.normal(&at)?;
        let follows: Vec<Square> = normal.runs.iter().map(|run| inverse(&run.block)).collect();
        let schur = schur(density, &normal, &follows, 0.0);
        let identity = Mat::<f64>::identity(schur.nrows(), schur.nrows());
        // Priors make the matrix positive definite; rounding alone could spoil it.
        let lower = lower_factor(&schur).unwrap_or(identity);
        let shared = Triangle::transposed_inverse(&lower);
        let runs = density.curves.iter().zip(&problem.anchors).zip(&normal.runs).zip(&follows);
        let runs = runs.map(|(((curve, anchor), run), inverse)| RunMap {
            groups: curve.groups,
            anchor: *anchor,
            follow: product(inverse, &run.side).map(|row| row.map(|x| -x)),
            factor: cholesky(inverse),
        });
        let mut scales = [0.4; DEVIATIONS + 6];
        scales[NOISE - FIRST_DEVIATION] = 0.2;
        Some(Self { runs: runs.collect(), mode: at, shared, scales })
    }

    /// The constants at these coordinates, and the maps of the runs there. `None` where a run has
    /// no curve.
    pub(super) fn constants(&self, around: &[f64], out: &mut [f64]) -> Option<Vec<Natural>> {
        out.copy_from_slice(&self.mode);
        let touched = self.shared.size();
        let outside: Vec<f64> = (0..touched).map(|j| around[outer(j)]).collect();
        let moved = self.shared.times(&outside);
        for (i, moved) in moved.iter().enumerate() {
            out[outer(i)] += moved;
        }
        for (i, scale) in self.scales.iter().enumerate() {
            out[FIRST_DEVIATION + i] += scale * around[FIRST_DEVIATION + i];
        }
        let first = SHARED + touched - MEANS;
        let mut naturals = Vec::with_capacity(self.runs.len());
        for (i, run) in self.runs.iter().enumerate() {
            let place = first + LATENT * i;
            let own = &around[place..place + LATENT];
            let touched: [f64; TOUCHED] = std::array::from_fn(|t| moved[run.inner(t)]);
            let shown = std::array::from_fn(|k| {
                let follow: f64 = run.follow[k].iter().zip(&touched).map(|(a, b)| a * b).sum();
                let factor: f64 = run.factor[k].iter().zip(own).map(|(a, b)| a * b).sum();
                self.mode[place + k] + follow + factor
            });
            let natural = run.anchor.natural(shown, out[BEND])?;
            out[place..place + LATENT].copy_from_slice(&natural.latent);
            naturals.push(natural);
        }
        Some(naturals)
    }

    /// Turns a gradient by the constants into one by the coordinates. The volume of the map is
    /// part of it.
    pub(super) fn pull_back(&self, naturals: &[Natural], gradient: &[f64], out: &mut [f64]) {
        let touched = self.shared.size();
        let mut by_moved: Vec<f64> = (0..touched).map(|i| gradient[outer(i)]).collect();
        let first = SHARED + touched - MEANS;
        for (i, (run, natural)) in self.runs.iter().zip(naturals).enumerate() {
            let place = first + LATENT * i;
            let by_latent = &gradient[place..place + LATENT];
            let by_run: [f64; LATENT] = std::array::from_fn(|k| {
                let through: f64 =
                    (0..LATENT).map(|row| by_latent[row] * natural.by_shown[row][k]).sum();
                through + natural.volume_by_shown[k]
            });
            by_moved[BEND] += natural.volume_by_bend
                + (0..LATENT).map(|row| by_latent[row] * natural.by_bend[row]).sum::<f64>();
            for (k, by) in by_run.iter().enumerate() {
                for t in 0..TOUCHED {
                    by_moved[run.inner(t)] += by * run.follow[k][t];
                }
            }
            for k in 0..LATENT {
                out[place + k] = (k..LATENT).map(|row| run.factor[row][k] * by_run[row]).sum();
            }
        }
        for (j, by) in self.shared.transposed_times(&by_moved).into_iter().enumerate() {
            out[outer(j)] = by;
        }
        for (i, scale) in self.scales.iter().enumerate() {
            out[FIRST_DEVIATION + i] = scale * gradient[FIRST_DEVIATION + i];
        }
    }
}

impl RunMap {
    /// Where a shared constant that this run touches stands among all of them.
    fn inner(&self, touched: usize) -> usize {
        inner(self.groups, touched)
    }
}

fn inner(groups: [usize; KINDS], touched: usize) -> usize {
    match touched.checked_sub(MEANS) {
        None => touched,
        Some(effect) => MEANS + LATENT * groups[effect / LATENT] + effect % LATENT,
    }
}

/// Where a shared constant stands in the order of the density: deviations and noise lie between.
fn outer(place: usize) -> usize {
    if place < MEANS { place } else { place - MEANS + SHARED }
}

/// The squares that are minimised, and the anchors of their runs.
struct Search<'a> {
    density: &'a Density,
    anchors: Vec<Anchor>,
}

impl Search<'_> {
    /// A first guess: runs from their points, everything else from priors.
    fn begin(&self) -> Vec<f64> {
        let density = self.density;
        let mut at: Vec<f64> = density.priors.iter().map(|prior| prior.mean).collect();
        at.resize(density.dimension(), 0.0);
        for (i, (curve, anchor)) in density.curves.iter().zip(&self.anchors).enumerate() {
            let guess = anchor.guess(curve, at[FALL], at[BEND]);
            let place = density.run(i);
            at[place..place + LATENT].copy_from_slice(&guess);
        }
        at
    }

    /// Levenberg and Marquardt's method on all but deviations and noise.
    fn descend(&self, at: &mut Vec<f64>) {
        let mut damping = 1e-3;
        let Some(mut here) = self.normal(at) else { return };
        for _ in 0..STEPS {
            let next = step(self.density, at, &here, damping);
            let there = next.and_then(|next| Some((self.normal(&next)?, next)));
            match there.filter(|(there, _)| there.objective < here.objective) {
                Some((there, next)) => {
                    let gain = here.objective - there.objective;
                    (*at, here) = (next, there);
                    damping = (damping * 0.2).max(1e-9);
                    if gain < 1e-6 * (1.0 + here.objective) {
                        return;
                    }
                }
                None => {
                    damping *= 6.0;
                    if damping > 1e8 {
                        return;
                    }
                }
            }
        }
    }

    /// The normal equations of all squares: points, priors of runs, and priors of what is shared.
    /// `None` where a run has no curve.
    fn normal(&self, at: &[f64]) -> Option<Equations> {
        let density = self.density;
        let touched = MEANS + LATENT * density.groups.iter().sum::<usize>();
        let mut normal = Equations {
            objective: 0.0,
            shared: Mat::zeros(touched, touched),
            shared_gradient: vec![0.0; touched],
            runs: Vec::with_capacity(density.curves.len()),
        };
        for i in 0..touched {
            let (mean, sd) = match density.priors.get(i).filter(|_| i < MEANS) {
                Some(prior) => (prior.mean, prior.sd),
                None => (0.0, 1.0),
            };
            let z = (at[outer(i)] - mean) / sd;
            normal.objective += z * z;
            normal.shared[(i, i)] += 1.0 / (sd * sd);
            normal.shared_gradient[i] -= z / sd;
        }
        let noise = PointNoise::of(&at[..SHARED]);
        for (i, (curve, anchor)) in density.curves.iter().zip(&self.anchors).enumerate() {
            let natural = anchor.natural(self.shown(at, i), at[BEND])?;
            let run = of_run(density, curve, at, &natural, &noise, &mut normal);
            normal.runs.push(run);
        }
        Some(normal)
    }

    /// Excess, slope and floor of a run.
    fn shown(&self, at: &[f64], run: usize) -> [f64; LATENT] {
        let place = self.density.run(run);
        std::array::from_fn(|k| at[place + k])
    }

    /// Estimates the deviations from the effects, and the noise from the residuals. Priors count as
    /// some effects more.
    fn deviations(&self, at: &mut [f64]) {
        let density = self.density;
        const OF_PRIOR: f64 = 6.0;
        let blend = |prior: f64, squares: f64, count: f64| {
            0.5 * ((squares + OF_PRIOR * (2.0 * prior).exp()) / (count + OF_PRIOR)).ln()
        };
        let noise = PointNoise::of(&at[..SHARED]);
        let mut off = Vec::new();
        let mut of_runs = [0.0; LATENT];
        for (i, curve) in density.curves.iter().enumerate() {
            let natural = self.anchors[i].natural(self.shown(at, i), at[BEND]);
            let Some(Natural { latent, .. }) = natural else { return };
            let means = Means::of(&at[..MEANS], curve.place);
            for k in 0..LATENT {
                let of_kind =
                    |kind: usize| spread(at, k, kind) * at[density.group(curve.groups[kind]) + k];
                let effect: f64 = (0..KINDS).map(of_kind).sum();
                let own = (latent[k] - means.value[k] - effect) / at[SPREAD + k].exp();
                of_runs[k] += own * own;
            }
            let arc = Arc::new(density.shape, latent[0], latent[1], at[BEND]);
            off.extend(curve.points.iter().map(|point| {
                let left = point.excess - latent[2] - arc.at(point.x).y;
                (left * point.root_weight / noise.deviation(point.excess)).abs()
            }));
        }
        for k in 0..LATENT {
            let of_run = deviation(k, KINDS);
            at[of_run] =
                blend(density.priors[of_run].mean, of_runs[k], density.curves.len() as f64);
            let mut first = 0;
            for (kind, count) in density.groups.into_iter().enumerate() {
                let (of_kind, groups) = (deviation(k, kind), first..first + count);
                first += count;
                let spread = at[of_kind].exp();
                let squares =
                    groups.clone().map(|group| at[density.group(group) + k].powi(2)).sum::<f64>();
                let squares = squares * spread * spread;
                at[of_kind] = blend(density.priors[of_kind].mean, squares, count as f64);
                // The effects themselves stay where they are.
                let factor = spread / at[of_kind].exp();
                groups.for_each(|group| at[density.group(group) + k] *= factor);
            }
        }
        /// The median of the absolute value of a standard normal number.
        const MEDIAN: f64 = 0.6745;
        if let Some(middle) = median(off) {
            let factor = (middle / MEDIAN).clamp(0.2, 10.0);
            at[NOISE] += factor.ln();
            at[NOISE_SHARE] += factor.ln().min(0.0);
        }
    }
}

fn step(density: &Density, at: &[f64], normal: &Equations, damping: f64) -> Option<Vec<f64>> {
    let damped = |run: &RunEquations| {
        let mut block = run.block;
        (0..LATENT).for_each(|k| block[k][k] *= 1.0 + damping);
        inverse(&block)
    };
    let inverses: Vec<Square> = normal.runs.iter().map(damped).collect();
    let schur = schur(density, normal, &inverses, damping);
    let mut right = normal.shared_gradient.clone();
    for ((curve, run), inverse) in density.curves.iter().zip(&normal.runs).zip(&inverses) {
        let solved = times(inverse, &run.gradient);
        for t in 0..TOUCHED {
            let x: f64 = (0..LATENT).map(|k| run.side[k][t] * solved[k]).sum();
            right[inner(curve.groups, t)] -= x;
        }
    }
    let factor = lower_factor(&schur)?;
    let moved = solve(&factor, right);
    let mut next = at.to_vec();
    for (i, moved) in moved.iter().enumerate() {
        next[outer(i)] += moved;
    }
    for (i, ((curve, run), inverse)) in
        density.curves.iter().zip(&normal.runs).zip(&inverses).enumerate()
    {
        let mut right = run.gradient;
        for (k, right) in right.iter_mut().enumerate() {
            *right -=
                (0..TOUCHED).map(|t| run.side[k][t] * moved[inner(curve.groups, t)]).sum::<f64>();
        }
        for (k, x) in times(inverse, &right).into_iter().enumerate() {
            next[density.run(i) + k] += x;
        }
    }
    next.iter().all(|x| x.is_finite()).then_some(next)
}

fn of_run(
    density: &Density,
    curve: &RunPoints,
    at: &[f64],
    natural: &Natural,
    noise: &PointNoise,
    normal: &mut Equations,
) -> RunEquations {
    let mut run = RunEquations {
        block: [[0.0; LATENT]; LATENT],
        side: [[0.0; TOUCHED]; LATENT],
        gradient: [0.0; LATENT],
    };
    // One row of the Jacobian: its residual, its derivatives by the run's constants, and by those
    // that it shares.
    let mut add = |residual: f64, by_latent: [f64; LATENT], shared: &[(usize, f64)]| {
        // Level and rate of fall follow from what the run shows, and from the bend.
        let own: [f64; LATENT] = std::array::from_fn(|k| {
            (0..LATENT).map(|row| by_latent[row] * natural.by_shown[row][k]).sum()
        });
        let through = (0..LATENT).map(|row| by_latent[row] * natural.by_bend[row]).sum();
        let shared = &[shared, &[(BEND, through)]].concat();
        normal.objective += residual * residual;
        for a in 0..LATENT {
            run.gradient[a] -= own[a] * residual;
            for b in 0..LATENT {
                run.block[a][b] += own[a] * own[b];
            }
            for (t, x) in shared {
                run.side[a][*t] += own[a] * x;
            }
        }
        for (t, x) in shared {
            let i = inner(curve.groups, *t);
            normal.shared_gradient[i] -= x * residual;
            for (u, y) in shared {
                normal.shared[(i, inner(curve.groups, *u))] += x * y;
            }
        }
    };
    let latent = natural.latent;
    let means = Means::of(&at[..MEANS], curve.place);
    for k in 0..LATENT {
        let spreads: [f64; KINDS] = std::array::from_fn(|kind| spread(at, k, kind));
        let places = curve.groups.map(|group| density.group(group) + k);
        let effect: f64 = (0..KINDS).map(|kind| spreads[kind] * at[places[kind]]).sum();
        let width = spread(at, k, KINDS);
        let residual = (latent[k] - means.value[k] - effect) / width;
        let mut own = [0.0; LATENT];
        own[k] = 1.0 / width;
        let mut shared: Vec<(usize, f64)> = (0..MEANS)
            .filter(|t| means.by[k][*t] != 0.0)
            .map(|t| (t, -means.by[k][t] / width))
            .collect();
        let effects = spreads.iter().enumerate();
        shared.extend(effects.map(|(kind, x)| (MEANS + LATENT * kind + k, -x / width)));
        add(residual, own, &shared);
    }
    let arc = Arc::new(density.shape, latent[0], latent[1], at[BEND]);
    for point in &curve.points {
        let curve = arc.at(point.x);
        let inverse = point.root_weight / (noise.deviation(point.excess) * INFLATION);
        let residual = (point.excess - latent[2] - curve.y) * inverse;
        let own = [-curve.by_level * inverse, -curve.by_fall * inverse, -inverse];
        add(residual, own, &[(BEND, -curve.by_bend * inverse)]);
    }
    run
}

/// What is shared, after the runs are eliminated.
fn schur(density: &Density, normal: &Equations, inverses: &[Square], damping: f64) -> Mat<f64> {
    let mut schur = normal.shared.clone();
    for i in 0..schur.nrows() {
        schur[(i, i)] *= 1.0 + damping;
    }
    for ((curve, run), inverse) in density.curves.iter().zip(&normal.runs).zip(inverses) {
        let solved = product(inverse, &run.side);
        for t in 0..TOUCHED {
            for u in 0..TOUCHED {
                let x: f64 = (0..LATENT).map(|k| run.side[k][t] * solved[k][u]).sum();
                schur[(inner(curve.groups, t), inner(curve.groups, u))] -= x;
            }
        }
    }
    schur
}

fn times(a: &Square, x: &[f64; LATENT]) -> [f64; LATENT] {
    std::array::from_fn(|i| (0..LATENT).map(|j| a[i][j] * x[j]).sum())
}

fn product(a: &Square, b: &Coupling) -> Coupling {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..LATENT).map(|k| a[i][k] * b[k][j]).sum()))
}

/// The lower factor `F` with `F F^T = a`.
fn cholesky(a: &Square) -> Square {
    let mut factor = [[0.0; LATENT]; LATENT];
    for i in 0..LATENT {
        for j in 0..=i {
            let left = a[i][j] - (0..j).map(|k| factor[i][k] * factor[j][k]).sum::<f64>();
            factor[i][j] = if i == j { left.max(1e-18).sqrt() } else { left / factor[j][j] };
        }
    }
    factor
}

/// The inverse of a positive definite block, through its factor.
fn inverse(a: &Square) -> Square {
    let f = cholesky(a);
    let mut columns = [[0.0; LATENT]; LATENT];
    for (j, column) in columns.iter_mut().enumerate() {
        for i in 0..LATENT {
            let unit = if i == j { 1.0 } else { 0.0 };
            column[i] = (unit - (0..i).map(|k| f[i][k] * column[k]).sum::<f64>()) / f[i][i];
        }
        for i in (0..LATENT).rev() {
            let later: f64 = (i + 1..LATENT).map(|k| f[k][i] * column[k]).sum();
            column[i] = (column[i] - later) / f[i][i];
        }
    }
    // Symmetric, so columns are rows.
    columns
}

/// Solves `L L^T x = b`.
fn solve(lower: &Mat<f64>, mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for i in 0..n {
        let before: f64 = (0..i).map(|k| lower[(i, k)] * b[k]).sum();
        b[i] = (b[i] - before) / lower[(i, i)];
    }
    for i in (0..n).rev() {
        let after: f64 = (i + 1..n).map(|k| lower[(k, i)] * b[k]).sum();
        b[i] = (b[i] - after) / lower[(i, i)];
    }
    b
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::levels::shape::Shape;
    use crate::levels::testing;

    #[test]
    fn at_the_mode_no_step_is_left() {
        let density = testing::density(Shape::Fall);
        let coordinates = Coordinates::find(&density).unwrap();
        let anchors = density.curves.iter().map(|curve| Anchor::of(Shape::Fall, curve)).collect();
        let problem = Search { density: &density, anchors };
        let normal = problem.normal(&coordinates.mode).unwrap();
        let largest = normal.shared_gradient.iter().fold(0.0_f64, |a, b| a.max(b.abs()));
        let scale = (0..normal.shared.nrows()).map(|i| normal.shared[(i, i)]).fold(0.0, f64::max);
        assert!(largest < 0.05 * scale.sqrt(), "{largest} {scale}");
    }

    #[test]
    fn the_gradient_is_pulled_back_through_the_coordinates() {
        let density = testing::density(Shape::Fall);
        let coordinates = Coordinates::find(&density).unwrap();
        let n = density.dimension();
        let around: Vec<f64> = (0..n).map(|i| 0.3 * (2.3 * i as f64).sin()).collect();
        let (mut at, mut by_constants, mut by_around) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
        let naturals = coordinates.constants(&around, &mut at).unwrap();
        density.value(&at, &mut by_constants);
        coordinates.pull_back(&naturals, &by_constants, &mut by_around);
        for i in 0..n {
            let step = 1e-5;
            let mut value = |by: f64| {
                let mut around = around.clone();
                around[i] += by;
                let naturals = coordinates.constants(&around, &mut at).unwrap();
                let volume: f64 = naturals.iter().map(|natural| natural.ln_volume).sum();
                density.value(&at, &mut by_constants) + volume
            };
            let slope = (value(step) - value(-step)) / (2.0 * step);
            assert!(
                (by_around[i] - slope).abs() < 1e-4 * (1.0 + slope.abs()),
                "{i}: {} {slope}",
                by_around[i]
            );
        }
    }

    #[test]
    fn blocks_are_inverted() {
        let a = [[4.0, 1.0, 0.5], [1.0, 3.0, -0.2], [0.5, -0.2, 2.0]];
        let b = inverse(&a);
        for (i, column) in b.iter().enumerate() {
            let row = times(&a, column);
            for (j, x) in row.into_iter().enumerate() {
                assert!((x - if i == j { 1.0 } else { 0.0 }).abs() < 1e-12);
            }
        }
    }
}
