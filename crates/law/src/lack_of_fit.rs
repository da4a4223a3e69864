//! Tests whether the form is wrong for its data: regressions of the residuals, and a rival form.
//!
//! The slope of a run's residuals in `ln D` is regressed on `ln rho`, on `ln N0` and on the square
//! of centred `ln N0`. `delta` absorbs a straight trend of slopes with the size, so only a curved
//! one remains. The run means are regressed on the square of centred `ln rho`. A trend names the
//! axis along which the form fails.
//!
//! An error in a base's own loss is no misfit. Rates are therefore compared within bases, and sizes
//! by the mean of each base. The rival counts tokens from another beginning.

use std::collections::BTreeMap;

use crate::fit::Fit;
use crate::form::Axis;
use crate::shift;
use crate::student;
use crate::table::Run;
use crate::warning::Misfit;

/// A trend counts if its probability by chance is below this.
const LEVEL: f64 = 0.01;
/// Residuals below this share of the losses are rounding.
const ROUNDING: f64 = 1e-12;
/// With fewer degrees of freedom there is no test.
const FEWEST_DEGREES: usize = 2;

/// All tests that the form fails.
pub(crate) fn tests(fit: &Fit, runs: &[&Run], method: &str) -> Vec<Misfit> {
    // An exact fit leaves only rounding errors, and their trends mean nothing.
    let size: f64 = runs
        .iter()
        .flat_map(|run| &run.points)
        .map(|point| point.weight * point.loss.powi(2))
        .sum();
    if fit.objective <= size * ROUNDING.powi(2) {
        return Vec::new();
    }
    let left: Vec<Residuals<'_>> = runs.iter().filter_map(|run| Residuals::of(fit, run)).collect();
    let center = mean(left.iter().map(|left| left.run.rate.ln()));
    let middle = mean(left.iter().map(|left| left.run.n0.ln()));
    let ln_rate = |left: &Residuals<'_>| left.run.rate.ln();
    let from_center = |left: &Residuals<'_>| (left.run.rate.ln() - center).powi(2);
    let cases = [
        (Misfit::Bend(Axis::Rate), within_bases(&left, |left| (ln_rate(left), left.slope))),
        (Misfit::Bend(Axis::N0), by_base(&left, |left| (left.run.n0.ln(), left.slope))),
        (Misfit::NoPowerOfRate, within_bases(&left, |left| (from_center(left), left.mean))),
        (
            Misfit::PowerChanges,
            by_base(&left, |left| ((left.run.n0.ln() - middle).powi(2), left.slope)),
        ),
    ];
    let is_failed = |chance: Option<f64>| chance.is_some_and(|chance| chance < LEVEL);
    let mut found: Vec<Misfit> = cases
        .into_iter()
        .filter(|(_, chance)| is_failed(*chance))
        .map(|(misfit, _)| misfit)
        .collect();
    if let Some(rival) = shift::test(fit, runs, method).filter(|rival| rival.chance < LEVEL) {
        found.push(Misfit::Shift { tokens: rival.tokens });
    }
    found
}

/// The residuals of one run, summarised.
struct Residuals<'a> {
    run: &'a Run,
    /// The slope of the residuals in `ln D`.
    slope: f64,
    mean: f64,
}

impl<'a> Residuals<'a> {
    fn of(fit: &Fit, run: &&'a Run) -> Option<Self> {
        let left = |point: &crate::table::Point| {
            (point.tokens.ln(), point.loss - fit.value(&run.row(point.tokens)))
        };
        let points: Vec<(f64, f64)> = run.points.iter().map(left).collect();
        (points.len() >= 3).then_some(())?;
        Some(Self {
            run,
            slope: Regression::through(&points)?.slope,
            mean: mean(points.iter().map(|point| point.1)),
        })
    }
}

type Pairs = Vec<(f64, f64)>;

/// The chance of a trend among runs. Each base's own mean is subtracted on both sides.
fn within_bases(
    left: &[Residuals<'_>],
    pair: impl Fn(&Residuals<'_>) -> (f64, f64),
) -> Option<f64> {
    let bases = grouped(left, pair);
    let off = |pairs: &Pairs| {
        let (x, y) = (mean(pairs.iter().map(|p| p.0)), mean(pairs.iter().map(|p| p.1)));
        pairs.iter().map(|p| (p.0 - x, p.1 - y)).collect::<Pairs>()
    };
    let pairs: Pairs = bases.values().flat_map(off).collect();
    // One degree for each base's mean and one for the slope.
    chance(&pairs, pairs.len().checked_sub(bases.len() + 1)?)
}

/// The chance of a trend among the means of bases.
fn by_base(left: &[Residuals<'_>], pair: impl Fn(&Residuals<'_>) -> (f64, f64)) -> Option<f64> {
    let middle = |pairs: &Pairs| (mean(pairs.iter().map(|p| p.0)), mean(pairs.iter().map(|p| p.1)));
    let pairs: Pairs = grouped(left, pair).values().map(middle).collect();
    chance(&pairs, pairs.len().checked_sub(2)?)
}

fn grouped<'a>(
    left: &[Residuals<'a>],
    pair: impl Fn(&Residuals<'_>) -> (f64, f64),
) -> BTreeMap<&'a str, Pairs> {
    let mut bases: BTreeMap<&str, Pairs> = BTreeMap::new();
    left.iter().for_each(|left| bases.entry(&left.run.base).or_default().push(pair(left)));
    bases
}

/// The probability that chance alone gives a slope this steep.
fn chance(pairs: &[(f64, f64)], degrees: usize) -> Option<f64> {
    (degrees >= FEWEST_DEGREES).then_some(())?;
    let line = Regression::through(pairs)?;
    let error = (line.left / degrees as f64 / line.width).sqrt();
    (error > 0.0).then(|| student::beyond(line.slope / error, degrees))
}

struct Regression {
    slope: f64,
    /// The sum of squares that the line does not explain.
    left: f64,
    /// The sum of squares of centred `x`.
    width: f64,
}

impl Regression {
    fn through(pairs: &[(f64, f64)]) -> Option<Self> {
        let (x, y) = (mean(pairs.iter().map(|p| p.0)), mean(pairs.iter().map(|p| p.1)));
        let width: f64 = pairs.iter().map(|p| (p.0 - x).powi(2)).sum();
        // If all `x` are equal up to rounding, there is no slope.
        (width > 1e-9 * pairs.len() as f64).then_some(())?;
        let slope = pairs.iter().map(|p| (p.0 - x) * (p.1 - y)).sum::<f64>() / width;
        let left = pairs.iter().map(|p| (p.1 - y - slope * (p.0 - x)).powi(2)).sum();
        Some(Self { slope, left, width })
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), x| (sum + x, count + 1.0));
    sum / count
}
