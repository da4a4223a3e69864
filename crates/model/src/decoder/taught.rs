//! Passes against a teacher.

use super::Decoder;
use super::target::GradientTarget;
use crate::backend::{Area, Backend, Mixture, TopShares, View, ViewMut};
use crate::batch::Batch;
use crate::error::ModelFault;
use crate::inputs::Inputs;
use crate::lesson::{Lesson, Prepared};
use crate::workspace::{Scratch, Workspace};
use crate::{Error, Result};

impl<B: Backend> Prepared<'_, B> {
    /// Turns the logits of the rows from `first` on into losses, and with a scale into gradients.
    pub(super) fn losses(
        &mut self,
        backend: &B,
        logits: ViewMut<'_, B::Buffer>,
        inputs: &Inputs<B>,
        (first, mixture): (usize, Mixture),
        gradient_scale: Option<f64>,
        losses: &mut B::Losses,
    ) -> Result<()> {
        let area = logits.area;
        match self {
            Self::Network { decoder, weights, scratch } => {
                decoder.project_logits(weights, scratch, first, area)?;
                let teacher = ViewMut::new(&mut scratch.logits, area);
                let targets = &inputs.targets;
                backend.distillation(
                    logits,
                    teacher,
                    targets,
                    first,
                    mixture,
                    gradient_scale,
                    losses,
                )
            }
            Self::Top { ids, shares, count } => {
                let top = TopShares { ids, shares, count: *count };
                let targets = &inputs.targets;
                backend.distillation_from_top(
                    logits,
                    top,
                    targets,
                    first,
                    mixture,
                    gradient_scale,
                    losses,
                )
            }
        }
    }
}

impl<B: Backend> Decoder<B> {
    /// Runs a teacher's network up to its logits, or copies the known tokens to the backend.
    pub(super) fn prepare<'a>(
        &self,
        lesson: &'a mut Lesson<'_, B>,
        batch: &Batch,
    ) -> Result<Prepared<'a, B>> {
        let refuse = |found: String, expected: String| {
            Err(Error::from(ModelFault::Teacher { found, expected }))
        };
        let vocabulary = self.config.vocab_size();
        match lesson {
            Lesson::Network { decoder, weights, space } => {
                let found = decoder.config.vocab_size();
                if found != vocabulary {
                    return refuse(format!("a vocabulary of {found}"), vocabulary.to_string());
                }
                decoder.infer(weights, &decoder.inputs(batch)?, space)?;
                Ok(Prepared::Network { decoder, weights, scratch: &mut space.scratch })
            }
            Lesson::Top(top) => {
                let (rows, count) = (batch.tokens().len(), top.count());
                if top.rows() != rows {
                    return refuse(format!("{} rows", top.rows()), rows.to_string());
                }
                if !(1..=vocabulary).contains(&count) {
                    let expected = format!("1 to the vocabulary of {vocabulary}");
                    return refuse(format!("{count} tokens a row"), expected);
                }
                if let Some(id) = top.ids.iter().find(|&&id| id as usize >= vocabulary) {
                    return refuse(format!("token {id}"), format!("below {vocabulary}"));
                }
                let mut shares = self.backend.allocate(top.shares.len())?;
                self.backend.upload(&top.shares, &mut shares, 0)?;
                Ok(Prepared::Top { ids: self.backend.upload_ids(&top.ids)?, shares, count })
            }
        }
    }

    /// As [`Decoder::gradients`], of the mixture of a teacher's divergence and the next-token loss.
    ///
    /// # Errors
    /// If the batch or the teacher does not fit the model, or the memory cannot be allocated.
    pub fn taught_gradients(
        &self,
        weights: &B::Weights,
        batch: &Batch,
        (lesson, mixture): (&mut Lesson<'_, B>, Mixture),
        scale: f64,
        gradients: GradientTarget<'_, B>,
        space: &mut Workspace<B>,
    ) -> Result<f64> {
        // The teacher runs first. Of its pass only the normed stream is needed later.
        let mut prepared = self.prepare(lesson, batch)?;
        let taught = Some((&mut prepared, mixture));
        self.gradients_from(weights, batch, taught, scale, gradients, space)
    }

    /// `scratch.logits =` the logits of the rows of `area` from `first` on, from the normed stream.
    pub(super) fn project_logits(
        &self,
        weights: &B::Weights,
        scratch: &mut Scratch<B>,
        first: usize,
        area: Area,
    ) -> Result<()> {
        let hidden = self.config.hidden_size();
        let normed = View::new(&scratch.normed, Area::new(first * hidden, area.rows, hidden));
        let head = View::new(weights, self.head_area()).t();
        self.backend.project(normed, head, ViewMut::new(&mut scratch.logits, area), false)
    }

    /// Next-token loss of every token of the batch, as [`Decoder::losses`], and the divergence of
    /// the model from a teacher at temperature 1, KL(teacher ‖ model); both in nats, and 0 where
    /// the target is ignored.
    ///
    /// # Errors
    /// If the batch or the teacher does not fit the model, or the memory cannot be allocated.
    pub fn losses_and_divergences(
        &self,
        weights: &B::Weights,
        batch: &Batch,
        lesson: &mut Lesson<'_, B>,
        space: &mut Workspace<B>,
    ) -> Result<(Vec<f64>, Vec<f64>)> {
        let mut prepared = self.prepare(lesson, batch)?;
        let read = self.inputs(batch)?;
        self.infer(weights, &read, space)?;
        let rows = read.places.rows;
        let scratch = &mut space.scratch;
        let mut apart = self.backend.allocate_losses(rows)?;
        for (first, area) in self.chunks(rows) {
            self.project_logits(weights, scratch, first, area)?;
            // Without a scale the logits stay as they are for the next-token loss.
            let logits = ViewMut::new(&mut scratch.logits, area);
            let whole = (first, Mixture::DIVERGENCE);
            prepared.losses(&self.backend, logits, &read, whole, None, &mut apart)?;
            let logits = ViewMut::new(&mut scratch.logits, area);
            self.backend.cross_entropy(logits, &read.targets, first, None, &mut scratch.losses)?;
        }
        let (mut losses, mut divergences) = (vec![0.0; rows], vec![0.0; rows]);
        self.backend.download_losses(&scratch.losses, &mut losses)?;
        self.backend.download_losses(&apart, &mut divergences)?;
        Ok((losses, divergences))
    }

    /// Shows the logits of every row of the batch, a chunk of rows at a time: `visit` receives
    /// `[rows of the chunk, vocabulary]`, and may overwrite it.
    ///
    /// # Errors
    /// If the batch does not fit the model, the memory cannot be allocated, or `visit` fails.
    pub fn visit_logits<E: From<Error>>(
        &self,
        weights: &B::Weights,
        batch: &Batch,
        space: &mut Workspace<B>,
        visit: &mut dyn FnMut(&mut [f32]) -> Result<(), E>,
    ) -> Result<(), E> {
        let read = self.inputs(batch)?;
        self.infer(weights, &read, space)?;
        let mut host = Vec::new();
        for (first, area) in self.chunks(read.places.rows) {
            self.project_logits(weights, &mut space.scratch, first, area)?;
            host.resize(area.rows * area.columns, 0.0);
            self.backend.download(&space.scratch.logits, 0, &mut host)?;
            visit(&mut host)?;
        }
        Ok(())
    }
}
