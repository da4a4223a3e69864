//! The trait of code that measures while text goes through the blocks of a model.

pub use model::decoder::Inlet;

use crate::error::Result;

/// What a block did to one batch of tokens.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// The block, counted from 0.
    pub(super) layer: usize,
    /// Width of the residual stream.
    pub(super) hidden: usize,
    /// The residual stream that entered it, `[tokens, hidden]`.
    pub(super) before: &'a [f32],
    /// The residual stream that left it, `[tokens, hidden]`.
    pub(super) after: &'a [f32],
}

/// The input of linear layers of a block, for one batch of tokens.
#[derive(Clone, Copy, Debug)]
pub struct Read<'a> {
    /// The block, counted from 0.
    pub(super) layer: usize,
    /// Which of its linear layers read it.
    pub(super) inlet: Inlet,
    /// Numbers a token.
    pub(super) columns: usize,
    /// `[tokens, columns]`; whole sequences.
    pub(super) values: &'a [f32],
}

impl<'a> Seen<'a> {
    /// The block, counted from 0.
    pub fn layer(&self) -> usize {
        self.layer
    }

    /// Width of the residual stream.
    pub fn hidden(&self) -> usize {
        self.hidden
    }

    /// The residual stream that entered the block, `[tokens, hidden]`.
    pub fn before(&self) -> &'a [f32] {
        self.before
    }

    /// The residual stream that left the block, `[tokens, hidden]`.
    pub fn after(&self) -> &'a [f32] {
        self.after
    }
}

impl<'a> Read<'a> {
    /// The block, counted from 0.
    pub fn layer(&self) -> usize {
        self.layer
    }

    /// Which of its linear layers read it.
    pub fn inlet(&self) -> Inlet {
        self.inlet
    }

    /// Numbers a token.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The input, `[tokens, columns]`; whole sequences.
    pub fn values(&self) -> &'a [f32] {
        self.values
    }
}

/// Measures while blocks run. Batches come in text order, blocks in model order.
pub trait Visit {
    /// Whether [`Visit::read`] shall be called for this input.
    fn wants(&self, inlet: Inlet) -> bool {
        let _ = inlet;
        false
    }

    /// Called before the first batch of a block.
    fn begin(&mut self, layer: usize) {
        let _ = layer;
    }

    /// Called with inputs of linear layers, before [`Visit::block`] of the same batch.
    ///
    /// # Errors
    /// Any error of the visitor; it ends the walk.
    fn read(&mut self, read: &Read<'_>) -> Result<()> {
        let _ = read;
        Ok(())
    }

    /// Called after a block has run on one batch.
    ///
    /// # Errors
    /// Any error of the visitor; it ends the walk.
    fn block(&mut self, seen: &Seen<'_>) -> Result<()>;
}

impl<F: FnMut(&Seen<'_>) -> Result<()>> Visit for F {
    fn block(&mut self, seen: &Seen<'_>) -> Result<()> {
        self(seen)
    }
}
