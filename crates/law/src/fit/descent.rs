//! Descends from one start to the optimum below it: Levenberg-Marquardt on the exponents, with the
//! linear constants projected out.
//!
//! This is variable projection with Kaufman's Jacobian (1975). Factor `[linear columns, exponent
//! columns, residual]`: the block behind the linear columns is the projected problem, so projecting
//! costs nothing more. All derivatives are analytic.
//!
//! The crate `levenberg-marquardt` has neither bounds nor a streaming Jacobian. The signs of the
//! constants and a million points need both.

use super::problem::{Detail, Problem, Projection};
use super::space::Space;
use super::triangle::{COLUMNS, Factor};

/// Where a descent ended.
#[derive(Clone, Debug)]
pub(crate) struct Optimum {
    /// The constants, in the problem's gauge.
    pub(crate) parameters: Vec<f64>,
    /// The minimum of the problem's loss.
    pub(crate) objective: f64,
    /// Largest cosine between the residual and the direction of a free exponent; 0 at an exact
    /// optimum.
    pub(crate) gradient: f64,
}

/// When a descent stops.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) steps: usize,
    /// The largest cosine between the residual and the direction of an exponent.
    pub(crate) gradient: f64,
    /// The share of the residual that a step can still remove (Bates and Watts 1981).
    pub(crate) offset: f64,
}

impl Patience {
    /// Seven digits of the objective: enough to tell optima apart.
    pub(crate) const SEARCH: Self = Self { steps: 60, gradient: 1e-6, offset: 3e-4 };
    pub(crate) const POLISH: Self = Self { steps: 200, gradient: 1e-11, offset: 0.0 };
}

/// Descends from `exponents`. Those marked `fixed` stay; an empty list fixes none.
pub(crate) fn descend(
    problem: &Problem,
    exponents: &[f64],
    fixed: &[bool],
    detail: Detail,
    patience: Patience,
) -> Optimum {
    let space = &problem.space;
    let mut at = space.inside(&space.enter(exponents));
    let mut here = problem.project(&space.leave(&at), detail);
    let mut gradient = f64::INFINITY;
    let mut damping = 1e-3;
    'steps: for _ in 0..patience.steps {
        if problem.is_rounding(here.objective) {
            gradient = 0.0;
            break;
        }
        let factor = space.turn(problem.jacobian(&here));
        let local = Local::new(space, &factor, &here, &at, fixed);
        gradient = local.gradient;
        if gradient <= patience.gradient
            || local.offset() <= patience.offset * here.objective.sqrt()
        {
            break;
        }
        loop {
            let step = local.step(damping);
            let trial: Vec<f64> = at.iter().zip(&step).map(|(x, dx)| x + dx).collect();
            let trial = space.keep_side(&at, &trial);
            if moved(&at, &trial) < 1e-15 {
                break 'steps;
            }
            let there = problem.project(&space.leave(&trial), detail);
            if there.objective < here.objective {
                (at, here) = (trial, there);
                // Less damping after a success turns the step towards Gauss-Newton; the floor keeps
                // it above 0.
                damping = (damping * 0.1).max(1e-14);
                break;
            }
            // More damping shortens the step and turns it downhill.
            damping *= 5.0;
            if damping > 1e10 {
                break 'steps;
            }
        }
    }
    Optimum { parameters: here.parameters, objective: here.objective, gradient }
}

/// The problem seen from one point: what may move, and how steep it is.
struct Local {
    /// The exponents that may move, by index.
    moving: Vec<usize>,
    /// Their columns and the residual, minus the part that the linear columns explain.
    projected: Factor<COLUMNS>,
    coordinates: usize,
    gradient: f64,
}

impl Local {
    fn new(
        space: &Space,
        factor: &Factor<COLUMNS>,
        here: &Projection,
        at: &[f64],
        fixed: &[bool],
    ) -> Self {
        let linear = space.linear();
        // A constant at one of its bounds does not move. If that bound is 0, its exponent has no
        // effect either.
        let mut kept: Vec<usize> =
            (0..linear).filter(|&i| !space.ends(i).contains(&here.parameters[i])).collect();
        let free_linear = kept.len();
        kept.extend(
            (linear..linear + at.len())
                .filter(|&i| !space.is_set(i) && !fixed.get(i - linear).copied().unwrap_or(false)),
        );
        let whole =
            if kept.len() + 1 == factor.columns { factor } else { &factor.select(&kept, &[]) };
        let last = whole.columns - 1;
        let residual = here.objective.sqrt();
        let (mut steepest, mut moving, mut columns) = (0.0_f64, Vec::new(), Vec::new());
        for (j, &column) in kept.iter().enumerate().skip(free_linear) {
            // The rows behind the linear columns hold what these cannot explain.
            let behind = &whole.rows[free_linear..=last];
            let length: f64 = behind.iter().map(|row| row[j].powi(2)).sum::<f64>().sqrt();
            let product: f64 = behind.iter().map(|row| row[j] * row[last]).sum();
            // The linear columns explain this one fully: moving its exponent changes nothing.
            if length <= 1e-14 * whole.length(j) || length == 0.0 {
                continue;
            }
            let i = column - linear;
            let (min, max) = space.bounds(i, at[i]);
            // At a bound, and the descent leads out of the box.
            if (at[i] <= min && product < 0.0) || (at[i] >= max && product > 0.0) {
                continue;
            }
            steepest = steepest.max((product / (length * residual)).abs());
            moving.push(i);
            columns.push(j);
        }
        let projected = whole.behind(free_linear, &columns);
        Self { moving, projected, coordinates: at.len(), gradient: steepest }
    }

    /// The length that a step can take off the residual.
    fn offset(&self) -> f64 {
        let moving = self.moving.len();
        self.projected.rows[..moving].iter().map(|row| row[moving].powi(2)).sum::<f64>().sqrt()
    }

    /// The damped step of every coordinate; those that may not move get 0.
    fn step(&self, damping: f64) -> Vec<f64> {
        // Damping in units of each column's length makes the step independent of the scale
        // (Marquardt 1963).
        let damped = (0..self.moving.len()).map(|j| damping.sqrt() * self.projected.length(j));
        let solution = self.projected.damped(damped).solve();
        let mut step = vec![0.0; self.coordinates];
        for (&i, &x) in self.moving.iter().zip(&solution) {
            step[i] = x;
        }
        step
    }
}

fn moved(from: &[f64], to: &[f64]) -> f64 {
    from.iter().zip(to).map(|(a, b)| (a - b).abs() / (a.abs() + 1e-3)).fold(0.0, f64::max)
}
