//! Baselines that any law must beat: predictions that need no law.

use std::collections::BTreeMap;

use crate::code::Code;
use crate::identify::{RATE_TOLERANCE, SIZE_TOLERANCE, same};
use crate::judge::{Cannot, Fold, Way, last_value, power};
use crate::table::Run;

/// A prediction without a law.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Baseline {
    LastValue,
    RunPower,
    SizeUnchanged,
    TwinBase,
    RateProportional,
    RateLinear,
}

impl Baseline {
    pub(super) const ALL: [Self; 6] = [
        Self::LastValue,
        Self::RunPower,
        Self::SizeUnchanged,
        Self::TwinBase,
        Self::RateProportional,
        Self::RateLinear,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::LastValue => "last-value",
            Self::RunPower => "run-power",
            Self::SizeUnchanged => "size-unchanged",
            Self::TwinBase => "twin-base",
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
            Self::TwinBase => "the mean excess of the other bases of the nearest size",
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
            // Where the largest base has no twin, that of the next size takes its place.
            Self::TwinBase => matches!(way, Way::Run | Way::Base),
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
                let last = last_value(own()?);
                Ok(tokens.map(|_| last).collect())
            }
            Self::RunPower => power(own()?, run),
            Self::SizeUnchanged => {
                let others = seen.iter().filter(|other| !there(other)).collect();
                let bases = of_nearest_size(others, run.n0);
                let bases = bases.ok_or_else(|| few("no other size was seen"))?;
                excess(&|d| mean_excess(&bases, run.rate, d))
            }
            Self::TwinBase => {
                let others = seen.iter().filter(|other| other.base != run.base).collect();
                let bases = of_nearest_size(others, run.n0);
                let bases = bases.ok_or_else(|| few("no other base was seen"))?;
                excess(&|d| mean_excess(&bases, run.rate, d))
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

/// The runs of the nearest size, by base; `None` if there is no run. Sizes are compared by their
/// ratio, because they span orders of magnitude.
fn of_nearest_size(runs: Vec<&Run>, n0: f64) -> Option<BTreeMap<&str, Vec<&Run>>> {
    let apart = |other: &Run| (other.n0 / n0).ln().abs();
    let nearest = runs.iter().min_by(|a, b| apart(a).total_cmp(&apart(b)))?.n0;
    let mut bases: BTreeMap<&str, Vec<&Run>> = BTreeMap::new();
    for run in runs.into_iter().filter(|run| same(run.n0, nearest, SIZE_TOLERANCE)) {
        bases.entry(&run.base).or_default().push(run);
    }
    bases.values_mut().for_each(|runs| runs.sort_by(|a, b| a.rate.total_cmp(&b.rate)));
    Some(bases)
}

/// The mean over bases of the excess at a rate after some tokens. It is linear in the rate between
/// a base's runs and constant beyond them.
fn mean_excess(bases: &BTreeMap<&str, Vec<&Run>>, rate: f64, tokens: f64) -> f64 {
    let of_base = |runs: &Vec<&Run>| {
        let by_rate: Vec<(f64, f64)> =
            runs.iter().map(|run| (run.rate, excess_at(run, tokens))).collect();
        between(&by_rate, rate)
    };
    bases.values().map(of_base).sum::<f64>() / bases.len() as f64
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
