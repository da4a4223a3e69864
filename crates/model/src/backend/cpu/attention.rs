//! Causal grouped-query attention in blocks of rows and keys, without a stored length x length matrix.
//!
//! Forward goes through the keys block by block with a running maximum and sum, and keeps only the log-sum-exp of each
//! row of scores; backward computes the probabilities again from it (the scheme of FlashAttention, Dao et al. 2022).
//! Tiles that nobody may see are left out.

use std::ops::Range;

use pulp::Arch;

use super::Cpu;
use super::kernel::{
    Band, Choice, Engine, Kernel, Matrix, MatrixMut, Panels, Side, Target, Work, multiply, parallel,
};
use super::loss::{largest, sum_of_exp};
use super::sums::dot;
use crate::backend::{Area, Heads, Scalar};

/// Query rows worked on at once.
const ROWS: usize = 96;
/// Keys worked on at once; whole panels of every kernel.
const KEYS: usize = 384;
/// Lines of scores are padded to a multiple of this, so that loops over them have no rest.
const LANES: usize = 16;
/// With fewer tasks than this, one is made for every query head.
const FEW: usize = 8;

/// What the forward pass keeps for the backward pass.
#[derive(Clone, Copy)]
pub(super) struct Saved<'a, T> {
    /// `[rows, heads.width()]`
    pub(super) qkv: &'a [T],
    /// `[rows, heads.query * dim]`
    pub(super) out: &'a [T],
    /// `[rows, heads.query]`
    pub(super) log_sums: &'a [T],
}

/// `out = softmax(q k^T / sqrt(dim)) v` within each sequence.
pub(super) fn forward<T: Engine>(
    cpu: Cpu<T>,
    qkv: &[T],
    heads: Heads,
    sequences: &[Range<usize>],
    out: &mut [T],
    log_sums: &mut [T],
) {
    cpu.kernel.run(Forward { arch: cpu.arch, qkv, heads, sequences, out, log_sums });
}

/// `qkv_grad =` the gradient. With P the probabilities and O the output: dV = P^T dO,
/// dS = P (dO V^T - rowsum(dO O)) / sqrt(dim), dQ = dS K, dK = dS^T Q.
pub(super) fn backward<T: Engine>(
    cpu: Cpu<T>,
    saved: Saved<'_, T>,
    out_grad: &[T],
    heads: Heads,
    sequences: &[Range<usize>],
    qkv_grad: &mut [T],
) {
    cpu.kernel.run(Backward { arch: cpu.arch, saved, out_grad, heads, sequences, qkv_grad });
}

struct Forward<'a, T> {
    arch: Arch,
    qkv: &'a [T],
    heads: Heads,
    sequences: &'a [Range<usize>],
    out: &'a mut [T],
    log_sums: &'a mut [T],
}

impl<T: Scalar> Work<T> for Forward<'_, T> {
    type Output = ();

    fn with<K: Kernel<Number = T>>(self, kernel: K) {
        let Forward { arch, qkv, heads, sequences, out, log_sums } = self;
        let Heads { query, key_value, dim } = heads;
        // The heads that share keys are one task, which lays those out once, where that leaves enough tasks.
        let members = if sequences.len() * key_value < FEW { 1 } else { heads.group() };
        let width = [Band { start: 0, width: members * dim }];
        let single = [Band { start: 0, width: members }];
        let targets = [Target::new(out, query * dim, &width), Target::new(log_sums, query, &single)];
        parallel(sequences, query / members, targets, |sequence, strip, [mut out, mut log_sums]| {
            let part = Part::new(qkv, heads, &sequences[sequence], strip * members / heads.group());
            let (mut keys, mut values) = (Panels::<K>::new(Side::Right), Panels::<K>::new(Side::Right));
            keys.fill(arch, part.keys().t());
            values.fill(arch, part.values());
            let mut space = ForwardSpace::new(part.len(), dim);
            for member in 0..members {
                for block in part.blocks() {
                    space.begin(arch, part.columns(&block, strip * members + member));
                    for seen in part.seen(&block) {
                        space.scores(kernel, &block, &seen, &keys, dim);
                        space.probabilities(arch, &block, &seen, dim);
                        space.mix(kernel, arch, &block, &seen, &values, dim);
                    }
                    for row in 0..block.len() {
                        let (mixed, log_sum) = space.finished(row, dim);
                        out.row(block.start + row, 0)[member * dim..(member + 1) * dim]
                            .copy_from_slice(mixed);
                        log_sums.row(block.start + row, 0)[member] = log_sum;
                    }
                }
            }
        });
    }
}

/// What one block of query rows needs on its way through the keys.
struct ForwardSpace<K: Kernel> {
    queries: Panels<K>,
    weights: Panels<K>,
    /// `[row, key]`, first scores and then their exponentials.
    scores: Vec<K::Number>,
    /// `[row, channel]`, not yet divided by the sums.
    mixed: Vec<K::Number>,
    largest: [K::Number; ROWS],
    sums: [K::Number; ROWS],
}

impl<K: Kernel> ForwardSpace<K> {
    fn new(len: usize, dim: usize) -> Self {
        let zeros = |len| vec![K::Number::ZERO; len];
        ForwardSpace {
            queries: Panels::new(Side::Left),
            weights: Panels::new(Side::Left),
            scores: zeros(ROWS.min(len) * padded(KEYS.min(len))),
            mixed: zeros(ROWS.min(len) * dim),
            largest: [K::Number::ZERO; ROWS],
            sums: [K::Number::ZERO; ROWS],
        }
    }

    fn begin(&mut self, arch: Arch, queries: Matrix<'_, K::Number>) {
        self.queries.fill(arch, queries);
        self.sums = [K::Number::ZERO; ROWS];
    }

    fn scores(&mut self, kernel: K, block: &Range<usize>, seen: &Range<usize>, keys: &Panels<K>, dim: usize) {
        let scale = K::Number::from_f64(1.0 / (dim as f64).sqrt());
        products_seen(
            kernel,
            block,
            seen,
            &self.queries,
            keys,
            dim.div_ceil(K::STEP),
            &mut self.scores,
            scale,
        );
    }

    /// Scores become exp(score - the largest so far); what was mixed before is scaled to the new largest.
    fn probabilities(&mut self, arch: Arch, block: &Range<usize>, seen: &Range<usize>, dim: usize) {
        let least = K::Number::from_f64(-1e30);
        let lines = self.scores.chunks_exact_mut(padded(seen.len()));
        for (row, line) in lines.take(block.len()).enumerate() {
            let visible = visible(block.start + row, seen);
            let (first, before) = (seen.start == 0, self.largest[row]);
            let (now, sum) = arch.dispatch(
                #[inline(always)]
                || {
                    // What fills up the last lanes has no weight: beside e^0 it adds nothing.
                    let full = &mut line[..padded(visible)];
                    full[visible..].fill(least);
                    let now = largest(full);
                    let now = if first { now } else { now.larger(before) };
                    let sum = sum_of_exp(full, now, true);
                    line[visible..].fill(K::Number::ZERO);
                    (now, sum)
                },
            );
            self.largest[row] = now;
            if first {
                self.sums[row] = sum;
            } else {
                let shrink = (before - now).exp();
                self.sums[row] = self.sums[row] * shrink + sum;
                if shrink != K::Number::ONE {
                    let line = &mut self.mixed[row * dim..(row + 1) * dim];
                    line.iter_mut().for_each(|value| *value = *value * shrink);
                }
            }
        }
    }

    fn mix(
        &mut self,
        kernel: K,
        arch: Arch,
        block: &Range<usize>,
        seen: &Range<usize>,
        values: &Panels<K>,
        dim: usize,
    ) {
        let square = square(block, seen);
        let weights = self.weights.left(arch, Matrix::new(&self.scores, square));
        for rows in row_panels::<K>(block.len()) {
            let steps = visible(block.start + rows.end - 1, seen).div_ceil(K::STEP);
            let target = MatrixMut::new(&mut self.mixed, Area::new(rows.start * dim, rows.len(), dim));
            let values = values.part(0..dim, seen.start / K::STEP);
            multiply(kernel, weights.part(rows, 0), values, steps, target, K::Number::ONE, seen.start > 0);
        }
    }

    /// A row of the output, and the log-sum-exp of its scores.
    fn finished(&mut self, row: usize, dim: usize) -> (&[K::Number], K::Number) {
        let (sum, line) = (self.sums[row], &mut self.mixed[row * dim..(row + 1) * dim]);
        let inverse = K::Number::ONE / sum;
        line.iter_mut().for_each(|value| *value = *value * inverse);
        (line, self.largest[row] + sum.ln())
    }
}

struct Backward<'a, T> {
    arch: Arch,
    saved: Saved<'a, T>,
    out_grad: &'a [T],
    heads: Heads,
    sequences: &'a [Range<usize>],
    qkv_grad: &'a mut [T],
}

impl<T: Scalar> Work<T> for Backward<'_, T> {
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
        let target = [Target::new(qkv_grad, heads.width(), &bands)];
        parallel(sequences, key_value, target, |sequence, shared, [mut qkv_grad]| {
            let rows = &sequences[sequence];
            let part = Part::new(saved.qkv, heads, rows, shared);
            let mut space = BackwardSpace::<K>::new(arch, &part);
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
                    for (row, grad) in space.query_grad.chunks_exact(dim).take(block.len()).enumerate() {
                        let strip = qkv_grad.row(block.start + row, 0);
                        strip[member * dim..(member + 1) * dim].copy_from_slice(grad);
                    }
                }
            }
            let grads = space.key_grad.chunks_exact(dim).zip(space.value_grad.chunks_exact(dim));
            for (row, (key, value)) in grads.enumerate() {
                qkv_grad.row(row, 1).copy_from_slice(key);
                qkv_grad.row(row, 2).copy_from_slice(value);
            }
        });
    }
}

/// What the backward pass of one key and value head needs. In the names of panels, what is summed over comes last.
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

impl<K: Kernel> BackwardSpace<K> {
    fn new(arch: Arch, part: &Part<'_, K::Number>) -> Self {
        let (len, dim) = (part.len(), part.heads.dim);
        let zeros = |len| vec![K::Number::ZERO; len];
        let (left, right) = (|| Panels::new(Side::Left), || Panels::new(Side::Right));
        let mut space = BackwardSpace {
            keys_by_channel: right(),
            values_by_channel: right(),
            channels_by_key: right(),
            queries_by_channel: left(),
            grads_by_channel: left(),
            query_channels_by_row: right(),
            grad_channels_by_row: right(),
            keys_by_row: left(),
            rows_by_key: left(),
            probabilities: zeros(ROWS.min(len) * padded(KEYS.min(len))),
            scores_grad: zeros(ROWS.min(len) * padded(KEYS.min(len))),
            query_grad: zeros(ROWS.min(len) * dim),
            key_grad: zeros(len * dim),
            value_grad: zeros(len * dim),
        };
        space.keys_by_channel.fill(arch, part.keys().t());
        space.values_by_channel.fill(arch, part.values().t());
        space.channels_by_key.fill(arch, part.keys());
        space
    }

    fn begin(&mut self, arch: Arch, queries: Matrix<'_, K::Number>, grads: Matrix<'_, K::Number>) {
        self.queries_by_channel.fill(arch, queries);
        self.query_channels_by_row.fill(arch, queries);
        self.grads_by_channel.fill(arch, grads);
        self.grad_channels_by_row.fill(arch, grads);
    }

    /// Scores, and the gradient by probabilities.
    fn scores(&mut self, kernel: K, block: &Range<usize>, seen: &Range<usize>, dim: usize) {
        let steps = dim.div_ceil(K::STEP);
        let scale = K::Number::from_f64(1.0 / (dim as f64).sqrt());
        let (left, right) = (&self.queries_by_channel, &self.keys_by_channel);
        products_seen(kernel, block, seen, left, right, steps, &mut self.probabilities, scale);
        let (left, right) = (&self.grads_by_channel, &self.values_by_channel);
        products_seen(kernel, block, seen, left, right, steps, &mut self.scores_grad, K::Number::ONE);
    }

    /// Scores become probabilities, and the gradient by these that by scores. `rows` gives the log-sum-exp of a row and
    /// the product of its output with the output's gradient.
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
        let lines = self.probabilities.chunks_exact_mut(stride);
        let lines = lines.zip(self.scores_grad.chunks_exact_mut(stride)).take(block.len());
        arch.dispatch(
            #[inline(always)]
            || {
                for (row, (line, grad)) in lines.enumerate() {
                    let (log_sum, along) = rows(row);
                    let visible = visible(block.start + row, seen);
                    let full = padded(visible);
                    let (values, _) = line[..full].as_chunks_mut::<LANES>();
                    let (grads, _) = grad[..full].as_chunks_mut::<LANES>();
                    for (values, grads) in values.iter_mut().zip(grads) {
                        for (value, grad) in values.iter_mut().zip(grads) {
                            let probability = (*value - log_sum).exp();
                            *value = probability;
                            *grad = probability * (*grad - along) * scale;
                        }
                    }
                    line[visible..].fill(K::Number::ZERO);
                    grad[visible..].fill(K::Number::ZERO);
                }
            },
        );
    }

    /// The gradients by queries, keys and values.
    fn spread(&mut self, kernel: K, arch: Arch, block: &Range<usize>, seen: &Range<usize>, dim: usize) {
        let square = square(block, seen);
        let steps = block.len().div_ceil(K::STEP);
        let sides = [
            (&self.probabilities, &self.grad_channels_by_row, &mut self.value_grad),
            (&self.scores_grad, &self.query_channels_by_row, &mut self.key_grad),
        ];
        for (square_values, channels, total) in sides {
            let keys_by_row = self.keys_by_row.left(arch, Matrix::new(square_values, square).t());
            for keys in row_panels::<K>(seen.len()) {
                // Rows before the first of these keys do not see them.
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
            let target = MatrixMut::new(&mut self.query_grad, Area::new(rows.start * dim, rows.len(), dim));
            let right = self.channels_by_key.part(0..dim, seen.start / K::STEP);
            multiply(kernel, rows_by_key.part(rows, 0), right, steps, target, K::Number::ONE, seen.start > 0);
        }
    }
}

/// How many of the keys in `seen` the row sees.
fn visible(row: usize, seen: &Range<usize>) -> usize {
    (row + 1).clamp(seen.start, seen.end) - seen.start
}

/// The length of a line of scores.
fn padded(keys: usize) -> usize {
    keys.next_multiple_of(LANES)
}

/// A block's scores by the keys in `seen`.
fn square(block: &Range<usize>, seen: &Range<usize>) -> Area {
    Area { offset: 0, rows: block.len(), columns: seen.len(), stride: padded(seen.len()) }
}

/// Rows in whole panels of a kernel.
fn row_panels<K: Kernel>(rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows).step_by(K::ROWS).map(move |start| start..rows.min(start + K::ROWS))
}

/// `out = scale left right` `[block.len(), seen.len()]`, as far as rows see keys.
#[allow(clippy::too_many_arguments)]
fn products_seen<K: Kernel>(
    kernel: K,
    block: &Range<usize>,
    seen: &Range<usize>,
    left: &Panels<K>,
    right: &Panels<K>,
    steps: usize,
    out: &mut [K::Number],
    scale: K::Number,
) {
    for rows in row_panels::<K>(block.len()) {
        let columns = visible(block.start + rows.end - 1, seen);
        let stride = padded(seen.len());
        let area = Area { offset: rows.start * stride, rows: rows.len(), columns, stride };
        let right = right.part(seen.start..seen.start + columns, 0);
        multiply(kernel, left.part(rows, 0), right, steps, MatrixMut::new(out, area), scale, false);
    }
}

impl Heads {
    /// Query heads that share one key and value head.
    fn group(&self) -> usize {
        self.query / self.key_value
    }
}

/// The queries, keys and values of one sequence and one key and value head.
struct Part<'a, T> {
    qkv: &'a [T],
    heads: Heads,
    rows: Range<usize>,
    shared: usize,
}

impl<'a, T: Scalar> Part<'a, T> {
    fn new(qkv: &'a [T], heads: Heads, rows: &Range<usize>, shared: usize) -> Self {
        Part { qkv, heads, rows: rows.clone(), shared }
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    /// Blocks of rows, first to last, each counted from the sequence's beginning.
    fn blocks(&self) -> impl Iterator<Item = Range<usize>> + use<T> {
        let len = self.rows.len();
        (0..len).step_by(ROWS).map(move |start| start..len.min(start + ROWS))
    }

    /// Blocks of keys that a block of rows sees, first to last.
    fn seen(&self, block: &Range<usize>) -> impl Iterator<Item = Range<usize>> + use<T> {
        let len = block.end;
        (0..len).step_by(KEYS).map(move |start| start..len.min(start + KEYS))
    }

    /// `rows` of one head of the joint matrix, `[row, channel]`.
    fn columns(&self, rows: &Range<usize>, head: usize) -> Matrix<'a, T> {
        let stride = self.heads.width();
        let offset = (self.rows.start + rows.start) * stride + head * self.heads.dim;
        Matrix::new(self.qkv, Area { offset, rows: rows.len(), columns: self.heads.dim, stride })
    }

    fn keys(&self) -> Matrix<'a, T> {
        self.columns(&(0..self.len()), self.heads.query + self.shared)
    }

    fn values(&self) -> Matrix<'a, T> {
        self.columns(&(0..self.len()), self.heads.query + self.heads.key_value + self.shared)
    }
}

#[cfg(test)]
mod tests {
    use ledger::Precision;

    use super::super::testing::{check_gradient, numbers, on_threads};
    use super::*;

    const HEADS: Heads = Heads { query: 4, key_value: 2, dim: 6 };

    fn run(qkv: &[f64], sequences: &[Range<usize>], rows: usize) -> (Vec<f64>, Vec<f64>) {
        let mut out = vec![0.0; rows * HEADS.query * HEADS.dim];
        let mut log_sums = vec![0.0; rows * HEADS.query];
        forward(Cpu::new(), qkv, HEADS, sequences, &mut out, &mut log_sums);
        (out, log_sums)
    }

    /// Attention by its definition, one row and one head at a time.
    fn definition(qkv: &[f64], sequences: &[Range<usize>], rows: usize) -> Vec<f64> {
        let Heads { query, key_value, dim } = HEADS;
        let at = |row: usize, head: usize| {
            let from = row * HEADS.width() + head * dim;
            &qkv[from..from + dim]
        };
        let mut out = vec![0.0; rows * query * dim];
        for sequence in sequences {
            for row in sequence.clone() {
                for head in 0..query {
                    let shared = head / (query / key_value);
                    let past = sequence.start..row + 1;
                    let scores: Vec<f64> = past
                        .clone()
                        .map(|other| {
                            (dot(at(row, head), at(other, query + shared)) / (dim as f64).sqrt()).exp()
                        })
                        .collect();
                    let sum: f64 = scores.iter().sum();
                    for (other, score) in past.zip(scores) {
                        for (channel, value) in at(other, query + key_value + shared).iter().enumerate() {
                            out[row * query * dim + head * dim + channel] += score / sum * value;
                        }
                    }
                }
            }
        }
        out
    }

    #[test]
    fn blocks_give_what_the_definition_gives() {
        let rows = 2 * ROWS + KEYS + 20;
        let sequences = [0..3, 3..4, 4..ROWS + 5, ROWS + 5..rows];
        let qkv: Vec<f64> = numbers(rows * HEADS.width(), 1);
        let (out, _) = run(&qkv, &sequences, rows);
        let expected = definition(&qkv, &sequences, rows);
        assert!(out.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-13));
    }

    #[test]
    fn the_backward_pass_agrees_with_finite_differences() {
        // Two sequences, one past a block; numbers scaled up so that the softmax is far from flat.
        let rows = ROWS + 9;
        let sequences = [0..5, 5..rows];
        let qkv: Vec<f64> = numbers(rows * HEADS.width(), 1).iter().map(|x: &f64| 1.5 * x).collect();
        let probe: Vec<f64> = numbers(rows * HEADS.query * HEADS.dim, 2);
        let (out, log_sums) = run(&qkv, &sequences, rows);
        let mut gradient = vec![f64::NAN; qkv.len()];
        let saved = Saved { qkv: &qkv, out: &out, log_sums: &log_sums };
        backward(Cpu::new(), saved, &probe, HEADS, &sequences, &mut gradient);
        check_gradient("q, k and v", &qkv, &gradient, |qkv| dot(&run(qkv, &sequences, rows).0, &probe));
    }

    /// The gradient by the chain rule, one row and one head at a time.
    fn gradient_by_definition(qkv: &[f64], probe: &[f64], rows: usize) -> Vec<f64> {
        let Heads { query, key_value, dim } = HEADS;
        let at = |row: usize, head: usize| {
            row * HEADS.width() + head * dim..row * HEADS.width() + (head + 1) * dim
        };
        let scale = 1.0 / (dim as f64).sqrt();
        let mut gradient = vec![0.0; qkv.len()];
        for row in 0..rows {
            for head in 0..query {
                let (key, value) =
                    (query + head / (query / key_value), query + key_value + head / (query / key_value));
                let out_grad = &probe[row * query * dim + head * dim..][..dim];
                let weights: Vec<f64> = (0..=row)
                    .map(|other| (dot(&qkv[at(row, head)], &qkv[at(other, key)]) * scale).exp())
                    .collect();
                let sum: f64 = weights.iter().sum();
                let by_weight: Vec<f64> =
                    (0..=row).map(|other| dot(out_grad, &qkv[at(other, value)])).collect();
                let mean: f64 = weights.iter().zip(&by_weight).map(|(w, g)| w / sum * g).sum();
                for other in 0..=row {
                    let weight = weights[other] / sum;
                    let by_score = weight * (by_weight[other] - mean) * scale;
                    for channel in 0..dim {
                        gradient[at(other, value).start + channel] += weight * out_grad[channel];
                        gradient[at(row, head).start + channel] +=
                            by_score * qkv[at(other, key).start + channel];
                        gradient[at(other, key).start + channel] +=
                            by_score * qkv[at(row, head).start + channel];
                    }
                }
            }
        }
        gradient
    }

    #[test]
    fn blocks_of_keys_give_the_gradient_of_the_definition() {
        let rows = KEYS + ROWS + 7;
        let qkv: Vec<f64> = numbers(rows * HEADS.width(), 1).iter().map(|x: &f64| 1.5 * x).collect();
        let probe: Vec<f64> = numbers(rows * HEADS.query * HEADS.dim, 2);
        let all = std::slice::from_ref(&(0..rows)).to_vec();
        let (out, log_sums) = run(&qkv, &all, rows);
        let mut gradient = vec![f64::NAN; qkv.len()];
        let saved = Saved { qkv: &qkv, out: &out, log_sums: &log_sums };
        backward(Cpu::new(), saved, &probe, HEADS, &all, &mut gradient);
        let expected = gradient_by_definition(&qkv, &probe, rows);
        let worst = gradient.iter().zip(&expected).fold(0.0_f64, |worst, (a, b)| worst.max((a - b).abs()));
        assert!(worst < 1e-12, "{worst:e}");
    }

    #[test]
    fn the_number_of_threads_does_not_change_a_bit() {
        let rows = 150;
        let sequences = [0..70, 70..rows];
        let qkv: Vec<f32> = numbers(rows * HEADS.width(), 1);
        let probe: Vec<f32> = numbers(rows * HEADS.query * HEADS.dim, 2);
        for precision in [Precision::F32, Precision::Bf16] {
            let cpu = Cpu::with(precision);
            let work = || {
                let (mut out, mut log_sums) =
                    (vec![0.0; rows * HEADS.query * HEADS.dim], vec![0.0; rows * HEADS.query]);
                forward(cpu, &qkv, HEADS, &sequences, &mut out, &mut log_sums);
                let mut gradient = vec![0.0; qkv.len()];
                let saved = Saved { qkv: &qkv, out: &out, log_sums: &log_sums };
                backward(cpu, saved, &probe, HEADS, &sequences, &mut gradient);
                (out, gradient)
            };
            assert!(on_threads(1, work) == on_threads(4, work));
        }
    }
}
