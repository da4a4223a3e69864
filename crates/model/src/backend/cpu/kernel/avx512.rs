//! Tiles of 12 x 32 with AVX-512: in single precision, or of bf16 pairs that are summed in single
//! precision.

use std::arch::x86_64::*;

use super::tile::{Kernel, Rows, Tile, rounded};

// 12 x 32 sums fill 24 of the 32 registers, which leaves room for the operands.
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
        let all = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512bf16");
        all.then_some(Avx512Bf16(()))
    }
}

/// Calls `rows` with the number of rows and of vectors as constants, so that all sums stay in
/// registers.
macro_rules! every_row {
    ($along:literal, $tile:ident, $left:ident, $right:ident, $result:ident) => {
        if $tile.columns > 16 {
            every_row!($along, 2, $tile, $left, $right, $result)
        } else {
            every_row!($along, 1, $tile, $left, $right, $result)
        }
    };
    ($along:literal, $vectors:literal, $tile:ident, $left:ident, $right:ident, $result:ident) => {
        match $tile.rows {
            12 => rows::<12, $vectors, $along>($tile, $left, $right, $result),
            11 => rows::<11, $vectors, $along>($tile, $left, $right, $result),
            10 => rows::<10, $vectors, $along>($tile, $left, $right, $result),
            9 => rows::<9, $vectors, $along>($tile, $left, $right, $result),
            8 => rows::<8, $vectors, $along>($tile, $left, $right, $result),
            7 => rows::<7, $vectors, $along>($tile, $left, $right, $result),
            6 => rows::<6, $vectors, $along>($tile, $left, $right, $result),
            5 => rows::<5, $vectors, $along>($tile, $left, $right, $result),
            4 => rows::<4, $vectors, $along>($tile, $left, $right, $result),
            3 => rows::<3, $vectors, $along>($tile, $left, $right, $result),
            2 => rows::<2, $vectors, $along>($tile, $left, $right, $result),
            _ => rows::<1, $vectors, $along>($tile, $left, $right, $result),
        }
    };
}

/// Implements a kernel. The two differ only in what a unit is and how it is multiplied.
macro_rules! tiles {
    ($kernel:ident, $unit:ty, $step:literal, $features:literal, $multiply:path, $unit_of:expr, { $($layout:tt)* }) => {
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

            $($layout)*

            #[inline(always)]
            fn transpose(from: &[$unit], steps: usize, to: &mut [$unit]) {
                assert!(from.len() == to.len() && steps > 0 && from.len().is_multiple_of(steps));
                // SAFETY: the kernel only exists on processors with AVX-512. Both slices have the
                // same length, and a unit has 32 bits.
                unsafe { transpose(from.as_ptr().cast(), from.len() / steps, steps, to.as_mut_ptr().cast()) }
            }

            #[inline(always)]
            unsafe fn tile(self, tile: Tile<f32>, left: Rows<$unit>, right: *const $unit, result: *mut f32) {
                #[target_feature(enable = $features)]
                unsafe fn rows<const R: usize, const V: usize, const ALONG: bool>(
                    tile: Tile<f32>,
                    left: Rows<$unit>,
                    mut right: *const $unit,
                    result: *mut f32,
                ) {
                    let mut sums = [[_mm512_setzero_ps(); V]; R];
                    // One stride is the constant 1, so that the addresses of all rows need few
                    // registers.
                    let (row_stride, step_stride) = if ALONG { (left.row, 1) } else { (1, left.step) };
                    let mut left = left.first.cast::<f32>();
                    // SAFETY: the caller guarantees `steps` rows of both panels, with the right one
                    // aligned to 64 bytes.
                    unsafe {
                        for _ in 0..tile.steps {
                            let mut columns = [_mm512_setzero_ps(); V];
                            for (vector, columns) in columns.iter_mut().enumerate() {
                                *columns = _mm512_load_ps(right.cast::<f32>().add(16 * vector));
                            }
                            for (row, sums) in sums.iter_mut().enumerate() {
                                let row = _mm512_set1_ps(left.add(row * row_stride).read());
                                for (sum, &columns) in sums.iter_mut().zip(&columns) {
                                    *sum = $multiply(*sum, row, columns);
                                }
                            }
                            left = left.add(step_stride);
                            right = right.add(COLUMNS);
                        }
                        store(&sums, tile, result);
                    }
                }
                // SAFETY: the caller's guarantees are passed on; `R` equals `rows`.
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

tiles!(Avx512, f32, 1, "avx512f", single, |first, _| first, {
    #[inline(always)]
    fn as_units(numbers: &[f32]) -> Option<&[f32]> {
        Some(numbers)
    }
});

tiles!(Avx512Bf16, u32, 2, "avx512f,avx512bf16", paired, pair, {
    #[inline(always)]
    fn as_units(_: &[f32]) -> Option<&[u32]> {
        None
    }

    #[inline(always)]
    fn along(numbers: &[f32], units: &mut [u32]) {
        assert_eq!(numbers.len().div_ceil(2), units.len());
        // SAFETY: the kernel only exists on processors with these instructions. The length of
        // `units` is checked above.
        unsafe { pairs_along(numbers, units) }
    }

    #[inline(always)]
    fn across(first: &[f32], second: &[f32], units: &mut [u32]) {
        assert!(first.len() == units.len() && (second.is_empty() || second.len() == units.len()));
        // SAFETY: as above.
        unsafe { pairs_across(first, second, units) }
    }
});

/// Two numbers as bf16, the first in the lower half.
#[inline(always)]
fn pair(first: f32, second: f32) -> u32 {
    (rounded(first) >> 16) | rounded(second)
}

/// # Safety
/// `units` must hold one unit per two numbers, and the processor must have the enabled features.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn pairs_along(numbers: &[f32], units: &mut [u32]) {
    let mut blocks = numbers.chunks_exact(32);
    let mut done = 0;
    for block in &mut blocks {
        // SAFETY: a block is 32 numbers, and `units` has room for the 16 units of each.
        unsafe {
            let (low, high) =
                (_mm512_loadu_ps(block.as_ptr()), _mm512_loadu_ps(block.as_ptr().add(16)));
            let units = units.as_mut_ptr().add(done);
            _mm512_storeu_si512(
                units.cast(),
                // The second argument becomes the lower half.
                std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(high, low)),
            );
        }
        done += 16;
    }
    for (unit, numbers) in units[done..].iter_mut().zip(blocks.remainder().chunks(2)) {
        *unit = pair(numbers[0], numbers.get(1).copied().unwrap_or(0.0));
    }
}

/// # Safety
/// All slices must have the same length, or `second` must be empty. The processor must have the
/// enabled features.
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn pairs_across(first: &[f32], second: &[f32], units: &mut [u32]) {
    const fn interleaved() -> [u16; 32] {
        let mut order = [0; 32];
        let mut i = 0;
        while i < 32 {
            // The conversion leaves all firsts, then all seconds. A unit needs them in turn.
            order[i] = (i / 2 + 16 * (i % 2)) as u16;
            i += 1;
        }
        order
    }
    const ORDER: [u16; 32] = interleaved();
    // SAFETY: the array is 512 bits.
    let order = unsafe { _mm512_loadu_si512(ORDER.as_ptr().cast()) };
    for start in (0..units.len()).step_by(16) {
        let count = (units.len() - start).min(16);
        let mask = ((1_u32 << count) - 1) as u16;
        // SAFETY: masked lanes are neither read nor written; the others lie inside the slices.
        unsafe {
            let one = _mm512_maskz_loadu_ps(mask, first.as_ptr().add(start));
            let two = if second.is_empty() {
                _mm512_setzero_ps()
            } else {
                _mm512_maskz_loadu_ps(mask, second.as_ptr().add(start))
            };
            let both = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(two, one));
            let units = units.as_mut_ptr().add(start).cast();
            _mm512_mask_storeu_epi32(units, mask, _mm512_permutexvar_epi16(order, both));
        }
    }
}

/// Transposes rows of `steps` units into columns, in squares of 16 x 16.
///
/// # Safety
/// `from` and `to` must be valid for `rows * steps` units, and the processor must have AVX-512.
#[target_feature(enable = "avx512f")]
unsafe fn transpose(from: *const u32, rows: usize, steps: usize, to: *mut u32) {
    let mask = |count: usize| ((1_u32 << count.min(16)) - 1) as u16;
    for row in (0..rows).step_by(16) {
        for step in (0..steps).step_by(16) {
            let (high, wide) = ((rows - row).min(16), (steps - step).min(16));
            let mut lines = [_mm512_setzero_si512(); 16];
            // SAFETY: masked lanes are neither read nor written; the others lie inside the
            // matrices.
            unsafe {
                for (i, line) in lines.iter_mut().enumerate().take(high) {
                    *line = _mm512_maskz_loadu_epi32(
                        mask(wide),
                        from.add((row + i) * steps + step).cast(),
                    );
                }
                let columns = turned(lines);
                for (i, &column) in columns.iter().enumerate().take(wide) {
                    _mm512_mask_storeu_epi32(
                        to.add((step + i) * rows + row).cast(),
                        mask(high),
                        column,
                    );
                }
            }
        }
    }
}

/// The transpose of a 16 x 16 matrix, in four rounds. "Quarter" means 128 bits of a register.
#[inline]
#[target_feature(enable = "avx512f")]
fn turned(rows: [__m512i; 16]) -> [__m512i; 16] {
    let zero = _mm512_setzero_si512();
    let (mut two, mut four, mut eight, mut all) = ([zero; 16], [zero; 16], [zero; 16], [zero; 16]);
    for i in 0..8 {
        // Two rows: units a b a b of every quarter.
        two[2 * i] = _mm512_unpacklo_epi32(rows[2 * i], rows[2 * i + 1]);
        two[2 * i + 1] = _mm512_unpackhi_epi32(rows[2 * i], rows[2 * i + 1]);
    }
    for i in 0..4 {
        // Four rows: column c of every quarter in `four[4 i + c]`.
        four[4 * i] = _mm512_unpacklo_epi64(two[4 * i], two[4 * i + 2]);
        four[4 * i + 1] = _mm512_unpackhi_epi64(two[4 * i], two[4 * i + 2]);
        four[4 * i + 2] = _mm512_unpacklo_epi64(two[4 * i + 1], two[4 * i + 3]);
        four[4 * i + 3] = _mm512_unpackhi_epi64(two[4 * i + 1], two[4 * i + 3]);
    }
    for c in 0..4 {
        // Eight rows: 0x88 takes quarters 0 and 2 of both, 0xDD quarters 1 and 3.
        eight[c] = _mm512_shuffle_i32x4::<0x88>(four[c], four[4 + c]);
        eight[4 + c] = _mm512_shuffle_i32x4::<0xDD>(four[c], four[4 + c]);
        eight[8 + c] = _mm512_shuffle_i32x4::<0x88>(four[8 + c], four[12 + c]);
        eight[12 + c] = _mm512_shuffle_i32x4::<0xDD>(four[8 + c], four[12 + c]);
    }
    for c in 0..4 {
        all[c] = _mm512_shuffle_i32x4::<0x88>(eight[c], eight[8 + c]);
        all[8 + c] = _mm512_shuffle_i32x4::<0xDD>(eight[c], eight[8 + c]);
        all[4 + c] = _mm512_shuffle_i32x4::<0x88>(eight[4 + c], eight[12 + c]);
        all[12 + c] = _mm512_shuffle_i32x4::<0xDD>(eight[4 + c], eight[12 + c]);
    }
    all
}

#[inline]
#[target_feature(enable = "avx512f")]
fn single(sum: __m512, left: __m512, right: __m512) -> __m512 {
    _mm512_fmadd_ps(left, right, sum)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bf16")]
fn paired(sum: __m512, left: __m512, right: __m512) -> __m512 {
    // SAFETY: both types have 512 bits, and every bit pattern is valid.
    let [left, right] =
        [left, right].map(|half| unsafe { std::mem::transmute::<__m512, __m512bh>(half) });
    _mm512_dpbf16_ps(sum, left, right)
}

/// Writes a tile, up to column `tile.columns`.
///
/// # Safety
/// As for [`Kernel::tile`].
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn store<const R: usize, const V: usize>(
    sums: &[[__m512; V]; R],
    tile: Tile<f32>,
    result: *mut f32,
) {
    let columns = tile.columns.min(COLUMNS);
    let masks =
        [columns.min(16), columns.saturating_sub(16)].map(|count| ((1_u32 << count) - 1) as u16);
    let scale = _mm512_set1_ps(tile.scale);
    for (row, sums) in sums.iter().enumerate() {
        for (half, (&sum, mask)) in sums.iter().zip(masks).enumerate() {
            // SAFETY: the caller guarantees `columns` numbers in every row; masked lanes are not
            // touched.
            unsafe {
                // The second half may begin beyond the matrix. All its lanes are then masked, but
                // the address itself must not be computed with `add`.
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
