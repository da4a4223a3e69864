//! The noise around a fitted law, split into its parts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::fit::Fit;
use crate::table::Run;

/// Standard deviations in nats per token. Those that the data cannot tell are absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// The deviation of a whole run from the law.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) run: Option<f64>,
    /// The common deviation of all runs of one base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) base: Option<f64>,
    /// The deviation of a point from its run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) point: Option<f64>,
    /// The correlation of neighbouring points of one run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) autocorrelation: Option<f64>,
}

impl Noise {
    /// Splits the residuals of a fit into run offsets and AR(1) errors, by the method of moments.
    pub fn of(fit: &Fit, runs: &[&Run]) -> Self {
        let residuals: Vec<Vec<f64>> = runs
            .iter()
            .map(|run| {
                run.points
                    .iter()
                    .map(|point| point.loss - fit.value(&run.row(point.tokens)))
                    .collect()
            })
            .collect();
        let points = fit.points as f64;
        let constants = fit.free() as f64;
        let groups = runs.len() as f64;
        let length = points / groups;
        let means: Vec<f64> = residuals.iter().map(|run| mean(run)).collect();
        let within: Vec<Vec<f64>> = residuals
            .iter()
            .zip(&means)
            .map(|(run, mean)| run.iter().map(|r| r - mean).collect())
            .collect();
        let square: f64 = within.iter().flatten().map(|e| e * e).sum();
        if points <= constants {
            return Self::default();
        }
        if runs.iter().all(|run| run.points.len() == 1) {
            // With one point per run, its error cannot be told from the run's own. The run gets
            // both.
            let (run, base) = offsets(fit, runs, &means, 0.0);
            return Self { run: run.map(f64::sqrt), base: base.map(f64::sqrt), ..Self::default() };
        }
        if square == 0.0 {
            return Self::default();
        }
        let lagged: f64 =
            within.iter().flat_map(|run| run.windows(2)).map(|pair| pair[0] * pair[1]).sum();
        // Subtracting q smooth functions from n points biases the correlation by about -(q + (q +
        // 2) rho) / n (Kendall 1954, Marriott and Pope 1954). Here these are each run's mean and
        // its share of the constants.
        let taken = 1.0 + ((constants - 1.0) / groups).min(2.0);
        let raw = lagged / square;
        let kept = 1.0 - (taken + 2.0) / length;
        let autocorrelation = if kept > 0.25 {
            ((raw + taken / length) / kept).clamp(0.0, 0.9)
        } else {
            raw.max(0.0)
        };
        // The standard error of a correlation from few points is large (Bartlett 1946), but many
        // runs average it out. A single run does not, so its interval uses the upper end.
        let error = ((1.0 - autocorrelation * autocorrelation) / length).sqrt();
        let autocorrelation =
            if runs.len() == 1 { (autocorrelation + error).min(0.9) } else { autocorrelation };
        // How many points of a run are worth one independent point, for its mean.
        let inflation =
            ((1.0 + autocorrelation) / (1.0 - autocorrelation)).min(length / 2.0).max(1.0);
        // The mean of each run and up to two constants use up independent points.
        let spent = inflation * (groups + 2.0_f64.min(constants - 1.0));
        let point = square / (points - spent).max(points / 4.0);
        let of_mean = point * inflation / length;
        let (run, base) = offsets(fit, runs, &means, of_mean);
        Self {
            run: run.map(f64::sqrt),
            base: base.map(f64::sqrt),
            point: Some(point.sqrt()),
            autocorrelation: Some(autocorrelation),
        }
    }
}

/// The variances of runs and, if there are enough, of bases. `of_mean` is the variance that points
/// alone give to a run's mean.
///
/// The law's constants absorb part of the offsets. The floor's are counted against the bases, the
/// others against the runs. The token term's two are counted against neither.
fn offsets(fit: &Fit, runs: &[&Run], means: &[f64], of_mean: f64) -> (Option<f64>, Option<f64>) {
    if runs.len() < 2 {
        return (None, None);
    }
    let mut bases: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (run, &mean) in runs.iter().zip(means) {
        bases.entry(&run.base).or_default().push(mean);
    }
    let (groups, count) = (runs.len() as f64, bases.len() as f64);
    let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>();
    let of_tokens = ["D_C", "token_slope", "beta"];
    let of_tokens =
        of_tokens.iter().filter(|name| fit.form.position(name).is_some()).count() as f64;
    if bases.len() < super::refit::FEWEST_BASES || bases.len() == runs.len() {
        let charged = (fit.free() as f64 - of_tokens).clamp(1.0, groups);
        let run = squares(&mut means.iter().copied()) / (groups - charged).max(1.0);
        return (Some((run - of_mean).max(0.0)), None);
    }
    let of_floor = ["E", "floor", "N_C", "floor_slope", "alpha"];
    let of_floor = of_floor.iter().filter(|name| fit.form.position(name).is_some()).count() as f64;
    let charged = (fit.free() as f64 - of_tokens - of_floor).max(0.0);
    let within = squares(&mut bases.values().flat_map(|of_base| {
        let middle = mean(of_base);
        of_base.iter().map(move |x| x - middle)
    }));
    let run = within / (groups - count - charged).max(1.0);
    let between =
        squares(&mut bases.values().map(|of_base| mean(of_base))) / (count - of_floor).max(1.0);
    // What runs alone would give the mean of a base is subtracted.
    (Some((run - of_mean).max(0.0)), Some((between - run * count / groups).max(0.0)))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

impl Noise {
    /// The deviation of a whole run from the law.
    pub fn run(&self) -> Option<f64> {
        self.run
    }

    /// The common deviation of all runs of one base.
    pub fn base(&self) -> Option<f64> {
        self.base
    }

    /// The deviation of a point from its run.
    pub fn point(&self) -> Option<f64> {
        self.point
    }

    /// The correlation of neighbouring points of one run.
    pub fn autocorrelation(&self) -> Option<f64> {
        self.autocorrelation
    }
}
