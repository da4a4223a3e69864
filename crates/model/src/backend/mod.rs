//! What the network asks of a machine: a short list of operations on flat buffers.
//!
//! The decoder is written once, against [`Backend`]. Buffers are opaque, copies to and from the
//! host are explicit, and every operation names the view of the buffer it works on, so that a
//! device with memory of its own can stand behind the same list.

pub mod cpu;
pub mod profiled;
mod scalar;
mod view;

use std::ops::Range;

pub use scalar::Scalar;
pub use view::{Area, View, ViewMut};

use crate::Result;

/// Marks a target that does not enter the loss.
pub const IGNORED: u32 = u32::MAX;

/// Heads of grouped-query attention: `query` heads share `key_value` heads of `dim` channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    /// Query heads.
    pub query: usize,
    /// Key and value heads; divides `query`.
    pub key_value: usize,
    /// Channels of a head.
    pub dim: usize,
}

impl Heads {
    /// Columns of the joint query, key and value matrix.
    pub fn width(&self) -> usize {
        (self.query + 2 * self.key_value) * self.dim
    }
}

/// The constants of one AdamW step (Loshchilov and Hutter 2019).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// Learning rate of this step.
    pub learning_rate: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Decoupled weight decay of this range.
    pub weight_decay: f64,
    /// One-based count of this step, for the bias corrections.
    pub step: u64,
    /// Gradients are multiplied by this first (clipping, averaging).
    pub gradient_scale: f64,
}

/// Rotary positions: a table of angles and the place of every row in its sequence.
#[derive(Clone, Copy)]
pub struct Rotation<'a, Buffer> {
    /// Cosines, `[position, dim / 2]`.
    pub cosines: &'a Buffer,
    /// Sines, `[position, dim / 2]`.
    pub sines: &'a Buffer,
    /// Position of every row.
    pub positions: &'a [u32],
    /// Rotate backwards, which is the gradient of rotating forwards.
    pub inverse: bool,
}

/// A machine that can run the network. All matrices are row-major; `+=` in an operation's
/// description means that it adds to what the target holds.
pub trait Backend: Sync {
    /// The number type it computes in.
    type Scalar: Scalar;
    /// A flat array of numbers in the machine's memory.
    type Buffer: Send + Sync;

    /// The kernels that this machine runs, as records name them.
    fn kernel(&self) -> String;

    /// This machine, with products that round nothing of what they read.
    fn in_full_precision(&self) -> Self
    where
        Self: Sized;

    /// A buffer of `len` zeros.
    fn allocate(&self, len: usize) -> Result<Self::Buffer>;
    /// Copies host numbers to `buffer[offset..]`.
    fn upload(&self, values: &[f32], buffer: &mut Self::Buffer, offset: usize) -> Result<()>;
    /// Copies host numbers to `buffer[offset..]`, rounded to the machine's type.
    fn upload_f64(&self, values: &[f64], buffer: &mut Self::Buffer, offset: usize) -> Result<()>;
    /// Copies `buffer[offset..]` to the host.
    fn download(&self, buffer: &Self::Buffer, offset: usize, values: &mut [f32]) -> Result<()>;
    /// Sets `buffer[range]` to zero.
    fn clear(&self, buffer: &mut Self::Buffer, range: Range<usize>) -> Result<()>;
    /// `buffer[i] = 0` where `by[i]` is 0, for `i` in `range`.
    fn clear_where_zero(
        &self,
        buffer: &mut Self::Buffer,
        by: &Self::Buffer,
        range: Range<usize>,
    ) -> Result<()>;
    /// `to = from`.
    fn copy(&self, from: View<'_, Self::Buffer>, to: ViewMut<'_, Self::Buffer>) -> Result<()>;

    /// `c = a b`, or `c += a b` if `accumulate`; `a` and `b` may be transposed views.
    fn product(
        &self,
        a: View<'_, Self::Buffer>,
        b: View<'_, Self::Buffer>,
        c: ViewMut<'_, Self::Buffer>,
        accumulate: bool,
    ) -> Result<()>;

    /// `out[t] = table[tokens[t]]`.
    fn embed(
        &self,
        table: View<'_, Self::Buffer>,
        tokens: &[u32],
        out: ViewMut<'_, Self::Buffer>,
    ) -> Result<()>;
    /// `table_grad[tokens[t]] += out_grad[t]`.
    fn embed_backward(
        &self,
        out_grad: View<'_, Self::Buffer>,
        tokens: &[u32],
        table_grad: ViewMut<'_, Self::Buffer>,
    ) -> Result<()>;

    /// `out = x / rms(x) * weight` by rows; `inverse_rms` `[rows, 1]` is kept for the backward
    /// pass.
    fn rms_norm(
        &self,
        x: View<'_, Self::Buffer>,
        weight: View<'_, Self::Buffer>,
        epsilon: f64,
        out: ViewMut<'_, Self::Buffer>,
        inverse_rms: ViewMut<'_, Self::Buffer>,
    ) -> Result<()>;
    /// `x_grad +=` and `weight_grad +=` the gradients of [`Backend::rms_norm`].
    fn rms_norm_backward(
        &self,
        out_grad: View<'_, Self::Buffer>,
        x: View<'_, Self::Buffer>,
        weight: View<'_, Self::Buffer>,
        inverse_rms: View<'_, Self::Buffer>,
        x_grad: ViewMut<'_, Self::Buffer>,
        weight_grad: ViewMut<'_, Self::Buffer>,
    ) -> Result<()>;

    /// `x[t] += bias` by rows.
    fn add_bias(&self, x: ViewMut<'_, Self::Buffer>, bias: View<'_, Self::Buffer>) -> Result<()>;
    /// `bias_grad += sum over rows of x_grad`.
    fn add_bias_backward(
        &self,
        x_grad: View<'_, Self::Buffer>,
        bias_grad: ViewMut<'_, Self::Buffer>,
    ) -> Result<()>;

    /// Rotates the channel pairs (i, i + dim / 2) of every head of `x` `[rows, heads * dim]` in
    /// place.
    fn rotate(
        &self,
        x: ViewMut<'_, Self::Buffer>,
        dim: usize,
        rotation: Rotation<'_, Self::Buffer>,
    ) -> Result<()>;

    /// Causal attention within each of `sequences`, softmax(q k^T / sqrt(dim)) v, of `qkv`
    /// `[rows, heads.width()]`; `log_sums` `[rows, heads.query]` keeps the log-sum-exp of the
    /// scores.
    fn attention(
        &self,
        qkv: View<'_, Self::Buffer>,
        heads: Heads,
        sequences: &[Range<usize>],
        out: ViewMut<'_, Self::Buffer>,
        log_sums: ViewMut<'_, Self::Buffer>,
    ) -> Result<()>;
    /// `qkv_grad =` the gradient of [`Backend::attention`]; rows outside `sequences` are left
    /// alone.
    #[allow(clippy::too_many_arguments)]
    fn attention_backward(
        &self,
        qkv: View<'_, Self::Buffer>,
        out: View<'_, Self::Buffer>,
        log_sums: View<'_, Self::Buffer>,
        out_grad: View<'_, Self::Buffer>,
        heads: Heads,
        sequences: &[Range<usize>],
        qkv_grad: ViewMut<'_, Self::Buffer>,
    ) -> Result<()>;

    /// `out = silu(gate) * up` of `gate_up` `[rows, 2 * columns]`, gate first.
    fn swiglu(&self, gate_up: View<'_, Self::Buffer>, out: ViewMut<'_, Self::Buffer>)
    -> Result<()>;
    /// In place: `gate_up` becomes its gradient, and `out_grad` becomes what [`Backend::swiglu`]
    /// gave.
    fn swiglu_backward(
        &self,
        gate_up: ViewMut<'_, Self::Buffer>,
        out_grad: ViewMut<'_, Self::Buffer>,
    ) -> Result<()>;

    /// Next-token loss of each row in nats; a row whose target is [`IGNORED`] gives 0. With
    /// `gradient_scale` the logits become, in place, the gradient of that multiple of the
    /// summed loss.
    fn cross_entropy(
        &self,
        logits: ViewMut<'_, Self::Buffer>,
        targets: &[u32],
        gradient_scale: Option<f64>,
        losses: &mut [f64],
    ) -> Result<()>;

    /// Sum of the squares of `buffer[range]`, over fixed chunks in fixed order.
    fn sum_of_squares(&self, buffer: &Self::Buffer, range: Range<usize>) -> Result<f64>;
    /// One AdamW step on `range` of the four parallel buffers.
    fn adamw(
        &self,
        weights: &mut Self::Buffer,
        gradients: &Self::Buffer,
        moments: (&mut Self::Buffer, &mut Self::Buffer),
        range: Range<usize>,
        constants: AdamW,
    ) -> Result<()>;
}
