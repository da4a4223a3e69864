//! Whether tokens are counted from the right beginning: the fitted form with `D + s` in the place
//! of `D` is its rival, and both are judged on every run in turn after a fit to the others.
//!
//! A shift leaves the fit inside the data nearly as it was, which trends among runs do not show,
//! and moves the tokens that are enough by half. Only the shape of a held-out run is judged, its
//! own mean taken off: how high a run lies says nothing of a shift.

use crate::fit::{Detail, Fit, Patience, descend};
use crate::identify::Levels;
use crate::parallel;
use crate::student;
use crate::table::Run;

/// Fewer runs than this judge nothing.
const FEWEST_RUNS: usize = 4;
/// A rival that does not explain this much more than one constant by chance is not judged further.
const LEAST_RATIO: f64 = 1.0;
/// Shifts that are tried, in geometric means of the tokens.
const TRIED: [f64; 7] = [0.01, 0.03, 0.1, 0.25, 0.6, 1.5, 4.0];
/// Half the width of the parabola through the logarithm of a shift.
const STEP: f64 = 0.4;

/// A rival that was judged.
pub(crate) struct Shift {
    /// Tokens that the rival adds.
    pub(crate) tokens: f64,
    /// The probability that chance alone makes it better by so much.
    pub(crate) chance: f64,
}

/// Judges the rival; `None` where the form has no power of the tokens, the runs are too few, or no
/// shift helps.
pub(crate) fn test(fit: &Fit, runs: &[&Run], method: &str) -> Option<Shift> {
    fit.form.token_exponent()?;
    (runs.len() >= FEWEST_RUNS && runs.iter().all(|run| run.points.len() >= 4)).then_some(())?;
    let whole = Rival { fit, runs };
    let none = whole.at(0.0, &fit.parameters);
    let (shift, best) = whole.best(none.1)?;
    let degrees = fit.points.saturating_sub(fit.free() + 1).max(1) as f64;
    ((none.1 - best.1) > LEAST_RATIO * best.1 / degrees).then_some(())?;
    let needed = Levels::of(runs, method).form();
    let numbers: Vec<usize> = (0..runs.len()).collect();
    let folds: Vec<Fold> = parallel::map(&numbers, |&out| {
        let rest: Vec<&Run> = (0..runs.len()).filter(|&i| i != out).map(|i| runs[i]).collect();
        (Levels::of(&rest, method).form() == needed).then_some(())?;
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

/// A run that was held out: how far apart the two predictions of its shape lie, and how far the run
/// lies from the form's own towards the rival's.
struct Fold {
    apart: f64,
    towards: f64,
}

impl Fold {
    /// From what the form and the rival leave over of the run.
    fn of(own: &[f64], rival: &[f64]) -> Self {
        let step: Vec<f64> = own.iter().zip(rival).map(|(own, rival)| own - rival).collect();
        let apart = step.iter().map(|x| x * x).sum::<f64>().sqrt();
        let product: f64 = own.iter().zip(&step).map(|(left, step)| left * step).sum();
        Self { apart, towards: if apart > 0.0 { product / apart } else { 0.0 } }
    }
}

/// The probability that chance alone moves the held-out runs so far towards the rival: how far they
/// lie, regressed on how far they should, through the origin. 1 where the rival predicts them no
/// better: less than half way.
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
    Some(if error > 0.0 { 0.5 * student::beyond(slope / error, degrees) } else { 0.0 })
}

/// The form on some runs, with shifts of their tokens.
struct Rival<'a> {
    fit: &'a Fit,
    runs: &'a [&'a Run],
}

/// Constants and what they leave over.
type End = (Vec<f64>, f64);

impl Rival<'_> {
    /// The best constants for a shift, from constants near them.
    fn at(&self, tokens: f64, near: &[f64]) -> End {
        let shifted: Vec<Run> = self.runs.iter().map(|run| moved(run, tokens)).collect();
        let problem = self.fit.problem(&shifted.iter().collect::<Vec<_>>());
        let exponents = &near[self.fit.form.linear()..];
        let found = descend(&problem, exponents, &[], Detail::Sums, Patience::SEARCH);
        (found.parameters, found.objective)
    }

    /// The best shift of all; `None` where none is better than none.
    fn best(&self, without: f64) -> Option<(f64, End)> {
        let logs: Vec<f64> =
            self.runs.iter().flat_map(|run| &run.points).map(|point| point.tokens.ln()).collect();
        let middle = (logs.iter().sum::<f64>() / logs.len() as f64).exp();
        let mut best: Option<(f64, End)> = None;
        let mut near = self.fit.parameters.clone();
        for tried in TRIED {
            let end = self.at(tried * middle, &near);
            near.clone_from(&end.0);
            if end.1 < best.as_ref().map_or(without, |best| best.1.1) {
                best = Some((tried * middle, end));
            }
        }
        let (shift, end) = best?;
        let (shift, end) = self.near(shift, &end.0);
        Some(self.near(shift, &end.0))
    }

    /// The best shift near another: the lowest point of a parabola in its logarithm.
    fn near(&self, shift: f64, constants: &[f64]) -> (f64, End) {
        let places = [shift * (-STEP).exp(), shift, shift * STEP.exp()];
        let ends = places.map(|tokens| self.at(tokens, constants));
        let [left, middle, right] = [0, 1, 2].map(|i: usize| ends[i].1);
        let bend = left - 2.0 * middle + right;
        let step = if bend > 0.0 {
            0.5 * STEP * (left - right) / bend
        } else {
            STEP * (left - right).signum()
        };
        let tokens = shift * step.clamp(-2.0 * STEP, 2.0 * STEP).exp();
        let found = self.at(tokens, &ends[1].0);
        let mut tried: Vec<(f64, End)> = places.into_iter().zip(ends).collect();
        tried.push((tokens, found));
        tried.into_iter().min_by(|a, b| a.1.1.total_cmp(&b.1.1)).expect("four were tried")
    }

    /// What constants leave over of a run's points, the mean taken off.
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
