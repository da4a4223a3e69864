//! One form and one group of runs, in the gauge in which both are well conditioned.

use super::loss::{Loss, Part};
use super::triangle::{COLUMNS, Factor, Triangle};
use crate::form::Form;
use crate::row::{Row, Scale};
use crate::table::Run;

/// What is fitted: the loss less the part that no constant touches, run by run.
#[derive(Clone)]
pub(crate) struct Problem {
    pub(crate) form: &'static dyn Form,
    pub(crate) scale: Scale,
    pub(crate) loss: Loss,
    runs: Vec<RunRows>,
    pub(crate) points: usize,
    /// Residuals smaller than this, together, are rounding.
    rounding: f64,
}

#[derive(Clone)]
struct RunRows {
    /// The run's place, at one unit of tokens.
    row: Row,
    points: Vec<Observation>,
}

#[derive(Clone, Copy)]
struct Observation {
    tokens: f64,
    ln_tokens: f64,
    target: f64,
    root_weight: f64,
}

/// With every point, or with each run's points replaced by four rows of the same inner products.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    Sums,
    Points,
}

/// For one `beta`: rows of weight x `[1, D^-beta, D^-beta ln D, target]`, run after run.
pub(crate) struct TokenRows {
    rows: Vec<[f64; 4]>,
    ends: Vec<usize>,
}

/// The best linear constants for given exponents.
pub(crate) struct Projection {
    pub(crate) parameters: Vec<f64>,
    pub(crate) objective: f64,
    pub(crate) token_rows: TokenRows,
}

impl Problem {
    pub(crate) fn new(form: &'static dyn Form, runs: &[&Run]) -> Self {
        let rows: Vec<Row> = runs.iter().flat_map(|run| run.rows()).collect();
        Self::in_gauge(form, runs, form.own_units().unwrap_or_else(|| Scale::geometric_mean(&rows)))
    }

    /// In a gauge given from outside, so that refits can start from each other's constants.
    pub(crate) fn in_gauge(form: &'static dyn Form, runs: &[&Run], scale: Scale) -> Self {
        let mut rounding = 0.0;
        let mut points = 0;
        let runs = runs
            .iter()
            .map(|run| {
                let observations = run.points.iter().map(|point| {
                    let row = run.row(point.tokens).divided_by(&scale);
                    let root_weight = point.weight.sqrt();
                    rounding += (root_weight * point.loss).powi(2);
                    points += 1;
                    let target = point.loss - form.offset(&row);
                    Observation { tokens: row.tokens, ln_tokens: row.ln_tokens, target, root_weight }
                });
                RunRows { points: observations.collect(), row: run.row(scale.tokens).divided_by(&scale) }
            })
            .collect();
        let loss = Loss::LeastSquares;
        Self { form, scale, loss, runs, points, rounding: rounding * (4.0 * f64::EPSILON).powi(2) }
    }

    pub(crate) fn with_loss(self, loss: Loss) -> Self {
        Self { loss, ..self }
    }

    /// Calls `f` with the derivative by every constant of minus the residual, the point's part of the loss, its
    /// residual and its weight.
    pub(super) fn each_part(&self, parameters: &[f64], mut f: impl FnMut(&[f64], Part, f64, f64)) {
        let count = parameters.len();
        let mut gradient = [0.0; COLUMNS];
        for run in &self.runs {
            for point in &run.points {
                let row = Row { tokens: point.tokens, ln_tokens: point.ln_tokens, ..run.row };
                let predicted = self.form.value(parameters, &row);
                let (residual, slope) = self.loss.residual(point.target + self.form.offset(&row), predicted);
                self.form.gradient(parameters, &row, &mut gradient[..count]);
                gradient[..count].iter_mut().for_each(|x| *x *= slope);
                f(&gradient[..count], self.loss.part(residual), residual, point.root_weight.powi(2));
            }
        }
    }

    /// Whether a sum of squares is nothing but rounding.
    pub(crate) fn is_rounding(&self, objective: f64) -> bool {
        objective <= self.rounding
    }

    /// The best linear constants for these exponents, within their signs.
    pub(crate) fn project(&self, exponents: &[f64], detail: Detail) -> Projection {
        let linear = self.form.linear();
        let mut parameters = vec![0.0; linear];
        parameters.extend_from_slice(exponents);
        let token_rows = self.token_rows(exponents, detail);
        let mut triangle = Triangle::new(linear + 1);
        self.each(&token_rows, &parameters, |gradient, target| {
            let mut row = [0.0; COLUMNS];
            row[..linear].copy_from_slice(&gradient[..linear]);
            row[linear] = target;
            triangle.push(&row[..=linear]);
        });
        let factor = triangle.finish();
        let objective = self.best_signs(&factor, &mut parameters[..linear]);
        let objective = if objective.is_finite() { objective } else { f64::INFINITY };
        Projection { parameters, objective, token_rows }
    }

    /// The factor of `[J | r]` at these parameters.
    pub(crate) fn jacobian(&self, token_rows: &TokenRows, parameters: &[f64]) -> Factor {
        let count = parameters.len();
        let linear = self.form.linear();
        let mut triangle = Triangle::new(count + 1);
        self.each(token_rows, parameters, |gradient, target| {
            let mut row = [0.0; COLUMNS];
            row[..count].copy_from_slice(gradient);
            let explained: f64 = gradient[..linear].iter().zip(parameters).map(|(x, c)| x * c).sum();
            row[count] = target - explained;
            triangle.push(&row[..=count]);
        });
        triangle.finish()
    }

    /// The factor of `[J | r]` at these parameters, from every point.
    pub(crate) fn full_jacobian(&self, parameters: &[f64]) -> Factor {
        let token_rows = self.token_rows(&parameters[self.form.linear()..], Detail::Points);
        self.jacobian(&token_rows, parameters)
    }

    /// Few active sets: each way of holding signed constants at 0 is tried, and the best that keeps the signs stays.
    fn best_signs(&self, factor: &Factor, constants: &mut [f64]) -> f64 {
        let signed: Vec<usize> =
            (0..constants.len()).filter(|&i| self.form.parameters()[i].min == 0.0).collect();
        let mut best = f64::INFINITY;
        for held in 0..1_u32 << signed.len() {
            let is_held = |i: usize| signed.iter().position(|&s| s == i).is_some_and(|s| held >> s & 1 == 1);
            let kept: Vec<usize> = (0..constants.len()).filter(|&i| !is_held(i)).collect();
            let selected = factor.select(&kept, &[]);
            let solution = selected.solve();
            let keeps_signs = kept.iter().zip(&solution).all(|(i, &x)| x >= 0.0 || !signed.contains(i));
            if keeps_signs && selected.unexplained() < best {
                best = selected.unexplained();
                constants.fill(0.0);
                for (&i, &x) in kept.iter().zip(&solution) {
                    constants[i] = x;
                }
                if held == 0 {
                    break;
                }
            }
        }
        best
    }

    /// Calls `f` with the weighted gradient by every constant and the weighted target, row by row.
    ///
    /// A form without linear constants has its value taken off the target here.
    fn each(&self, token_rows: &TokenRows, parameters: &[f64], mut f: impl FnMut(&[f64], f64)) {
        let count = parameters.len();
        let mut gradient = [0.0; COLUMNS];
        if self.form.token_exponent().is_some() {
            let mut along = [[0.0; 3]; COLUMNS];
            let mut start = 0;
            for (run, &end) in self.runs.iter().zip(&token_rows.ends) {
                self.form.along_run(parameters, &run.row, &mut along[..count]);
                for row in &token_rows.rows[start..end] {
                    for (out, a) in gradient[..count].iter_mut().zip(&along) {
                        *out = a[0] * row[0] + a[1] * row[1] + a[2] * row[2];
                    }
                    f(&gradient[..count], row[3]);
                }
                start = end;
            }
            return;
        }
        let separable = self.form.linear() > 0;
        for run in &self.runs {
            for point in &run.points {
                let row = Row { tokens: point.tokens, ln_tokens: point.ln_tokens, ..run.row };
                self.form.gradient(parameters, &row, &mut gradient[..count]);
                gradient[..count].iter_mut().for_each(|x| *x *= point.root_weight);
                let value =
                    if separable { 0.0 } else { self.form.value(parameters, &row) - self.form.offset(&row) };
                f(&gradient[..count], point.root_weight * (point.target - value));
            }
        }
    }

    fn token_rows(&self, exponents: &[f64], detail: Detail) -> TokenRows {
        let mut token_rows = TokenRows { rows: Vec::new(), ends: Vec::new() };
        let Some(place) = self.form.token_exponent() else { return token_rows };
        let beta = exponents[place - self.form.linear()];
        for run in &self.runs {
            let rows = run.points.iter().map(|point| {
                let power = point.root_weight * (-beta * point.ln_tokens).exp();
                [point.root_weight, power, power * point.ln_tokens, point.root_weight * point.target]
            });
            if detail == Detail::Sums && run.points.len() > 4 {
                let mut triangle = Triangle::new(4);
                rows.for_each(|row| triangle.push(&row));
                let factor = triangle.finish();
                token_rows.rows.extend(factor.rows[..4].iter().map(|row| [row[0], row[1], row[2], row[3]]));
            } else {
                token_rows.rows.extend(rows);
            }
            token_rows.ends.push(token_rows.rows.len());
        }
        token_rows
    }
}
