//! The single list of operations. The trait and every wrapper of a backend are generated from it.
//!
//! Each operation begins with its cost: the kind of work, its multiplications and additions, and
//! the numbers that it must read or write at least once.

use std::ops::Range;

use super::operands::{AdamWStep, Heads, Mixture, Rotation, SequenceRows, TopShares};
use super::scalar::Scalar;
use super::view::{View, ViewMut};
use crate::Result;

/// Passes the list of operations to the macro `$make`. In a description, `+=` means that the
/// operation adds to the target.
macro_rules! operations {
    ($make:ident) => {
        $make! {
            /// Sets `buffer[range]` to zero.
            [Copies, 0.0, range.len()]
            fn clear(buffer: &mut Self::Buffer, range: Range<usize>) -> ();

            /// `buffer[i] = 0` where `by[i]` is 0, for `i` in `range`.
            [Optimizer, 0.0, 3 * range.len()]
            fn clear_where_zero(
                buffer: &mut Self::Buffer,
                by: &Self::Weights,
                range: Range<usize>,
            ) -> ();

            /// `to = from`.
            [Copies, 0.0, 2 * from.len()]
            fn copy(from: View<'_, Self::Buffer>, to: ViewMut<'_, Self::Buffer>) -> ();

            /// `c = a b`, or `c += a b` if `accumulate`; `a` and `b` may be transposed views.
            [
                Products,
                2.0 * a.len() as f64 * b.shape().1 as f64,
                a.len() + b.len() + c.len() * if accumulate { 2 } else { 1 }
            ]
            fn product(
                a: View<'_, Self::Buffer>,
                b: View<'_, Self::Buffer>,
                c: ViewMut<'_, Self::Buffer>,
                accumulate: bool,
            ) -> ();

            /// As [`Backend::product`], for a `b` that is a weight matrix or its transpose.
            [
                Products,
                2.0 * a.len() as f64 * b.shape().1 as f64,
                a.len() + b.len() + c.len() * if accumulate { 2 } else { 1 }
            ]
            fn project(
                a: View<'_, Self::Buffer>,
                b: View<'_, Self::Weights>,
                c: ViewMut<'_, Self::Buffer>,
                accumulate: bool,
            ) -> ();

            /// `out[t] = table[tokens[t]]`.
            [Copies, 0.0, 2 * out.len()]
            fn embed(
                table: View<'_, Self::Weights>,
                tokens: &Self::Ids,
                out: ViewMut<'_, Self::Buffer>,
            ) -> ();

            /// `table_grad[tokens[t]] += out_grad[t]`.
            [Copies, 0.0, 3 * out_grad.len()]
            fn embed_backward(
                out_grad: View<'_, Self::Buffer>,
                tokens: &Self::Ids,
                table_grad: ViewMut<'_, Self::Buffer>,
            ) -> ();

            /// `out = x / rms(x) * weight` by rows. `inverse_rms` `[rows, 1]` is kept for the
            /// backward pass.
            [Norms, 0.0, 2 * x.len()]
            fn rms_norm(
                x: View<'_, Self::Buffer>,
                weight: View<'_, Self::Weights>,
                epsilon: f64,
                out: ViewMut<'_, Self::Buffer>,
                inverse_rms: ViewMut<'_, Self::Buffer>,
            ) -> ();

            /// `x_grad +=` and `weight_grad +=` the gradients of [`Backend::rms_norm`].
            [Norms, 0.0, 4 * x.len()]
            fn rms_norm_backward(
                out_grad: View<'_, Self::Buffer>,
                x: View<'_, Self::Buffer>,
                weight: View<'_, Self::Weights>,
                inverse_rms: View<'_, Self::Buffer>,
                x_grad: ViewMut<'_, Self::Buffer>,
                weight_grad: ViewMut<'_, Self::Buffer>,
            ) -> ();

            /// `x[t] += bias` by rows.
            [Rotary, 0.0, 2 * x.len()]
            fn add_bias(x: ViewMut<'_, Self::Buffer>, bias: View<'_, Self::Weights>) -> ();

            /// `bias_grad += sum over rows of x_grad`.
            [Rotary, 0.0, x_grad.len()]
            fn add_bias_backward(
                x_grad: View<'_, Self::Buffer>,
                bias_grad: ViewMut<'_, Self::Buffer>,
            ) -> ();

            /// Rotates the channel pairs (i, i + dim / 2) of every head of `x`
            /// `[rows, heads * dim]` in place.
            [Rotary, 0.0, 2 * x.len()]
            fn rotate(
                x: ViewMut<'_, Self::Buffer>,
                dim: usize,
                rotation: Rotation<'_, Self::Buffer, Self::Ids>,
            ) -> ();

            /// Causal attention within each of `sequences`: softmax(q k^T / sqrt(dim)) v, of `qkv`
            /// `[rows, heads.width()]`. `log_sums` `[rows, heads.query]` keeps the log-sum-exp of
            /// the scores.
            [
                Attention,
                // Two products, q k^T and P v, of one multiplication and one addition each.
                2.0 * 2.0 * sequences.pairs * (heads.query * heads.dim) as f64,
                qkv.len() + out.len()
            ]
            fn attention(
                qkv: View<'_, Self::Buffer>,
                heads: Heads,
                sequences: SequenceRows<'_, Self::Ids>,
                out: ViewMut<'_, Self::Buffer>,
                log_sums: ViewMut<'_, Self::Buffer>,
            ) -> ();

            /// `qkv_grad =` the gradient of [`Backend::attention`]. Rows outside `sequences` keep
            /// their values.
            [
                Attention,
                // Five products: q k^T again, dP, dV, dQ and dK.
                5.0 * 2.0 * sequences.pairs * (heads.query * heads.dim) as f64,
                2 * qkv.len() + 2 * out.len()
            ]
            fn attention_backward(
                qkv: View<'_, Self::Buffer>,
                out: View<'_, Self::Buffer>,
                log_sums: View<'_, Self::Buffer>,
                out_grad: View<'_, Self::Buffer>,
                heads: Heads,
                sequences: SequenceRows<'_, Self::Ids>,
                qkv_grad: ViewMut<'_, Self::Buffer>,
            ) -> ();

            /// `out = silu(gate) * up` of `gate_up` `[rows, 2 * columns]`, gate first.
            [SwiGlu, 0.0, gate_up.len() + out.len()]
            fn swiglu(gate_up: View<'_, Self::Buffer>, out: ViewMut<'_, Self::Buffer>) -> ();

            /// In place: `gate_up` becomes its gradient, and `out_grad` becomes the output of
            /// [`Backend::swiglu`].
            [SwiGlu, 0.0, 2 * gate_up.len() + 2 * out_grad.len()]
            fn swiglu_backward(
                gate_up: ViewMut<'_, Self::Buffer>,
                out_grad: ViewMut<'_, Self::Buffer>,
            ) -> ();

            /// Next-token losses in nats of the rows from `first` on, one per row of `logits`. A
            /// row whose target is [`IGNORED`](super::IGNORED) gives 0. With `gradient_scale`, the
            /// logits become, in place, the gradient of the summed loss times that scale.
            [Loss, 0.0, logits.len() * if gradient_scale.is_some() { 2 } else { 1 }]
            fn cross_entropy(
                logits: ViewMut<'_, Self::Buffer>,
                targets: &Self::Ids,
                first: usize,
                gradient_scale: Option<f64>,
                losses: &mut Self::Losses,
            ) -> ();

            /// Losses of learning from a teacher, of the rows from `first` on, one per row of
            /// `logits`: `weight T² KL(softmax(teacher / T) ‖ softmax(logits / T))`, and
            /// `1 - weight` times the loss of [`Backend::cross_entropy`]. Ignored rows and the
            /// gradient are as there. Overwrites `teacher`.
            [Loss, 0.0, logits.len() * if gradient_scale.is_some() { 4 } else { 3 }]
            fn distillation(
                logits: ViewMut<'_, Self::Buffer>,
                teacher: ViewMut<'_, Self::Buffer>,
                targets: &Self::Ids,
                first: usize,
                mixture: Mixture,
                gradient_scale: Option<f64>,
                losses: &mut Self::Losses,
            ) -> ();

            /// As [`Backend::distillation`], of a teacher whose most probable tokens are known. All
            /// others count as one outcome, in its distribution and in that of `logits`. `top`
            /// holds the rows of the whole batch, with different ids in each.
            [Loss, 0.0, logits.len() * if gradient_scale.is_some() { 2 } else { 1 }]
            fn distillation_from_top(
                logits: ViewMut<'_, Self::Buffer>,
                top: TopShares<'_, Self::Buffer, Self::Ids>,
                targets: &Self::Ids,
                first: usize,
                mixture: Mixture,
                gradient_scale: Option<f64>,
                losses: &mut Self::Losses,
            ) -> ();

            /// Sum of the first `count` losses, in their order.
            [Loss, 0.0, count]
            fn sum_losses(losses: &Self::Losses, count: usize) -> f64;

            /// Sum of the squares of `buffer[range]`, over fixed chunks in fixed order.
            [Optimizer, 0.0, range.len()]
            fn sum_of_squares(buffer: &Self::Buffer, range: Range<usize>) -> f64;

            /// One AdamW step on `range` of the four parallel buffers.
            [Optimizer, 0.0, 7 * range.len()]
            fn adamw(
                weights: &mut Self::Weights,
                gradients: &Self::Buffer,
                moments: (&mut Self::Buffer, &mut Self::Buffer),
                range: Range<usize>,
                constants: AdamWStep,
            ) -> ();
        }
    };
}
pub(crate) use operations;

macro_rules! trait_of {
    ($(
        $(#[$doc:meta])*
        [$work:ident, $flop:expr, $numbers:expr]
        fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> $result:ty;
    )*) => {
        /// A machine that can run the network. All matrices are row-major.
        ///
        /// Each kind of array has its own type, so that a backend may store weights, ids and losses
        /// in other formats than activations.
        #[allow(clippy::too_many_arguments)]
        pub trait Backend: Sync {
            /// The number type that it computes in.
            type Scalar: Scalar;
            /// A flat array of numbers in the backend's memory: activations, gradients, moments.
            type Buffer: Send + Sync;
            /// A flat array of weights.
            type Weights: Send + Sync;
            /// An array of integers: tokens, targets, positions, bounds of sequences.
            type Ids: Send + Sync;
            /// An array of losses, in f64.
            type Losses: Send + Sync;

            /// The name of its kernels in records.
            fn kernel(&self) -> String;
            /// The same backend with products that do not round their operands.
            fn in_full_precision(&self) -> Self
            where
                Self: Sized;

            /// A buffer of `len` zeros.
            fn allocate(&self, len: usize) -> Result<Self::Buffer>;
            /// `len` weights, all zero.
            fn allocate_weights(&self, len: usize) -> Result<Self::Weights>;
            /// `len` losses, all zero.
            fn allocate_losses(&self, len: usize) -> Result<Self::Losses>;
            /// Copies host numbers to `buffer[offset..]`.
            fn upload(&self, values: &[f32], buffer: &mut Self::Buffer, offset: usize)
            -> Result<()>;
            /// Copies host numbers to `buffer[offset..]`, rounded to the backend's number type.
            fn upload_f64(
                &self,
                values: &[f64],
                buffer: &mut Self::Buffer,
                offset: usize,
            ) -> Result<()>;
            /// Copies host numbers to `weights[offset..]`.
            fn upload_weights(
                &self,
                values: &[f32],
                weights: &mut Self::Weights,
                offset: usize,
            ) -> Result<()>;
            /// Copies integers to the backend.
            fn upload_ids(&self, ids: &[u32]) -> Result<Self::Ids>;
            /// Copies `buffer[offset..]` to the host.
            fn download(
                &self,
                buffer: &Self::Buffer,
                offset: usize,
                values: &mut [f32],
            ) -> Result<()>;
            /// Copies `weights[offset..]` to the host.
            fn download_weights(
                &self,
                weights: &Self::Weights,
                offset: usize,
                values: &mut [f32],
            ) -> Result<()>;
            /// Copies the first losses to the host.
            fn download_losses(&self, losses: &Self::Losses, values: &mut [f64]) -> Result<()>;

            $(
                $(#[$doc])*
                fn $name(&self, $($argument: $type),*) -> Result<$result>;
            )*
        }
    };
}
operations!(trait_of);
