//! SparseGPT: zeroes the weights that the others can best compensate for, and adjusts the others
//! (Frantar and Alistarh 2023).

use model::backend::Area;
use rayon::prelude::*;

use super::bench::{ArrayId, Operand, Workbench};
use super::factor::invert_factor;
use super::mask::{ZeroRule, lowest, zero_lowest};
use super::score::{Linear, Sparsified, Sparsify};
use super::stats::{LinearStats, Statistics};
use super::wanda::Wanda;
use crate::error::Result;

/// The methods `2:4-sparsegpt`, `4:8-sparsegpt` and so on.
///
/// H is the mean of `x x^T` over calibration tokens, plus damping, and `H^-1 = U^T U`. Columns are
/// worked from left to right. The score of a weight in column c is `(w / U_cc)^2`. When it becomes
/// zero, the weights to its right change by `-(w / U_cc) U_c`. N:M patterns choose the zeros of a
/// group when its first column is reached. Unstructured zeros are chosen once per block of columns,
/// over all rows. Within a block each row is worked alone. The correction of all columns right of
/// the block is one product.
#[derive(Clone, Copy, Debug)]
pub struct SparseGpt;

/// Added to the diagonal of H, as a share of its mean. The first value is that of the paper. The
/// others are tried in turn if H cannot be factored.
const DAMPING: [f64; 4] = [0.01, 0.1, 1.0, 10.0];

/// Numbers that one thread task scales.
const CHUNK: usize = 1 << 16;

/// Numbers on the host at a time while a Gram matrix is scaled.
const PIECE: usize = 1 << 20;

/// Side of the tiles in which [`mirror`] copies a matrix.
const TILE: usize = 512;

/// Columns of a block. For N:M patterns, the largest multiple of the group that fits, or one group.
const BLOCK: usize = 128;

impl Sparsify for SparseGpt {
    fn name(&self) -> &'static str {
        "sparsegpt"
    }

    fn summary(&self) -> &'static str {
        "make the weights zero that the others can best make up for, and change the others"
    }

    fn paper(&self) -> Option<&'static str> {
        Some(
            "Frantar and Alistarh 2023, SparseGPT: Massive Language Models Can Be Accurately Pruned in One-Shot",
        )
    }

    fn needs(&self) -> Statistics {
        Statistics::Gram
    }

    fn sparsify(
        &self,
        bench: &mut dyn Workbench,
        linears: &mut [Linear],
        stats: &LinearStats,
        zeros: ZeroRule,
    ) -> Result<Sparsified> {
        let side = stats.square_sums().len();
        let gram = stats.gram().expect("what a score needs is kept");
        // A column that only read zeros has a row and column of zeros in H: it would be singular.
        let dead: Vec<bool> = stats.square_sums().iter().map(|&sum| sum == 0.0).collect();
        let Some(damping) = factor(bench, gram, side, stats.tokens(), &dead)? else {
            // No weight is changed yet, so Wanda, the next best score, can take over. The record
            // says so.
            Wanda.sparsify(bench, linears, stats, zeros)?;
            return Ok(Sparsified::replaced_by(Wanda.name()));
        };
        for linear in linears {
            clear_dead(linear, &dead);
            prune(bench, linear, gram, zeros)?;
        }
        let more = damping > DAMPING[0];
        Ok(if more { Sparsified::damped(damping) } else { Sparsified::default() })
    }
}

/// Turns a Gram matrix into U with the least damping that works. `None` if no damping does.
fn factor(
    bench: &mut dyn Workbench,
    gram: ArrayId,
    side: usize,
    tokens: u64,
    dead: &[bool],
) -> Result<Option<f64>> {
    // H is the mean over tokens, not the sum: the smallest accepted pivot is an absolute number.
    let scale = 1.0 / tokens.max(1) as f64;
    // The diagonal, as a matrix of one column: its rows are `side + 1` numbers apart.
    let on_diagonal = Area { offset: 0, rows: side, columns: 1, stride: side + 1 };
    let diagonal: Vec<f64> =
        bench.read(gram, on_diagonal)?.into_iter().map(|sum| f64::from(sum) * scale).collect();
    let mean = diagonal.iter().sum::<f64>() / side as f64;
    scale_all(bench, gram, side * side, scale)?;
    // Factoring overwrites the upper triangle. The copy below the diagonal restores it for the next
    // attempt.
    mirror(bench, gram, side, false)?;
    for damping in DAMPING {
        // A dead column gets 1 on the diagonal. It has no products with other columns, so nothing
        // else changes.
        let damped =
            |row: usize| (if dead[row] { 1.0 } else { diagonal[row] } + damping * mean) as f32;
        bench.write(&(0..side).map(damped).collect::<Vec<_>>(), gram, on_diagonal)?;
        if mean.is_finite() && invert_factor(bench, gram, side)? {
            return Ok(Some(damping));
        }
        mirror(bench, gram, side, true)?;
    }
    Ok(None)
}

/// Multiplies the first `len` numbers of an array, a piece at a time on the host.
fn scale_all(bench: &mut dyn Workbench, array: ArrayId, len: usize, scale: f64) -> Result<()> {
    let mut values = vec![0.0; PIECE.min(len)];
    for start in (0..len).step_by(PIECE) {
        let values = &mut values[..PIECE.min(len - start)];
        bench.download(array, start, values)?;
        values.par_chunks_mut(CHUNK).for_each(|values| {
            values.iter_mut().for_each(|value| *value = (f64::from(*value) * scale) as f32);
        });
        bench.upload(values, array, start)?;
    }
    Ok(())
}

/// Copies the upper triangle of a square matrix to the lower one, or back (`upwards`). Tiles are
/// transposed on the host.
fn mirror(bench: &mut dyn Workbench, matrix: ArrayId, side: usize, upwards: bool) -> Result<()> {
    let tile = |row: usize, column: usize| Area {
        offset: row * side + column,
        rows: TILE.min(side - row),
        columns: TILE.min(side - column),
        stride: side,
    };
    for above in (0..side).step_by(TILE) {
        for right in (above..side).step_by(TILE) {
            let (upper, lower) = (tile(above, right), tile(right, above));
            let (from, to) = if upwards { (lower, upper) } else { (upper, lower) };
            let values = bench.read(matrix, from)?;
            let mut turned = vec![0.0; values.len()]; // [from.columns, from.rows]
            for (row, values) in values.chunks_exact(from.columns).enumerate() {
                for (column, &value) in values.iter().enumerate() {
                    turned[column * from.rows + row] = value;
                }
            }
            if above == right {
                // A tile on the diagonal keeps the half that is copied from.
                let width = from.columns;
                for row in 0..width {
                    let kept = if upwards { 0..row + 1 } else { row..width };
                    turned[row * width..][kept.clone()]
                        .copy_from_slice(&values[row * width..][kept]);
                }
            }
            bench.write(&turned, matrix, to)?;
        }
    }
    Ok(())
}

/// Zeroes the weights that only ever read zeros: they have no effect on the output.
fn clear_dead(linear: &mut Linear, dead: &[bool]) {
    if dead.iter().any(|&dead| dead) {
        for row in linear.weights_mut().chunks_exact_mut(dead.len()) {
            for (weight, _) in row.iter_mut().zip(dead).filter(|(_, dead)| **dead) {
                *weight = 0.0;
            }
        }
    }
}

/// Prunes one weight with U, `[columns, columns]`.
fn prune(
    bench: &mut dyn Workbench,
    linear: &mut Linear,
    factor: ArrayId,
    zeros: ZeroRule,
) -> Result<()> {
    let (rows, columns) = (linear.rows(), linear.columns());
    let (group, gone) = zeros.group(columns);
    // An N:M group may be as wide as the row, so the width alone does not tell the pattern.
    let grouped = group < columns || matches!(zeros.pattern(), ledger::Pattern::Groups { .. });
    // A group must lie inside one block, where all its weights can still be adjusted.
    let width = if grouped { (BLOCK / group).max(1) * group } else { BLOCK.min(columns) };
    // Blocks are pruned on the host. Their corrections of the columns to the right are added on the
    // machine.
    let changed = bench.array_of(linear.weights())?;
    let owed_there = bench.allocate(rows * width)?;
    let mut owed = vec![0.0; rows * width]; // [row, column of the block]: -(w / U_cc)
    for start in (0..columns).step_by(width) {
        let width = width.min(columns - start);
        let part = |row: usize, rows: usize, column: usize, width: usize| Area {
            offset: row * columns + column,
            rows,
            columns: width,
            stride: columns,
        };
        let upper = bench.read(factor, part(start, width, start, width))?;
        let block = Block { width, upper };
        let mut weights = bench.read(changed, part(0, rows, start, width))?;
        let mask = if grouped {
            Vec::new()
        } else {
            // A difference of rounded totals, so that the blocks add up to the number of the whole
            // row.
            let count = rows * (zeros.until(start + width, columns) - zeros.until(start, columns));
            block.lowest(&weights, count)
        };
        let step = if grouped { Some((group, gone)) } else { None };
        let owed = &mut owed[..rows * width];
        weights
            .par_chunks_exact_mut(width)
            .zip(owed.par_chunks_exact_mut(width))
            .enumerate()
            .for_each(|(row, (weights, owed))| {
                let mask = mask.get(row * width..(row + 1) * width).unwrap_or_default();
                block.sweep(weights, owed, step, mask);
            });
        for (to, from) in linear.weights_mut().chunks_exact_mut(columns).zip(weights.chunks(width))
        {
            to[start..start + width].copy_from_slice(from);
        }
        let end = start + width;
        if end < columns {
            bench.upload(owed, owed_there, 0)?;
            let owed = Operand::new(owed_there, Area::new(0, rows, width));
            let right = Operand::new(factor, part(start, width, end, columns - end));
            let rest = Operand::new(changed, part(0, rows, end, columns - end));
            bench.product(owed, right, rest, true)?;
        }
    }
    bench.free(owed_there);
    bench.free(changed);
    Ok(())
}

/// The square part of U for the columns of one block.
struct Block {
    width: usize,
    upper: Vec<f32>, // [width, width]
}

impl Block {
    fn diagonal(&self, column: usize) -> f32 {
        self.upper[column * (self.width + 1)]
    }

    fn score(&self, column: usize, weight: f32) -> f32 {
        let ratio = weight / self.diagonal(column);
        ratio * ratio
    }

    /// The mask of the `count` lowest scores of the block, over all rows.
    fn lowest(&self, weights: &[f32], count: usize) -> Vec<bool> {
        let block = |row: &[f32]| -> Vec<f32> {
            let row = row.iter().enumerate();
            row.map(|(column, &weight)| self.score(column, weight)).collect()
        };
        let scores: Vec<f32> = weights.chunks_exact(self.width).flat_map(block).collect();
        let mut mask = vec![false; scores.len()];
        for &at in lowest(&scores, count, &mut Vec::new()) {
            mask[at] = true;
        }
        mask
    }

    /// Prunes one row of the block. With `groups` (length, zeros), it chooses the zeros of a group
    /// when it reaches the first column. Otherwise it follows `mask`. Each zeroed weight adjusts
    /// the weights to its right.
    fn sweep(
        &self,
        row: &mut [f32],
        owed: &mut [f32],
        groups: Option<(usize, usize)>,
        mask: &[bool],
    ) {
        let mut scores = [0.0; ledger::Pattern::WIDEST as usize];
        let mut stays = [0.0; ledger::Pattern::WIDEST as usize];
        for column in 0..self.width {
            let gone = match groups {
                Some((len, zeros)) => {
                    let place = column % len;
                    if place == 0 {
                        // Scored only now: the columns to the left have changed these weights.
                        for (at, score) in scores[..len].iter_mut().enumerate() {
                            *score = self.score(column + at, row[column + at]);
                        }
                        // Ones instead of weights: those that become zero mark what goes.
                        stays[..len].fill(1.0);
                        zero_lowest(&mut stays[..len], &scores[..len], len, zeros);
                    }
                    stays[place] == 0.0
                }
                None => mask[column],
            };
            // The array still holds the corrections of the block before.
            owed[column] = 0.0;
            if gone {
                let debt = -row[column] / self.diagonal(column);
                let upper = &self.upper[column * self.width..(column + 1) * self.width];
                for (weight, &share) in row[column + 1..].iter_mut().zip(&upper[column + 1..]) {
                    *weight += debt * share;
                }
                (row[column], owed[column]) = (0.0, debt);
            }
        }
    }
}
