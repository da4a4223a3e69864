//! The judge that fit and validation share. It puts predictions beside measurements, in sample and
//! held out.

mod holdout;

pub use holdout::Cannot;
pub(crate) use holdout::{Fold, Way};

use crate::fit::{Fit, fit_form};
use crate::form::Form;
use crate::metric::{self, Judged, Metrics};
use crate::row::Row;
use crate::table::Run;

/// A fitted object that predicts losses.
pub(crate) trait Predictor {
    /// The loss at a row in parameters and tokens.
    fn loss(&self, row: &Row) -> f64;
}

impl Predictor for Fit {
    fn loss(&self, row: &Row) -> f64 {
        self.value(row)
    }
}

/// The points of runs, each with the loss that a predictor gives.
pub(crate) fn judge<'a>(
    predictor: &impl Predictor,
    runs: impl IntoIterator<Item = &'a Run>,
) -> Vec<Vec<Judged>> {
    let of_run = |run: &Run| {
        let predicted = run.rows().map(|row| predictor.loss(&row));
        beside(run, predicted)
    };
    runs.into_iter().map(of_run).collect()
}

/// The points of one run with given predictions.
pub(crate) fn beside(run: &Run, predicted: impl IntoIterator<Item = f64>) -> Vec<Judged> {
    let judged = |(point, predicted): (&crate::table::Point, f64)| Judged {
        tokens: point.tokens,
        loss0: run.loss0,
        measured: point.loss,
        predicted,
    };
    run.points.iter().zip(predicted).map(judged).collect()
}

/// Judges a form on the last 20 % of each run's checkpoints after fitting it to the others. Skill
/// is against the last value seen. `None` if too few points are left to fit, or none to judge.
pub(crate) fn last_checkpoints(
    form: &'static dyn Form,
    runs: &[&Run],
    starts: usize,
) -> Option<Metrics> {
    let Fold { seen, unseen } = Way::LastCheckpoints.folds(runs).ok()?.pop()?;
    let points: usize = seen.iter().map(|run| run.points.len()).sum();
    // Three unknowns describe one run's curve: `E`, the amplitude and the exponent.
    let enough = seen.iter().all(|run| run.points.len() >= 3 || form.token_exponent().is_none());
    if !enough || points <= form.parameters().len() {
        return None;
    }
    let fit = fit_form(form, &seen.iter().collect::<Vec<_>>(), starts);
    let judged = judge(&fit, &unseen);
    let last = |run: &Run| run.points.last().map_or(run.loss0, |point| point.loss);
    let baseline: Vec<f64> = seen
        .iter()
        .zip(&unseen)
        .flat_map(|(seen, unseen)| vec![last(seen); unseen.points.len()])
        .collect();
    let skill = metric::skill(&judged.concat(), &baseline);
    Some(Metrics { skill, ..Metrics::of(&judged, None) })
}
