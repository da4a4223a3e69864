//! Magnitude: zeroes the weights of least absolute value (Han et al. 2015).

use rayon::prelude::*;

use super::bench::Workbench;
use super::mask::{ZeroRule, zero_lowest};
use super::score::{Linear, Sparsified, Sparsify};
use super::stats::{LinearStats, Statistics};
use crate::error::Result;

/// The methods `2:4-magnitude`, `4:8-magnitude` and so on: the score of a weight is `|w|`.
#[derive(Clone, Copy, Debug)]
pub struct Magnitude;

impl Sparsify for Magnitude {
    fn name(&self) -> &'static str {
        "magnitude"
    }

    fn summary(&self) -> &'static str {
        "make the weights of least magnitude zero"
    }

    fn paper(&self) -> Option<&'static str> {
        Some("Han et al. 2015, Learning both Weights and Connections for Efficient Neural Networks")
    }

    fn needs(&self) -> Statistics {
        Statistics::Nothing
    }

    fn sparsify(
        &self,
        _: &mut dyn Workbench,
        linears: &mut [Linear],
        _: &LinearStats,
        zeros: ZeroRule,
    ) -> Result<Sparsified> {
        for linear in linears {
            by_score(linear, zeros, |_, weight| weight.abs());
        }
        Ok(Sparsified::default())
    }
}

/// Zeroes weights by a score of their input column and their value.
pub(crate) fn by_score(
    linear: &mut Linear,
    zeros: ZeroRule,
    score: impl Fn(usize, f32) -> f32 + Sync,
) {
    let columns = linear.columns();
    let (len, count) = zeros.group(columns);
    // Rows are independent, so each is a task. One buffer of scores serves all rows of a task.
    let rows = linear.weights_mut().par_chunks_exact_mut(columns);
    rows.for_each_init(
        || vec![0.0; columns],
        |scores, row| {
            for (column, (to, &weight)) in scores.iter_mut().zip(&*row).enumerate() {
                *to = score(column, weight);
            }
            zero_lowest(row, scores, len, count);
        },
    );
}
