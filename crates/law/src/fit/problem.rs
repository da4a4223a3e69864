//! One form and one group of runs, in a gauge that makes the fit well conditioned.

use std::sync::Arc;

use super::constraints::Constraints;
use super::loss::{Loss, Part};
use super::points::Points;
use super::space::Space;
use super::triangle::{COLUMNS, Factor, Triangle};
use crate::form::Form;
use crate::row::{Row, Scale};
use crate::table::Run;

/// What is fitted: the loss minus the part that no constant changes, by run.
#[derive(Clone)]
pub(crate) struct Problem {
    pub(crate) form: &'static dyn Form,
    pub(crate) scale: Scale,
    pub(crate) loss: Loss,
    /// The bounds of the constants.
    pub(crate) space: Space,
    runs: Vec<RunRows>,
    pub(crate) points: usize,
    /// A sum of squared residuals below this is rounding.
    rounding: f64,
}

/// One run. Problems with the same run share its points.
#[derive(Clone)]
struct RunRows {
    /// The run's variables, at one unit of tokens.
    row: Row,
    points: Arc<Points>,
    rounding: f64,
}

/// Whether to use every point, or four rows per run with the same inner products.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    Sums,
    Points,
}

/// For one `beta`, by run: four rows of root weight x `[1, D^-beta, D^-beta ln D, target]`, by
/// column.
type Sums = Vec<[[f64; 4]; 4]>;

/// The best linear constants for given exponents.
pub(crate) struct Projection {
    pub(crate) parameters: Vec<f64>,
    pub(crate) objective: f64,
    sums: Option<Sums>,
}

impl Problem {
    pub(crate) fn new(form: &'static dyn Form, runs: &[&Run]) -> Self {
        Self::within(form, runs, &Constraints::default())
    }

    /// A problem with constraints. If they depend on units, these units are the gauge.
    pub(crate) fn within(
        form: &'static dyn Form,
        runs: &[&Run],
        constraints: &Constraints,
    ) -> Self {
        // The units that the form or the constraints demand, or else the best conditioned gauge.
        let scale = match form.own_units() {
            Some(units) => units,
            None if constraints.need_units(form) => constraints.units(),
            None => Scale::geometric_mean(runs.iter().flat_map(|run| run.rows())),
        };
        Self::in_gauge(form, runs, scale).with_space(Space::new(form, constraints))
    }

    /// A problem in a given gauge, so that refits can start from each other's constants.
    pub(crate) fn in_gauge(form: &'static dyn Form, runs: &[&Run], scale: Scale) -> Self {
        let of_run = |run: &&Run| {
            let row = run.row(scale.tokens).divided_by(&scale);
            let mut points = Points::with_capacity(run.points.len());
            for point in &run.points {
                let row = row.at(point.tokens / scale.tokens);
                points.tokens.push(row.tokens);
                points.ln_tokens.push(row.ln_tokens);
                points.target.push(point.loss - form.offset(&row));
                points.root_weight.push(point.weight.sqrt());
            }
            let rounding = run.points.iter().map(|point| point.weight * point.loss.powi(2)).sum();
            RunRows { row, points: Arc::new(points), rounding }
        };
        let space = Space::new(form, &Constraints::default());
        Self::of(form, scale, Loss::LeastSquares, space, runs.iter().map(of_run).collect())
    }

    fn of(
        form: &'static dyn Form,
        scale: Scale,
        loss: Loss,
        space: Space,
        runs: Vec<RunRows>,
    ) -> Self {
        let points = runs.iter().map(|run| run.points.len()).sum();
        // A loss carries an error of about one epsilon; the prediction adds a few.
        let rounding =
            runs.iter().map(|run| run.rounding).sum::<f64>() * (4.0 * f64::EPSILON).powi(2);
        Self { form, scale, loss, space, runs, points, rounding }
    }

    /// The same problem for some of the runs, by index. A run may appear more than once.
    pub(crate) fn chosen(&self, places: &[usize]) -> Self {
        let runs = places.iter().map(|&place| self.runs[place].clone()).collect();
        Self::of(self.form, self.scale, self.loss, self.space.clone(), runs)
    }

    pub(crate) fn with_loss(self, loss: Loss) -> Self {
        Self { loss, ..self }
    }

    pub(crate) fn with_space(self, space: Space) -> Self {
        Self { space, ..self }
    }

    /// Calls `f` for every point: minus the derivatives of its residual, its part of the loss, its
    /// residual and its weight.
    pub(super) fn each_part(&self, parameters: &[f64], mut f: impl FnMut(&[f64], Part, f64, f64)) {
        let count = parameters.len();
        let mut gradient = [0.0; COLUMNS];
        for run in &self.runs {
            for (row, target, root_weight) in run.each() {
                let predicted = self.form.value(parameters, &row);
                let (residual, slope) =
                    self.loss.residual(target + self.form.offset(&row), predicted);
                self.form.gradient(parameters, &row, &mut gradient[..count]);
                gradient[..count].iter_mut().for_each(|x| *x *= slope);
                f(&gradient[..count], self.loss.part(residual), residual, root_weight.powi(2));
            }
        }
    }

    /// Whether a sum of squares is only rounding.
    pub(crate) fn is_rounding(&self, objective: f64) -> bool {
        objective <= self.rounding
    }

    /// The best linear constants for these exponents, within bounds.
    pub(crate) fn project(&self, exponents: &[f64], detail: Detail) -> Projection {
        let linear = self.form.linear();
        let mut parameters = vec![0.0; linear];
        parameters.extend_from_slice(exponents);
        // An infinite objective makes the search reject the step instead of failing.
        if exponents.iter().any(|exponent| !exponent.is_finite()) {
            return Projection { parameters, objective: f64::INFINITY, sums: None };
        }
        let sums = (detail == Detail::Sums).then(|| self.sums(exponents)).flatten();
        let factor = self.factor(sums.as_deref(), &parameters, linear);
        let objective = self.best_within(&factor, &mut parameters[..linear]);
        let objective = if objective.is_finite() { objective } else { f64::INFINITY };
        Projection { parameters, objective, sums }
    }

    /// The factor of `[J | r]` at a projection, from sums or from points like the projection.
    pub(crate) fn jacobian(&self, at: &Projection) -> Factor<COLUMNS> {
        let (count, linear) = (at.parameters.len(), self.form.linear());
        let mut factor = self.factor(at.sums.as_deref(), &at.parameters, count);
        // The residual is the target minus the linear columns. That holds for the factor's rows as
        // for the data's.
        for row in &mut factor.rows[..=count] {
            let explained: f64 = row[..linear].iter().zip(&at.parameters).map(|(x, c)| x * c).sum();
            row[count] -= explained;
        }
        factor
    }

    /// The factor of `[J | r]` at these parameters, from all points.
    pub(crate) fn full_jacobian(&self, parameters: &[f64]) -> Factor<COLUMNS> {
        self.jacobian(&Projection { parameters: parameters.to_vec(), objective: 0.0, sums: None })
    }

    /// Tries every way of holding bounded constants at a bound, and keeps the best solution within
    /// bounds. There are few linear constants, so this is exact and cheap.
    fn best_within(&self, factor: &Factor<COLUMNS>, constants: &mut [f64]) -> f64 {
        let mut ends = [[0.0; 2]; COLUMNS];
        (0..constants.len()).for_each(|i| ends[i] = self.space.ends(i));
        let inside = |i: usize, x: f64| ends[i][0] <= x && x <= ends[i][1];
        // The common case: the free solution lies within the bounds and cannot be beaten.
        if !(0..constants.len()).any(|i| self.space.is_set(i)) {
            let solution = factor.solve();
            if (0..constants.len()).all(|i| inside(i, solution[i])) {
                constants.copy_from_slice(&solution[..constants.len()]);
                return factor.unexplained();
            }
        }
        let ways: Vec<Vec<Option<f64>>> =
            ends[..constants.len()].iter().map(|ends| ways(*ends)).collect();
        let mut best = f64::INFINITY;
        let mut way = vec![0; ways.len()];
        loop {
            let held = |i: usize| ways[i][way[i]];
            let kept: Vec<usize> = (0..constants.len()).filter(|&i| held(i).is_none()).collect();
            // A constant held at 0 adds nothing; any other moves the target.
            let away =
                (0..constants.len()).filter_map(|i| Some((i, held(i)?))).filter(|(_, x)| *x != 0.0);
            let selected = factor.clone().less(away).select(&kept, &[]);
            let solution = selected.solve();
            let sound = kept.iter().zip(&solution).all(|(&i, &x)| inside(i, x));
            if sound && selected.unexplained() < best {
                best = selected.unexplained();
                (0..constants.len()).for_each(|i| constants[i] = held(i).unwrap_or_default());
                kept.iter().zip(&solution).for_each(|(&i, &x)| constants[i] = x);
                // The first way holds only constants that are set, so no other way can be better.
                if way.iter().all(|&choice| choice == 0) {
                    break;
                }
            }
            // Counts through all combinations, like digits of a number.
            let Some(i) = (0..way.len()).find(|&i| way[i] + 1 < ways[i].len()) else { break };
            way[i] += 1;
            way[..i].fill(0);
        }
        best
    }

    /// The factor of the weighted derivatives by the first `columns` constants, and of the weighted
    /// target.
    ///
    /// For a form without linear constants the target is first reduced by the form's value.
    fn factor(
        &self,
        sums: Option<&[[[f64; 4]; 4]]>,
        parameters: &[f64],
        columns: usize,
    ) -> Factor<COLUMNS> {
        let count = parameters.len();
        let mut triangle = Triangle::<COLUMNS>::new(columns + 1);
        // Without a token exponent no few rows can replace a run: each point is a row.
        let Some(place) = self.form.token_exponent() else {
            self.each_point(parameters, |gradient, target| {
                let mut row = [0.0; COLUMNS];
                row[..columns].copy_from_slice(&gradient[..columns]);
                row[columns] = target;
                triangle.push(&row[..=columns]);
            });
            return triangle.finish();
        };
        let mut along = [[0.0; 3]; COLUMNS];
        let mut target_alone = 0.0;
        for (i, run) in self.runs.iter().enumerate() {
            self.form.along_run(parameters, &run.row, &mut along[..count]);
            let mut push = |rows: usize, [root, power, sloped, target]: [&[f64]; 4]| {
                triangle.push_rows(rows, |block, at| {
                    for (column, a) in block.iter_mut().zip(&along[..columns]) {
                        let columns = root.iter().zip(power).zip(sloped);
                        for (x, ((root, power), sloped)) in
                            column[at..at + rows].iter_mut().zip(columns)
                        {
                            *x = a[0] * root + a[1] * power + a[2] * sloped;
                        }
                    }
                    block[columns][at..at + rows].copy_from_slice(target);
                });
            };
            match sums {
                // The fourth row only concerns the target. One row holds those of all runs.
                Some(sums) => {
                    push(3, sums[i].each_ref().map(|column| &column[..3]));
                    target_alone += sums[i][3][3].powi(2);
                }
                None => run.points.blocks(parameters[place], |rows, columns| {
                    push(rows, columns.each_ref().map(|column| &column[..rows]));
                }),
            }
        }
        if target_alone > 0.0 {
            let mut row = [0.0; COLUMNS];
            row[columns] = target_alone.sqrt();
            triangle.push(&row[..=columns]);
        }
        triangle.finish()
    }

    /// Calls `f` for every point with the weighted gradient by all constants and the weighted
    /// target.
    fn each_point(&self, parameters: &[f64], mut f: impl FnMut(&[f64], f64)) {
        let count = parameters.len();
        let mut gradient = [0.0; COLUMNS];
        let separable = self.form.linear() > 0;
        for run in &self.runs {
            for (row, target, root_weight) in run.each() {
                self.form.gradient(parameters, &row, &mut gradient[..count]);
                gradient[..count].iter_mut().for_each(|x| *x *= root_weight);
                let value = if separable {
                    0.0
                } else {
                    self.form.value(parameters, &row) - self.form.offset(&row)
                };
                f(&gradient[..count], root_weight * (target - value));
            }
        }
    }

    /// The sums of all runs; `None` if the form has no token exponent.
    fn sums(&self, exponents: &[f64]) -> Option<Sums> {
        let beta = exponents[self.form.token_exponent()? - self.form.linear()];
        Some(self.runs.iter().map(|run| run.points.sums(beta)).collect())
    }
}

impl RunRows {
    /// The row, target and root weight of every point.
    fn each(&self) -> impl Iterator<Item = (Row, f64, f64)> {
        let Points { tokens, ln_tokens, target, root_weight } = &*self.points;
        let places = tokens.iter().zip(ln_tokens);
        let rows = places.map(|(&tokens, &ln_tokens)| Row { tokens, ln_tokens, ..self.row });
        rows.zip(target)
            .zip(root_weight)
            .map(|((row, &target), &root_weight)| (row, target, root_weight))
    }
}

/// How a constant may be held: free, or at a finite bound.
fn ways([low, high]: [f64; 2]) -> Vec<Option<f64>> {
    if low == high {
        return vec![Some(low)];
    }
    let ends = [low, high].into_iter().filter(|end| end.is_finite()).map(Some);
    std::iter::once(None).chain(ends).collect()
}
