//! Whether the form is wrong for the data: three regressions of what it leaves over.
//!
//! The slope of a run's residuals in `ln D`, regressed over runs on `ln rho` and on `ln N0`, and the run means,
//! regressed on the square of centred `ln rho`. A trend says along which axis the form fails.

use crate::fit::Fit;
use crate::student;
use crate::table::Run;
use crate::warning::Warning;

/// Below this probability of chance a trend counts.
const LEVEL: f64 = 0.01;

/// One warning a failed test.
pub(crate) fn tests(fit: &Fit, runs: &[&Run]) -> Vec<Warning> {
    let residuals: Vec<(&Run, f64, f64)> = runs.iter().filter_map(|run| slope_and_mean(fit, run)).collect();
    let ln_rate = |run: &Run| run.rate.ln();
    let ln_n0 = |run: &Run| run.n0.ln();
    let center = residuals.iter().map(|(run, ..)| ln_rate(run)).sum::<f64>() / residuals.len().max(1) as f64;
    let slopes =
        |x: fn(&Run) -> f64| residuals.iter().map(|(run, slope, _)| (x(run), *slope)).collect::<Vec<_>>();
    let bend: Vec<(f64, f64)> =
        residuals.iter().map(|(run, _, mean)| ((ln_rate(run) - center).powi(2), *mean)).collect();
    let cases = [
        (slopes(ln_rate), "the curves bend differently at different rates than the form allows"),
        (slopes(ln_n0), "the curves bend differently at different sizes than the form allows"),
        (bend, "the loss does not follow a power of the rate"),
    ];
    let failed = |(points, _): &&(Vec<(f64, f64)>, &str)| chance(points).is_some_and(|chance| chance < LEVEL);
    cases.iter().filter(failed).map(|(_, sentence)| Warning::new("lack-of-fit", *sentence)).collect()
}

/// Slope of a run's residuals in `ln D`, and their mean.
fn slope_and_mean<'a>(fit: &Fit, run: &&'a Run) -> Option<(&'a Run, f64, f64)> {
    let points: Vec<(f64, f64)> = run
        .points
        .iter()
        .map(|point| (point.tokens.ln(), point.loss - fit.value(&run.row(point.tokens))))
        .collect();
    (points.len() >= 3).then_some(())?;
    let line = Line::through(&points)?;
    Some((run, line.slope, line.mean))
}

/// The probability that chance alone makes a slope this steep.
fn chance(points: &[(f64, f64)]) -> Option<f64> {
    (points.len() >= 6).then_some(())?;
    let line = Line::through(points)?;
    let degrees = points.len() - 2;
    let error = (line.left / degrees as f64 / line.width).sqrt();
    (error > 0.0).then(|| student::beyond(line.slope / error, degrees))
}

struct Line {
    slope: f64,
    mean: f64,
    /// Sum of squares left over.
    left: f64,
    /// Sum of squares of the centred `x`.
    width: f64,
}

impl Line {
    fn through(points: &[(f64, f64)]) -> Option<Self> {
        let count = points.len() as f64;
        let (mean_x, mean) = (
            points.iter().map(|p| p.0).sum::<f64>() / count,
            points.iter().map(|p| p.1).sum::<f64>() / count,
        );
        let width: f64 = points.iter().map(|p| (p.0 - mean_x).powi(2)).sum();
        // A single level, up to rounding, has no slope.
        (width > 1e-9 * count).then_some(())?;
        let slope = points.iter().map(|p| (p.0 - mean_x) * (p.1 - mean)).sum::<f64>() / width;
        let left = points.iter().map(|p| (p.1 - mean - slope * (p.0 - mean_x)).powi(2)).sum();
        Some(Self { slope, mean, left, width })
    }
}
