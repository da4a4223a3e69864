//! What a teacher says about the rows of a batch.

use crate::backend::Backend;
use crate::decoder::Decoder;
use crate::workspace::{Scratch, Workspace};

/// A teacher's distributions for the rows of one batch.
pub enum Lesson<'a, B: Backend> {
    /// Another network of the same vocabulary. It runs without keeping activations, and its logits
    /// are computed in chunks of rows.
    Network {
        /// The network.
        decoder: &'a Decoder<B>,
        /// Its weights.
        weights: &'a B::Weights,
        /// Memory for its forward pass.
        space: &'a mut Workspace<B>,
    },
    /// The most probable tokens of every row, and the share of all others.
    Top(&'a TopTokens),
}

/// The most probable tokens of a teacher, row by row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TopTokens {
    count: usize,
    pub(crate) ids: Vec<u32>,
    pub(crate) shares: Vec<f32>,
}

impl TopTokens {
    /// No rows yet, of `count` tokens each.
    pub fn new(count: usize) -> Self {
        TopTokens { count, ids: Vec::new(), shares: Vec::new() }
    }

    /// Adds a row: ids of `count` tokens and, in the same order, their probabilities; then that of
    /// all other tokens together.
    pub fn push(&mut self, ids: impl Iterator<Item = u32>, shares: impl Iterator<Item = f32>) {
        self.ids.extend(ids);
        self.shares.extend(shares);
        assert_eq!(self.ids.len(), self.rows() * self.count, "an id for every place");
        assert_eq!(self.shares.len(), self.rows() * (self.count + 1), "a share more than ids");
    }

    /// Removes all rows and keeps the memory.
    pub fn clear(&mut self) {
        self.ids.clear();
        self.shares.clear();
    }

    /// Rows so far.
    pub fn rows(&self) -> usize {
        self.shares.len() / (self.count + 1)
    }

    /// Tokens of a row.
    pub fn count(&self) -> usize {
        self.count
    }
}

/// A lesson in the backend's memory.
pub(crate) enum Prepared<'a, B: Backend> {
    Network { decoder: &'a Decoder<B>, weights: &'a B::Weights, scratch: &'a mut Scratch<B> },
    Top { ids: B::Ids, shares: B::Buffer, count: usize },
}
