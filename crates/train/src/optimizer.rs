//! AdamW for a whole model: gradients are clipped by global norm, and only matrices decay.

use std::ops::Range;

use ledger::AdamW;
use model::Result;
use model::backend::{AdamWStep, Backend};
use model::layout::Layout;

/// The moments of every weight, and the number of steps.
pub struct Optimizer<B: Backend> {
    first: B::Buffer,
    second: B::Buffer,
    steps: u64,
    settings: AdamW,
    decayed: Vec<Range<usize>>,
    plain: Vec<Range<usize>>,
}

impl<B: Backend> Optimizer<B> {
    /// Starts with zero moments for a model of this layout.
    ///
    /// # Errors
    /// If the memory cannot be allocated.
    pub fn new(backend: &B, layout: &Layout, settings: &AdamW) -> Result<Self> {
        let (decayed, plain) = layout.decayed_and_plain();
        Ok(Optimizer {
            first: backend.allocate(layout.elements())?,
            second: backend.allocate(layout.elements())?,
            steps: 0,
            settings: settings.clone(),
            decayed,
            plain,
        })
    }

    /// The global norm of the gradients, over all weights.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn norm(&self, backend: &B, gradients: &B::Buffer) -> Result<f64> {
        let mut sum = 0.0;
        for range in self.decayed.iter().chain(&self.plain) {
            sum += backend.sum_of_squares(gradients, range.clone())?;
        }
        Ok(sum.sqrt())
    }

    /// One step at `learning_rate`. If the global norm of the gradients, `norm`, is above the
    /// limit, they are scaled down to it.
    ///
    /// # Errors
    /// Those of the backend.
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
        // `clip_grad_norm_` of PyTorch adds the same 1e-6, so that results can be compared.
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

    /// Sets the number of steps. The caller fills in the first and second moments of that step, in
    /// the order of the layout.
    pub(crate) fn restore(&mut self, steps: u64) -> (&mut B::Buffer, &mut B::Buffer) {
        self.steps = steps;
        (&mut self.first, &mut self.second)
    }
}
