//! SparseGPT: weights go that the others can make up for, and the others do (Frantar and Alistarh
//! 2023).

use model::backend::cpu::Cpu;
use model::backend::{Area, Backend, View, ViewMut};
use rayon::prelude::*;

use super::factor::invert_factor;
use super::mask::{ZeroRule, lowest, zero_lowest};
use super::score::{Linear, Sparsified, Sparsify};
use super::stats::{LinearStats, Statistics};
use super::wanda::Wanda;
use crate::error::Result;

/// `2:4-sparsegpt` and its like.
///
/// With H the mean of `x x^T` over calibration tokens, damped, and `H^-1 = U^T U`, columns go from
/// left to right; a weight of column c scores `(w / U_cc)^2`, and where it becomes zero the weights
/// right of it change by `-(w / U_cc) U_c`. Scores of a group are taken as its first column is
/// reached, those of unstructured zeros as a block of columns is, over all rows. Within a block
/// rows are worked one by one; what a block owes to the columns right of it is one product.
#[derive(Clone, Copy, Debug)]
pub struct SparseGpt;

/// Added to the diagonal of H, as a share of its mean: what the method has, then what is tried
/// where that does not do.
const DAMPING: [f64; 4] = [0.01, 0.1, 1.0, 10.0];

/// Numbers that one task scales.
const CHUNK: usize = 1 << 16;

/// Columns of a block, or the largest multiple of the group below it.
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
        weights: &mut Vec<f32>,
        linears: &[Linear],
        mut stats: LinearStats,
        zeros: ZeroRule,
    ) -> Result<Sparsified> {
        let side = stats.square_sums.len();
        let mut gram = std::mem::take(&mut stats.gram);
        let dead: Vec<bool> = stats.square_sums.iter().map(|&sum| sum == 0.0).collect();
        let Some(damping) = factor(&mut gram, side, stats.tokens, &dead)? else {
            // Nothing is changed yet: the next best score takes over, and the record says so.
            Wanda.sparsify(weights, linears, stats, zeros)?;
            return Ok(Sparsified { damping: None, instead: Some(Wanda.name()) });
        };
        let factor = gram;
        for linear in linears {
            clear_dead(weights, linear, &dead);
            prune(weights, linear, &factor, zeros)?;
        }
        Ok(Sparsified { damping: (damping > DAMPING[0]).then_some(damping), instead: None })
    }
}

/// Turns a Gram matrix into U with the least damping that does; none where none does.
fn factor(gram: &mut Vec<f32>, side: usize, tokens: u64, dead: &[bool]) -> Result<Option<f64>> {
    let scale = 1.0 / tokens.max(1) as f64;
    let diagonal: Vec<f64> = (0..side).map(|at| f64::from(gram[at * (side + 1)]) * scale).collect();
    let mean = diagonal.iter().sum::<f64>() / side as f64;
    let damp = |gram: &mut [f32], damping: f64| {
        for row in 0..side {
            let damped = if dead[row] { 1.0 } else { diagonal[row] } + damping * mean;
            gram[row * (side + 1)] = damped as f32;
        }
    };
    gram.par_chunks_mut(CHUNK).for_each(|values| {
        values.iter_mut().for_each(|value| *value = (f64::from(*value) * scale) as f32);
    });
    // The upper triangle once more below the diagonal, from where it can be taken again.
    mirror(gram, side, false);
    for damping in DAMPING {
        damp(gram, damping);
        if mean.is_finite() && invert_factor(gram, side)? {
            return Ok(Some(damping));
        }
        mirror(gram, side, true);
    }
    Ok(None)
}

/// Copies the upper triangle of a square matrix to the lower one, or the lower one to the upper, in
/// tiles: rows and columns of a tile stay near.
fn mirror(matrix: &mut [f32], side: usize, upwards: bool) {
    const TILE: usize = 32;
    for above in (0..side).step_by(TILE) {
        for right in (above..side).step_by(TILE) {
            for row in above..side.min(above + TILE) {
                for column in right.max(row + 1)..side.min(right + TILE) {
                    let (upper, lower) = (row * side + column, column * side + row);
                    if upwards {
                        matrix[upper] = matrix[lower];
                    } else {
                        matrix[lower] = matrix[upper];
                    }
                }
            }
        }
    }
}

/// What never reads anything but zero matters to nothing.
fn clear_dead(weights: &mut [f32], linear: &Linear, dead: &[bool]) {
    if dead.iter().any(|&dead| dead) {
        for row in weights[linear.area.offset..linear.area.end()].chunks_exact_mut(dead.len()) {
            for (weight, _) in row.iter_mut().zip(dead).filter(|(_, dead)| **dead) {
                *weight = 0.0;
            }
        }
    }
}

/// Prunes one weight with U, `[columns, columns]`.
pub(crate) fn prune(
    weights: &mut Vec<f32>,
    linear: &Linear,
    factor: &Vec<f32>,
    zeros: ZeroRule,
) -> Result<()> {
    let Area { offset, rows, columns, .. } = linear.area;
    let backend = Cpu::<f32>::new();
    let (group, gone) = zeros.group(columns);
    let grouped = group < columns || matches!(zeros.pattern(), ledger::Pattern::Groups { .. });
    let width = if grouped { (BLOCK / group).max(1) * group } else { BLOCK.min(columns) };
    let mut owed = backend.allocate(rows * width)?; // [row, column of the block]: -(w / U_cc)
    for start in (0..columns).step_by(width) {
        let width = width.min(columns - start);
        let block = Block::new(factor, columns, start, width);
        let mask = if grouped {
            Vec::new()
        } else {
            let count = rows * (zeros.until(start + width, columns) - zeros.until(start, columns));
            block.lowest(&weights[offset..linear.area.end()], count)
        };
        let step = if grouped { Some((group, gone)) } else { None };
        weights[offset..linear.area.end()]
            .par_chunks_exact_mut(columns)
            .zip(owed.par_chunks_exact_mut(width))
            .enumerate()
            .for_each(|(row, (weights, owed))| {
                let mask = mask.get(row * width..(row + 1) * width).unwrap_or_default();
                block.sweep(&mut weights[start..start + width], owed, step, mask);
            });
        let end = start + width;
        if end < columns {
            let right = Area {
                offset: start * columns + end,
                rows: width,
                columns: columns - end,
                stride: columns,
            };
            let rest = Area { offset: offset + end, rows, columns: columns - end, stride: columns };
            let owed = View::new(&owed, Area::new(0, rows, width));
            backend.product(owed, View::new(factor, right), ViewMut::new(weights, rest), true)?;
        }
    }
    Ok(())
}

/// The part of U that columns `start..start + width` share.
struct Block {
    start: usize,
    width: usize,
    columns: usize,
    upper: Vec<f32>, // [width, width]
}

impl Block {
    fn new(factor: &[f32], columns: usize, start: usize, width: usize) -> Self {
        let row = |row: usize| &factor[(start + row) * columns + start..][..width];
        Self { start, width, columns, upper: (0..width).flat_map(row).copied().collect() }
    }

    fn diagonal(&self, column: usize) -> f32 {
        self.upper[column * (self.width + 1)]
    }

    fn score(&self, column: usize, weight: f32) -> f32 {
        let ratio = weight / self.diagonal(column);
        ratio * ratio
    }

    /// Which `count` weights of the block score lowest, over all rows.
    fn lowest(&self, weights: &[f32], count: usize) -> Vec<bool> {
        let block = |row: &[f32]| -> Vec<f32> {
            let row = row[self.start..self.start + self.width].iter().enumerate();
            row.map(|(column, &weight)| self.score(column, weight)).collect()
        };
        let scores: Vec<f32> = weights.chunks_exact(self.columns).flat_map(block).collect();
        let mut mask = vec![false; scores.len()];
        for &at in lowest(&scores, count, &mut Vec::new()) {
            mask[at] = true;
        }
        mask
    }

    /// Works one row of the block: chooses a group's zeros as it is reached, or follows `mask`;
    /// makes them and lets the weights right of them make up for it.
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
                        for (at, score) in scores[..len].iter_mut().enumerate() {
                            *score = self.score(column + at, row[column + at]);
                        }
                        stays[..len].fill(1.0);
                        zero_lowest(&mut stays[..len], &scores[..len], len, zeros);
                    }
                    stays[place] == 0.0
                }
                None => mask[column],
            };
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
