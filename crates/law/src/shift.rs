//! Tests whether tokens are counted from the right beginning. The rival is the fitted form with
//! `D + s` in place of `D`. Each run in turn is left out, and both forms predict it from
//! the others.
//!
//! A shift hardly changes the fit inside the data, so trends among residuals do not show it. It can
//! still change enough tokens by half. Only the shape of a left-out run is judged, after its own
//! mean is subtracted: the height of a run says nothing about a shift.

use crate::fit::{Detail, Fit, Patience, descend};
use crate::identify::Grid;
use crate::parallel;
use crate::student;
use crate::table::Run;

/// With fewer runs there is no test.
const FEWEST_RUNS: usize = 4;
/// The F ratio of one more constant. Below it the rival improves less than chance would, and is not
/// judged.
const LEAST_RATIO: f64 = 1.0;
/// The shifts that are tried, as multiples of the geometric mean of the tokens.
const TRIED: [f64; 7] = [0.01, 0.03, 0.1, 0.25, 0.6, 1.5, 4.0];
/// Half the width of the parabola in the logarithm of the shift.
const STEP: f64 = 0.4;

/// The result for a rival.
pub(crate) struct Shift {
    /// The shift `s`, in tokens.
    pub(crate) tokens: f64,
    /// The probability that chance alone favours the rival this much.
    pub(crate) chance: f64,
}

/// Judges the rival. `None` if the form has no power of the tokens, the runs are too few, or no
/// shift helps.
pub(crate) fn test(fit: &Fit, runs: &[&Run], method: &str) -> Option<Shift> {
    fit.form.token_exponent()?;
    (runs.len() >= FEWEST_RUNS && runs.iter().all(|run| run.points.len() >= 4)).then_some(())?;
    let whole = Rival { fit, runs };
    let none = whole.at(0.0, &fit.parameters);
    let (shift, best) = whole.best(none.1)?;
    let degrees = fit.points.saturating_sub(fit.free() + 1).max(1) as f64;
    // The usual F ratio, with the shift as the one added constant.
    ((none.1 - best.1) > LEAST_RATIO * best.1 / degrees).then_some(())?;
    let needed = Grid::of(runs, method).form();
    let numbers: Vec<usize> = (0..runs.len()).collect();
    let folds: Vec<Fold> = parallel::map(&numbers, |&out| {
        let rest: Vec<&Run> = (0..runs.len()).filter(|&i| i != out).map(|i| runs[i]).collect();
        // Without this run the rest may no longer determine every constant: then the run cannot be
        // judged.
        (Grid::of(&rest, method).form() == needed).then_some(())?;
        let rival = Rival { fit, runs: &rest };
        let (own, _) = rival.at(0.0, &none.0);
        let (tokens, (shifted, _)) = rival.near(shift, &best.0);
        Some(Fold::of(&whole.left(runs[out], 0.0, &own), &whole.left(runs[out], tokens, &shifted)))
    })
    .into_iter()
    .flatten()
    .collect();
    (folds.len() >= FEWEST_RUNS).then_some(())?;
    Some(Shift { tokens: shift, chance: chance(&folds)? })
}

/// A left-out run: the distance between the two predictions of its shape, and how far its residual
/// reaches from the form's prediction towards the rival's.
struct Fold {
    apart: f64,
    towards: f64,
}

impl Fold {
    /// From the residuals of the form and of the rival on this run.
    fn of(own: &[f64], rival: &[f64]) -> Self {
        let step: Vec<f64> = own.iter().zip(rival).map(|(own, rival)| own - rival).collect();
        let apart = step.iter().map(|x| x * x).sum::<f64>().sqrt();
        let product: f64 = own.iter().zip(&step).map(|(left, step)| left * step).sum();
        Self { apart, towards: if apart > 0.0 { product / apart } else { 0.0 } }
    }
}

/// The probability that chance alone moves the left-out runs this far towards the rival. It
/// regresses how far they lie on how far the rival says, through the origin. It is 1 if the slope
/// is below a half: then the form's own prediction is the nearer one.
fn chance(folds: &[Fold]) -> Option<f64> {
    let width: f64 = folds.iter().map(|fold| fold.apart.powi(2)).sum();
    let slope = folds.iter().map(|fold| fold.apart * fold.towards).sum::<f64>() / width;
    slope.is_finite().then_some(())?;
    if slope <= 0.5 {
        return Some(1.0);
    }
    let degrees = folds.len() - 1;
    let left: f64 = folds.iter().map(|fold| (fold.towards - slope * fold.apart).powi(2)).sum();
    let error = (left / degrees as f64 / width).sqrt();
    // One-sided: only a move towards the rival counts.
    Some(if error > 0.0 { 0.5 * student::beyond(slope / error, degrees) } else { 0.0 })
}

/// The form on some runs, with shifted tokens.
struct Rival<'a> {
    fit: &'a Fit,
    runs: &'a [&'a Run],
}

/// Fitted constants and their objective.
type End = (Vec<f64>, f64);

impl Rival<'_> {
    /// The best constants for a shift; the search starts at `near`.
    fn at(&self, tokens: f64, near: &[f64]) -> End {
        let shifted: Vec<Run> = self.runs.iter().map(|run| moved(run, tokens)).collect();
        let problem = self.fit.problem(&shifted.iter().collect::<Vec<_>>());
        let exponents = &near[self.fit.form.linear()..];
        let found = descend(&problem, exponents, &[], Detail::Sums, Patience::SEARCH);
        (found.parameters, found.objective)
    }

    /// The best shift of all; `None` if none is better than no shift.
    fn best(&self, without: f64) -> Option<(f64, End)> {
        let logs: Vec<f64> =
            self.runs.iter().flat_map(|run| &run.points).map(|point| point.tokens.ln()).collect();
        let middle = (logs.iter().sum::<f64>() / logs.len() as f64).exp();
        let mut best: Option<(f64, End)> = None;
        let mut near = self.fit.parameters.clone();
        for tried in TRIED {
            let end = self.at(tried * middle, &near);
            // Each shift starts from the constants of the one before: neighbours have similar
            // optima.
            near.clone_from(&end.0);
            if end.1 < best.as_ref().map_or(without, |best| best.1.1) {
                best = Some((tried * middle, end));
            }
        }
        let (shift, end) = best?;
        // The second parabola refines the result of the first.
        let (shift, end) = self.near(shift, &end.0);
        Some(self.near(shift, &end.0))
    }

    /// The best shift near another one: the vertex of a parabola in the logarithm of the shift.
    fn near(&self, shift: f64, constants: &[f64]) -> (f64, End) {
        let places = [shift * (-STEP).exp(), shift, shift * STEP.exp()];
        let ends = places.map(|tokens| self.at(tokens, constants));
        let [left, middle, right] = [0, 1, 2].map(|i: usize| ends[i].1);
        let bend = left - 2.0 * middle + right;
        let step = if bend > 0.0 {
            0.5 * STEP * (left - right) / bend
        } else {
            // The parabola opens downwards: take one step to the lower side.
            STEP * (left - right).signum()
        };
        let tokens = shift * step.clamp(-2.0 * STEP, 2.0 * STEP).exp();
        let found = self.at(tokens, &ends[1].0);
        let mut tried: Vec<(f64, End)> = places.into_iter().zip(ends).collect();
        tried.push((tokens, found));
        tried.into_iter().min_by(|a, b| a.1.1.total_cmp(&b.1.1)).expect("four were tried")
    }

    /// The residuals of a run at these constants, minus their mean.
    fn left(&self, run: &Run, tokens: f64, constants: &[f64]) -> Vec<f64> {
        let moved = moved(run, tokens);
        let left: Vec<f64> = moved
            .rows()
            .zip(&run.points)
            .map(|(row, point)| {
                point.loss - self.fit.form.value(constants, &row.divided_by(&self.fit.scale))
            })
            .collect();
        let mean = left.iter().sum::<f64>() / left.len() as f64;
        left.into_iter().map(|x| x - mean).collect()
    }
}

fn moved(run: &Run, tokens: f64) -> Run {
    let mut moved = run.clone();
    moved.points.iter_mut().for_each(|point| point.tokens += tokens);
    moved
}
