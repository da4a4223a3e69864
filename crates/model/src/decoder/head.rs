//! From the residual stream to logits and losses, with the gradients of the head.

use std::ops::Range;

use super::Decoder;
use super::target::GradientTarget;
use crate::Result;
use crate::activations::{Activations, logit_rows};
use crate::backend::{Area, Backend, View, ViewMut};
use crate::batch::Batch;
use crate::inputs::Inputs;
use crate::workspace::{Scratch, Workspace};

impl<B: Backend> Decoder<B> {
    /// Writes losses from the normed stream to `scratch.losses`, in chunks of rows. With
    /// `backward`, logits become gradients in place.
    pub(super) fn head(
        &self,
        weights: &B::Weights,
        inputs: &Inputs<B>,
        scratch: &mut Scratch<B>,
        mut backward: Option<(f64, &mut GradientTarget<'_, B>)>,
    ) -> Result<()> {
        let (hidden, vocabulary) = (self.config.hidden_size(), self.config.vocab_size());
        let rows = inputs.places.rows;
        let chunk = logit_rows(vocabulary).min(rows);
        let head = View::new(weights, self.head_area());
        for start in (0..rows).step_by(chunk.max(1)) {
            let count = chunk.min(rows - start);
            let part = Area::new(start * hidden, count, hidden);
            let area = Area::new(0, count, vocabulary);
            let normed = View::new(&scratch.normed, part);
            self.backend.project(
                normed,
                head.t(),
                ViewMut::new(&mut scratch.logits, area),
                false,
            )?;
            let scale = backward.as_ref().map(|(scale, _)| *scale);
            let logits = ViewMut::new(&mut scratch.logits, area);
            self.backend.cross_entropy(
                logits,
                &inputs.targets,
                start,
                scale,
                &mut scratch.losses,
            )?;
            let Some((_, gradients)) = &mut backward else { continue };
            let logits = View::new(&scratch.logits, area);
            let sum = ViewMut::new(gradients.buffer, self.head_area());
            // Later chunks always add to the first one.
            self.backend.product(logits.t(), normed, sum, gradients.add || start > 0)?;
            let grads = &mut scratch.gradients;
            self.backend.project(logits, head, ViewMut::new(&mut grads.normed, part), false)?;
        }
        Ok(())
    }

    pub(super) fn final_norm(
        &self,
        weights: &B::Weights,
        stream: &B::Buffer,
        rows: usize,
        scratch: &mut Scratch<B>,
    ) -> Result<()> {
        let area = Area::new(self.layout.final_norm, 1, self.config.hidden_size());
        self.norm(weights, area, stream, Activations::new(&self.config, rows), scratch)
    }

    /// Logits of the given rows of the batch, `[rows.len(), vocabulary]`.
    ///
    /// # Errors
    /// If the batch does not fit the model, or the memory cannot be allocated.
    pub fn logits(
        &self,
        weights: &B::Weights,
        batch: &Batch,
        rows: Range<usize>,
        space: &mut Workspace<B>,
    ) -> Result<Vec<f32>> {
        self.infer(weights, &self.inputs(batch)?, space)?;
        let (hidden, vocabulary) = (self.config.hidden_size(), self.config.vocab_size());
        let mut all = vec![0.0; rows.len() * vocabulary];
        // Row by row: the scratch memory may hold fewer rows than are requested.
        for (row, out) in rows.zip(all.chunks_exact_mut(vocabulary)) {
            let row = Area::new(row * hidden, 1, hidden);
            let head = View::new(weights, self.head_area()).t();
            let logits = ViewMut::new(&mut space.scratch.logits, Area::new(0, 1, vocabulary));
            self.backend.project(View::new(&space.scratch.normed, row), head, logits, false)?;
            self.backend.download(&space.scratch.logits, 0, out)?;
        }
        Ok(all)
    }

    pub(super) fn head_area(&self) -> Area {
        Area::new(self.layout.head, self.config.vocab_size(), self.config.hidden_size())
    }
}
