//! The seam of scores that decide which weights become zero.

use model::backend::Area;

use super::mask::ZeroRule;
use super::stats::{LinearStats, Statistics};
use crate::error::Result;

/// A score that decides which weights become zero.
pub trait Sparsify: Sync {
    /// The end of the ids of its methods, as in `wanda`.
    fn name(&self) -> &'static str;
    /// What it does, in one line.
    fn summary(&self) -> &'static str;
    /// Where it was published, where it was.
    fn paper(&self) -> Option<&'static str>;
    /// What has to be known of the inputs of a linear layer. A score that needs nothing is shown
    /// some rows of a weight at a time.
    fn needs(&self) -> Statistics;
    /// Makes weights of linear layers that read the same inputs zero, in place, and may change the
    /// others. Of every group of input columns as many become zero as `zeros` says; of equal
    /// scores the lower input stays.
    ///
    /// # Errors
    /// Where memory is short.
    fn sparsify(
        &self,
        weights: &mut Vec<f32>,
        linears: &[Linear],
        stats: LinearStats,
        zeros: ZeroRule,
    ) -> Result<Sparsified>;
}

/// A linear layer whose weight lies in a buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linear {
    /// The tensor, as in `model.layers.3.mlp.up_proj.weight`.
    pub name: String,
    /// Where it lies, `[out, in]`.
    pub area: Area,
}

/// How a score did on linear layers that read the same inputs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sparsified {
    /// The damping that was used, where it was more than the score's own.
    pub damping: Option<f64>,
    /// The score that was used instead, where there was no way for this one.
    pub instead: Option<&'static str>,
}
