//! The units in which a posterior is computed, so that its priors need none.

use serde::{Deserialize, Serialize};

use crate::table::Run;

/// What sizes, rates, tokens and excesses are divided by: geometric means of the data, and their
/// median excess.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gauge {
    /// Parameters before pruning.
    pub(super) n0: f64,
    /// The pruning rate.
    pub(super) rate: f64,
    /// Post-training tokens.
    pub(super) tokens: f64,
    /// The median of `|L - L0|`, nats per token.
    pub(super) excess: f64,
    /// The median step of `ln D` between neighbouring points of a run. The correlation of the
    /// noise holds over this step.
    pub(super) step: f64,
}

impl Gauge {
    /// The gauge of some runs. There must be a point.
    pub(super) fn of(runs: &[&Run]) -> Self {
        let steps = runs.iter().flat_map(|run| {
            run.points.windows(2).map(|pair| (pair[1].tokens / pair[0].tokens).ln())
        });
        let excesses = runs
            .iter()
            .flat_map(|run| run.points.iter().map(|point| (point.loss - run.loss0).abs()));
        Self {
            n0: geometric_mean(runs.iter().map(|run| run.n0)),
            rate: geometric_mean(runs.iter().map(|run| run.rate)),
            tokens: geometric_mean(
                runs.iter().flat_map(|run| run.points.iter().map(|point| point.tokens)),
            ),
            // Data without an excess would give a unit of zero.
            excess: median(excesses.collect()).unwrap_or(1.0).max(1e-9),
            step: median(steps.filter(|step| *step > 0.0).collect()).unwrap_or(1.0),
        }
    }

    /// The gauge of runs that are not made yet: their sizes and rates, the tokens of all their
    /// points, the excess that is expected, nats, and the step of `ln D` between points.
    pub(crate) fn expected(places: &[[f64; 2]], tokens: &[f64], excess: f64, step: f64) -> Self {
        Self {
            n0: geometric_mean(places.iter().map(|place| place[0])),
            rate: geometric_mean(places.iter().map(|place| place[1])),
            tokens: geometric_mean(tokens.iter().copied()),
            excess,
            step,
        }
    }

    /// The size and the rate, as logarithms in this gauge.
    pub(super) fn place(&self, n0: f64, rate: f64) -> [f64; 2] {
        [(n0 / self.n0).ln(), (rate / self.rate).ln()]
    }

    /// The unit of the tokens: about the middle of the data.
    pub(crate) fn tokens(&self) -> f64 {
        self.tokens
    }

    pub(super) fn ln_tokens(&self, tokens: f64) -> f64 {
        (tokens / self.tokens).ln()
    }
}

fn geometric_mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), x| (sum + x.ln(), count + 1.0));
    (sum / count).exp()
}

/// The middle value; `None` of nothing.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(0.5 * (values[middle - 1] + values[middle])),
    }
}
