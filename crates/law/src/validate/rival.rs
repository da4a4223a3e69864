//! What is compared: a form that is fitted to the seen points, or a baseline.

use super::baseline::Baseline;
use crate::code::Code;
use crate::fit::{Fit, fit_form};
use crate::form::{Axis, Follows, Form};
use crate::identify::{SIZE_TOLERANCE, ZERO, distinct_sizes, same};
use crate::judge::{Cannot, Fold, Way, beside, judge, power};
use crate::metric::Judged;
use crate::table::Run;

/// A form or a baseline.
#[derive(Clone, Copy)]
pub(super) enum Rival {
    Form(&'static dyn Form),
    Baseline(Baseline),
}

/// The judged points of each run, or why there are none.
pub(super) type JudgedRuns = Result<Vec<Vec<Judged>>, Cannot>;

impl Rival {
    /// Judges it on the points it was fitted to.
    pub(super) fn in_sample(self, runs: &[&Run], starts: usize) -> JudgedRuns {
        match self {
            Self::Form(form) => Ok(judge(&fitted(form, runs, starts)?, runs.iter().copied())),
            Self::Baseline(Baseline::RunPower) => {
                runs.iter().map(|run| Ok(beside(run, power(run, run)?))).collect()
            }
            Self::Baseline(_) => {
                Err(Cannot::new(Code::DoesNotApply, "it predicts what was not seen"))
            }
        }
    }

    /// Judges it on the held-out points of every fold.
    pub(super) fn held_out(self, way: Way, folds: &[Fold], starts: usize) -> JudgedRuns {
        let mut judged = Vec::new();
        for fold in folds {
            let predicted = match self {
                Self::Form(form) => by_form(form, fold, starts)?,
                Self::Baseline(baseline) => baseline.predict(way, fold)?,
            };
            judged
                .extend(fold.unseen.iter().zip(predicted).map(|(run, losses)| beside(run, losses)));
        }
        Ok(judged)
    }
}

/// Fits a form, if these runs can determine its constants.
fn fitted(form: &'static dyn Form, runs: &[&Run], starts: usize) -> Result<Fit, Cannot> {
    let (points, constants) =
        (runs.iter().map(|run| run.points.len()).sum::<usize>(), form.parameters().len());
    // With as many constants as points the fit is exact and proves nothing.
    if points <= constants {
        let why = format!("{points} points do not judge {constants} constants");
        return Err(Cannot::new(Code::TooFewPoints, &why));
    }
    let fit = fit_form(form, runs, starts);
    if !fit.objective.is_finite() || fit.parameters.iter().any(|x| !x.is_finite()) {
        return Err(Cannot::new(Code::NoFit, "no finite fit was found"));
    }
    if fit.singular_values.iter().any(|value| *value < ZERO) {
        let why = "the points fitted to do not vary enough to fix every constant";
        return Err(Cannot::new(Code::LevelsTooFew, why));
    }
    Ok(fit)
}

/// Fits a form to the seen runs and predicts the others.
fn by_form(form: &'static dyn Form, fold: &Fold, starts: usize) -> Result<Vec<Vec<f64>>, Cannot> {
    let seen: Vec<&Run> = fold.seen.iter().collect();
    let fit = fitted(form, &seen, starts)?;
    let known = |run: &Run| fold.seen.iter().any(|other| same(other.n0, run.n0, SIZE_TOLERANCE));
    // A straight line through two sizes is exact at both and says nothing about a third.
    if form.follows(Axis::N0) == Follows::Line
        && distinct_sizes(&seen) < 3
        && !fold.unseen.iter().all(known)
    {
        let why = "two sizes leave a range of floors at a third, no number";
        return Err(Cannot::new(Code::LevelsTooFew, why));
    }
    let predicted: Vec<Vec<f64>> =
        fold.unseen.iter().map(|run| run.rows().map(|row| fit.value(&row)).collect()).collect();
    if predicted.iter().flatten().any(|loss| !loss.is_finite()) {
        return Err(Cannot::new(Code::NoFit, "it gives no finite loss for what is held out"));
    }
    Ok(predicted)
}
