//! The judge that fit and validation share. It puts predictions beside measurements, in sample and
//! held out.

mod holdout;

pub use holdout::Cannot;
pub(crate) use holdout::{Fold, Way};

use crate::code::Code;
use crate::fit::{Fit, fit_form};
use crate::form::Form;
use crate::identify::Grid;
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

/// The last loss seen of a run.
pub(crate) fn last_value(run: &Run) -> f64 {
    run.points.last().map_or(run.loss0, |point| point.loss)
}

/// Fits `E + A D^-b` to `seen`, the known part of a run, and evaluates it at the points of `run`.
pub(crate) fn power(seen: &Run, run: &Run) -> Result<Vec<f64>, Cannot> {
    if seen.points.len() < 4 {
        let why =
            format!("run `{}` has {} points, `E + A D^-b` needs 4", run.name, seen.points.len());
        return Err(Cannot::new(Code::TooFewPoints, &why));
    }
    let form = Grid { sizes: 1, rates: 1, counts: seen.points.len() }.form();
    let fit = fit_form(form, &[seen], 8);
    Ok(run.rows().map(|row| fit.value(&row)).collect())
}

/// Judges a form on the last 20 % of each run's checkpoints after fitting it to the others. Skill
/// is against the better of the last value seen and a power law through each run. `None` if
/// too few points are left to fit, or none to judge.
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
    let pairs = || seen.iter().zip(&unseen);
    let last = pairs().flat_map(|(seen, unseen)| vec![last_value(seen); unseen.points.len()]);
    let powers = pairs().map(|(seen, unseen)| power(seen, unseen)).collect::<Result<Vec<_>, _>>();
    let baselines = [Some(last.collect()), powers.ok().map(|powers| powers.concat())];
    let judged_all = judged.concat();
    // The better baseline leaves the smaller skill.
    let skill = baselines
        .iter()
        .flatten()
        .filter_map(|baseline: &Vec<f64>| metric::skill(&judged_all, baseline))
        .reduce(f64::min);
    Some(Metrics { skill, ..Metrics::of(&judged, None) })
}
