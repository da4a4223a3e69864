//! Wanda: magnitude of a weight times the norm of its input (Sun et al. 2023).

use super::bench::Workbench;
use super::magnitude::by_score;
use super::mask::ZeroRule;
use super::score::{Linear, Sparsified, Sparsify};
use super::stats::{LinearStats, Statistics};
use crate::error::Result;

/// The methods `2:4-wanda`, `4:8-wanda` and so on. The score of a weight is `|w| |x|`, where `|x|`
/// is the Euclidean norm of its input column over all calibration tokens. Weights are compared
/// within their output row.
#[derive(Clone, Copy, Debug)]
pub struct Wanda;

impl Sparsify for Wanda {
    fn name(&self) -> &'static str {
        "wanda"
    }

    fn summary(&self) -> &'static str {
        "make the weights of least magnitude times input norm zero"
    }

    fn paper(&self) -> Option<&'static str> {
        Some("Sun et al. 2023, A Simple and Effective Pruning Approach for Large Language Models")
    }

    fn needs(&self) -> Statistics {
        Statistics::SquareSums
    }

    fn sparsify(
        &self,
        _: &mut dyn Workbench,
        linears: &mut [Linear],
        stats: &LinearStats,
        zeros: ZeroRule,
    ) -> Result<Sparsified> {
        // Sums over tokens rank the weights of a row as means would, so nothing is divided.
        let norms = stats.norms();
        for linear in linears {
            by_score(linear, zeros, |column, weight| weight.abs() * norms[column]);
        }
        Ok(Sparsified::default())
    }
}
