//! Refits to other data, and the width of the interval that they give.

use serde::{Deserialize, Serialize};

use crate::student;

/// How the data of a replicate differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeftOut {
    /// This run was left out.
    Run(String),
    /// Every run of this base was left out.
    Base(String),
    /// Nothing was left out. The data were simulated; this is the number of the simulation, from 0.
    Simulation(usize),
    /// Runs were drawn with replacement; this is the number of the draw, from 0.
    Draw(usize),
}

/// A refit: what was left out, and the constants in the gauge of the fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Refit {
    /// How its data differ.
    pub(crate) left_out: LeftOut,
    /// The constants, in the gauge of the fit.
    pub(crate) parameters: Vec<f64>,
}

/// With fewer runs, none is left out.
pub const FEWEST_RUNS: usize = 6;
/// With fewer bases, none is left out.
pub const FEWEST_BASES: usize = 4;

/// Half the width of the interval of a quantity. `None` if there are no refits, or one cannot tell
/// the quantity.
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
        // One refit without the quantity leaves the whole interval unknown.
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
    // The widest one covers errors of runs and of bases.
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
    /// How its data differ.
    pub fn left_out(&self) -> &LeftOut {
        &self.left_out
    }

    /// The constants, in the gauge of the fit.
    pub fn parameters(&self) -> &[f64] {
        &self.parameters
    }
}
