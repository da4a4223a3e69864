//! Fitting: many starts on per-run sums, a polish on all points.
//!
//! The objective is the sum of squared residuals, not their mean: a mean makes an optimiser stop early
//! (Besiroglu et al. 2024, of Hoffmann et al.).

mod descent;
mod problem;
mod starts;
mod triangle;

pub(crate) use descent::{Optimum, Patience, Space, descend};
pub(crate) use problem::{Detail, Problem};

use crate::form::Form;
use crate::parallel;
use crate::row::{Row, Scale};
use crate::table::Run;

/// A form with its constants, and how sure the search is that no better ones exist.
#[derive(Clone)]
pub struct Fit {
    /// The form.
    pub form: &'static dyn Form,
    /// Its constants for variables divided by `scale`.
    pub parameters: Vec<f64>,
    /// The gauge of the fit, in parameters and tokens.
    pub scale: Scale,
    /// Weighted sum of squared residuals, nats squared.
    pub objective: f64,
    /// Points fitted.
    pub points: usize,
    /// Largest cosine between the residual and the direction of a free exponent; 0 at an exact optimum.
    pub gradient: f64,
    /// Starts made.
    pub starts: usize,
    /// Starts that ended at this optimum.
    pub agreeing: usize,
    /// Singular values of the Jacobian's unit columns over the largest, at the optimum or at a general place, whichever is larger:
    /// a value that is zero at both is zero by structure.
    pub singular_values: Vec<f64>,
}

impl Fit {
    /// The loss at a row in parameters and tokens.
    pub fn value(&self, row: &Row) -> f64 {
        self.form.value(&self.parameters, &row.divided_by(&self.scale))
    }

    /// Names of the exponents, or bounded sums, that stand at a bound.
    pub fn at_bound(&self) -> Vec<String> {
        Space::new(self.form).at_bound(&self.parameters[self.form.linear()..])
    }

    /// The constants for variables in the units of `units`, or in the form's own where it is bound to some.
    pub fn constants(&self, units: &Scale) -> Vec<f64> {
        let mut constants = self.parameters.clone();
        if self.form.own_units().is_none() {
            self.form.rescale(&mut constants, &self.scale.relative_to(units));
        }
        constants
    }
}

/// Fits a form to runs from `starts` starts.
///
/// ```
/// use law::{Settings, Table, TableRow, form};
/// let row = |tokens: f64| TableRow { loss: 2.3 + 40.0 * tokens.powf(-0.5), tokens, ..TableRow::run("a", 1e9, 0.25, 2.0) };
/// let table = Table::new([1e4, 2e4, 4e4, 8e4].map(row))?;
/// let runs: Vec<_> = table.groups[0].runs.iter().collect();
/// let fit = law::fit::fit_form(form::by_name("p2-one-size-one-rate")?, &runs, 16);
/// let constants = fit.constants(&law::Scale::COUNTS);
/// assert!((constants[2] - 0.5).abs() < 1e-6 && (constants[1] - 0.3).abs() < 1e-6);
/// # Ok::<(), law::Error>(())
/// ```
pub fn fit_form(form: &'static dyn Form, runs: &[&Run], starts: usize) -> Fit {
    let problem = Problem::new(form, runs);
    let found = search(&problem, starts);
    let polished = parallel::map(&distinct(&found), |optimum| polish(&problem, optimum, &[]));
    let best = polished
        .iter()
        .min_by(|a, b| a.objective.total_cmp(&b.objective))
        .expect("there is at least one start")
        .clone();
    let near = |optimum: &&Optimum| {
        optimum.objective <= best.objective * (1.0 + 1e-6) || nearly_exact(&problem, optimum.objective)
    };
    let agreeing = found.iter().filter(near).count();
    Fit {
        form,
        singular_values: singular_values(&problem, &best.parameters),
        scale: problem.scale,
        objective: best.objective,
        points: problem.points,
        gradient: best.gradient,
        starts: found.len(),
        agreeing,
        parameters: best.parameters,
    }
}

/// Fits the same form to other data near a known optimum, in that fit's gauge.
pub(crate) fn refit(problem: &Problem, near: &[f64], fixed: &[bool]) -> Optimum {
    let exponents = &near[problem.form.linear()..];
    let found = descend(problem, exponents, fixed, Detail::Sums, Patience::POLISH);
    polish(problem, &found, fixed)
}

fn polish(problem: &Problem, optimum: &Optimum, fixed: &[bool]) -> Optimum {
    let exponents = &optimum.parameters[problem.form.linear()..];
    descend(problem, exponents, fixed, Detail::Points, Patience::POLISH)
}

/// The ends of all starts, in the order of the starts.
fn search(problem: &Problem, count: usize) -> Vec<Optimum> {
    parallel::map(&starts::starts(problem.form, count), |start| {
        descend(problem, start, &[], Detail::Sums, Patience::SEARCH)
    })
}

/// The best few ends that differ: equal ends are polished once.
fn distinct(found: &[Optimum]) -> Vec<Optimum> {
    const POLISHED: usize = 4;
    let mut order: Vec<&Optimum> = found.iter().collect();
    order.sort_by(|a, b| a.objective.total_cmp(&b.objective));
    let mut kept: Vec<Optimum> = Vec::new();
    for optimum in order {
        let same = |other: &Optimum| {
            let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-3 * (1.0 + a.abs());
            other.parameters.iter().zip(&optimum.parameters).all(close)
        };
        if kept.len() < POLISHED && !kept.iter().any(same) {
            kept.push(optimum.clone());
        }
    }
    kept
}

/// Sums reach about half the digits that points do: below this an end counts as exact.
fn nearly_exact(problem: &Problem, objective: f64) -> bool {
    problem.is_rounding(objective * 1e-8)
}

/// Of the unit columns of the Jacobian, over the largest: at the optimum, and where every constant is 1 and the
/// exponents are a start's. What is zero by structure is zero at both.
fn singular_values(problem: &Problem, best: &[f64]) -> Vec<f64> {
    let values = |parameters: &[f64]| {
        let values = problem.full_jacobian(parameters).singular_values();
        let largest = values.first().copied().unwrap_or(1.0);
        values.into_iter().map(|value| value / largest).collect::<Vec<_>>()
    };
    let mut general = vec![1.0; problem.form.linear()];
    general.extend(&starts::starts(problem.form, 1)[0]);
    values(best).into_iter().zip(values(&general)).map(|(a, b)| a.max(b)).collect()
}
