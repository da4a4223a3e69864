//! Fitting: many starts on per-run sums, then a polish on all points.
//!
//! The objective is a sum over points, not their mean. A mean makes an optimiser stop too early, as
//! in Hoffmann et al. (Besiroglu et al. 2024). Huber losses continue from the least-squares optima,
//! over all constants.

mod constraints;
mod descent;
mod lanes;
mod loss;
mod points;
mod problem;
mod robust;
mod space;
mod starts;
mod triangle;

pub use constraints::Constraints;
pub use loss::Loss;
pub use starts::starts;

pub(crate) use descent::{Optimum, Patience, descend};
pub(crate) use problem::{Detail, Problem};

use crate::error::Result;
use crate::form::Form;
use crate::parallel;
use crate::row::{Row, Scale};
use crate::table::Run;
use space::Space;

/// A form with its constants, and how well the search supports them.
#[derive(Clone)]
pub struct Fit {
    /// The form.
    pub(crate) form: &'static dyn Form,
    /// The constants, for variables divided by `scale`.
    pub(crate) parameters: Vec<f64>,
    /// The gauge of the fit, in parameters and tokens.
    pub(crate) scale: Scale,
    /// The loss function that the fit minimised.
    pub(crate) loss: Loss,
    /// The minimum of that function; for least squares in nats squared.
    pub(crate) objective: f64,
    /// Points fitted.
    pub(crate) points: usize,
    /// Largest cosine between the residual and the direction of a free exponent; 0 at an exact
    /// optimum.
    pub(crate) gradient: f64,
    /// How many starts the search used.
    pub(crate) starts: usize,
    /// How many starts ended at this optimum.
    pub(crate) agreeing: usize,
    /// The singular values of the Jacobian with unit columns, over the largest. Each is the larger
    /// of its values at the optimum and at a general point. A value that is zero at both is zero by
    /// structure.
    pub(crate) singular_values: Vec<f64>,
    pub(crate) space: Space,
}

impl Fit {
    /// The predicted loss at a row in parameters and tokens.
    pub fn value(&self, row: &Row) -> f64 {
        self.form.value(&self.parameters, &row.divided_by(&self.scale))
    }

    /// The names of constants, or bounded sums, that lie at a bound. Constants that were set are
    /// not among them.
    pub fn at_bound(&self) -> Vec<String> {
        self.space.at_bound(&self.parameters)
    }

    /// How many constants were not set.
    pub fn free(&self) -> usize {
        self.space.free()
    }

    /// The same problem on other runs, in this fit's gauge.
    pub(crate) fn problem(&self, runs: &[&Run]) -> Problem {
        Problem::in_gauge(self.form, runs, self.scale)
            .with_loss(self.loss)
            .with_space(self.space.clone())
    }

    /// The constants for variables in `units`. A form with units of its own keeps those.
    pub fn constants(&self, units: &Scale) -> Vec<f64> {
        let mut constants = self.parameters.clone();
        if self.form.own_units().is_none() {
            self.form.rescale(&mut constants, &self.scale.relative_to(units));
        }
        constants
    }
}

/// Fits a form to runs, from `starts` starting points.
///
/// ```
/// use law::{Settings, Table, TableRow, form};
/// let row = |tokens: f64| TableRow { loss: 2.3 + 40.0 * tokens.powf(-0.5), tokens, ..TableRow::run("a", 1e9, 0.25, 2.0) };
/// let table = Table::new([1e4, 2e4, 4e4, 8e4].map(row))?;
/// let runs: Vec<_> = table.groups()[0].runs().iter().collect();
/// let fit = law::fit::fit_form(form::by_name("p2-one-size-one-rate")?, &runs, 16);
/// let constants = fit.constants(&law::Scale::COUNTS);
/// assert!((constants[2] - 0.5).abs() < 1e-6 && (constants[1] - 0.3).abs() < 1e-6);
/// # Ok::<(), law::Error>(())
/// ```
pub fn fit_form(form: &'static dyn Form, runs: &[&Run], starts: usize) -> Fit {
    fit_with(form, runs, starts, Loss::LeastSquares)
}

/// Fits a form to runs from `starts` starting points, with any loss.
///
/// ```
/// use law::{Table, TableRow, fit::{Loss, fit_with}, form};
/// // One point is wrong by 0.2 nats; Huber's loss is not pulled there.
/// let loss = |tokens: f64| 2.3 + 40.0 * tokens.powf(-0.5) + if tokens == 4e4 { 0.2 } else { 0.0 };
/// let row = |tokens: f64| TableRow { loss: loss(tokens), tokens, ..TableRow::run("a", 1e9, 0.25, 2.0) };
/// let table = Table::new([1e4, 2e4, 4e4, 8e4, 16e4, 32e4, 64e4].map(row))?;
/// let runs: Vec<_> = table.groups()[0].runs().iter().collect();
/// let beta = |loss| fit_with(form::by_name("p2-one-size-one-rate").unwrap(), &runs, 16, loss).parameters()[2];
/// assert!((beta(Loss::Huber(1e-4)) - 0.5).abs() < 0.01 && (beta(Loss::LeastSquares) - 0.5).abs() > 0.1);
/// # Ok::<(), law::Error>(())
/// ```
pub fn fit_with(form: &'static dyn Form, runs: &[&Run], starts: usize, loss: Loss) -> Fit {
    let problem = Problem::new(form, runs).with_loss(loss);
    fit_problem(&problem, &starts::within(form, &problem.space, starts))
}

/// Fits a form to runs, with some constants set or bounded.
///
/// # Errors
/// If the form lacks a constrained constant.
pub fn fit_within(
    form: &'static dyn Form,
    runs: &[&Run],
    starts: usize,
    loss: Loss,
    constraints: &Constraints,
) -> Result<Fit> {
    constraints.check(form)?;
    let problem = Problem::within(form, runs, constraints).with_loss(loss);
    Ok(fit_problem(&problem, &starts::within(form, &problem.space, starts)))
}

/// Fits a form to runs by least squares, from the given exponents. They hold in the form's own
/// units. A form without units uses variables divided by their geometric means.
pub fn fit_from(form: &'static dyn Form, runs: &[&Run], starts: &[Vec<f64>]) -> Fit {
    fit_problem(&Problem::new(form, runs), starts)
}

fn fit_problem(problem: &Problem, starts: &[Vec<f64>]) -> Fit {
    let found = search(problem, starts);
    let ends = distinct(problem, &found);
    let polished = parallel::map(&ends, |optimum| polish(problem, optimum));
    let best = polished
        .iter()
        .min_by(|a, b| a.objective.total_cmp(&b.objective))
        .expect("there is at least one start")
        .clone();
    // The search finds about seven digits of the objective.
    let near = |objective: f64| {
        objective <= best.objective * (1.0 + 1e-6) || nearly_exact(problem, objective)
    };
    let leads_there = |optimum: &&Optimum| match problem.loss {
        Loss::LeastSquares => near(optimum.objective),
        // With a robust loss, search and polish minimise different functions: follow each start to
        // the polished end.
        Loss::Huber(_) | Loss::LogHuber(_) => {
            let end = ends.iter().position(|end| same(end, optimum));
            end.is_some_and(|end| near(polished[end].objective))
        }
    };
    let agreeing = found.iter().filter(leads_there).count();
    Fit {
        form: problem.form,
        singular_values: singular_values(problem, &best.parameters),
        scale: problem.scale,
        loss: problem.loss,
        objective: best.objective,
        points: problem.points,
        gradient: best.gradient,
        starts: found.len(),
        agreeing,
        parameters: best.parameters,
        space: problem.space.clone(),
    }
}

/// Fits the same form to other data near a known optimum, in the gauge of that fit.
///
/// Per-run sums hold every inner product of the points up to rounding. Least squares needs no more
/// than these.
pub(crate) fn refit(problem: &Problem, near: &[f64], fixed: &[bool]) -> Optimum {
    let exponents = &near[problem.form.linear()..];
    let found = descend(problem, exponents, fixed, Detail::Sums, Patience::POLISH);
    match problem.loss {
        Loss::LeastSquares => found,
        Loss::Huber(_) | Loss::LogHuber(_) => robust::descend(problem, &found.parameters, fixed),
    }
}

/// Descends on sums first, and then on all points.
fn polish(problem: &Problem, optimum: &Optimum) -> Optimum {
    let exponents = |optimum: &Optimum| optimum.parameters[problem.form.linear()..].to_vec();
    let on_sums = descend(problem, &exponents(optimum), &[], Detail::Sums, Patience::POLISH);
    let least_squares =
        descend(problem, &exponents(&on_sums), &[], Detail::Points, Patience::POLISH);
    match problem.loss {
        Loss::LeastSquares => least_squares,
        Loss::Huber(_) | Loss::LogHuber(_) => {
            robust::descend(problem, &least_squares.parameters, &[])
        }
    }
}

/// The optimum of every start, in the order of the starts.
fn search(problem: &Problem, starts: &[Vec<f64>]) -> Vec<Optimum> {
    parallel::map(starts, |start| descend(problem, start, &[], Detail::Sums, Patience::SEARCH))
}

/// The best few distinct optima. Equal ones are polished once. Those too bad to become the best are
/// dropped.
fn distinct(problem: &Problem, found: &[Optimum]) -> Vec<Optimum> {
    const POLISHED: usize = 4;
    // Search objectives have many correct digits, so a factor of two cannot be made up. A robust
    // loss may rank optima differently.
    const HOPELESS: f64 = 2.0;
    // Best first: of equal optima the best one is kept.
    let mut order: Vec<&Optimum> = found.iter().collect();
    order.sort_by(|a, b| a.objective.total_cmp(&b.objective));
    let mut kept: Vec<Optimum> = Vec::new();
    for optimum in order {
        let hopeless = problem.loss == Loss::LeastSquares
            && kept.first().is_some_and(|best| optimum.objective > HOPELESS * best.objective);
        if kept.len() < POLISHED && !hopeless && !kept.iter().any(|other| same(other, optimum)) {
            kept.push(optimum.clone());
        }
    }
    kept
}

/// Whether two ends of the search are the same optimum.
fn same(a: &Optimum, b: &Optimum) -> bool {
    a.parameters.iter().zip(&b.parameters).all(|(a, b)| (a - b).abs() <= 1e-3 * (1.0 + a.abs()))
}

/// Sums reach about half the digits of points. Below this an optimum counts as exact.
fn nearly_exact(problem: &Problem, objective: f64) -> bool {
    problem.is_rounding(objective * 1e-8)
}

/// The singular values of the Jacobian with unit columns, over the largest. They are taken at the
/// optimum and where all constants are 1 and the exponents are those of a start. A value that is
/// zero by structure is zero at both.
fn singular_values(problem: &Problem, best: &[f64]) -> Vec<f64> {
    let values = |parameters: &[f64]| {
        // A constant that was set has no direction of its own.
        let free: Vec<usize> =
            (0..parameters.len()).filter(|&i| !problem.space.is_set(i)).collect();
        let values = problem.full_jacobian(parameters).select(&free, &[]).singular_values();
        let largest = values.first().copied().unwrap_or(1.0);
        values.into_iter().map(|value| value / largest).collect::<Vec<_>>()
    };
    // A linear constant of 0 would hide its exponent, so all are 1 at the general point.
    let one = |i: usize| if problem.space.is_set(i) { problem.space.ends(i)[0] } else { 1.0 };
    let mut general: Vec<f64> = (0..problem.form.linear()).map(one).collect();
    general.extend(&starts::within(problem.form, &problem.space, 1)[0]);
    values(best).into_iter().zip(values(&general)).map(|(a, b)| a.max(b)).collect()
}

impl Fit {
    /// The form.
    pub fn form(&self) -> &'static dyn Form {
        self.form
    }

    /// The constants, for variables divided by `scale`.
    pub fn parameters(&self) -> &[f64] {
        &self.parameters
    }

    /// The gauge of the fit, in parameters and tokens.
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// The loss function that the fit minimised.
    pub fn loss(&self) -> Loss {
        self.loss
    }

    /// The minimum of that function; for least squares in nats squared.
    pub fn objective(&self) -> f64 {
        self.objective
    }

    /// Points fitted.
    pub fn points(&self) -> usize {
        self.points
    }

    /// Largest cosine between the residual and the direction of a free exponent; 0 at an exact
    /// optimum.
    pub fn gradient(&self) -> f64 {
        self.gradient
    }

    /// How many starts the search used.
    pub fn starts(&self) -> usize {
        self.starts
    }

    /// How many starts ended at this optimum.
    pub fn agreeing(&self) -> usize {
        self.agreeing
    }

    /// The singular values of the Jacobian with unit columns, over the largest. Each is the larger
    /// of its values at the optimum and at a general point. A value that is zero at both is zero by
    /// structure.
    pub fn singular_values(&self) -> &[f64] {
        &self.singular_values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Point;

    #[test]
    fn a_refit_on_sums_ends_where_all_points_lead() {
        let form = crate::form::by_name("p2").unwrap();
        let truth = [0.3, 0.25, 0.1, 0.4, 0.5, -1.2, 0.2];
        let mut runs = Vec::new();
        for (i, n0) in [0.5, 1.2, 3.1, 7.6].into_iter().enumerate() {
            for (j, rate) in [0.15, 0.25, 0.36].into_iter().enumerate() {
                let point = |k: usize| {
                    let tokens = 0.05 * 1.2_f64.powi(k as i32) * (1.0 + 0.1 * i as f64);
                    let error = 0.004 * (((i * 3 + j) * 40 + k) as f64 * 12.9898).sin();
                    let loss = form.value(&truth, &Row::new(n0, rate, 2.0, tokens)) + error;
                    Point { tokens: tokens * 1e9, loss, weight: 1.0 + 0.2 * j as f64 }
                };
                // One run with few points, one that fills a block in part, and one of two blocks.
                let points = (0..[4, 15, 36][j]).map(point).collect();
                let (name, base) = (format!("{i} {j}"), i.to_string());
                runs.push(Run { name, base, n0: n0 * 1e9, rate, loss0: 2.0, points });
            }
        }
        let problem = Problem::new(form, &runs.iter().collect::<Vec<_>>());
        let fit = fit_problem(&problem, &starts::starts(form, 16));
        let on_sums = refit(&problem, &fit.parameters, &[]);
        for (a, b) in on_sums.parameters.iter().zip(&fit.parameters) {
            assert!(
                (a - b).abs() < 1e-9 * (1.0 + b.abs()),
                "{:?} {:?}",
                on_sums.parameters,
                fit.parameters
            );
        }
        assert!((on_sums.objective / fit.objective - 1.0).abs() < 1e-12);
    }
}
