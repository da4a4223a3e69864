//! Held out: fitted to a part of the data, judged on the rest.

use crate::fit::{Fit, fit_form};
use crate::form::Form;
use crate::metric::{Judged, Metrics, skill};
use crate::table::Run;

/// The share of each run's checkpoints that is held out, the last ones.
const LAST: f64 = 0.2;

/// Judges a form on the last 20 % of each run's checkpoints after fitting it to the others; skill is against the
/// last value seen. `None` when too little is left to fit or nothing to judge.
pub fn last_checkpoints(form: &'static dyn Form, runs: &[&Run], starts: usize) -> Option<Metrics> {
    let mut seen: Vec<Run> = Vec::new();
    let mut unseen: Vec<&[crate::Point]> = Vec::new();
    for run in runs {
        let held_out = (LAST * run.points.len() as f64).round() as usize;
        let (before, after) = run.points.split_at(run.points.len() - held_out);
        seen.push(Run { points: before.to_vec(), ..(*run).clone() });
        unseen.push(after);
    }
    let points: usize = seen.iter().map(|run| run.points.len()).sum();
    let enough = seen.iter().all(|run| run.points.len() >= 3 || form.token_exponent().is_none());
    if !enough || points <= form.parameters().len() || unseen.iter().all(|points| points.is_empty()) {
        return None;
    }
    let fit = fit_form(form, &seen.iter().collect::<Vec<_>>(), starts);
    let mut baseline = Vec::new();
    let judged: Vec<Vec<Judged>> = seen
        .iter()
        .zip(&unseen)
        .map(|(run, points)| {
            let last = run.points.last().map_or(run.loss0, |point| point.loss);
            baseline.extend(points.iter().map(|_| last));
            judge(&fit, run, points)
        })
        .collect();
    let skill = skill(&judged.concat(), &baseline);
    Some(Metrics { skill, ..Metrics::of(&judged, None) })
}

/// Points of a run beside what a fit says of them.
pub(crate) fn judge(fit: &Fit, run: &Run, points: &[crate::Point]) -> Vec<Judged> {
    let judged = |point: &crate::Point| Judged {
        tokens: point.tokens,
        loss0: run.loss0,
        measured: point.loss,
        predicted: fit.value(&run.row(point.tokens)),
    };
    points.iter().map(judged).collect()
}
