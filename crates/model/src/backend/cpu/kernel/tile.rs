//! The innermost step of every product: one tile of the result, from prepared panels.

use crate::backend::Scalar;
use crate::backend::cpu::lanes::mapped;

/// The work of one call: `rows` x `columns` of the result, over `steps` units of the summed index.
#[derive(Debug, Clone, Copy)]
pub struct Tile<T> {
    /// At most [`Kernel::ROWS`].
    pub(super) rows: usize,
    /// At most [`Kernel::COLUMNS`].
    pub(super) columns: usize,
    /// Units of the summed index.
    pub(super) steps: usize,
    /// Elements from one row of the result to the next.
    pub(super) stride: usize,
    /// A factor on the sum.
    pub(super) scale: T,
    /// Whether to add to the result instead of replacing it.
    pub(super) add: bool,
}

/// The rows of the left matrix that a tile reads. One of the two strides is 1.
#[derive(Debug, Clone, Copy)]
pub struct Rows<U> {
    /// The first row at the first unit.
    pub(super) first: *const U,
    /// Units from one row to the next.
    pub(super) row: usize,
    /// Units from one step of the summed index to the next.
    pub(super) step: usize,
}

/// A way to compute tiles. Every element is summed in the order of the summed index, wherever it
/// lies in a tile. So results depend on shapes alone.
pub trait Kernel: Copy + Send + Sync + 'static {
    /// The number type of matrices.
    type Number: Scalar;
    /// The element of panels: one number, or two that are multiplied at once.
    type Unit: Copy + Send + Sync + Default + 'static;
    /// The largest number of rows of a tile.
    const ROWS: usize;
    /// The largest number of columns of a tile, and the width of a right panel.
    const COLUMNS: usize;
    /// Numbers in a unit.
    const STEP: usize;

    /// A unit of one number or of two. If a unit holds one number, the second is not read.
    fn unit(first: Self::Number, second: Self::Number) -> Self::Unit;

    /// The numbers as units, if a unit is a plain number; else `None`.
    fn as_units(numbers: &[Self::Number]) -> Option<&[Self::Unit]>;

    /// Makes units of numbers that are adjacent along the summed index. The last of an odd number
    /// is paired with 0.
    #[inline(always)]
    fn along(numbers: &[Self::Number], units: &mut [Self::Unit]) {
        // The branch is decided when the kernel is compiled.
        if Self::STEP == 1 {
            mapped(numbers, units, |number| Self::unit(number, Self::Number::ZERO));
            return;
        }
        let whole = numbers.chunks_exact(Self::STEP);
        let rest = whole.remainder();
        for (unit, numbers) in units.iter_mut().zip(whole) {
            *unit = Self::unit(numbers[0], numbers[Self::STEP - 1]);
        }
        if let (Some(&last), Some(unit)) = (rest.first(), units.last_mut()) {
            *unit = Self::unit(last, Self::Number::ZERO);
        }
    }

    /// Makes the units of one step from numbers of several rows. `second` is empty if the step has
    /// no second number.
    #[inline(always)]
    fn across(first: &[Self::Number], second: &[Self::Number], units: &mut [Self::Unit]) {
        if second.is_empty() {
            mapped(first, units, |number| Self::unit(number, Self::Number::ZERO));
        } else {
            for ((unit, &first), &second) in units.iter_mut().zip(first).zip(second) {
                *unit = Self::unit(first, second);
            }
        }
    }

    /// Transposes `from`, rows of `steps` units, into `to`, rows of as many units as `from` has
    /// rows.
    #[inline(always)]
    fn transpose(from: &[Self::Unit], steps: usize, to: &mut [Self::Unit]) {
        let rows = from.len() / steps.max(1);
        for (step, to) in to.chunks_exact_mut(rows).enumerate() {
            for (row, to) in to.iter_mut().enumerate() {
                *to = from[row * steps + step];
            }
        }
    }

    /// One tile of `left right`.
    ///
    /// # Safety
    /// `left` must be valid for reads of `rows` rows of `steps` units. `right` must be valid for
    /// reads of `steps * COLUMNS` units and aligned to 64 bytes. `result` must be valid for reads
    /// and writes of `rows` rows of `columns` numbers, `stride` apart. The processor must have the
    /// features that the kernel was chosen for.
    unsafe fn tile(
        self,
        tile: Tile<Self::Number>,
        left: Rows<Self::Unit>,
        right: *const Self::Unit,
        result: *mut Self::Number,
    );
}

/// Plain loops, for every processor and both number types.
#[derive(Debug, Clone, Copy)]
pub struct Plain<T>(std::marker::PhantomData<T>);

impl<T> Plain<T> {
    pub(super) fn new() -> Self {
        Plain(std::marker::PhantomData)
    }
}

impl<T: Scalar> Kernel for Plain<T> {
    type Number = T;
    type Unit = T;
    const ROWS: usize = 4;
    const COLUMNS: usize = 8;
    const STEP: usize = 1;

    #[inline(always)]
    fn unit(first: T, _: T) -> T {
        first
    }

    #[inline(always)]
    fn as_units(numbers: &[T]) -> Option<&[T]> {
        Some(numbers)
    }

    #[inline(always)]
    unsafe fn tile(self, tile: Tile<T>, left: Rows<T>, right: *const T, result: *mut T) {
        let mut sums = [[T::ZERO; 8]; 4];
        // SAFETY: the caller guarantees `steps` rows of the right panel.
        let right = unsafe { std::slice::from_raw_parts(right, tile.steps * Self::COLUMNS) };
        for (step, right) in right.as_chunks::<8>().0.iter().enumerate() {
            for (row, sums) in sums.iter_mut().enumerate().take(tile.rows) {
                // SAFETY: the caller guarantees `rows` rows of `steps` units.
                let left = unsafe { left.first.add(row * left.row + step * left.step).read() };
                for (sum, &right) in sums.iter_mut().zip(right) {
                    *sum += left * right;
                }
            }
        }
        for (row, sums) in sums.iter().enumerate().take(tile.rows) {
            // SAFETY: the caller guarantees `rows` rows of `columns` numbers.
            let out = unsafe {
                std::slice::from_raw_parts_mut(result.add(row * tile.stride), tile.columns)
            };
            for (out, &sum) in out.iter_mut().zip(sums) {
                *out = if tile.add { *out + tile.scale * sum } else { tile.scale * sum };
            }
        }
    }
}

/// A kernel of single precision whose panels are rounded to bf16, for processors without bf16
/// products.
#[derive(Debug, Clone, Copy)]
pub struct Rounded<K>(pub(super) K);

impl<K: Kernel<Number = f32, Unit = f32>> Kernel for Rounded<K> {
    type Number = f32;
    type Unit = f32;
    const ROWS: usize = K::ROWS;
    const COLUMNS: usize = K::COLUMNS;
    const STEP: usize = 1;

    #[inline(always)]
    fn unit(first: f32, _: f32) -> f32 {
        f32::from_bits(rounded(first))
    }

    #[inline(always)]
    fn as_units(_: &[f32]) -> Option<&[f32]> {
        None
    }

    #[inline(always)]
    unsafe fn tile(self, tile: Tile<f32>, left: Rows<f32>, right: *const f32, result: *mut f32) {
        // SAFETY: the inner kernel asks for the same guarantees.
        unsafe { self.0.tile(tile, left, right, result) }
    }
}

/// Rounds to the nearest bf16, ties to even; the lower half of the bits becomes 0. NaN stays NaN.
#[inline(always)]
pub(super) fn rounded(value: f32) -> u32 {
    let bits = value.to_bits();
    // Just under half of the last kept bit, and exactly half if that bit is odd: ties go to even.
    let even = bits.wrapping_add(0x7FFF + ((bits >> 16) & 1));
    // Without this, the carry could turn a NaN into 0. The bit set here keeps it a NaN.
    let bits = if value.is_nan() { bits | 0x0040_0000 } else { even };
    bits & 0xFFFF_0000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_to_bf16_is_that_of_the_half_crate() {
        let patterns = (0..=u32::MAX).step_by(9973).chain([
            0x7FFF_FFFF,
            0x7F80_0001,
            0xFFFF_FFFF,
            0x7F7F_FFFF,
        ]);
        for bits in patterns {
            let value = f32::from_bits(bits);
            let expected = half::bf16::from_f32(value);
            let found = f32::from_bits(rounded(value));
            assert!(
                found.to_bits() == expected.to_f32().to_bits()
                    || (found.is_nan() && expected.is_nan()),
                "{value:e} became {found:e} instead of {expected}"
            );
        }
    }
}
