//! Refits to other data, and the width of the interval that they make.

use serde::{Deserialize, Serialize};

use crate::student;

/// What was different in the data of a replicate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeftOut {
    /// This run was left out.
    Run(String),
    /// Every run of this base was left out.
    Base(String),
    /// Nothing; the data were simulated, and this counts the simulations from 0.
    Simulation(usize),
    /// Runs were drawn with replacement; this counts the draws from 0.
    Draw(usize),
}

/// A refit: what was left out, and the constants in the gauge of the fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Refit {
    /// What was different.
    pub(crate) left_out: LeftOut,
    /// The constants, in the fit's gauge.
    pub(crate) parameters: Vec<f64>,
}

/// Runs below this are too few to leave one out.
pub const FEWEST_RUNS: usize = 6;
/// Bases below this are too few to leave one out.
pub const FEWEST_BASES: usize = 4;

/// Half the width of the interval of a quantity; `None` when a refit does not know it or there are
/// no refits.
///
/// Leave-one-out: `t` with `G - 1` degrees times the root of `(G - 1) / G sum (p_i - p)^2`.
/// Simulated or drawn: `t` with `degrees` times the root of the mean of `(p_i - p)^2`.
pub(crate) fn half_width<'a>(
    value: f64,
    refits: impl Iterator<Item = (&'a LeftOut, Option<f64>)>,
    level: f64,
    degrees: usize,
) -> Option<f64> {
    let (mut runs, mut bases, mut simulated) = (Sum::default(), Sum::default(), Sum::default());
    for (left_out, quantity) in refits {
        let square = (quantity? - value).powi(2);
        match left_out {
            LeftOut::Run(_) => runs.add(square),
            LeftOut::Base(_) => bases.add(square),
            LeftOut::Simulation(_) | LeftOut::Draw(_) => simulated.add(square),
        }
    }
    let left_out = |sum: &Sum| {
        let count = sum.count as f64;
        let half = |degrees| {
            student::two_sided(level, degrees) * ((count - 1.0) / count * sum.squares).sqrt()
        };
        (sum.count > 1).then(|| half(sum.count - 1))
    };
    let of_simulations = (simulated.count > 0).then(|| {
        student::two_sided(level, degrees.max(1))
            * (simulated.squares / simulated.count as f64).sqrt()
    });
    [left_out(&runs), left_out(&bases), of_simulations]
        .into_iter()
        .flatten()
        .reduce(f64::max)
        .filter(|half| half.is_finite())
}

#[derive(Default)]
struct Sum {
    squares: f64,
    count: usize,
}

impl Sum {
    fn add(&mut self, square: f64) {
        self.squares += square;
        self.count += 1;
    }
}

impl Refit {
    /// What was different.
    pub fn left_out(&self) -> &LeftOut {
        &self.left_out
    }

    /// The constants, in the fit's gauge.
    pub fn parameters(&self) -> &[f64] {
        &self.parameters
    }
}
