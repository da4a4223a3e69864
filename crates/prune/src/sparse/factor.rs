//! The upper triangular U with `H^-1 = U^T U`, of a symmetric positive definite H.
//!
//! SparseGPT's references take it by a Cholesky factor, the inverse from it, and the factor of
//! that: 4/3 n^3 operations each of two. Here H = R R^T with R upper triangular, worked from the
//! last column to the first, so that U = R^-1: one factor and one triangular inverse, 2/3 n^3
//! multiplications and additions together. Blocks are multiplied by the machine's product, which
//! never splits the summed dimension; blocks on the diagonal are taken in f64.

use model::backend::cpu::Cpu;
use model::backend::{Area, Backend, View, ViewMut};

use crate::error::Result;

/// Side of a block.
const BLOCK: usize = 128;

/// A pivot whose root f32 still holds, with its reciprocal.
const SMALLEST: f64 = 1e-75;

/// Rows that one product inverts at a time: what lies below the diagonal of such a stretch is
/// multiplied in vain.
const STRETCH: usize = 1024;

/// Turns the upper triangle of `matrix`, `[side, side]`, into U and clears what lies below. Where a
/// pivot is not positive the matrix cannot be factored: its upper triangle then holds nothing of
/// use, and what lies below is as it was.
pub(crate) fn invert_factor(matrix: &mut Vec<f32>, side: usize) -> Result<bool> {
    let mut space = Cpu::<f32>::new().allocate(side * BLOCK)?;
    Ok(factor(matrix, side, &mut space)? && invert(matrix, side, &mut space)?)
}

/// H = R R^T, in place.
fn factor(matrix: &mut Vec<f32>, side: usize, space: &mut Vec<f32>) -> Result<bool> {
    let backend = Cpu::<f32>::new();
    for start in (0..side).step_by(BLOCK).rev() {
        let (end, width) = (side.min(start + BLOCK), BLOCK.min(side - start));
        let area = |row: usize, rows: usize, column: usize, columns: usize| Area {
            offset: row * side + column,
            rows,
            columns,
            stride: side,
        };
        let panel = Area::new(0, end, width);
        if end < side {
            // H[..end, block] - R[..end, end..] R[block, end..]^T
            let left = View::new(&*matrix, area(0, end, end, side - end));
            let right = View::new(&*matrix, area(start, width, end, side - end)).t();
            backend.product(left, right, ViewMut::new(space, panel), false)?;
            for row in 0..end {
                let skip = row.saturating_sub(start);
                let to = &mut matrix[row * side + start..][skip..width];
                for (to, from) in to.iter_mut().zip(&space[row * width + skip..]) {
                    *to -= from;
                }
            }
        }
        let mut block = read_block(matrix, side, start, width);
        if !factor_block(&mut block, width) {
            return Ok(false);
        }
        write_block(matrix, side, start, width, &block);
        if start > 0 {
            // R[..start, block] = (..) R[block, block]^-T
            let inverse = invert_block(&block, width);
            let mut right = vec![0.0; width * width];
            for (at, to) in right.iter_mut().enumerate() {
                *to = inverse[at % width * width + at / width] as f32;
            }
            let left = View::new(&*matrix, area(0, start, start, width));
            let (right, above) =
                (View::new(&right, Area::new(0, width, width)), Area::new(0, start, width));
            backend.product(left, right, ViewMut::new(space, above), false)?;
            for row in 0..start {
                matrix[row * side + start..][..width]
                    .copy_from_slice(&space[row * width..][..width]);
            }
        }
    }
    Ok(true)
}

/// U = R^-1, in place, from the first column to the last.
fn invert(matrix: &mut Vec<f32>, side: usize, space: &mut Vec<f32>) -> Result<bool> {
    let backend = Cpu::<f32>::new();
    for row in 1..side {
        matrix[row * side..][..row].fill(0.0);
    }
    for start in (0..side).step_by(BLOCK) {
        let width = BLOCK.min(side - start);
        let inverse = invert_block(&read_block(matrix, side, start, width), width);
        if start > 0 {
            // U[..start, block] = -U[..start, ..start] R[..start, block] U[block, block]
            let small: Vec<f32> = inverse.iter().map(|value| -value as f32).collect();
            let left = Area { offset: start, rows: start, columns: width, stride: side };
            let (left, right) =
                (View::new(&*matrix, left), View::new(&small, Area::new(0, width, width)));
            backend.product(left, right, ViewMut::new(space, Area::new(0, start, width)), false)?;
            let scaled = space[..start * width].to_vec();
            for from in (0..start).step_by(STRETCH) {
                let rows = STRETCH.min(start - from);
                let left =
                    Area { offset: from * side + from, rows, columns: start - from, stride: side };
                let below = Area::new(from * width, start - from, width);
                let target = Area::new(from * width, rows, width);
                backend.product(
                    View::new(&*matrix, left),
                    View::new(&scaled, below),
                    ViewMut::new(space, target),
                    false,
                )?;
            }
            for row in 0..start {
                matrix[row * side + start..][..width]
                    .copy_from_slice(&space[row * width..][..width]);
            }
        }
        write_block(matrix, side, start, width, &inverse);
        if !inverse.iter().all(|value| value.is_finite()) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn read_block(matrix: &[f32], side: usize, start: usize, width: usize) -> Vec<f64> {
    let row = |row: usize| &matrix[(start + row) * side + start..][..width];
    (0..width).flat_map(|at| row(at).iter().map(|&value| f64::from(value))).collect()
}

/// Writes the upper triangle of a block on the diagonal.
fn write_block(matrix: &mut [f32], side: usize, start: usize, width: usize, block: &[f64]) {
    for row in 0..width {
        for column in row..width {
            matrix[(start + row) * side + start + column] = block[row * width + column] as f32;
        }
    }
}

/// A = R R^T for one block, in its upper triangle.
fn factor_block(block: &mut [f64], width: usize) -> bool {
    for column in (0..width).rev() {
        for row in (0..=column).rev() {
            let tail = |of: usize| &block[of * width + column + 1..(of + 1) * width];
            let known: f64 = tail(row).iter().zip(tail(column)).map(|(a, b)| a * b).sum();
            let left = block[row * width + column] - known;
            if row == column {
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
    use super::*;

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
            assert!(invert_factor(&mut upper, side).unwrap());
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
            assert!(!invert_factor(&mut matrix, side).unwrap());
            assert_eq!(matrix[side], 5.0, "what lies below the diagonal is kept");
        }
    }

    #[test]
    fn the_number_of_threads_does_not_change_a_bit() {
        let run = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut matrix = positive(300);
            assert!(pool.install(|| invert_factor(&mut matrix, 300)).unwrap());
            matrix
        };
        assert!(run(1) == run(3));
    }
}
