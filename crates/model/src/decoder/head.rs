//! From the residual stream to logits and losses, with the gradients of the head.

use std::ops::Range;

use super::Decoder;
use super::target::GradientTarget;
use crate::Result;
use crate::activations::{Activations, logit_rows};
use crate::backend::{Area, Backend, Mixture, View, ViewMut};
use crate::batch::Batch;
use crate::inputs::Inputs;
use crate::lesson::Prepared;
use crate::workspace::{Scratch, Workspace};

impl<B: Backend> Decoder<B> {
    /// Writes losses from the normed stream to `scratch.losses`, in chunks of rows: of the next
    /// token, or of what a teacher says. With `backward`, logits become gradients in place.
    pub(super) fn head(
        &self,
        weights: &B::Weights,
        inputs: &Inputs<B>,
        scratch: &mut Scratch<B>,
        mut taught: Option<(&mut Prepared<'_, B>, Mixture)>,
        mut backward: Option<(f64, &mut GradientTarget<'_, B>)>,
    ) -> Result<()> {
        let hidden = self.config.hidden_size();
        let head = View::new(weights, self.head_area());
        for (start, area) in self.chunks(inputs.places.rows) {
            self.project_logits(weights, scratch, start, area)?;
            let scale = backward.as_ref().map(|(scale, _)| *scale);
            let logits = ViewMut::new(&mut scratch.logits, area);
            let (backend, losses) = (&self.backend, &mut scratch.losses);
            match &mut taught {
                None => backend.cross_entropy(logits, &inputs.targets, start, scale, losses)?,
                Some((lesson, mixture)) => {
                    lesson.losses(backend, logits, inputs, (start, *mixture), scale, losses)?;
                }
            }
            let Some((_, gradients)) = &mut backward else { continue };
            let part = Area::new(start * hidden, area.rows, hidden);
            let normed = View::new(&scratch.normed, part);
            let logits = View::new(&scratch.logits, area);
            let sum = ViewMut::new(gradients.buffer, self.head_area());
            // Later chunks always add to the first one.
            self.backend.product(logits.t(), normed, sum, gradients.add || start > 0)?;
            let grads = &mut scratch.gradients;
            self.backend.project(logits, head, ViewMut::new(&mut grads.normed, part), false)?;
        }
        Ok(())
    }

    /// Chunks of rows whose logits are computed at once: the first row of each, and the area of its
    /// logits.
    pub(super) fn chunks(&self, rows: usize) -> impl Iterator<Item = (usize, Area)> + use<B> {
        let vocabulary = self.config.vocab_size();
        let chunk = logit_rows(vocabulary).min(rows).max(1);
        let area = move |start| Area::new(0, chunk.min(rows - start), vocabulary);
        (0..rows).step_by(chunk).map(move |start| (start, area(start)))
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
