//! The backward pass of blocks and norms: from the gradient of their output to that of their input.

use super::Decoder;
use super::target::GradientTarget;
use crate::Result;
use crate::activations::Activations;
use crate::backend::{Area, Backend, View, ViewMut};
use crate::inputs::RowPlaces;
use crate::layout::BlockAreas;
use crate::workspace::{Scratch, Slot};

/// Where the gradient of a joint projection's output is stored.
enum Joint<'a, B: Backend> {
    Qkv,
    GateUp(&'a B::Buffer),
}

impl<B: Backend> Decoder<B> {
    /// Turns the gradient of a block's output, in `scratch.gradients.stream`, into that of its
    /// input, and adds the gradients of its weights to `gradients`. Overwrites `slot.gate_up`.
    pub(super) fn block_backward(
        &self,
        weights: &B::Weights,
        base: usize,
        places: &RowPlaces<B>,
        slot: &mut Slot<B>,
        gradients: &mut GradientTarget<'_, B>,
        scratch: &mut Scratch<B>,
    ) -> Result<()> {
        let parts = self.layout.block.at(base);
        let shape = Activations::new(&self.config, places.rows);
        let backend = &self.backend;
        self.feed_forward_backward(weights, &parts, shape, slot, gradients, scratch)?;

        let grads = &mut scratch.gradients;
        let stream = View::new(&grads.stream, shape.stream);
        let target = ViewMut::new(&mut grads.mixed, shape.mixed);
        backend.project(stream, View::new(weights, parts.attention_output), target, false)?;
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
            places.sequences(),
            ViewMut::new(&mut grads.qkv, shape.qkv),
        )?;
        // The gradients of queries and keys are still rotated, as attention read them.
        self.rotate(&mut grads.qkv, shape, places, true)?;
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
        weights: &B::Weights,
        parts: &BlockAreas,
        shape: Activations,
        slot: &mut Slot<B>,
        gradients: &mut GradientTarget<'_, B>,
        scratch: &mut Scratch<B>,
    ) -> Result<()> {
        let backend = &self.backend;
        let grads = &mut scratch.gradients;
        let stream = View::new(&grads.stream, shape.stream);
        let target = ViewMut::new(&mut scratch.inner, shape.inner);
        backend.project(stream, View::new(weights, parts.down), target, false)?;
        let gate_up = ViewMut::new(&mut slot.gate_up, shape.gate_up);
        backend.swiglu_backward(gate_up, ViewMut::new(&mut scratch.inner, shape.inner))?;
        // `swiglu_backward` has put the output of SwiGLU here, in place of its gradient.
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

    /// The backward pass of `norm` and of the joint projection after it; `joint` is the gradient of
    /// the projection's output. Adds to the gradients of the stream and of the two weights. The
    /// normed input is recomputed.
    #[allow(clippy::too_many_arguments)]
    fn projection_backward(
        &self,
        weights: &B::Weights,
        (norm, matrix): (Area, Area),
        input: &B::Buffer,
        joint: Joint<'_, B>,
        shape: Activations,
        gradients: &mut GradientTarget<'_, B>,
        scratch: &mut Scratch<B>,
    ) -> Result<()> {
        let backend = &self.backend;
        // Recomputed rather than kept: a norm is cheap, and its output is as large as the stream.
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
        backend.project(joint, View::new(weights, matrix), target, false)?;
        backend.rms_norm_backward(
            View::new(&grads.normed, shape.stream),
            View::new(input, shape.stream),
            View::new(weights, norm),
            View::new(&scratch.inverse_rms, shape.single),
            ViewMut::new(&mut grads.stream, shape.stream),
            ViewMut::new(gradients.buffer, norm),
        )
    }

    /// Sets to zero the gradients that operations only add to. Products overwrite theirs.
    pub(super) fn clear_sums(&self, gradients: &mut GradientTarget<'_, B>) -> Result<()> {
        if gradients.add {
            return Ok(());
        }
        for range in self.layout.decayed_and_plain().1 {
            self.backend.clear(gradients.buffer, range)?;
        }
        let embedding = self.embedding_area();
        self.backend.clear(gradients.buffer, embedding.offset..embedding.end())
    }

    /// Sets the gradient of the stream from that of the normed stream.
    pub(super) fn final_norm_backward(
        &self,
        weights: &B::Weights,
        stream: &B::Buffer,
        rows: usize,
        gradients: &mut GradientTarget<'_, B>,
        scratch: &mut Scratch<B>,
    ) -> Result<()> {
        let shape = Activations::new(&self.config, rows);
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
}
