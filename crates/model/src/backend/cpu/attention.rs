//! Causal grouped-query attention in blocks of rows, without a stored length x length matrix.
//!
//! Forward keeps only the log-sum-exp of each row of scores; backward computes the probabilities again from
//! it, block by block (the scheme of FlashAttention, Dao et al. 2022).

use std::ops::Range;

use pulp::Arch;

use super::kernel::{Band, Matrix, MatrixMut, Target, parallel, product};
use super::loss::{largest, sum_of_exp};
use super::sums::dot;
use crate::backend::{Area, Heads, Scalar};

/// Query rows worked on at once.
const BLOCK: usize = 64;

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
pub(super) fn forward<T: Scalar>(
    arch: Arch,
    qkv: &[T],
    heads: Heads,
    sequences: &[Range<usize>],
    out: &mut [T],
    log_sums: &mut [T],
) {
    let width = [Band { start: 0, width: heads.dim }];
    let single = [Band { start: 0, width: 1 }];
    let targets =
        [Target::new(out, heads.query * heads.dim, &width), Target::new(log_sums, heads.query, &single)];
    parallel(sequences, heads.query, targets, |sequence, head, [mut out, mut log_sums]| {
        let part = Part::new(qkv, heads, sequences[sequence].clone(), head / heads.group());
        let keys = part.keys_transposed();
        let mut scores = vec![T::ZERO; BLOCK * part.len()];
        let mut mixed = vec![T::ZERO; BLOCK * heads.dim]; // [row, channel]
        for block in part.blocks() {
            let seen = block.end;
            part.scores(head, &block, &keys, &mut scores);
            let square = Area::new(0, block.len(), seen);
            for (row, line) in scores.chunks_exact_mut(seen).take(block.len()).enumerate() {
                let (visible, hidden) = line.split_at_mut(block.start + row + 1);
                let (largest, sum) = arch.dispatch(
                    #[inline(always)]
                    || {
                        let largest = largest(visible);
                        (largest, sum_of_exp(visible, largest, true))
                    },
                );
                hidden.fill(T::ZERO);
                log_sums.row(block.start + row, 0)[0] = largest + sum.ln();
                let inverse = T::ONE / sum;
                visible.iter_mut().for_each(|value| *value = *value * inverse);
            }
            let target = MatrixMut::new(&mut mixed, Area::new(0, block.len(), heads.dim));
            product(Matrix::new(&scores, square), part.values(0..seen), target, T::ONE, false, false);
            for (row, mixed) in mixed.chunks_exact(heads.dim).take(block.len()).enumerate() {
                out.row(block.start + row, 0).copy_from_slice(mixed);
            }
        }
    });
}

/// `qkv_grad =` the gradient. With P the probabilities and O the output: dV = P^T dO,
/// dS = P (dO V^T - rowsum(dO O)) / sqrt(dim), dQ = dS K, dK = dS^T Q.
pub(super) fn backward<T: Scalar>(
    arch: Arch,
    saved: Saved<'_, T>,
    out_grad: &[T],
    heads: Heads,
    sequences: &[Range<usize>],
    qkv_grad: &mut [T],
) {
    let Heads { query, key_value, dim } = heads;
    let group = heads.group();
    let bands = [
        Band { start: 0, width: group * dim },
        Band { start: query * dim, width: dim },
        Band { start: (query + key_value) * dim, width: dim },
    ];
    let scale = T::from_f64(1.0 / (dim as f64).sqrt());
    let target = [Target::new(qkv_grad, heads.width(), &bands)];
    parallel(sequences, key_value, target, |sequence, shared, [mut qkv_grad]| {
        let rows = sequences[sequence].clone();
        let part = Part::new(saved.qkv, heads, rows.clone(), shared);
        let (keys, values) = (part.keys_transposed(), part.values_transposed());
        let mut probabilities = vec![T::ZERO; BLOCK * part.len()];
        let mut scores_grad = vec![T::ZERO; BLOCK * part.len()];
        let mut key_grad = vec![T::ZERO; part.len() * dim];
        let mut value_grad = vec![T::ZERO; part.len() * dim];
        let mut query_grad = vec![T::ZERO; BLOCK * dim];
        for member in 0..group {
            let head = shared * group + member;
            for block in part.blocks() {
                let seen = block.end;
                let square = Area::new(0, block.len(), seen);
                let channels = Area {
                    offset: (rows.start + block.start) * query * dim + head * dim,
                    rows: block.len(),
                    columns: dim,
                    stride: query * dim,
                };
                let block_grad = Matrix::new(out_grad, channels); // [row, channel]
                part.scores(head, &block, &keys, &mut probabilities);
                let target = MatrixMut::new(&mut scores_grad, square);
                product(block_grad, part.past(&values, seen), target, T::ONE, false, false);
                let lines = probabilities.chunks_exact_mut(seen).zip(scores_grad.chunks_exact_mut(seen));
                for (row, (line, grad)) in lines.take(block.len()).enumerate() {
                    let at = rows.start + block.start + row;
                    let from = at * query * dim + head * dim..at * query * dim + (head + 1) * dim;
                    let log_sum = saved.log_sums[at * query + head];
                    let (visible, hidden) = line.split_at_mut(block.start + row + 1);
                    let (grad, hidden_grad) = grad.split_at_mut(block.start + row + 1);
                    arch.dispatch(
                        #[inline(always)]
                        || {
                            let along = dot(&out_grad[from.clone()], &saved.out[from.clone()]);
                            for (value, grad) in visible.iter_mut().zip(grad.iter_mut()) {
                                let probability = (*value - log_sum).exp();
                                *value = probability;
                                *grad = probability * (*grad - along) * scale;
                            }
                        },
                    );
                    hidden.fill(T::ZERO);
                    hidden_grad.fill(T::ZERO);
                }
                let (square_p, square_s) =
                    (Matrix::new(&probabilities, square), Matrix::new(&scores_grad, square));
                let past = Area::new(0, seen, dim);
                product(square_p.t(), block_grad, MatrixMut::new(&mut value_grad, past), T::ONE, true, false);
                let queries = part.queries(head, &block);
                product(square_s.t(), queries, MatrixMut::new(&mut key_grad, past), T::ONE, true, false);
                let target = MatrixMut::new(&mut query_grad, Area::new(0, block.len(), dim));
                product(square_s, part.keys(0..seen), target, T::ONE, false, false);
                for (row, grad) in query_grad.chunks_exact(dim).take(block.len()).enumerate() {
                    let strip = qkv_grad.row(block.start + row, 0);
                    strip[member * dim..(member + 1) * dim].copy_from_slice(grad);
                }
            }
        }
        for (row, (key, value)) in key_grad.chunks_exact(dim).zip(value_grad.chunks_exact(dim)).enumerate() {
            qkv_grad.row(row, 1).copy_from_slice(key);
            qkv_grad.row(row, 2).copy_from_slice(value);
        }
    });
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
    fn new(qkv: &'a [T], heads: Heads, rows: Range<usize>, shared: usize) -> Self {
        Part { qkv, heads, rows, shared }
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    /// Blocks of rows, first to last, each counted from the sequence's beginning.
    fn blocks(&self) -> impl Iterator<Item = Range<usize>> + use<T> {
        let len = self.rows.len();
        (0..len).step_by(BLOCK).map(move |start| start..len.min(start + BLOCK))
    }

    fn columns(&self, rows: &Range<usize>, head: usize) -> Matrix<'a, T> {
        let stride = self.heads.width();
        let offset = (self.rows.start + rows.start) * stride + head * self.heads.dim;
        Matrix::new(self.qkv, Area { offset, rows: rows.len(), columns: self.heads.dim, stride })
    }

    fn queries(&self, head: usize, rows: &Range<usize>) -> Matrix<'a, T> {
        self.columns(rows, head)
    }

    fn keys(&self, rows: Range<usize>) -> Matrix<'a, T> {
        self.columns(&rows, self.heads.query + self.shared)
    }

    fn values(&self, rows: Range<usize>) -> Matrix<'a, T> {
        self.columns(&rows, self.heads.query + self.heads.key_value + self.shared)
    }

    /// Keys as `[channel, position]`: transposed once, where the products would do it for every block.
    fn keys_transposed(&self) -> Vec<T> {
        self.transposed(self.heads.query + self.shared)
    }

    /// Values as `[channel, position]`.
    fn values_transposed(&self) -> Vec<T> {
        self.transposed(self.heads.query + self.heads.key_value + self.shared)
    }

    fn transposed(&self, head: usize) -> Vec<T> {
        let (dim, len, stride) = (self.heads.dim, self.len(), self.heads.width());
        let mut out = vec![T::ZERO; dim * len];
        // Sixteen positions at a time, so that the lines being written stay in cache.
        for start in (0..len).step_by(16) {
            for channel in 0..dim {
                let line = &mut out[channel * len..][start..len.min(start + 16)];
                for (position, value) in (start..).zip(line) {
                    *value = self.qkv[(self.rows.start + position) * stride + head * dim + channel];
                }
            }
        }
        out
    }

    /// Positions `0..seen` of transposed keys or values.
    fn past<'b>(&self, transposed: &'b [T], seen: usize) -> Matrix<'b, T> {
        let area = Area { offset: 0, rows: self.heads.dim, columns: seen, stride: self.len() };
        Matrix::new(transposed, area)
    }

    /// `scores = q k^T / sqrt(dim)`, `[block.len(), block.end]`, future positions included.
    fn scores(&self, head: usize, block: &Range<usize>, keys: &[T], scores: &mut [T]) {
        let scale = T::from_f64(1.0 / (self.heads.dim as f64).sqrt());
        let target = MatrixMut::new(scores, Area::new(0, block.len(), block.end));
        product(self.queries(head, block), self.past(keys, block.end), target, scale, false, false);
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_gradient, numbers, on_threads};
    use super::*;

    const HEADS: Heads = Heads { query: 4, key_value: 2, dim: 6 };

    fn run(qkv: &[f64], sequences: &[Range<usize>], rows: usize) -> (Vec<f64>, Vec<f64>) {
        let mut out = vec![0.0; rows * HEADS.query * HEADS.dim];
        let mut log_sums = vec![0.0; rows * HEADS.query];
        forward(Arch::new(), qkv, HEADS, sequences, &mut out, &mut log_sums);
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
        let rows = 210;
        let sequences = [0..3, 3..4, 4..BLOCK + 4, BLOCK + 4..rows];
        let qkv: Vec<f64> = numbers(rows * HEADS.width(), 1);
        let (out, _) = run(&qkv, &sequences, rows);
        let expected = definition(&qkv, &sequences, rows);
        assert!(out.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-13));
    }

    #[test]
    fn the_backward_pass_agrees_with_finite_differences() {
        // Two sequences, one past a block; numbers scaled up so that the softmax is far from flat.
        let rows = BLOCK + 9;
        let sequences = [0..5, 5..rows];
        let qkv: Vec<f64> = numbers(rows * HEADS.width(), 1).iter().map(|x: &f64| 1.5 * x).collect();
        let probe: Vec<f64> = numbers(rows * HEADS.query * HEADS.dim, 2);
        let (out, log_sums) = run(&qkv, &sequences, rows);
        let mut gradient = vec![f64::NAN; qkv.len()];
        let saved = Saved { qkv: &qkv, out: &out, log_sums: &log_sums };
        backward(Arch::new(), saved, &probe, HEADS, &sequences, &mut gradient);
        check_gradient("q, k and v", &qkv, &gradient, |qkv| dot(&run(qkv, &sequences, rows).0, &probe));
    }

    #[test]
    fn the_number_of_threads_does_not_change_a_bit() {
        let rows = 150;
        let sequences = [0..70, 70..rows];
        let qkv: Vec<f32> = numbers(rows * HEADS.width(), 1);
        let probe: Vec<f32> = numbers(rows * HEADS.query * HEADS.dim, 2);
        let work = || {
            let (mut out, mut log_sums) =
                (vec![0.0; rows * HEADS.query * HEADS.dim], vec![0.0; rows * HEADS.query]);
            forward(Arch::new(), &qkv, HEADS, &sequences, &mut out, &mut log_sums);
            let mut gradient = vec![0.0; qkv.len()];
            let saved = Saved { qkv: &qkv, out: &out, log_sums: &log_sums };
            backward(Arch::new(), saved, &probe, HEADS, &sequences, &mut gradient);
            (out, gradient)
        };
        assert!(on_threads(1, work) == on_threads(4, work));
    }
}
