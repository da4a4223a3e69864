//! The forward pass, with a running maximum and sum for every row.

use std::ops::Range;

use pulp::Arch;

use super::tiles::{
    HeadGroup, KEYS, ROWS, cover, hide, padded, products_seen, row_panels, square, visible,
};
use crate::backend::cpu::kernel::{
    Band, Engine, Kernel, KernelChoice, Matrix, MatrixMut, Panels, Side, StripTarget, WithKernel,
    multiply, parallel,
};
use crate::backend::cpu::lanes::{in_lanes, mapped};
use crate::backend::cpu::loss::largest;
use crate::backend::cpu::processor::Cpu;
use crate::backend::cpu::space::with_space;
use crate::backend::cpu::sums::total;
use crate::backend::{Area, Heads, Scalar};
use crate::wide::widest;

/// If there would be fewer tasks than this, every query head becomes a task.
const FEW: usize = 8;

/// `out = softmax(q k^T / sqrt(dim)) v` within each sequence.
pub(in crate::backend::cpu) fn forward<T: Engine>(
    cpu: Cpu<T>,
    qkv: &[T],
    heads: Heads,
    sequences: &[Range<usize>],
    out: &mut [T],
    log_sums: &mut [T],
) {
    cpu.kernel.run(Forward { arch: cpu.arch, qkv, heads, sequences, out, log_sums });
}

struct Forward<'a, T> {
    arch: Arch,
    qkv: &'a [T],
    heads: Heads,
    sequences: &'a [Range<usize>],
    out: &'a mut [T],
    log_sums: &'a mut [T],
}

impl<T: Scalar> WithKernel<T> for Forward<'_, T> {
    type Output = ();

    fn with<K: Kernel<Number = T>>(self, kernel: K) {
        let Forward { arch, qkv, heads, sequences, out, log_sums } = self;
        let Heads { query, key_value, dim } = heads;
        // Heads that share keys form one task, which lays the keys out once. With few sequences
        // that leaves too few tasks for the threads, so each head becomes one.
        let members = if sequences.len() * key_value < FEW { 1 } else { heads.group() };
        let width = [Band { start: 0, width: members * dim }];
        let single = [Band { start: 0, width: members }];
        let targets = [
            StripTarget::new(out, query * dim, &width),
            StripTarget::new(log_sums, query, &single),
        ];
        parallel(
            sequences,
            query / members,
            targets,
            |sequence, strip, [mut out, mut log_sums]| {
                let part = HeadGroup::new(
                    qkv,
                    heads,
                    &sequences[sequence],
                    strip * members / heads.group(),
                );
                with_space(|space: &mut ForwardSpace<K>| {
                    space.fit(arch, &part);
                    for member in 0..members {
                        for block in part.blocks() {
                            space.begin(arch, part.columns(&block, strip * members + member));
                            for seen in part.seen(&block) {
                                space.scores(kernel, &block, &seen, dim);
                                space.probabilities(arch, &block, &seen, dim);
                                space.mix(kernel, arch, &block, &seen, dim);
                            }
                            for row in 0..block.len() {
                                let (mixed, inverse, log_sum) = space.finished(row, dim);
                                let out = &mut out.row(block.start + row, 0)
                                    [member * dim..(member + 1) * dim];
                                mapped(mixed, out, |value| value * inverse);
                                log_sums.row(block.start + row, 0)[member] = log_sum;
                            }
                        }
                    }
                });
            },
        );
    }
}

/// The working memory of one block of query rows on its way through the keys.
struct ForwardSpace<K: Kernel> {
    keys: Panels<K>,
    values: Panels<K>,
    queries: Panels<K>,
    weights: Panels<K>,
    /// `[row, key]`: scores, later their exponentials.
    scores: Vec<K::Number>,
    /// `[row, channel]`, not yet divided by the sums.
    mixed: Vec<K::Number>,
    largest: [K::Number; ROWS],
    sums: [K::Number; ROWS],
}

impl<K: Kernel> Default for ForwardSpace<K> {
    fn default() -> Self {
        let (left, right) = (|| Panels::new(Side::Left), || Panels::new(Side::Right));
        ForwardSpace {
            keys: right(),
            values: right(),
            queries: left(),
            weights: left(),
            scores: Vec::new(),
            mixed: Vec::new(),
            largest: [K::Number::ZERO; ROWS],
            sums: [K::Number::ZERO; ROWS],
        }
    }
}

impl<K: Kernel> ForwardSpace<K> {
    /// Lays out keys and values, and makes room for the rows of a block.
    fn fit(&mut self, arch: Arch, part: &HeadGroup<'_, K::Number>) {
        let (len, dim) = (part.len(), part.heads.dim);
        self.keys.fill(arch, part.keys().t());
        self.values.fill(arch, part.values());
        self.scores.resize(ROWS.min(len) * padded(KEYS.min(len)), K::Number::ZERO);
        self.mixed.resize(ROWS.min(len) * dim, K::Number::ZERO);
    }

    fn begin(&mut self, arch: Arch, queries: Matrix<'_, K::Number>) {
        self.queries.fill(arch, queries);
        self.sums = [K::Number::ZERO; ROWS];
    }

    fn scores(&mut self, kernel: K, block: &Range<usize>, seen: &Range<usize>, dim: usize) {
        let scale = K::Number::from_f64(1.0 / (dim as f64).sqrt());
        products_seen(
            kernel,
            block,
            seen,
            &self.queries,
            &self.keys,
            dim.div_ceil(K::STEP),
            &mut self.scores,
            scale,
        );
    }

    /// Turns scores into exp(score - largest so far), and scales the earlier sums to the new
    /// largest score.
    fn probabilities(&mut self, arch: Arch, block: &Range<usize>, seen: &Range<usize>, dim: usize) {
        let least = K::Number::from_f64(-1e30);
        let first = seen.start == 0;
        let before = self.largest;
        let (mut sums, stride) = ([K::Number::ZERO; ROWS], padded(seen.len()));
        let ForwardSpace { scores, largest: now, .. } = self;
        let scores = &mut scores[..block.len() * stride];
        let visible = |row: usize| visible(block.start + row, seen);
        // Three passes over short rows. In each pass no row waits for the one before; one pass with
        // all three sums would.
        widest(
            arch,
            #[inline(always)]
            || {
                for (row, line) in scores.chunks_exact_mut(stride).enumerate() {
                    // The padding of the last lanes must get weight 0: exp of this value is 0.
                    cover(line, visible(row), least);
                    let largest = largest(&line[..padded(visible(row))]);
                    now[row] = if first { largest } else { largest.larger(before[row]) };
                }
                for (row, line) in scores.chunks_exact_mut(stride).enumerate() {
                    let (full, now) = (&mut line[..padded(visible(row))], now[row]);
                    in_lanes([full], [], |[score], []| [(score - now).exp()]);
                    hide::<K>(line, visible(row));
                }
                for (row, line) in scores.chunks_exact(stride).enumerate() {
                    sums[row] = total(&line[..padded(visible(row))]);
                }
            },
        );
        for row in 0..block.len() {
            if first {
                self.sums[row] = sums[row];
            } else {
                // Earlier terms were computed against the earlier largest score.
                let shrink = (before[row] - self.largest[row]).exp();
                self.sums[row] = self.sums[row] * shrink + sums[row];
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
        dim: usize,
    ) {
        let square = square(block, seen);
        let weights = self.weights.left(arch, Matrix::new(&self.scores, square));
        for rows in row_panels::<K>(block.len()) {
            let steps = visible(block.start + rows.end - 1, seen).div_ceil(K::STEP);
            let target =
                MatrixMut::new(&mut self.mixed, Area::new(rows.start * dim, rows.len(), dim));
            let values = self.values.part(0..dim, seen.start / K::STEP);
            multiply(
                kernel,
                weights.part(rows, 0),
                values,
                steps,
                target,
                K::Number::ONE,
                // The first block of keys replaces what an earlier task left; later ones add.
                seen.start > 0,
            );
        }
    }

    /// A row of the output, the factor that it still needs, and the log-sum-exp of its scores.
    fn finished(&self, row: usize, dim: usize) -> (&[K::Number], K::Number, K::Number) {
        let sum = self.sums[row];
        (
            &self.mixed[row * dim..(row + 1) * dim],
            // Dividing once at the end replaces a division of every probability.
            K::Number::ONE / sum,
            self.largest[row] + sum.ln(),
        )
    }
}
