//! The trait of scores that decide which weights become zero.

use super::bench::Workbench;
use super::mask::ZeroRule;
use super::stats::{LinearStats, Statistics};
use crate::error::Result;

/// A score that decides which weights become zero.
pub trait Sparsify: Sync {
    /// The last part of the ids of its methods, as in `wanda`.
    fn name(&self) -> &'static str;
    /// What it does, in one line.
    fn summary(&self) -> &'static str;
    /// The paper that describes it, if there is one.
    fn paper(&self) -> Option<&'static str>;
    /// What it needs to know about the inputs of a linear layer. A score that needs nothing gets
    /// only some rows of a weight at a time.
    fn needs(&self) -> Statistics;
    /// Zeroes weights of linear layers that read the same inputs, in place, and may change the
    /// others. In every group of input columns, `zeros` says how many become zero. Among equal
    /// scores the lower input stays.
    ///
    /// # Errors
    /// If memory is short.
    fn sparsify(
        &self,
        bench: &mut dyn Workbench,
        linears: &mut [Linear],
        stats: &LinearStats,
        zeros: ZeroRule,
    ) -> Result<Sparsified>;
}

/// A linear layer, or some rows of one, with its weight on the host.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    name: String,
    columns: usize,
    weights: Vec<f32>,
}

impl Linear {
    /// The linear layer of the tensor `name`, as in `model.layers.3.mlp.up_proj.weight`, with its
    /// weight `[out, in]`.
    ///
    /// # Panics
    /// If the weight is no whole number of rows.
    pub fn new(name: impl Into<String>, columns: usize, weights: Vec<f32>) -> Self {
        assert!(weights.len().is_multiple_of(columns), "whole rows of {columns}");
        Self { name: name.into(), columns, weights }
    }

    /// The name of the tensor.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Inputs.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Outputs.
    pub fn rows(&self) -> usize {
        self.weights.len() / self.columns
    }

    /// The weight, `[out, in]`.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }

    /// The weight, to change it.
    pub fn weights_mut(&mut self) -> &mut [f32] {
        &mut self.weights
    }

    /// The weight alone.
    pub fn into_weights(self) -> Vec<f32> {
        self.weights
    }
}

/// The outcome of a score on linear layers that read the same inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sparsified {
    damping: Option<f64>,
    instead: Option<&'static str>,
}

impl Sparsified {
    /// More damping was needed than the score uses by itself.
    pub fn damped(damping: f64) -> Self {
        Self { damping: Some(damping), instead: None }
    }

    /// This score could not be computed; another was used.
    pub fn replaced_by(score: &'static str) -> Self {
        Self { damping: None, instead: Some(score) }
    }

    /// The damping that was used, if it was more than the score uses by itself.
    pub fn damping(&self) -> Option<f64> {
        self.damping
    }

    /// The score that was used instead, if this one could not be computed.
    pub fn instead(&self) -> Option<&'static str> {
        self.instead
    }

    /// Combines the outcomes of two parts of the same linear layers: the worse of both.
    pub(super) fn and(self, other: Self) -> Self {
        let damping = match (self.damping, other.damping) {
            (Some(one), Some(other)) => Some(one.max(other)),
            (one, other) => one.or(other),
        };
        Self { damping, instead: self.instead.or(other.instead) }
    }
}
