//! The network: a Llama or Qwen2 decoder, forward and backward, written once for every [`Backend`].

use std::ops::Range;

use shape::config::ModelConfig;
use shape::tensors::Role;

use crate::Result;
use crate::backend::{Area, Backend, Heads, Rotation, View, ViewMut};
use crate::batch::Batch;
use crate::layout::{BlockAreas, Layout};
use crate::rope::Rope;
use crate::workspace::{Scratch, Slot, Workspace};

/// A network without its weights: they are passed to every call as one flat buffer in [`Layout`]'s
/// order.
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
    /// If the machine has no memory for the rotary table.
    pub fn new(backend: B, config: &ModelConfig, longest: usize) -> Result<Self> {
        let (cosines, sines) = Rope::new(config).table(longest);
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

    /// Where each tensor lies.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The machine.
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// The same network on the same machine, which computes products in full precision.
    ///
    /// # Errors
    /// If the machine has no memory for the rotary table.
    pub fn in_full_precision(&self) -> Result<Self> {
        Decoder::new(self.backend.in_full_precision(), &self.config, self.longest)
    }

    /// Longest sequence, in tokens.
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// Loss of every token of the batch in nats, 0 where its target is ignored. Keeps one block's
    /// activations at a time.
    ///
    /// # Errors
    /// If the batch does not fit the model, or memory is short.
    pub fn losses(
        &self,
        weights: &B::Buffer,
        batch: &Batch,
        space: &mut Workspace<B>,
    ) -> Result<Vec<f64>> {
        self.infer(weights, batch, space)?;
        let mut losses = vec![0.0; batch.tokens().len()];
        self.head(weights, batch, &mut space.scratch, None, &mut losses)?;
        Ok(losses)
    }

    /// Logits of the given rows of the batch, `[rows.len(), vocabulary]`.
    ///
    /// # Errors
    /// If the batch does not fit the model, or memory is short.
    pub fn logits(
        &self,
        weights: &B::Buffer,
        batch: &Batch,
        rows: Range<usize>,
        space: &mut Workspace<B>,
    ) -> Result<Vec<f32>> {
        self.infer(weights, batch, space)?;
        let (hidden, vocabulary) = (self.config.hidden_size(), self.config.vocab_size());
        let mut all = vec![0.0; rows.len() * vocabulary];
        for (row, out) in rows.zip(all.chunks_exact_mut(vocabulary)) {
            let row = Area::new(row * hidden, 1, hidden);
            let head = View::new(weights, self.head_area()).t();
            let logits = ViewMut::new(&mut space.scratch.logits, Area::new(0, 1, vocabulary));
            self.backend.product(View::new(&space.scratch.normed, row), head, logits, false)?;
            self.backend.download(&space.scratch.logits, 0, out)?;
        }
        Ok(all)
    }

    /// Forward and backward: `gradients` become `scale` times the gradient of the summed loss, or
    /// that is added to them; returns the loss of every token in nats.
    ///
    /// # Errors
    /// If the batch does not fit the model, or memory is short.
    pub fn gradients(
        &self,
        weights: &B::Buffer,
        batch: &Batch,
        scale: f64,
        mut gradients: Target<'_, B>,
        space: &mut Workspace<B>,
    ) -> Result<Vec<f64>> {
        batch.check(self.config.vocab_size(), self.longest)?;
        let rows = batch.tokens().len();
        let blocks = &self.layout.blocks;
        space.reserve(self, rows, blocks.len(), true, true)?;
        let gradients = &mut gradients;
        self.clear_sums(gradients)?;
        self.forward(weights, batch, space)?;
        let recompute = space.recomputes();
        let Workspace { slots, inputs, output, scratch, .. } = space;
        self.final_norm(weights, output, rows, scratch)?;
        let mut losses = vec![0.0; rows];
        self.head(weights, batch, scratch, Some((scale, &mut *gradients)), &mut losses)?;
        self.final_norm_backward(weights, output, rows, gradients, scratch)?;
        for (index, &base) in blocks.iter().enumerate().rev() {
            let slot = if recompute {
                std::mem::swap(&mut slots[0].input, &mut inputs[index]);
                self.block(weights, base, batch, &mut slots[0], None, scratch, &mut |_, _| ())?;
                &mut slots[0]
            } else {
                &mut slots[index]
            };
            self.block_backward(weights, base, batch, slot, gradients, scratch)?;
        }
        let stream = Area::new(0, rows, self.config.hidden_size());
        let stream = View::new(&scratch.gradients.stream, stream);
        let table = ViewMut::new(gradients.buffer, self.embedding_area());
        self.backend.embed_backward(stream, batch.tokens(), table)?;
        Ok(losses)
    }

    /// All blocks, first to last; what their backward passes need is kept in the workspace, or only
    /// what enters them.
    fn forward(&self, weights: &B::Buffer, batch: &Batch, space: &mut Workspace<B>) -> Result<()> {
        let recompute = space.recomputes();
        let Workspace { slots, inputs, output, scratch, .. } = space;
        let blocks = &self.layout.blocks;
        if !recompute {
            self.embed(weights, batch, &mut slots[0].input)?;
            for (index, &base) in blocks.iter().enumerate() {
                let (before, after) = slots.split_at_mut(index + 1);
                let next = after.first_mut().map_or(&mut *output, |slot| &mut slot.input);
                self.block(
                    weights,
                    base,
                    batch,
                    &mut before[index],
                    Some(next),
                    scratch,
                    &mut |_, _| (),
                )?;
            }
            return Ok(());
        }
        let slot = &mut slots[0];
        self.embed(weights, batch, &mut inputs[0])?;
        for (index, &base) in blocks.iter().enumerate() {
            let (before, after) = inputs.split_at_mut(index + 1);
            let next = after.first_mut().unwrap_or(&mut *output);
            std::mem::swap(&mut slot.input, &mut before[index]);
            self.block(weights, base, batch, slot, Some(next), scratch, &mut |_, _| ())?;
            std::mem::swap(&mut slot.input, &mut before[index]);
        }
        Ok(())
    }

    /// Runs the block whose weights begin at `base` of `weights` (which need hold no other block)
    /// on the residual stream, `[tokens, hidden]`, in place.
    ///
    /// # Errors
    /// If the batch does not fit the model, or memory is short.
    pub fn run_block(
        &self,
        weights: &B::Buffer,
        base: usize,
        batch: &Batch,
        stream: &mut B::Buffer,
        space: &mut Workspace<B>,
    ) -> Result<()> {
        self.watch_block(weights, base, batch, stream, space, &mut |_, _| ())
    }

    /// As [`Decoder::run_block`], while `watch` sees what the linear layers read, in the order of
    /// [`Inlet`].
    ///
    /// # Errors
    /// If the batch does not fit the model, or memory is short.
    pub fn watch_block(
        &self,
        weights: &B::Buffer,
        base: usize,
        batch: &Batch,
        stream: &mut B::Buffer,
        space: &mut Workspace<B>,
        watch: &mut Watch<'_, B>,
    ) -> Result<()> {
        batch.check(self.config.vocab_size(), self.longest)?;
        space.reserve(self, batch.tokens().len(), 1, false, false)?;
        let Workspace { slots, scratch, .. } = space;
        std::mem::swap(&mut slots[0].input, stream);
        self.block(weights, base, batch, &mut slots[0], Some(stream), scratch, watch)
    }

    /// `out[t] =` the embedding of token t, `[tokens, hidden]`.
    ///
    /// # Errors
    /// Those of the machine.
    pub fn embed(&self, weights: &B::Buffer, batch: &Batch, out: &mut B::Buffer) -> Result<()> {
        let out = ViewMut::new(out, Area::new(0, batch.tokens().len(), self.config.hidden_size()));
        self.backend.embed(View::new(weights, self.embedding_area()), batch.tokens(), out)
    }

    /// One block: reads the residual stream in `slot.input`, writes it to `output`, both `[tokens,
    /// hidden]`. Without an output it stops at what the backward pass needs.
    #[allow(clippy::too_many_arguments)]
    fn block(
        &self,
        weights: &B::Buffer,
        base: usize,
        batch: &Batch,
        slot: &mut Slot<B>,
        output: Option<&mut B::Buffer>,
        scratch: &mut Scratch<B>,
        watch: &mut Watch<'_, B>,
    ) -> Result<()> {
        let parts = self.layout.block.at(base);
        let shape = Shape::new(&self.config, batch.tokens().len());
        let backend = &self.backend;
        let matrix = |area| View::new(weights, area);
        self.norm(weights, parts.attention_norm, &slot.input, shape, scratch)?;
        let normed = View::new(&scratch.normed, shape.stream);
        watch(Inlet::Attention, normed);
        let target = ViewMut::new(&mut slot.qkv, shape.qkv);
        backend.product(normed, matrix(parts.query_key_value).t(), target, false)?;
        if let Some(bias) = parts.query_key_value_bias {
            backend.add_bias(ViewMut::new(&mut slot.qkv, shape.qkv), matrix(bias))?;
        }
        self.rotate(&mut slot.qkv, shape, batch, false)?;
        backend.attention(
            View::new(&slot.qkv, shape.qkv),
            shape.heads,
            batch.sequences(),
            ViewMut::new(&mut slot.mixed, shape.mixed),
            ViewMut::new(&mut slot.log_sums, shape.log_sums),
        )?;
        backend.copy(
            View::new(&slot.input, shape.stream),
            ViewMut::new(&mut slot.middle, shape.stream),
        )?;
        let (mixed, target) =
            (View::new(&slot.mixed, shape.mixed), ViewMut::new(&mut slot.middle, shape.stream));
        watch(Inlet::AttentionOutput, mixed);
        backend.product(mixed, matrix(parts.attention_output).t(), target, true)?;

        self.norm(weights, parts.feed_forward_norm, &slot.middle, shape, scratch)?;
        let normed = View::new(&scratch.normed, shape.stream);
        watch(Inlet::FeedForward, normed);
        let target = ViewMut::new(&mut slot.gate_up, shape.gate_up);
        backend.product(normed, matrix(parts.gate_up).t(), target, false)?;
        let Some(output) = output else { return Ok(()) };
        let gate_up = View::new(&slot.gate_up, shape.gate_up);
        backend.swiglu(gate_up, ViewMut::new(&mut scratch.inner, shape.inner))?;
        backend.copy(View::new(&slot.middle, shape.stream), ViewMut::new(output, shape.stream))?;
        let inner = View::new(&scratch.inner, shape.inner);
        watch(Inlet::Down, inner);
        backend.product(inner, matrix(parts.down).t(), ViewMut::new(output, shape.stream), true)
    }

    /// Turns the gradient of a block's output, in `scratch.gradients.stream`, into that of its
    /// input, and adds those of its weights to `gradients`. Uses up `slot.gate_up`.
    fn block_backward(
        &self,
        weights: &B::Buffer,
        base: usize,
        batch: &Batch,
        slot: &mut Slot<B>,
        gradients: &mut Target<'_, B>,
        scratch: &mut Scratch<B>,
    ) -> Result<()> {
        let parts = self.layout.block.at(base);
        let shape = Shape::new(&self.config, batch.tokens().len());
        let backend = &self.backend;
        self.feed_forward_backward(weights, &parts, shape, slot, gradients, scratch)?;

        let grads = &mut scratch.gradients;
        let stream = View::new(&grads.stream, shape.stream);
        let target = ViewMut::new(&mut grads.mixed, shape.mixed);
        backend.product(stream, View::new(weights, parts.attention_output), target, false)?;
        let mixed = View::new(&slot.mixed, shape.mixed);
        backend.product(
            stream.t(),
            mixed,
            ViewMut::new(gradients.buffer, parts.attention_output),
            gradients.add,
        )?;
        backend.attention_backward(
            View::new(&slot.qkv, shape.qkv),
            mixed,
            View::new(&slot.log_sums, shape.log_sums),
            View::new(&grads.mixed, shape.mixed),
            shape.heads,
            batch.sequences(),
            ViewMut::new(&mut grads.qkv, shape.qkv),
        )?;
        self.rotate(&mut grads.qkv, shape, batch, true)?;
        if let Some(bias) = parts.query_key_value_bias {
            backend.add_bias_backward(
                View::new(&grads.qkv, shape.qkv),
                ViewMut::new(gradients.buffer, bias),
            )?;
        }
        let matrix = parts.query_key_value;
        self.projection_backward(
            weights,
            (parts.attention_norm, matrix),
            &slot.input,
            Joint::Qkv,
            shape,
            gradients,
            scratch,
        )
    }

    fn feed_forward_backward(
        &self,
        weights: &B::Buffer,
        parts: &BlockAreas,
        shape: Shape,
        slot: &mut Slot<B>,
        gradients: &mut Target<'_, B>,
        scratch: &mut Scratch<B>,
    ) -> Result<()> {
        let backend = &self.backend;
        let grads = &mut scratch.gradients;
        let stream = View::new(&grads.stream, shape.stream);
        let target = ViewMut::new(&mut scratch.inner, shape.inner);
        backend.product(stream, View::new(weights, parts.down), target, false)?;
        let gate_up = ViewMut::new(&mut slot.gate_up, shape.gate_up);
        backend.swiglu_backward(gate_up, ViewMut::new(&mut scratch.inner, shape.inner))?;
        let inner = View::new(&scratch.inner, shape.inner);
        backend.product(
            stream.t(),
            inner,
            ViewMut::new(gradients.buffer, parts.down),
            gradients.add,
        )?;
        let joint = Joint::GateUp(&slot.gate_up);
        let (norm, matrix) = (parts.feed_forward_norm, parts.gate_up);
        self.projection_backward(
            weights,
            (norm, matrix),
            &slot.middle,
            joint,
            shape,
            gradients,
            scratch,
        )
    }

    /// Backward through `norm` and the joint projection after it, whose output's gradient is
    /// `joint`: adds to the stream's gradient and to those of the two weights. The normed input
    /// is computed again.
    #[allow(clippy::too_many_arguments)]
    fn projection_backward(
        &self,
        weights: &B::Buffer,
        (norm, matrix): (Area, Area),
        input: &B::Buffer,
        joint: Joint<'_, B>,
        shape: Shape,
        gradients: &mut Target<'_, B>,
        scratch: &mut Scratch<B>,
    ) -> Result<()> {
        let backend = &self.backend;
        self.norm(weights, norm, input, shape, scratch)?;
        let grads = &mut scratch.gradients;
        let joint = match joint {
            Joint::Qkv => View::new(&grads.qkv, shape.qkv),
            Joint::GateUp(buffer) => View::new(buffer, shape.gate_up),
        };
        let normed = View::new(&scratch.normed, shape.stream);
        backend.product(
            joint.t(),
            normed,
            ViewMut::new(gradients.buffer, matrix),
            gradients.add,
        )?;
        let target = ViewMut::new(&mut grads.normed, shape.stream);
        backend.product(joint, View::new(weights, matrix), target, false)?;
        backend.rms_norm_backward(
            View::new(&grads.normed, shape.stream),
            View::new(input, shape.stream),
            View::new(weights, norm),
            View::new(&scratch.inverse_rms, shape.single),
            ViewMut::new(&mut grads.stream, shape.stream),
            ViewMut::new(gradients.buffer, norm),
        )
    }

    /// All blocks on one slot, then the final norm: leaves the normed stream in `scratch.normed`.
    fn infer(&self, weights: &B::Buffer, batch: &Batch, space: &mut Workspace<B>) -> Result<()> {
        batch.check(self.config.vocab_size(), self.longest)?;
        let rows = batch.tokens().len();
        space.reserve(self, rows, 1, true, false)?;
        let Workspace { slots, output, scratch, .. } = space;
        let slot = &mut slots[0];
        self.embed(weights, batch, &mut slot.input)?;
        for &base in &self.layout.blocks {
            self.block(weights, base, batch, slot, Some(&mut *output), scratch, &mut |_, _| ())?;
            std::mem::swap(&mut slot.input, output);
        }
        self.final_norm(weights, &slot.input, rows, scratch)
    }

    fn final_norm(
        &self,
        weights: &B::Buffer,
        stream: &B::Buffer,
        rows: usize,
        scratch: &mut Scratch<B>,
    ) -> Result<()> {
        let area = Area::new(self.layout.final_norm, 1, self.config.hidden_size());
        self.norm(weights, area, stream, Shape::new(&self.config, rows), scratch)
    }

    /// Begins at zero the gradients that operations add to; products begin theirs themselves.
    fn clear_sums(&self, gradients: &mut Target<'_, B>) -> Result<()> {
        if gradients.add {
            return Ok(());
        }
        for range in self.layout.decayed_and_plain().1 {
            self.backend.clear(gradients.buffer, range)?;
        }
        let embedding = self.embedding_area();
        self.backend.clear(gradients.buffer, embedding.offset..embedding.end())
    }

    /// Begins the stream's gradient from that of the normed stream.
    fn final_norm_backward(
        &self,
        weights: &B::Buffer,
        stream: &B::Buffer,
        rows: usize,
        gradients: &mut Target<'_, B>,
        scratch: &mut Scratch<B>,
    ) -> Result<()> {
        let shape = Shape::new(&self.config, rows);
        let area = Area::new(self.layout.final_norm, 1, self.config.hidden_size());
        let grads = &mut scratch.gradients;
        self.backend.clear(&mut grads.stream, 0..shape.stream.end())?;
        self.backend.rms_norm_backward(
            View::new(&grads.normed, shape.stream),
            View::new(stream, shape.stream),
            View::new(weights, area),
            View::new(&scratch.inverse_rms, shape.single),
            ViewMut::new(&mut grads.stream, shape.stream),
            ViewMut::new(gradients.buffer, area),
        )
    }

    /// Losses from the normed stream, in chunks of rows that turn logits into gradients in place.
    fn head(
        &self,
        weights: &B::Buffer,
        batch: &Batch,
        scratch: &mut Scratch<B>,
        mut backward: Option<(f64, &mut Target<'_, B>)>,
        losses: &mut [f64],
    ) -> Result<()> {
        let (hidden, vocabulary) = (self.config.hidden_size(), self.config.vocab_size());
        let rows = batch.tokens().len();
        let chunk = logit_rows(vocabulary).min(rows);
        let head = View::new(weights, self.head_area());
        for start in (0..rows).step_by(chunk.max(1)) {
            let count = chunk.min(rows - start);
            let part = Area::new(start * hidden, count, hidden);
            let area = Area::new(0, count, vocabulary);
            let normed = View::new(&scratch.normed, part);
            self.backend.product(
                normed,
                head.t(),
                ViewMut::new(&mut scratch.logits, area),
                false,
            )?;
            let targets = &batch.targets()[start..start + count];
            let scale = backward.as_ref().map(|(scale, _)| *scale);
            let logits = ViewMut::new(&mut scratch.logits, area);
            self.backend.cross_entropy(
                logits,
                targets,
                scale,
                &mut losses[start..start + count],
            )?;
            let Some((_, gradients)) = &mut backward else { continue };
            let logits = View::new(&scratch.logits, area);
            let sum = ViewMut::new(gradients.buffer, self.head_area());
            self.backend.product(logits.t(), normed, sum, gradients.add || start > 0)?;
            let grads = &mut scratch.gradients;
            self.backend.product(logits, head, ViewMut::new(&mut grads.normed, part), false)?;
        }
        Ok(())
    }

    fn norm(
        &self,
        weights: &B::Buffer,
        weight: Area,
        x: &B::Buffer,
        shape: Shape,
        scratch: &mut Scratch<B>,
    ) -> Result<()> {
        self.backend.rms_norm(
            View::new(x, shape.stream),
            View::new(weights, weight),
            self.config.rms_norm_eps(),
            ViewMut::new(&mut scratch.normed, shape.stream),
            ViewMut::new(&mut scratch.inverse_rms, shape.single),
        )
    }

    /// Rotates queries and keys, which stand side by side.
    fn rotate(
        &self,
        qkv: &mut B::Buffer,
        shape: Shape,
        batch: &Batch,
        inverse: bool,
    ) -> Result<()> {
        let columns = (shape.heads.query + shape.heads.key_value) * shape.heads.dim;
        let area = shape.qkv.columns_from(0, columns);
        let rotation = Rotation {
            cosines: &self.cosines,
            sines: &self.sines,
            positions: batch.positions(),
            inverse,
        };
        self.backend.rotate(ViewMut::new(qkv, area), shape.heads.dim, rotation)
    }

    fn embedding_area(&self) -> Area {
        Area::new(self.layout.embedding, self.config.vocab_size(), self.config.hidden_size())
    }

    fn head_area(&self) -> Area {
        Area::new(self.layout.head, self.config.vocab_size(), self.config.hidden_size())
    }
}

/// Which linear layers of a block read something; in the order in which a block comes to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Inlet {
    /// Query, key and value read the normed stream, `[tokens, hidden]`.
    Attention,
    /// The attention output reads what the heads give, `[tokens, query]`.
    AttentionOutput,
    /// Gate and up read the normed stream, `[tokens, hidden]`.
    FeedForward,
    /// Down reads what the neurons give, `[tokens, inner]`.
    Down,
}

impl Inlet {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::Attention, Self::AttentionOutput, Self::FeedForward, Self::Down];

    /// The linear layers that read it, in memory order.
    pub fn roles(self) -> &'static [Role] {
        match self {
            Self::Attention => &[Role::Query, Role::Key, Role::Value],
            Self::AttentionOutput => &[Role::AttentionOutput],
            Self::FeedForward => &[Role::Gate, Role::Up],
            Self::Down => &[Role::Down],
        }
    }
}

/// Looks at what linear layers read.
pub type Watch<'a, B> = dyn FnMut(Inlet, View<'_, <B as Backend>::Buffer>) + 'a;

/// Where the gradients of the weights go, in the order of the weights.
pub struct Target<'a, B: Backend> {
    /// As long as the weights.
    pub buffer: &'a mut B::Buffer,
    /// Add to what the buffer holds, rather than replace it.
    pub add: bool,
}

/// Where the gradient of a joint projection's output lies.
enum Joint<'a, B: Backend> {
    Qkv,
    GateUp(&'a B::Buffer),
}

/// Rows of logits computed at once: at most 512, and at most 512 MiB in `f32`. Fewer would go
/// through the whole head, and its gradient, more often than its products are worth.
pub(crate) fn logit_rows(vocabulary: usize) -> usize {
    ((1 << 27) / vocabulary.max(1)).clamp(16, 512)
}

/// The areas of the activations of `rows` tokens.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) heads: Heads,
    pub(crate) stream: Area,   // [row, hidden]
    pub(crate) single: Area,   // [row, 1]
    pub(crate) qkv: Area,      // [row, query + 2 key_value]
    pub(crate) mixed: Area,    // [row, query]
    pub(crate) log_sums: Area, // [row, head]
    pub(crate) gate_up: Area,  // [row, 2 inner]
    pub(crate) inner: Area,    // [row, inner]
}

impl Shape {
    pub(crate) fn new(config: &ModelConfig, rows: usize) -> Self {
        let heads = Heads {
            query: config.num_attention_heads(),
            key_value: config.num_key_value_heads(),
            dim: config.head_dim(),
        };
        let area = |columns| Area::new(0, rows, columns);
        Shape {
            heads,
            stream: area(config.hidden_size()),
            single: area(1),
            qkv: area(heads.width()),
            mixed: area(config.query_width()),
            log_sums: area(heads.query),
            gate_up: area(2 * config.intermediate_size()),
            inner: area(config.intermediate_size()),
        }
    }
}
