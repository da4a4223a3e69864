//! The forward pass of one block: attention and feed-forward on the residual stream.

use super::Decoder;
use super::inlet::{Inlet, Watch};
use crate::Result;
use crate::activations::Activations;
use crate::backend::{Area, Backend, Rotation, View, ViewMut};
use crate::inputs::RowPlaces;
use crate::workspace::{Scratch, Slot};

impl<B: Backend> Decoder<B> {
    /// Reads the residual stream in `slot.input` and writes it to `output`, both
    /// `[tokens, hidden]`. Without an output, it stops once the backward pass has all it needs.
    #[allow(clippy::too_many_arguments)]
    pub(super) fn block(
        &self,
        weights: &B::Weights,
        base: usize,
        places: &RowPlaces<B>,
        slot: &mut Slot<B>,
        output: Option<&mut B::Buffer>,
        scratch: &mut Scratch<B>,
        watch: &mut Watch<'_, B>,
    ) -> Result<()> {
        let parts = self.layout.block.at(base);
        let shape = Activations::new(&self.config, places.rows);
        let backend = &self.backend;
        let matrix = |area| View::new(weights, area);
        self.norm(weights, parts.attention_norm, &slot.input, shape, scratch)?;
        let normed = View::new(&scratch.normed, shape.stream);
        watch(Inlet::Attention, normed);
        let target = ViewMut::new(&mut slot.qkv, shape.qkv);
        backend.project(normed, matrix(parts.query_key_value).t(), target, false)?;
        if let Some(bias) = parts.query_key_value_bias {
            backend.add_bias(ViewMut::new(&mut slot.qkv, shape.qkv), matrix(bias))?;
        }
        self.rotate(&mut slot.qkv, shape, places, false)?;
        backend.attention(
            View::new(&slot.qkv, shape.qkv),
            shape.heads,
            places.sequences(),
            ViewMut::new(&mut slot.mixed, shape.mixed),
            ViewMut::new(&mut slot.log_sums, shape.log_sums),
        )?;
        backend.copy(
            View::new(&slot.input, shape.stream),
            ViewMut::new(&mut slot.middle, shape.stream),
        )?;
        let (mixed, target) =
            (View::new(&slot.mixed, shape.mixed), ViewMut::new(&mut slot.middle, shape.stream));
        // The projection adds to `middle`, which now holds the input: the residual connection.
        watch(Inlet::AttentionOutput, mixed);
        backend.project(mixed, matrix(parts.attention_output).t(), target, true)?;

        self.norm(weights, parts.feed_forward_norm, &slot.middle, shape, scratch)?;
        let normed = View::new(&scratch.normed, shape.stream);
        watch(Inlet::FeedForward, normed);
        let target = ViewMut::new(&mut slot.gate_up, shape.gate_up);
        backend.project(normed, matrix(parts.gate_up).t(), target, false)?;
        // The backward pass recomputes the output of SwiGLU from gate and up.
        let Some(output) = output else { return Ok(()) };
        let gate_up = View::new(&slot.gate_up, shape.gate_up);
        backend.swiglu(gate_up, ViewMut::new(&mut scratch.inner, shape.inner))?;
        backend.copy(View::new(&slot.middle, shape.stream), ViewMut::new(output, shape.stream))?;
        let inner = View::new(&scratch.inner, shape.inner);
        watch(Inlet::Down, inner);
        backend.project(inner, matrix(parts.down).t(), ViewMut::new(output, shape.stream), true)
    }

    pub(super) fn norm(
        &self,
        weights: &B::Weights,
        weight: Area,
        x: &B::Buffer,
        shape: Activations,
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

    /// Rotates queries and keys, which are adjacent.
    pub(super) fn rotate(
        &self,
        qkv: &mut B::Buffer,
        shape: Activations,
        places: &RowPlaces<B>,
        inverse: bool,
    ) -> Result<()> {
        let columns = (shape.heads.query + shape.heads.key_value) * shape.heads.dim;
        let area = shape.qkv.columns_from(0, columns);
        let rotation = Rotation {
            cosines: &self.cosines,
            sines: &self.sines,
            positions: &places.positions,
            inverse,
        };
        self.backend.rotate(ViewMut::new(qkv, area), shape.heads.dim, rotation)
    }
}
