//! Computes the upper triangular U with `H^-1 = U^T U`, for a symmetric positive definite H.
//!
//! SparseGPT's own code takes three steps: a Cholesky factor of H, the inverse of H from it, and
//! the Cholesky factor of that inverse. They cost 4/3 n^3 multiplications and additions. Here
//! `H = R R^T` with R upper triangular, worked from the last column to the first, so that
//! `U = R^-1`. One factor and one triangular inverse cost 2/3 n^3. Blocks are multiplied by the
//! machine's product, which never splits the summed dimension. Blocks on the diagonal are computed
//! in f64.

use model::backend::Area;

use super::bench::{ArrayId, Operand, Workbench};
use crate::error::Result;

/// Side of a block.
const BLOCK: usize = 128;

/// The smallest pivot that is accepted: f32 still holds its square root and the reciprocal of that.
const SMALLEST: f64 = 1e-75;

/// Rows of U in one product of the inversion. The product also multiplies the zeros below the
/// diagonal of these rows, so more rows waste more work.
const STRETCH: usize = 1024;

/// A square matrix on a machine that is turned into its factor.
struct Square {
    matrix: ArrayId,
    side: usize,
    /// Room for a panel: all rows of one block of columns.
    space: ArrayId,
}

/// Turns the upper triangle of `matrix`, `[side, side]`, into U and clears the part below. Returns
/// false if a pivot is not positive, since the matrix then cannot be factored. Its upper triangle
/// then holds nothing of use, and the part below is unchanged.
pub(super) fn invert_factor(
    bench: &mut dyn Workbench,
    matrix: ArrayId,
    side: usize,
) -> Result<bool> {
    let space = bench.allocate(side * BLOCK)?;
    let square = Square { matrix, side, space };
    let done = square.factor(bench)? && square.invert(bench)?;
    bench.free(space);
    Ok(done)
}

impl Square {
    fn part(&self, row: usize, rows: usize, column: usize, columns: usize) -> Area {
        Area { offset: row * self.side + column, rows, columns, stride: self.side }
    }

    fn operand(&self, row: usize, rows: usize, column: usize, columns: usize) -> Operand {
        Operand::new(self.matrix, self.part(row, rows, column, columns))
    }

    /// H = R R^T, in place.
    fn factor(&self, bench: &mut dyn Workbench) -> Result<bool> {
        // Backwards: R R^T with R upper triangular fixes the last column first.
        let &Self { matrix, side, space } = self;
        for start in (0..side).step_by(BLOCK).rev() {
            let (end, width) = (side.min(start + BLOCK), BLOCK.min(side - start));
            let mut panel = bench.read(matrix, self.part(0, end, start, width))?;
            if end < side {
                // H[..end, block] - R[..end, end..] R[block, end..]^T
                let left = self.operand(0, end, end, side - end);
                let right = self.operand(start, width, end, side - end).t();
                bench.product(left, right, Operand::new(space, Area::new(0, end, width)), false)?;
                let mut known = vec![0.0; end * width];
                bench.download(space, 0, &mut known)?;
                let rows = panel.chunks_exact_mut(width).zip(known.chunks_exact(width));
                for (row, (to, from)) in rows.enumerate() {
                    // Only the upper triangle changes. The part below holds a copy that the caller
                    // needs.
                    let below = row.saturating_sub(start);
                    for (to, from) in to[below..].iter_mut().zip(&from[below..]) {
                        *to -= from;
                    }
                }
            }
            let on_diagonal = &mut panel[start * width..];
            let mut block: Vec<f64> = on_diagonal.iter().map(|&value| f64::from(value)).collect();
            if !factor_block(&mut block, width) {
                return Ok(false);
            }
            for row in 0..width {
                for column in row..width {
                    on_diagonal[row * width + column] = block[row * width + column] as f32;
                }
            }
            bench.write(&panel, matrix, self.part(0, end, start, width))?;
            if start > 0 {
                // R[..start, block] = (..) R[block, block]^-T
                let inverse = invert_block(&block, width);
                let mut right = vec![0.0; width * width];
                for (at, to) in right.iter_mut().enumerate() {
                    // Transposed.
                    *to = inverse[at % width * width + at / width] as f32;
                }
                let right = bench.array_of(&right)?;
                let above = Operand::new(space, Area::new(0, start, width));
                let turned = Operand::new(right, Area::new(0, width, width));
                bench.product(self.operand(0, start, start, width), turned, above, false)?;
                bench.copy(above, self.operand(0, start, start, width))?;
                bench.free(right);
            }
        }
        Ok(true)
    }

    /// U = R^-1, in place, from the first column to the last.
    fn invert(&self, bench: &mut dyn Workbench) -> Result<bool> {
        let &Self { matrix, side, space } = self;
        for row in 1..side {
            bench.clear(matrix, row * side..row * side + row)?;
        }
        let scaled = bench.allocate(side * BLOCK)?;
        for start in (0..side).step_by(BLOCK) {
            let width = BLOCK.min(side - start);
            let on_diagonal = self.part(start, width, start, width);
            let block = bench.read(matrix, on_diagonal)?;
            let block: Vec<f64> = block.into_iter().map(f64::from).collect();
            let inverse = invert_block(&block, width);
            if start > 0 {
                // U[..start, block] = -U[..start, ..start] R[..start, block] U[block, block]
                let small: Vec<f32> = inverse.iter().map(|value| -value as f32).collect();
                let small = bench.array_of(&small)?;
                let all = Operand::new(scaled, Area::new(0, start, width));
                let turned = Operand::new(small, Area::new(0, width, width));
                bench.product(self.operand(0, start, start, width), turned, all, false)?;
                bench.free(small);
                for from in (0..start).step_by(STRETCH) {
                    let rows = STRETCH.min(start - from);
                    let left = self.operand(from, rows, from, start - from);
                    let below = Operand::new(scaled, Area::new(from * width, start - from, width));
                    let target = Operand::new(space, Area::new(from * width, rows, width));
                    bench.product(left, below, target, false)?;
                }
                let above = Operand::new(space, Area::new(0, start, width));
                bench.copy(above, self.operand(0, start, start, width))?;
            }
            // The inverse is zero below the diagonal, as the matrix is by now.
            let rounded: Vec<f32> = inverse.iter().map(|&value| value as f32).collect();
            bench.write(&rounded, matrix, on_diagonal)?;
            if !inverse.iter().all(|value| value.is_finite()) {
                bench.free(scaled);
                return Ok(false);
            }
        }
        bench.free(scaled);
        Ok(true)
    }
}

/// A = R R^T for one block, in its upper triangle. False if a pivot is too small.
fn factor_block(block: &mut [f64], width: usize) -> bool {
    for column in (0..width).rev() {
        for row in (0..=column).rev() {
            let tail = |of: usize| &block[of * width + column + 1..(of + 1) * width];
            let known: f64 = tail(row).iter().zip(tail(column)).map(|(a, b)| a * b).sum();
            let left = block[row * width + column] - known;
            if row == column {
                // Negated, so that NaN is refused too.
                if !(left > SMALLEST && left.is_finite()) {
                    return false;
                }
                block[row * width + column] = left.sqrt();
            } else {
                block[row * width + column] = left / block[column * width + column];
            }
        }
    }
    true
}

/// The inverse of an upper triangular block; zeros below.
fn invert_block(block: &[f64], width: usize) -> Vec<f64> {
    let mut inverse = vec![0.0; width * width];
    for row in (0..width).rev() {
        let pivot = block[row * width + row];
        let (upper, lower) = inverse.split_at_mut((row + 1) * width);
        let to = &mut upper[row * width..];
        for (below, from) in lower.chunks_exact(width).enumerate() {
            let factor = block[row * width + row + 1 + below];
            for (to, from) in to[row + 1..].iter_mut().zip(&from[row + 1..]) {
                *to -= factor * from;
            }
        }
        for to in &mut to[row + 1..] {
            *to /= pivot;
        }
        to[row] = 1.0 / pivot;
    }
    inverse
}

#[cfg(test)]
mod tests {
    use model::backend::cpu::Cpu;

    use super::super::bench::MachineBench;
    use super::*;

    /// Factors in place; whether it could be done.
    fn factored(matrix: &mut [f32], side: usize) -> bool {
        let machine = Cpu::<f32>::new();
        let bench: &mut dyn Workbench = &mut MachineBench::new(&machine);
        let there = bench.array_of(matrix).unwrap();
        let done = invert_factor(bench, there, side).unwrap();
        bench.download(there, 0, matrix).unwrap();
        done
    }

    /// `A A^T + 1` of pseudo-random A.
    fn positive(side: usize) -> Vec<f32> {
        let mut state = 7_u64;
        let mut number = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 24) as f32 - 0.5
        };
        let a: Vec<f32> = (0..side * side).map(|_| number()).collect();
        let mut matrix = vec![0.0; side * side];
        for i in 0..side {
            for j in i..side {
                let dot: f32 = (0..side).map(|k| a[i * side + k] * a[j * side + k]).sum();
                matrix[i * side + j] = dot + if i == j { 1.0 } else { 0.0 };
            }
        }
        matrix
    }

    #[test]
    fn the_square_of_the_factor_is_the_inverse() {
        for side in [1, 2, 5, 127, 128, 129, 300] {
            let matrix = positive(side);
            let mut upper = matrix.clone();
            assert!(factored(&mut upper, side));
            let at = |i: usize, j: usize| f64::from(matrix[i.min(j) * side + i.max(j)]);
            // U H U^T = 1
            for i in (0..side).step_by(7) {
                let row: Vec<f64> = (0..side)
                    .map(|j| (i..side).map(|k| f64::from(upper[i * side + k]) * at(k, j)).sum())
                    .collect();
                for j in 0..side {
                    let found: f64 =
                        (j..side).map(|k| row[k] * f64::from(upper[j * side + k])).sum();
                    let expected = if i == j { 1.0 } else { 0.0 };
                    assert!((found - expected).abs() < 2e-4, "{side}: {i}, {j}: {found}");
                }
            }
            assert!(
                (1..side).all(|row| upper[row * side..][..row].iter().all(|&value| value == 0.0))
            );
        }
    }

    #[test]
    fn a_matrix_that_is_not_positive_is_told() {
        for side in [3, 200] {
            let mut matrix = positive(side);
            matrix[(side / 2) * (side + 1)] = -1.0;
            matrix[side] = 5.0;
            assert!(!factored(&mut matrix, side));
            assert_eq!(matrix[side], 5.0, "what lies below the diagonal is kept");
        }
    }

    #[test]
    fn the_number_of_threads_does_not_change_a_bit() {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut matrix = positive(300);
            assert!(pool.install(|| factored(&mut matrix, 300)));
            matrix
        };
        assert!(run(1) == run(3));
    }
}
