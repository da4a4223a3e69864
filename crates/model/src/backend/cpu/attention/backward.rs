//! The gradients of queries, keys and values, from recomputed probabilities.

use std::ops::Range;

use pulp::Arch;

use super::tiles::{
    HeadGroup, KEYS, LANES, ROWS, Saved, hide, padded, products_seen, row_panels, square, visible,
};
use crate::backend::cpu::kernel::{
    Band, Engine, Kernel, KernelChoice, Matrix, MatrixMut, Panels, Side, StripTarget, WithKernel,
    multiply, parallel,
};
use crate::backend::cpu::lanes::mapped;
use crate::backend::cpu::processor::Cpu;
use crate::backend::cpu::space::with_space;
use crate::backend::cpu::sums::dot;
use crate::backend::{Area, Heads, Scalar};
use crate::wide::widest;

/// `qkv_grad =` the gradient. With P the probabilities and O the output: dV = P^T dO, dS = P (dO
/// V^T - rowsum(dO O)) / sqrt(dim), dQ = dS K, dK = dS^T Q.
pub(in crate::backend::cpu) fn backward<T: Engine>(
    cpu: Cpu<T>,
    saved: Saved<'_, T>,
    out_grad: &[T],
    heads: Heads,
    sequences: &[Range<usize>],
    qkv_grad: &mut [T],
) {
    cpu.kernel.run(Backward { arch: cpu.arch, saved, out_grad, heads, sequences, qkv_grad });
}

struct Backward<'a, T> {
    arch: Arch,
    saved: Saved<'a, T>,
    out_grad: &'a [T],
    heads: Heads,
    sequences: &'a [Range<usize>],
    qkv_grad: &'a mut [T],
}

impl<T: Scalar> WithKernel<T> for Backward<'_, T> {
    type Output = ();

    fn with<K: Kernel<Number = T>>(self, kernel: K) {
        let Backward { arch, saved, out_grad, heads, sequences, qkv_grad } = self;
        let Heads { query, key_value, dim } = heads;
        let group = heads.group();
        let bands = [
            Band { start: 0, width: group * dim },
            Band { start: query * dim, width: dim },
            Band { start: (query + key_value) * dim, width: dim },
        ];
        let target = [StripTarget::new(qkv_grad, heads.width(), &bands)];
        parallel(sequences, key_value, target, |sequence, shared, [mut qkv_grad]| {
            let rows = &sequences[sequence];
            let part = HeadGroup::new(saved.qkv, heads, rows, shared);
            with_space(|space: &mut BackwardSpace<K>| {
                space.fit(arch, &part);
                // The query heads of a group share keys and values: their gradients add up in one
                // task.
                for member in 0..group {
                    let head = shared * group + member;
                    for block in part.blocks() {
                        let grad = Area {
                            offset: (rows.start + block.start) * query * dim + head * dim,
                            rows: block.len(),
                            columns: dim,
                            stride: query * dim,
                        };
                        space.begin(arch, part.columns(&block, head), Matrix::new(out_grad, grad));
                        let rows_of = |row: usize| {
                            let at = rows.start + block.start + row;
                            let channels = (at * query + head) * dim..(at * query + head + 1) * dim;
                            let along = dot(&out_grad[channels.clone()], &saved.out[channels]);
                            (saved.log_sums[at * query + head], along)
                        };
                        for seen in part.seen(&block) {
                            space.scores(kernel, &block, &seen, dim);
                            space.gradients(arch, &block, &seen, dim, &rows_of);
                            space.spread(kernel, arch, &block, &seen, dim);
                        }
                        for (row, grad) in
                            space.query_grad.chunks_exact(dim).take(block.len()).enumerate()
                        {
                            let strip = qkv_grad.row(block.start + row, 0);
                            mapped(grad, &mut strip[member * dim..(member + 1) * dim], |value| {
                                value
                            });
                        }
                    }
                }
                let grads =
                    space.key_grad.chunks_exact(dim).zip(space.value_grad.chunks_exact(dim));
                for (row, (key, value)) in grads.enumerate() {
                    mapped(key, qkv_grad.row(row, 1), |value| value);
                    mapped(value, qkv_grad.row(row, 2), |value| value);
                }
            });
        });
    }
}

/// The working memory of the backward pass of one key and value head. In the names of panels, the
/// summed index comes last.
struct BackwardSpace<K: Kernel> {
    keys_by_channel: Panels<K>,
    values_by_channel: Panels<K>,
    channels_by_key: Panels<K>,
    queries_by_channel: Panels<K>,
    grads_by_channel: Panels<K>,
    query_channels_by_row: Panels<K>,
    grad_channels_by_row: Panels<K>,
    keys_by_row: Panels<K>,
    rows_by_key: Panels<K>,
    /// `[row, key]`
    probabilities: Vec<K::Number>,
    /// `[row, key]`
    scores_grad: Vec<K::Number>,
    /// `[row, channel]`
    query_grad: Vec<K::Number>,
    /// `[position, channel]`
    key_grad: Vec<K::Number>,
    /// `[position, channel]`
    value_grad: Vec<K::Number>,
}

impl<K: Kernel> Default for BackwardSpace<K> {
    fn default() -> Self {
        let (left, right) = (|| Panels::new(Side::Left), || Panels::new(Side::Right));
        BackwardSpace {
            keys_by_channel: right(),
            values_by_channel: right(),
            channels_by_key: right(),
            queries_by_channel: left(),
            grads_by_channel: left(),
            query_channels_by_row: right(),
            grad_channels_by_row: right(),
            keys_by_row: left(),
            rows_by_key: left(),
            probabilities: Vec::new(),
            scores_grad: Vec::new(),
            query_grad: Vec::new(),
            key_grad: Vec::new(),
            value_grad: Vec::new(),
        }
    }
}

impl<K: Kernel> BackwardSpace<K> {
    /// Lays out keys and values, makes room for the rows of a block, and sets the sums over blocks
    /// to zero.
    fn fit(&mut self, arch: Arch, part: &HeadGroup<'_, K::Number>) {
        let (len, dim) = (part.len(), part.heads.dim);
        self.keys_by_channel.fill(arch, part.keys().t());
        self.values_by_channel.fill(arch, part.values().t());
        self.channels_by_key.fill(arch, part.keys());
        let scores = ROWS.min(len) * padded(KEYS.min(len));
        self.probabilities.resize(scores, K::Number::ZERO);
        self.scores_grad.resize(scores, K::Number::ZERO);
        self.query_grad.resize(ROWS.min(len) * dim, K::Number::ZERO);
        for sums in [&mut self.key_grad, &mut self.value_grad] {
            sums.clear();
            sums.resize(len * dim, K::Number::ZERO);
        }
    }

    fn begin(&mut self, arch: Arch, queries: Matrix<'_, K::Number>, grads: Matrix<'_, K::Number>) {
        self.queries_by_channel.fill(arch, queries);
        self.query_channels_by_row.fill(arch, queries);
        self.grads_by_channel.fill(arch, grads);
        self.grad_channels_by_row.fill(arch, grads);
    }

    /// Computes the scores, and the gradient with respect to the probabilities.
    fn scores(&mut self, kernel: K, block: &Range<usize>, seen: &Range<usize>, dim: usize) {
        let steps = dim.div_ceil(K::STEP);
        let scale = K::Number::from_f64(1.0 / (dim as f64).sqrt());
        let (left, right) = (&self.queries_by_channel, &self.keys_by_channel);
        products_seen(kernel, block, seen, left, right, steps, &mut self.probabilities, scale);
        let (left, right) = (&self.grads_by_channel, &self.values_by_channel);
        products_seen(
            kernel,
            block,
            seen,
            left,
            right,
            steps,
            &mut self.scores_grad,
            K::Number::ONE,
        );
    }

    /// Turns scores into probabilities, and the gradient of the probabilities into that of the
    /// scores. `rows` gives the log-sum-exp of a row, and the dot product of its output with the
    /// gradient of its output.
    fn gradients(
        &mut self,
        arch: Arch,
        block: &Range<usize>,
        seen: &Range<usize>,
        dim: usize,
        rows: &impl Fn(usize) -> (K::Number, K::Number),
    ) {
        let scale = K::Number::from_f64(1.0 / (dim as f64).sqrt());
        let stride = padded(seen.len());
        widest(
            arch,
            #[inline(always)]
            || {
                let lines = self.probabilities.chunks_exact_mut(stride);
                let lines = lines.zip(self.scores_grad.chunks_exact_mut(stride)).take(block.len());
                for (row, (line, grad)) in lines.enumerate() {
                    let (log_sum, along) = rows(row);
                    let visible = visible(block.start + row, seen);
                    let full = padded(visible);
                    let (values, _) = line[..full].as_chunks_mut::<LANES>();
                    let (grads, _) = grad[..full].as_chunks_mut::<LANES>();
                    for (values, grads) in values.iter_mut().zip(grads) {
                        for (value, grad) in values.iter_mut().zip(grads) {
                            // The forward pass kept ln(sum exp), so this is the softmax without
                            // another sum.
                            let probability = (*value - log_sum).exp();
                            *value = probability;
                            *grad = probability * (*grad - along) * scale;
                        }
                    }
                    hide::<K>(line, visible);
                    hide::<K>(grad, visible);
                }
            },
        );
    }

    /// Adds to the gradients of queries, keys and values.
    fn spread(
        &mut self,
        kernel: K,
        arch: Arch,
        block: &Range<usize>,
        seen: &Range<usize>,
        dim: usize,
    ) {
        let square = square(block, seen);
        let steps = block.len().div_ceil(K::STEP);
        let sides = [
            (&self.probabilities, &self.grad_channels_by_row, &mut self.value_grad),
            (&self.scores_grad, &self.query_channels_by_row, &mut self.key_grad),
        ];
        for (square_values, channels, total) in sides {
            let keys_by_row = self.keys_by_row.left(arch, Matrix::new(square_values, square).t());
            for keys in row_panels::<K>(seen.len()) {
                // Rows before the first of these keys do not see them, so they are skipped.
                let from = (seen.start + keys.start).saturating_sub(block.start) / K::STEP;
                let at = Area::new((seen.start + keys.start) * dim, keys.len(), dim);
                let target = MatrixMut::new(total, at);
                let (left, right) = (keys_by_row.part(keys, from), channels.part(0..dim, from));
                multiply(kernel, left, right, steps - from, target, K::Number::ONE, true);
            }
        }
        let rows_by_key = self.rows_by_key.left(arch, Matrix::new(&self.scores_grad, square));
        for rows in row_panels::<K>(block.len()) {
            let steps = visible(block.start + rows.end - 1, seen).div_ceil(K::STEP);
            let target =
                MatrixMut::new(&mut self.query_grad, Area::new(rows.start * dim, rows.len(), dim));
            let right = self.channels_by_key.part(0..dim, seen.start / K::STEP);
            multiply(
                kernel,
                rows_by_key.part(rows, 0),
                right,
                steps,
                target,
                K::Number::ONE,
                seen.start > 0,
            );
        }
    }
}
