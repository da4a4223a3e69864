//! What is held out: the three ways of the paper, every run once, and every base once.

use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::identify::{RATE_TOLERANCE, SIZE_TOLERANCE, same};
use crate::table::{Point, Run};

/// The share of each run's checkpoints that is held out, from the end.
const LAST: f64 = 0.2;

/// Runs are left out in at most this many fits: a posterior takes seconds.
const RUN_FOLDS: usize = 8;

/// Why a result is missing. This is a value, not an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cannot {
    /// Its id.
    pub(crate) code: Code,
    /// The reason for a person.
    pub(crate) sentence: String,
}

/// One fit and the runs that it is judged on.
pub(crate) struct Fold {
    pub(crate) seen: Vec<Run>,
    pub(crate) unseen: Vec<Run>,
}

/// A way of holding out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    LastCheckpoints,
    LargestSize,
    HighestRate,
    Run,
    Base,
}

impl Way {
    pub(crate) const ALL: [Self; 5] =
        [Self::LastCheckpoints, Self::LargestSize, Self::HighestRate, Self::Run, Self::Base];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::LastCheckpoints => "last-checkpoints",
            Self::LargestSize => "largest-size",
            Self::HighestRate => "highest-rate",
            Self::Run => "leave-one-run-out",
            Self::Base => "leave-one-base-out",
        }
    }

    /// The folds of this way, or why the data do not allow it.
    pub(crate) fn folds(self, runs: &[&Run]) -> Result<Vec<Fold>, Cannot> {
        let few = |sentence: &str| Cannot::new(Code::LevelsTooFew, sentence);
        let largest = runs.iter().map(|run| run.n0).fold(0.0, f64::max);
        match self {
            Self::LastCheckpoints => last_checkpoints(runs).map(|fold| vec![fold]),
            Self::LargestSize => {
                let fold = apart(runs, |run| same(run.n0, largest, SIZE_TOLERANCE));
                fold.map(|fold| vec![fold]).ok_or_else(|| few("the runs hold one size"))
            }
            Self::HighestRate => {
                let fold = apart(runs, |run| is_highest_of_several(run, runs));
                fold.map(|fold| vec![fold]).ok_or_else(|| few("no size has runs at two rates"))
            }
            Self::Run => {
                // Runs of one base stand together, so that they are left out in different folds.
                let mut names: Vec<(&str, &str)> =
                    runs.iter().map(|run| (run.base.as_str(), run.name.as_str())).collect();
                names.sort_unstable();
                let count = names.len().min(RUN_FOLDS);
                let folds = (0..count).map(|fold| {
                    let out: Vec<_> = names.iter().skip(fold).step_by(count).collect();
                    apart(runs, |run| out.iter().any(|(_, name)| *name == run.name))
                });
                folds.collect::<Option<_>>().ok_or_else(|| few("there is one run"))
            }
            Self::Base => {
                let mut bases: Vec<&str> = runs.iter().map(|run| run.base.as_str()).collect();
                bases.sort_unstable();
                bases.dedup();
                let folds = bases.iter().map(|base| apart(runs, |run| run.base == *base));
                folds.collect::<Option<_>>().ok_or_else(|| few("the runs hold one base"))
            }
        }
    }
}

impl Cannot {
    pub(crate) fn new(code: Code, sentence: &str) -> Self {
        Self { code, sentence: sentence.to_owned() }
    }
}

/// Whether a run has the highest of several rates at its size.
fn is_highest_of_several(run: &Run, runs: &[&Run]) -> bool {
    let of_size =
        || runs.iter().filter(|other| same(other.n0, run.n0, SIZE_TOLERANCE)).map(|run| run.rate);
    let (low, high) = (of_size().fold(f64::INFINITY, f64::min), of_size().fold(0.0, f64::max));
    same(run.rate, high, RATE_TOLERANCE) && !same(low, high, RATE_TOLERANCE)
}

/// Splits runs into held-out and other ones. `None` if one side is empty.
fn apart(runs: &[&Run], is_out: impl Fn(&Run) -> bool) -> Option<Fold> {
    let (unseen, seen): (Vec<&Run>, Vec<&Run>) = runs.iter().partition(|run| is_out(run));
    let owned = |runs: Vec<&Run>| runs.into_iter().cloned().collect::<Vec<Run>>();
    (!seen.is_empty() && !unseen.is_empty())
        .then(|| Fold { seen: owned(seen), unseen: owned(unseen) })
}

/// Holds out the last 20 % of checkpoints, measured by the logarithm of tokens: the last fifth of a
/// run's range of `ln D`. For checkpoints that are even in the logarithm these are the last 20 %.
/// If they crowd at the end, the last 20 % would lie only a few per cent beyond the rest, which
/// tests nothing.
fn last_checkpoints(runs: &[&Run]) -> Result<Fold, Cannot> {
    let (mut seen, mut unseen) = (Vec::new(), Vec::new());
    for run in runs {
        let (before, after) = split(&run.points);
        if before.is_empty() || after.is_empty() {
            let why = format!("run `{}` has too few checkpoints to hold some out", run.name);
            return Err(Cannot::new(Code::TooFewPoints, &why));
        }
        seen.push(Run { points: before, ..(*run).clone() });
        unseen.push(Run { points: after, ..(*run).clone() });
    }
    Ok(Fold { seen, unseen })
}

fn split(points: &[Point]) -> (Vec<Point>, Vec<Point>) {
    let ln = |point: Option<&Point>| point.map_or(0.0, |point| point.tokens.ln());
    let (first, last) = (ln(points.first()), ln(points.last()));
    let cut = first + (1.0 - LAST) * (last - first);
    // A checkpoint that rounding puts just above the cut still counts as seen.
    points.iter().partition(|point| point.tokens.ln() <= cut + 1e-9)
}

impl Cannot {
    /// Its id.
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// The reason, for people.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(tokens: impl Iterator<Item = f64>) -> Vec<Point> {
        tokens.map(|tokens| Point { tokens, loss: 2.0, weight: 1.0 }).collect()
    }

    #[test]
    fn of_checkpoints_even_in_the_logarithm_a_fifth_is_held_out() {
        for (count, out) in [(5, 1), (10, 2), (15, 3), (25, 5)] {
            let even = points(
                (0..count).map(|i| 1e6 * 20.0_f64.powf(f64::from(i) / f64::from(count - 1))),
            );
            assert_eq!(split(&even).1.len(), out, "{count}");
        }
    }

    #[test]
    fn crowded_ends_are_held_out_by_their_range() {
        // From 50M to 1B in steps of 50M: the last fifth of the logarithm begins at 549M.
        let crowded = points((1..=20).map(|i| 5e7 * f64::from(i)));
        assert_eq!(split(&crowded).1.first().unwrap().tokens, 5.5e8);
        assert!(split(&points(std::iter::once(1e6))).1.is_empty());
    }
}
