//! The residual stream through the blocks.

use super::Decoder;
use super::inlet::Watch;
use crate::Result;
use crate::backend::{Area, Backend, View, ViewMut};
use crate::batch::Batch;
use crate::inputs::{Inputs, RowPlaces};
use crate::workspace::Workspace;

impl<B: Backend> Decoder<B> {
    /// Runs all blocks, first to last. The workspace keeps what their backward passes need, or only
    /// the input of each block.
    pub(super) fn forward(
        &self,
        weights: &B::Weights,
        read: &Inputs<B>,
        space: &mut Workspace<B>,
    ) -> Result<()> {
        let recompute = space.recomputes();
        let Workspace { slots, inputs, output, scratch, .. } = space;
        let blocks = &self.layout.blocks;
        if !recompute {
            self.embed_tokens(weights, read, &mut slots[0].input)?;
            for (index, &base) in blocks.iter().enumerate() {
                let (before, after) = slots.split_at_mut(index + 1);
                // A block writes straight to the input of the next one.
                let next = after.first_mut().map_or(&mut *output, |slot| &mut slot.input);
                self.block(
                    weights,
                    base,
                    &read.places,
                    &mut before[index],
                    Some(next),
                    scratch,
                    &mut |_, _| (),
                )?;
            }
            return Ok(());
        }
        let slot = &mut slots[0];
        self.embed_tokens(weights, read, &mut inputs[0])?;
        for (index, &base) in blocks.iter().enumerate() {
            let (before, after) = inputs.split_at_mut(index + 1);
            let next = after.first_mut().unwrap_or(&mut *output);
            // The block works on the kept input. Afterwards it is put back for the backward pass.
            std::mem::swap(&mut slot.input, &mut before[index]);
            self.block(weights, base, &read.places, slot, Some(next), scratch, &mut |_, _| ())?;
            std::mem::swap(&mut slot.input, &mut before[index]);
        }
        Ok(())
    }

    /// Runs one block on the residual stream, `[tokens, hidden]`, in place. Its weights begin at
    /// `base` of `weights`, which need not hold other blocks.
    ///
    /// # Errors
    /// If the batch does not fit the model, or the memory cannot be allocated.
    pub fn run_block(
        &self,
        weights: &B::Weights,
        base: usize,
        batch: &Batch,
        stream: &mut B::Buffer,
        space: &mut Workspace<B>,
    ) -> Result<()> {
        self.watch_block(weights, base, batch, stream, space, &mut |_, _| ())
    }

    /// As [`Decoder::run_block`]. `watch` receives the inputs of the linear layers, in the order of
    /// `Inlet`.
    ///
    /// # Errors
    /// If the batch does not fit the model, or the memory cannot be allocated.
    pub fn watch_block(
        &self,
        weights: &B::Weights,
        base: usize,
        batch: &Batch,
        stream: &mut B::Buffer,
        space: &mut Workspace<B>,
        watch: &mut Watch<'_, B>,
    ) -> Result<()> {
        batch.check(self.config.vocab_size(), self.longest)?;
        space.reserve(&self.backend, &self.config, batch.tokens().len(), 1, false, false)?;
        let Workspace { slots, scratch, .. } = space;
        std::mem::swap(&mut slots[0].input, stream);
        let places = RowPlaces::upload(&self.backend, batch)?;
        self.block(weights, base, &places, &mut slots[0], Some(stream), scratch, watch)
    }

    /// `out[t] =` the embedding of token t, `[tokens, hidden]`.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn embed(&self, weights: &B::Weights, batch: &Batch, out: &mut B::Buffer) -> Result<()> {
        let out = ViewMut::new(out, Area::new(0, batch.tokens().len(), self.config.hidden_size()));
        let tokens = self.backend.upload_ids(batch.tokens())?;
        self.backend.embed(View::new(weights, self.embedding_area()), &tokens, out)
    }

    fn embed_tokens(
        &self,
        weights: &B::Weights,
        read: &Inputs<B>,
        out: &mut B::Buffer,
    ) -> Result<()> {
        let out = ViewMut::new(out, Area::new(0, read.places.rows, self.config.hidden_size()));
        self.backend.embed(View::new(weights, self.embedding_area()), &read.tokens, out)
    }

    /// Checks a batch and copies it to the backend.
    pub(super) fn inputs(&self, batch: &Batch) -> Result<Inputs<B>> {
        batch.check(self.config.vocab_size(), self.longest)?;
        Inputs::upload(&self.backend, batch)
    }

    /// Runs all blocks on one slot, then the final norm. Leaves the normed stream in
    /// `scratch.normed`.
    pub(super) fn infer(
        &self,
        weights: &B::Weights,
        read: &Inputs<B>,
        space: &mut Workspace<B>,
    ) -> Result<()> {
        let rows = read.places.rows;
        space.reserve(&self.backend, &self.config, rows, 1, true, false)?;
        let Workspace { slots, output, scratch, .. } = space;
        let slot = &mut slots[0];
        self.embed_tokens(weights, read, &mut slot.input)?;
        for &base in &self.layout.blocks {
            self.block(
                weights,
                base,
                &read.places,
                slot,
                Some(&mut *output),
                scratch,
                &mut |_, _| (),
            )?;
            // The output becomes the input of the next block, without a copy.
            std::mem::swap(&mut slot.input, output);
        }
        self.final_norm(weights, &slot.input, rows, scratch)
    }

    pub(super) fn embedding_area(&self) -> Area {
        Area::new(self.layout.embedding, self.config.vocab_size(), self.config.hidden_size())
    }
}
