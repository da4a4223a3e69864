//! Tiles of 6 x 16 in single precision, with AVX2 and fused multiply-add.

use std::arch::x86_64::*;

use super::tile::{Kernel, Rows, Tile};

// 6 x 16 sums fill 12 of the 16 registers. Two more hold the columns, one the row's number.
const ROWS: usize = 6;
const COLUMNS: usize = 16;

/// Single precision.
#[derive(Debug, Clone, Copy)]
pub struct Avx2(());

impl Avx2 {
    pub(super) fn new() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Avx2(()))
    }
}

impl Kernel for Avx2 {
    type Number = f32;
    type Unit = f32;
    const ROWS: usize = ROWS;
    const COLUMNS: usize = COLUMNS;
    const STEP: usize = 1;

    #[inline(always)]
    fn unit(first: f32, _: f32) -> f32 {
        first
    }

    #[inline(always)]
    fn as_units(numbers: &[f32]) -> Option<&[f32]> {
        Some(numbers)
    }

    #[inline(always)]
    unsafe fn tile(self, tile: Tile<f32>, left: Rows<f32>, right: *const f32, result: *mut f32) {
        // SAFETY: the caller's guarantees are passed on; `R` equals `rows`.
        unsafe {
            match tile.rows {
                6 => rows::<6>(tile, left, right, result),
                5 => rows::<5>(tile, left, right, result),
                4 => rows::<4>(tile, left, right, result),
                3 => rows::<3>(tile, left, right, result),
                2 => rows::<2>(tile, left, right, result),
                _ => rows::<1>(tile, left, right, result),
            }
        }
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn rows<const R: usize>(
    tile: Tile<f32>,
    mut left: Rows<f32>,
    mut right: *const f32,
    result: *mut f32,
) {
    let mut sums = [[_mm256_setzero_ps(); 2]; R];
    let mut values = [0.0_f32; COLUMNS];
    // SAFETY: the caller guarantees `steps` rows of both panels, with the right one aligned to 64
    // bytes, and `columns` numbers in every row of the result.
    unsafe {
        for _ in 0..tile.steps {
            let columns = [_mm256_load_ps(right), _mm256_load_ps(right.add(8))];
            for (row, sums) in sums.iter_mut().enumerate() {
                let row = _mm256_broadcast_ss(&*left.first.add(row * left.row));
                sums[0] = _mm256_fmadd_ps(row, columns[0], sums[0]);
                sums[1] = _mm256_fmadd_ps(row, columns[1], sums[1]);
            }
            left.first = left.first.add(left.step);
            right = right.add(COLUMNS);
        }
        for (row, sums) in sums.iter().enumerate() {
            // Through an array, because a tile at the edge has fewer than 16 columns.
            _mm256_storeu_ps(values.as_mut_ptr(), sums[0]);
            _mm256_storeu_ps(values.as_mut_ptr().add(8), sums[1]);
            let columns = tile.columns.min(COLUMNS);
            let out = std::slice::from_raw_parts_mut(result.add(row * tile.stride), columns);
            for (out, &sum) in out.iter_mut().zip(&values) {
                *out = if tile.add { tile.scale.mul_add(sum, *out) } else { tile.scale * sum };
            }
        }
    }
}
