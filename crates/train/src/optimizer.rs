//! AdamW over a whole model: clipping by global norm, decay on matrices only.

use std::ops::Range;

use ledger::AdamW;
use model::Result;
use model::backend::{AdamWStep, Backend};
use model::layout::Layout;

/// The moments of every weight, and the count of steps.
pub struct Optimizer<B: Backend> {
    first: B::Buffer,
    second: B::Buffer,
    steps: u64,
    settings: AdamW,
    decayed: Vec<Range<usize>>,
    plain: Vec<Range<usize>>,
}

impl<B: Backend> Optimizer<B> {
    /// Moments of zero for a model of this layout.
    ///
    /// # Errors
    /// If memory is short.
    pub fn new(backend: &B, layout: &Layout, settings: &AdamW) -> Result<Self> {
        let (decayed, plain) = layout.decayed_and_plain();
        Ok(Optimizer {
            first: backend.allocate(layout.len)?,
            second: backend.allocate(layout.len)?,
            steps: 0,
            settings: settings.clone(),
            decayed,
            plain,
        })
    }

    /// The global norm of the gradients, over all weights.
    ///
    /// # Errors
    /// Those of the machine.
    pub fn norm(&self, backend: &B, gradients: &B::Buffer) -> Result<f64> {
        let mut sum = 0.0;
        for range in self.decayed.iter().chain(&self.plain) {
            sum += backend.sum_of_squares(gradients, range.clone())?;
        }
        Ok(sum.sqrt())
    }

    /// One step at `learning_rate`. Gradients whose global norm, `norm`, is above the limit are
    /// scaled down to it.
    ///
    /// # Errors
    /// Those of the machine.
    pub fn step(
        &mut self,
        backend: &B,
        weights: &mut B::Weights,
        gradients: &B::Buffer,
        norm: f64,
        learning_rate: f64,
    ) -> Result<()> {
        self.steps += 1;
        let AdamW { beta1, beta2, epsilon, weight_decay, clip_norm, .. } = self.settings;
        // The small number is PyTorch's, in `clip_grad_norm_`.
        let gradient_scale = (clip_norm / (norm + 1e-6)).min(1.0);
        let ranges = self.decayed.iter().map(|range| (range, weight_decay));
        for (range, weight_decay) in ranges.chain(self.plain.iter().map(|range| (range, 0.0))) {
            let step = self.steps;
            let constants = AdamWStep {
                learning_rate,
                beta1,
                beta2,
                epsilon,
                weight_decay,
                step,
                gradient_scale,
            };
            let moments = (&mut self.first, &mut self.second);
            backend.adamw(weights, gradients, moments, range.clone(), constants)?;
        }
        Ok(())
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// First and second moments, in the order of the layout.
    pub fn moments(&self) -> (&B::Buffer, &B::Buffer) {
        (&self.first, &self.second)
    }

    /// Stands after `steps` steps; first and second moments of that moment are to be put in, in the
    /// order of the layout.
    pub(crate) fn restore(&mut self, steps: u64) -> (&mut B::Buffer, &mut B::Buffer) {
        self.steps = steps;
        (&mut self.first, &mut self.second)
    }
}
