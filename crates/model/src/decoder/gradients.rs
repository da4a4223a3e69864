//! The gradients of the loss over a batch.

use super::Decoder;
use super::target::GradientTarget;
use crate::Result;
use crate::backend::{Area, Backend, Mixture, View, ViewMut};
use crate::batch::Batch;
use crate::lesson::Prepared;
use crate::workspace::Workspace;

impl<B: Backend> Decoder<B> {
    /// Forward and backward pass. `gradients` become `scale` times the gradient of the summed loss,
    /// or that is added to them. Returns the summed loss of the predicted tokens in nats.
    ///
    /// # Errors
    /// If the batch does not fit the model, or the memory cannot be allocated.
    pub fn gradients(
        &self,
        weights: &B::Weights,
        batch: &Batch,
        scale: f64,
        gradients: GradientTarget<'_, B>,
        space: &mut Workspace<B>,
    ) -> Result<f64> {
        self.gradients_from(weights, batch, None, scale, gradients, space)
    }

    /// As [`Decoder::gradients`], of what a teacher says if there is one.
    pub(super) fn gradients_from(
        &self,
        weights: &B::Weights,
        batch: &Batch,
        taught: Option<(&mut Prepared<'_, B>, Mixture)>,
        scale: f64,
        mut gradients: GradientTarget<'_, B>,
        space: &mut Workspace<B>,
    ) -> Result<f64> {
        let read = self.inputs(batch)?;
        let rows = read.places.rows;
        let blocks = &self.layout.blocks;
        space.reserve(&self.backend, &self.config, rows, blocks.len(), true, true)?;
        let gradients = &mut gradients;
        self.clear_sums(gradients)?;
        self.forward(weights, &read, space)?;
        let recompute = space.recomputes();
        let Workspace { slots, inputs, output, scratch, .. } = space;
        self.final_norm(weights, output, rows, scratch)?;
        self.head(weights, &read, scratch, taught, Some((scale, &mut *gradients)))?;
        self.final_norm_backward(weights, output, rows, gradients, scratch)?;
        for (index, &base) in blocks.iter().enumerate().rev() {
            let slot = if recompute {
                // Takes the kept input without a copy. It is not needed again, so it is not swapped
                // back.
                std::mem::swap(&mut slots[0].input, &mut inputs[index]);
                self.block(
                    weights,
                    base,
                    &read.places,
                    &mut slots[0],
                    None,
                    scratch,
                    &mut |_, _| (),
                )?;
                &mut slots[0]
            } else {
                &mut slots[index]
            };
            self.block_backward(weights, base, &read.places, slot, gradients, scratch)?;
        }
        let stream = Area::new(0, rows, self.config.hidden_size());
        let stream = View::new(&scratch.gradients.stream, stream);
        let table = ViewMut::new(gradients.buffer, self.embedding_area());
        self.backend.embed_backward(stream, &read.tokens, table)?;
        self.backend.sum_losses(&scratch.losses, rows)
    }
}
