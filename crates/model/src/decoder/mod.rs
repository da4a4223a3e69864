//! The network: a Llama or Qwen2 decoder, forward and backward, written once for every [`Backend`].

mod backward;
mod block;
mod gradients;
mod head;
mod inlet;
mod stream;
mod target;
mod taught;

use shape::config::ModelConfig;

use crate::Result;
use crate::backend::Backend;
use crate::batch::Batch;
use crate::layout::Layout;
use crate::rope::RotaryAngles;
use crate::workspace::Workspace;
pub use inlet::{Inlet, Watch};
pub use target::GradientTarget;

/// A network without its weights. Every call takes them as one flat buffer in the order of
/// [`Layout`].
pub struct Decoder<B: Backend> {
    config: ModelConfig,
    layout: Layout,
    backend: B,
    cosines: B::Buffer,
    sines: B::Buffer,
    longest: usize,
}

impl<B: Backend> Decoder<B> {
    /// A network for sequences of up to `longest` tokens.
    ///
    /// # Errors
    /// If the rotary table cannot be allocated.
    pub fn new(backend: B, config: &ModelConfig, longest: usize) -> Result<Self> {
        let (cosines, sines) = RotaryAngles::new(config).table(longest);
        let mut buffers = [backend.allocate(cosines.len())?, backend.allocate(sines.len())?];
        backend.upload_f64(&cosines, &mut buffers[0], 0)?;
        backend.upload_f64(&sines, &mut buffers[1], 0)?;
        let [cosines, sines] = buffers;
        let layout = Layout::new(config);
        Ok(Decoder { config: config.clone(), layout, backend, cosines, sines, longest })
    }

    /// The configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The offset of each tensor.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The backend.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// The same network on the same backend, with products in full precision.
    ///
    /// # Errors
    /// If the rotary table cannot be allocated.
    pub fn in_full_precision(&self) -> Result<Self> {
        Decoder::new(self.backend.in_full_precision(), &self.config, self.longest)
    }

    /// An empty workspace for this network.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn workspace(&self) -> Result<Workspace<B>> {
        Workspace::new(&self.backend, false)
    }

    /// An empty workspace that keeps only the input stream of every block. The backward pass
    /// recomputes the rest, block by block, and gets the same numbers. That repeats the forward
    /// pass of every block except its last product: about a quarter more work.
    ///
    /// # Errors
    /// Those of the backend.
    pub fn recomputing_workspace(&self) -> Result<Workspace<B>> {
        Workspace::new(&self.backend, true)
    }

    /// Longest sequence, in tokens.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Loss of every token of the batch in nats, 0 where the target is ignored. Keeps the
    /// activations of one block at a time.
    ///
    /// # Errors
    /// If the batch does not fit the model, or the memory cannot be allocated.
    pub fn losses(
        &self,
        weights: &B::Weights,
        batch: &Batch,
        space: &mut Workspace<B>,
    ) -> Result<Vec<f64>> {
        let read = self.inputs(batch)?;
        self.infer(weights, &read, space)?;
        self.head(weights, &read, &mut space.scratch, None, None)?;
        let mut losses = vec![0.0; read.places.rows];
        self.backend.download_losses(&space.scratch.losses, &mut losses)?;
        Ok(losses)
    }
}
