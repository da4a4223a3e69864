//! Tiles of 12 x 32 on AVX-512: in single precision, and of bf16 pairs with sums in single precision.

use std::arch::x86_64::*;

use super::tile::{Kernel, Rows, Tile, pair};

const ROWS: usize = 12;
const COLUMNS: usize = 32;

/// Single precision.
#[derive(Debug, Clone, Copy)]
pub struct Avx512(());

impl Avx512 {
    pub(super) fn new() -> Option<Self> {
        is_x86_feature_detected!("avx512f").then_some(Avx512(()))
    }
}

/// Products of bf16 pairs.
#[derive(Debug, Clone, Copy)]
pub struct Avx512Bf16(());

impl Avx512Bf16 {
    pub(super) fn new() -> Option<Self> {
        (is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16")).then_some(Avx512Bf16(()))
    }
}

/// Calls the tile of as many rows as there are.
macro_rules! every_row {
    ($along:literal, $tile:ident, $left:ident, $right:ident, $result:ident) => {
        match $tile.rows {
            12 => rows::<12, $along>($tile, $left, $right, $result),
            11 => rows::<11, $along>($tile, $left, $right, $result),
            10 => rows::<10, $along>($tile, $left, $right, $result),
            9 => rows::<9, $along>($tile, $left, $right, $result),
            8 => rows::<8, $along>($tile, $left, $right, $result),
            7 => rows::<7, $along>($tile, $left, $right, $result),
            6 => rows::<6, $along>($tile, $left, $right, $result),
            5 => rows::<5, $along>($tile, $left, $right, $result),
            4 => rows::<4, $along>($tile, $left, $right, $result),
            3 => rows::<3, $along>($tile, $left, $right, $result),
            2 => rows::<2, $along>($tile, $left, $right, $result),
            _ => rows::<1, $along>($tile, $left, $right, $result),
        }
    };
}

/// The sums of a tile are the only thing that differs between the two kernels.
macro_rules! tiles {
    ($kernel:ident, $unit:ty, $step:literal, $features:literal, $multiply:path, $unit_of:expr) => {
        impl Kernel for $kernel {
            type Number = f32;
            type Unit = $unit;
            const ROWS: usize = ROWS;
            const COLUMNS: usize = COLUMNS;
            const STEP: usize = $step;

            #[inline(always)]
            fn unit(first: f32, second: f32) -> $unit {
                $unit_of(first, second)
            }

            #[inline(always)]
            unsafe fn tile(self, tile: Tile<f32>, left: Rows<$unit>, right: *const $unit, result: *mut f32) {
                #[target_feature(enable = $features)]
                unsafe fn rows<const R: usize, const ALONG: bool>(
                    tile: Tile<f32>,
                    left: Rows<$unit>,
                    mut right: *const $unit,
                    result: *mut f32,
                ) {
                    let mut sums = [[_mm512_setzero_ps(); 2]; R];
                    // One stride is known to be 1, which leaves the addresses of all rows to few registers.
                    let (row_stride, step_stride) = if ALONG { (left.row, 1) } else { (1, left.step) };
                    let mut left = left.first.cast::<f32>();
                    // SAFETY: the caller vouches for `steps` rows of both panels, the right one on a multiple of 64.
                    unsafe {
                        for _ in 0..tile.steps {
                            let columns = [
                                _mm512_load_ps(right.cast::<f32>()),
                                _mm512_load_ps(right.cast::<f32>().add(16)),
                            ];
                            for (row, sums) in sums.iter_mut().enumerate() {
                                let row = _mm512_set1_ps(left.add(row * row_stride).read());
                                sums[0] = $multiply(sums[0], row, columns[0]);
                                sums[1] = $multiply(sums[1], row, columns[1]);
                            }
                            left = left.add(step_stride);
                            right = right.add(COLUMNS);
                        }
                        store(&sums, tile, result);
                    }
                }
                // SAFETY: the caller's promises are passed on; `rows` follows `R`.
                unsafe {
                    if left.step == 1 {
                        every_row!(true, tile, left, right, result)
                    } else {
                        every_row!(false, tile, left, right, result)
                    }
                }
            }
        }
    };
}

tiles!(Avx512, f32, 1, "avx512f", single, |first, _| first);
tiles!(Avx512Bf16, u32, 2, "avx512f,avx512bf16", paired, pair);

#[inline]
#[target_feature(enable = "avx512f")]
fn single(sum: __m512, left: __m512, right: __m512) -> __m512 {
    _mm512_fmadd_ps(left, right, sum)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn paired(sum: __m512, left: __m512, right: __m512) -> __m512 {
    // SAFETY: both types are 512 bits without a forbidden pattern.
    let (left, right) = unsafe { (std::mem::transmute(left), std::mem::transmute(right)) };
    _mm512_dpbf16_ps(sum, left, right)
}

/// Writes a tile, its columns cut at `tile.columns`.
///
/// # Safety
/// As for [`Kernel::tile`].
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store<const R: usize>(sums: &[[__m512; 2]; R], tile: Tile<f32>, result: *mut f32) {
    let columns = tile.columns.min(COLUMNS);
    let masks = [columns.min(16), columns.saturating_sub(16)].map(|count| ((1_u32 << count) - 1) as u16);
    let scale = _mm512_set1_ps(tile.scale);
    for (row, sums) in sums.iter().enumerate() {
        for (half, (&sum, mask)) in sums.iter().zip(masks).enumerate() {
            // SAFETY: the caller vouches for `columns` numbers of every row; masked lanes are not touched.
            unsafe {
                let out = result.add(row * tile.stride).wrapping_add(half * 16);
                let value = if tile.add {
                    _mm512_fmadd_ps(scale, sum, _mm512_maskz_loadu_ps(mask, out))
                } else {
                    _mm512_mul_ps(scale, sum)
                };
                _mm512_mask_storeu_ps(out, mask, value);
            }
        }
    }
}
