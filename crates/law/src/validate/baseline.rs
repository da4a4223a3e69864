//! Baselines that any law must beat: predictions that need no law.

use crate::code::Code;
use crate::fit::fit_form;
use crate::identify::{Grid, RATE_TOLERANCE, SIZE_TOLERANCE, same};
use crate::judge::{Cannot, Fold, Way};
use crate::table::Run;

/// A prediction without a law.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Baseline {
    LastValue,
    RunPower,
    SizeUnchanged,
    RateProportional,
    RateLinear,
}

impl Baseline {
    pub(super) const ALL: [Self; 5] = [
        Self::LastValue,
        Self::RunPower,
        Self::SizeUnchanged,
        Self::RateProportional,
        Self::RateLinear,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::LastValue => "last-value",
            Self::RunPower => "run-power",
            Self::SizeUnchanged => "size-unchanged",
            Self::RateProportional => "rate-proportional",
            Self::RateLinear => "rate-linear",
        }
    }

    pub(super) fn formula(self) -> &'static str {
        match self {
            Self::LastValue => "the run's last value seen",
            Self::RunPower => "E + A D^-b, run by run",
            Self::SizeUnchanged => {
                "the excess of the nearest other size (the largest, for a larger one)"
            }
            Self::RateProportional => {
                "an excess proportional to the rate, at the same size and tokens"
            }
            Self::RateLinear => "an excess linear in the rate, at the same size and tokens",
        }
    }

    /// How many numbers are fitted to these runs. `None` if measured curves are used as they are.
    pub(super) fn parameters(self, runs: usize) -> Option<usize> {
        match self {
            Self::LastValue => Some(runs),
            Self::RunPower => Some(3 * runs),
            _ => None,
        }
    }

    /// Whether it predicts anything about the part that is held out.
    fn is_for(self, way: Way) -> bool {
        match self {
            // Both need an earlier part of the same run.
            Self::LastValue | Self::RunPower => way == Way::LastCheckpoints,
            Self::SizeUnchanged => matches!(way, Way::LargestSize | Way::Run | Way::Base),
            Self::RateProportional | Self::RateLinear => matches!(way, Way::HighestRate | Way::Run),
        }
    }

    /// Predicts a loss for every held-out point.
    pub(super) fn predict(self, way: Way, fold: &Fold) -> Result<Vec<Vec<f64>>, Cannot> {
        if !self.is_for(way) {
            return Err(Cannot::new(
                Code::DoesNotApply,
                "it says nothing of what is held out here",
            ));
        }
        fold.unseen.iter().map(|run| self.of_run(&fold.seen, run)).collect()
    }

    fn of_run(self, seen: &[Run], run: &Run) -> Result<Vec<f64>, Cannot> {
        let few = |sentence: &str| {
            Cannot::new(Code::LevelsTooFew, &format!("run `{}`: {sentence}", run.name))
        };
        let own = || {
            seen.iter()
                .find(|other| other.name == run.name)
                .ok_or_else(|| few("none of it was seen"))
        };
        let tokens = run.points.iter().map(|point| point.tokens);
        let there = |other: &&Run| same(other.n0, run.n0, SIZE_TOLERANCE);
        let here: Vec<&Run> = seen.iter().filter(there).collect();
        let excess =
            |of: &dyn Fn(f64) -> f64| Ok(tokens.clone().map(|d| run.loss0 + of(d)).collect());
        match self {
            Self::LastValue => {
                let last = own()?.points.last().map_or(run.loss0, |point| point.loss);
                Ok(tokens.map(|_| last).collect())
            }
            Self::RunPower => power(own()?, run),
            Self::SizeUnchanged => {
                // Sizes are compared by their ratio, because they span orders of magnitude.
                let apart = |other: &Run| (other.n0 / run.n0).ln().abs();
                let others = seen.iter().filter(|other| !there(other));
                let nearest = others
                    .min_by(|a, b| apart(a).total_cmp(&apart(b)))
                    .ok_or_else(|| few("no other size was seen"))?;
                let mut of_size: Vec<&Run> = seen
                    .iter()
                    .filter(|other| same(other.n0, nearest.n0, SIZE_TOLERANCE))
                    .collect();
                of_size.sort_by(|a, b| a.rate.total_cmp(&b.rate));
                excess(&|d| {
                    let by_rate: Vec<(f64, f64)> =
                        of_size.iter().map(|other| (other.rate, excess_at(other, d))).collect();
                    between(&by_rate, run.rate)
                })
            }
            Self::RateProportional if here.is_empty() => Err(few("its size was not seen")),
            Self::RateProportional => excess(&|d| {
                let sum = |f: &dyn Fn(&Run) -> f64| here.iter().map(|other| f(other)).sum::<f64>();
                // Least squares through the origin: without pruning there is no excess.
                run.rate * sum(&|other| other.rate * excess_at(other, d))
                    / sum(&|other| other.rate.powi(2))
            }),
            Self::RateLinear
                if here.iter().all(|other| same(other.rate, here[0].rate, RATE_TOLERANCE)) =>
            {
                Err(few("a line in the rate needs two other rates at its size"))
            }
            Self::RateLinear => excess(&|d| {
                let mean = |f: &dyn Fn(&Run) -> f64| {
                    here.iter().map(|other| f(other)).sum::<f64>() / here.len() as f64
                };
                let (x, y) = (mean(&|other| other.rate), mean(&|other| excess_at(other, d)));
                let width = mean(&|other| (other.rate - x).powi(2));
                let slope = mean(&|other| (other.rate - x) * (excess_at(other, d) - y)) / width;
                y + slope * (run.rate - x)
            }),
        }
    }
}

/// Fits `E + A D^-b` to `seen`, the known part of a run, and evaluates it at the points of `run`.
pub(super) fn power(seen: &Run, run: &Run) -> Result<Vec<f64>, Cannot> {
    if seen.points.len() < 4 {
        let why =
            format!("run `{}` has {} points, `E + A D^-b` needs 4", run.name, seen.points.len());
        return Err(Cannot::new(Code::TooFewPoints, &why));
    }
    let form = Grid { sizes: 1, rates: 1, counts: seen.points.len() }.form();
    let fit = fit_form(form, &[seen], 8);
    Ok(run.rows().map(|row| fit.value(&row)).collect())
}

/// The measured excess of a run after some tokens. It is linear in `ln D` between points and
/// constant beyond them.
fn excess_at(run: &Run, tokens: f64) -> f64 {
    let points: Vec<(f64, f64)> =
        run.points.iter().map(|point| (point.tokens.ln(), point.loss - run.loss0)).collect();
    between(&points, tokens.ln())
}

/// Interpolates between points in ascending order; constant beyond the ends.
fn between(points: &[(f64, f64)], x: f64) -> f64 {
    let after = points.partition_point(|point| point.0 < x);
    match (after.checked_sub(1).map(|i| points[i]), points.get(after)) {
        (Some(a), Some(&b)) => a.1 + (b.1 - a.1) * (x - a.0) / (b.0 - a.0),
        (Some(a), None) => a.1,
        (None, Some(&b)) => b.1,
        (None, None) => 0.0,
    }
}
