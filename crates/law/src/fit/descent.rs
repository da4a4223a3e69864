//! From one start to the optimum below it: Levenberg-Marquardt on the exponents, the linear
//! constants projected out.
//!
//! This is variable projection with Kaufman's Jacobian (1975): in the factor of `[linear columns,
//! exponent columns, residual]` the block behind the linear columns is the projected problem, so
//! the step costs nothing more. Every derivative is analytic. The ready crate `levenberg-marquardt`
//! has neither bounds nor a streaming Jacobian, and the signs of the constants and a million points
//! need both; what is left of it is thirty lines.

use super::problem::{Detail, Problem, Projection};
use super::space::Space;
use super::triangle::{COLUMNS, Factor};

/// Where a descent ended.
#[derive(Clone, Debug)]
pub(crate) struct Optimum {
    /// In the problem's gauge.
    pub(crate) parameters: Vec<f64>,
    /// What the problem's loss sums up to.
    pub(crate) objective: f64,
    /// Largest cosine between the residual and the direction of a free exponent; 0 at an exact
    /// optimum.
    pub(crate) gradient: f64,
}

/// When a descent stops.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) steps: usize,
    /// Largest cosine between the residual and the direction of an exponent.
    pub(crate) gradient: f64,
    /// The share of the residual that a step can still take away (Bates and Watts 1981).
    pub(crate) offset: f64,
}

impl Patience {
    /// To seven digits of the objective: enough to tell ends apart.
    pub(crate) const SEARCH: Self = Self { steps: 60, gradient: 1e-6, offset: 3e-4 };
    pub(crate) const POLISH: Self = Self { steps: 200, gradient: 1e-11, offset: 0.0 };
}

/// Descends from `exponents`; those marked `fixed` stay (an empty list fixes none).
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
                damping = (damping * 0.1).max(1e-14);
                break;
            }
            damping *= 5.0;
            if damping > 1e10 {
                break 'steps;
            }
        }
    }
    Optimum { parameters: here.parameters, objective: here.objective, gradient }
}

/// The problem as seen from one point: what may move, and how steep it is.
struct Local {
    /// The exponents that may move, by their places.
    moving: Vec<usize>,
    /// Their columns and the residual, less what the linear columns explain.
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
        // A constant held at an end does not move; at 0 nor, then, does its exponent matter.
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
            // Behind the linear columns stands what they cannot explain.
            let behind = &whole.rows[free_linear..=last];
            let length: f64 = behind.iter().map(|row| row[j].powi(2)).sum::<f64>().sqrt();
            let product: f64 = behind.iter().map(|row| row[j] * row[last]).sum();
            if length <= 1e-14 * whole.length(j) || length == 0.0 {
                continue;
            }
            let i = column - linear;
            let (min, max) = space.bounds(i, at[i]);
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

    /// The length of what a step can take off the residual.
    fn offset(&self) -> f64 {
        let moving = self.moving.len();
        self.projected.rows[..moving].iter().map(|row| row[moving].powi(2)).sum::<f64>().sqrt()
    }

    /// The damped step of every coordinate; those that may not move get 0.
    fn step(&self, damping: f64) -> Vec<f64> {
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
