//! Huber losses: descends from a least-squares optimum to the robust one near it, over all
//! constants at once.
//!
//! Each round tries two steps and keeps the better one. A step of iteratively reweighted least
//! squares always descends, but slowly if most points lie beyond Huber's delta. Newton's step
//! converges exactly. The Hessian is a difference of analytic gradients.

use super::descent::Optimum;
use super::problem::Problem;
use super::space::Space;
use super::triangle::{COLUMNS, Factor, Triangle};

const ROUNDS: usize = 500;
const GRADIENT: f64 = 1e-11;

/// Descends from `start`. Exponents marked `fixed` stay.
pub(super) fn descend(problem: &Problem, start: &[f64], fixed: &[bool]) -> Optimum {
    let linear = problem.form.linear();
    let search = Search { problem, space: &problem.space, linear };
    let mut at = search.inside(start, &search.enter(start));
    let mut here = search.objective(&at);
    let (mut damping, mut ridge) = (1e-3, 1e-6);
    let mut gradient = f64::INFINITY;
    for _ in 0..ROUNDS {
        if !here.is_finite() || problem.is_rounding(here) {
            gradient = if here.is_finite() { 0.0 } else { f64::INFINITY };
            break;
        }
        let factor = search.factor(&at);
        let (moving, steepest) = search.moving(&at, &factor, fixed);
        gradient = steepest;
        if gradient <= GRADIENT || moving.is_empty() {
            break;
        }
        // The two kinds of step need different dampings.
        let reweighted = search
            .lower(&at, here, &mut damping, |damping| search.reweighted(&factor, &moving, damping));
        let newton = search.newton_matrix(&at, &factor, &moving);
        let newton = search.lower(&at, here, &mut ridge, |ridge| newton.step(ridge));
        let better = [reweighted, newton].into_iter().flatten().min_by(|a, b| a.1.total_cmp(&b.1));
        let Some((there, objective)) = better else { break };
        (at, here) = (there, objective);
    }
    Optimum { parameters: search.leave(&at), objective: here, gradient }
}

struct Search<'a> {
    problem: &'a Problem,
    space: &'a Space,
    linear: usize,
}

impl Search<'_> {
    fn enter(&self, parameters: &[f64]) -> Vec<f64> {
        let mut at = parameters[..self.linear].to_vec();
        at.extend(self.space.enter(&parameters[self.linear..]));
        at
    }

    fn leave(&self, at: &[f64]) -> Vec<f64> {
        let mut parameters = at[..self.linear].to_vec();
        parameters.extend(self.space.leave(&at[self.linear..]));
        parameters
    }

    /// The nearest point within bounds, on the same side of a gap as `side`.
    fn inside(&self, side: &[f64], at: &[f64]) -> Vec<f64> {
        let clamp = |(i, x): (usize, &f64)| {
            let (min, max) = self.bounds(i, side[i]);
            x.clamp(min, max)
        };
        at.iter().enumerate().map(clamp).collect()
    }

    fn bounds(&self, i: usize, at: f64) -> (f64, f64) {
        match i.checked_sub(self.linear) {
            Some(i) => self.space.bounds(i, at),
            None => self.space.ends(i).into(),
        }
    }

    fn objective(&self, at: &[f64]) -> f64 {
        let mut sum = 0.0;
        self.problem.each_part(&self.leave(at), |_, part, _, weight| sum += weight * part.value);
        if sum.is_finite() { sum } else { f64::INFINITY }
    }

    /// The factor of the reweighted `[J | r]`, by coordinate.
    fn factor(&self, at: &[f64]) -> Factor<COLUMNS> {
        let count = at.len();
        let mut triangle = Triangle::<COLUMNS>::new(count + 1);
        self.problem.each_part(&self.leave(at), |gradient, part, residual, weight| {
            let root = (weight * part.weight).sqrt();
            let mut row = [0.0; COLUMNS];
            row[..count]
                .iter_mut()
                .zip(gradient)
                .for_each(|(x, derivative)| *x = root * derivative);
            row[count] = root * residual;
            triangle.push(&row[..=count]);
        });
        self.space.turn(triangle.finish())
    }

    /// Minus the gradient of the objective, by coordinate.
    fn downhill(&self, at: &[f64]) -> Vec<f64> {
        let mut sum = vec![0.0; at.len()];
        self.problem.each_part(&self.leave(at), |gradient, part, residual, weight| {
            let slope = weight * part.weight * residual;
            sum.iter_mut().zip(gradient).for_each(|(sum, derivative)| *sum += slope * derivative);
        });
        self.space.turn_gradient(&mut sum);
        sum
    }

    /// The coordinates that may move, and the largest cosine between the residual and one of them.
    fn moving(&self, at: &[f64], factor: &Factor<COLUMNS>, fixed: &[bool]) -> (Vec<usize>, f64) {
        let last = factor.columns - 1;
        let residual = factor.length(last);
        let (mut moving, mut steepest) = (Vec::new(), 0.0_f64);
        for i in 0..at.len() {
            let is_fixed = i >= self.linear && fixed.get(i - self.linear).copied().unwrap_or(false);
            let (min, max) = self.bounds(i, at[i]);
            let product: f64 = factor.rows.iter().map(|row| row[i] * row[last]).sum();
            // At a bound, and the descent leads out of the box.
            let held = (at[i] <= min && product <= 0.0) || (at[i] >= max && product >= 0.0);
            let length = factor.length(i);
            if is_fixed || self.space.is_set(i) || held || length == 0.0 {
                continue;
            }
            steepest = steepest.max((product / (length * residual)).abs());
            moving.push(i);
        }
        (moving, steepest)
    }

    fn reweighted(&self, factor: &Factor<COLUMNS>, moving: &[usize], damping: f64) -> Vec<f64> {
        let damped: Vec<f64> = moving.iter().map(|&i| damping.sqrt() * factor.length(i)).collect();
        let solution = factor.select(moving, &damped).solve();
        let mut step = vec![0.0; factor.columns - 1];
        moving.iter().zip(&solution).for_each(|(&i, &x)| step[i] = x);
        step
    }

    fn newton_matrix(&self, at: &[f64], factor: &Factor<COLUMNS>, moving: &[usize]) -> Newton {
        let lengths: Vec<f64> = moving.iter().map(|&i| factor.length(i)).collect();
        let unit = |downhill: Vec<f64>| -> Vec<f64> {
            moving.iter().zip(&lengths).map(|(&i, length)| downhill[i] / length).collect()
        };
        let columns = moving.iter().zip(&lengths).map(|(&i, length)| {
            // About the cube root of epsilon, where a central difference loses least.
            let shift = 1e-6 * at[i].abs().max(1e-2);
            let [mut up, mut down] = [at.to_vec(), at.to_vec()];
            up[i] += shift;
            down[i] -= shift;
            let (up, down) = (unit(self.downhill(&up)), unit(self.downhill(&down)));
            up.iter().zip(&down).map(|(up, down)| (down - up) / (2.0 * shift * length)).collect()
        });
        let columns = columns.collect();
        Newton {
            columns,
            downhill: unit(self.downhill(at)),
            lengths,
            moving: moving.to_vec(),
            count: at.len(),
        }
    }

    /// Shortens the step until it descends.
    fn lower(
        &self,
        at: &[f64],
        here: f64,
        damping: &mut f64,
        step: impl Fn(f64) -> Vec<f64>,
    ) -> Option<(Vec<f64>, f64)> {
        for _ in 0..24 {
            let trial: Vec<f64> = at.iter().zip(step(*damping)).map(|(x, dx)| x + dx).collect();
            let finite = trial.iter().all(|x| x.is_finite());
            let trial = if finite { self.inside(at, &trial) } else { at.to_vec() };
            let there = self.objective(&trial);
            if there < here {
                *damping = (*damping * 0.1).max(1e-14);
                return Some((trial, there));
            }
            *damping *= 5.0;
        }
        // Forget the damping: the next round starts from another point.
        *damping = 1e-3;
        None
    }
}

/// Newton's equations, for coordinates scaled to unit length.
struct Newton {
    columns: Vec<Vec<f64>>, // [coordinate, coordinate]
    downhill: Vec<f64>,
    lengths: Vec<f64>,
    moving: Vec<usize>,
    count: usize,
}

impl Newton {
    fn step(&self, ridge: f64) -> Vec<f64> {
        let size = self.moving.len();
        let mut triangle = Triangle::<COLUMNS>::new(size + 1);
        for i in 0..size {
            let mut row = [0.0; COLUMNS];
            for (j, entry) in row[..size].iter_mut().enumerate() {
                // The mean of both triangles: differences make the Hessian only nearly symmetric.
                *entry = 0.5 * (self.columns[j][i] + self.columns[i][j])
                    + if i == j { ridge } else { 0.0 };
            }
            row[size] = self.downhill[i];
            triangle.push(&row[..=size]);
        }
        let solution = triangle.finish().solve();
        let mut step = vec![0.0; self.count];
        for ((&i, length), x) in self.moving.iter().zip(&self.lengths).zip(&solution) {
            step[i] = x / length;
        }
        step
    }
}
