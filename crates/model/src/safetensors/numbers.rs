//! Converts stored elements to f32 and back.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use pulp::Arch;
use rayon::prelude::*;

use super::dtype::Dtype;
use crate::wide::widest;

/// Elements per chunk, where a copy of them is needed.
const CHUNK: usize = 4096;

/// Converts little-endian elements, exactly.
pub(super) fn to_f32(dtype: Dtype, bytes: &[u8], out: &mut [f32]) {
    match dtype {
        Dtype::F32 => {
            for (value, four) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
                *value = f32::from_le_bytes(*four);
            }
        }
        Dtype::BF16 => {
            widest(
                Arch::new(),
                #[inline(always)]
                || {
                    for (value, two) in out.iter_mut().zip(bytes.as_chunks::<2>().0) {
                        *value = f32::from_bits(u32::from(u16::from_le_bytes(*two)) << 16);
                    }
                },
            );
        }
        Dtype::F16 => {
            // In chunks, because the processor converts eight f16 at a time.
            let mut chunk = [f16::ZERO; CHUNK];
            for (values, bytes) in out.chunks_mut(CHUNK).zip(bytes.chunks(2 * CHUNK)) {
                let chunk = &mut chunk[..values.len()];
                for (half, two) in chunk.iter_mut().zip(bytes.as_chunks::<2>().0) {
                    *half = f16::from_le_bytes(*two);
                }
                chunk.convert_to_f32_slice(values);
            }
        }
    }
}

/// The first element that is NaN or infinite. In each format, all bits of its exponent are set.
pub(super) fn not_finite(dtype: Dtype, bytes: &[u8]) -> Option<usize> {
    let exponent = match dtype {
        Dtype::F32 => {
            const MASK: u32 = 0x7f80_0000;
            let odd = |four: &[u8; 4]| u32::from_le_bytes(*four) & MASK == MASK;
            return first(bytes.as_chunks::<4>().0, odd);
        }
        Dtype::BF16 => 0x7f80_u16,
        Dtype::F16 => 0x7c00,
    };
    first(bytes.as_chunks::<2>().0, |two| u16::from_le_bytes(*two) & exponent == exponent)
}

/// The first odd element. A whole chunk is tested without an early exit, which vectorises.
fn first<const SIZE: usize>(
    elements: &[[u8; SIZE]],
    odd: impl Fn(&[u8; SIZE]) -> bool,
) -> Option<usize> {
    for (place, chunk) in elements.chunks(CHUNK).enumerate() {
        if chunk.iter().fold(false, |any, element| any | odd(element)) {
            return chunk.iter().position(odd).map(|at| place * CHUNK + at);
        }
    }
    None
}

/// Writes elements in little endian, rounded to nearest, ties to even.
///
/// Returns, as the error, the index of the first value that is finite but too large for `dtype`.
pub(super) fn from_f32(dtype: Dtype, values: &[f32], out: &mut [u8]) -> Result<(), usize> {
    match dtype {
        Dtype::F32 => {
            for (four, value) in out.as_chunks_mut::<4>().0.iter_mut().zip(values) {
                *four = value.to_le_bytes();
            }
        }
        Dtype::BF16 => {
            let too_large = widest(
                Arch::new(),
                #[inline(always)]
                || {
                    let mut too_large = false;
                    for (two, value) in out.as_chunks_mut::<2>().0.iter_mut().zip(values) {
                        let rounded = upper_half(value.to_bits());
                        *two = rounded.to_le_bytes();
                        // A finite value that was rounded up to infinity.
                        too_large |= (rounded & 0x7fff == 0x7f80) & value.is_finite();
                    }
                    too_large
                },
            );
            if too_large {
                let at = |value: &f32| value.is_finite() && !bf16::from_f32(*value).is_finite();
                return values.iter().position(at).map_or(Ok(()), Err);
            }
        }
        Dtype::F16 => {
            let mut chunk = [f16::ZERO; CHUNK];
            for (place, (values, out)) in
                values.chunks(CHUNK).zip(out.chunks_mut(2 * CHUNK)).enumerate()
            {
                let chunk = &mut chunk[..values.len()];
                chunk.convert_from_f32_slice(values);
                for (index, (half, value)) in chunk.iter().zip(values).enumerate() {
                    if value.is_finite() && !half.is_finite() {
                        return Err(place * CHUNK + index);
                    }
                    out[2 * index..][..2].copy_from_slice(&half.to_le_bytes());
                }
            }
        }
    }
    Ok(())
}

/// The bits of the nearest bf16, ties to even. NaN stays NaN. It has no branches, so that loops
/// over it vectorise.
#[inline(always)]
fn upper_half(bits: u32) -> u16 {
    let nearest = bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16;
    // Sets the quiet bit, so that a NaN whose low bits are cut stays a NaN.
    let silent = bits >> 16 | 0x40;
    if bits & 0x7fff_ffff > 0x7f80_0000 { silent as u16 } else { nearest as u16 }
}

/// The first value that is not finite.
pub(super) fn first_not_finite(values: &[f32]) -> Option<usize> {
    // Not `any`: it stops at the first hit and therefore does not vectorise.
    let finite = widest(
        Arch::new(),
        #[inline(always)]
        || values.iter().fold(true, |all, value| all & value.is_finite()),
    );
    if finite { None } else { values.iter().position(|value| !value.is_finite()) }
}

impl Dtype {
    /// Rounds numbers to what this type can hold, to nearest, ties to even. The error is the index
    /// of the first number that is finite but too large.
    pub fn round(self, values: &mut [f32]) -> Result<(), usize> {
        const PIECE: usize = 1 << 14;
        if self == Self::F32 {
            return Ok(());
        }
        let pieces = values.par_chunks_mut(PIECE).enumerate();
        let bad = pieces.filter_map(|(piece, values)| {
            let mut bytes = [0; 2 * PIECE];
            let bytes = &mut bytes[..2 * values.len()];
            let rounded = from_f32(self, values, bytes);
            rounded.map(|()| to_f32(self, bytes, values)).err().map(|at| piece * PIECE + at)
        });
        bad.min().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_element_that_is_no_number_is_found() {
        for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut values = vec![1.0; 3 * CHUNK];
                values[0] = if dtype == Dtype::F16 { 65_504.0 } else { 3.3e38 };
                values[1] = -0.0;
                let bytes = |values: &[f32]| {
                    let size = if dtype == Dtype::F32 { 4 } else { 2 };
                    let mut bytes = vec![0; size * values.len()];
                    from_f32(dtype, values, &mut bytes).unwrap();
                    bytes
                };
                assert_eq!(not_finite(dtype, &bytes(&values)), None, "{dtype:?}");
                values[CHUNK + 7] = bad;
                values[2 * CHUNK] = bad;
                assert_eq!(not_finite(dtype, &bytes(&values)), Some(CHUNK + 7), "{dtype:?}");
            }
        }
    }

    #[test]
    fn every_sixteen_bit_float_comes_back_with_its_bits() {
        let bits: Vec<u16> = (0..=u16::MAX).collect();
        let bytes: Vec<u8> = bits.iter().flat_map(|bits| bits.to_le_bytes()).collect();
        for dtype in [Dtype::F16, Dtype::BF16] {
            let mut values = vec![0.0; bits.len()];
            to_f32(dtype, &bytes, &mut values);
            let mut back = vec![0; bytes.len()];
            from_f32(dtype, &values, &mut back).unwrap();
            for (index, two) in back.as_chunks::<2>().0.iter().enumerate() {
                if !values[index].is_nan() {
                    assert_eq!(
                        u16::from_le_bytes(*two),
                        bits[index],
                        "{dtype:?} {:04x}",
                        bits[index]
                    );
                }
            }
        }
    }

    #[test]
    fn sixteen_bits_round_to_the_nearest_and_ties_to_even() {
        // A tie between 1 and the next bf16 (1 + 2^-7) or f16 (1 + 2^-10) rounds to the even 1; a
        // little more rounds up.
        for (dtype, step) in [(Dtype::BF16, 2.0_f32.powi(-7)), (Dtype::F16, 2.0_f32.powi(-10))] {
            let asked = [1.0 + step / 2.0, 1.0 + step / 2.0 + step / 64.0, 1.0 + 1.5 * step];
            let mut bytes = [0; 6];
            from_f32(dtype, &asked, &mut bytes).unwrap();
            let mut got = [0.0; 3];
            to_f32(dtype, &bytes, &mut got);
            assert_eq!(got, [1.0, 1.0 + step, 1.0 + 2.0 * step], "{dtype:?}");
        }
    }

    #[test]
    fn a_value_too_large_for_its_type_is_named_by_its_index() {
        let mut values = vec![1.0; CHUNK + 3];
        values[CHUNK + 1] = 65_520.0;
        let mut room = vec![0; 4 * values.len()];
        assert_eq!(from_f32(Dtype::F16, &values, &mut room), Err(CHUNK + 1));
        assert_eq!(from_f32(Dtype::BF16, &[f32::INFINITY, 0.0, f32::MAX], &mut room), Err(2));
        assert_eq!(from_f32(Dtype::F32, &[f32::MAX], &mut room), Ok(()));
    }

    #[test]
    fn the_upper_half_is_that_of_the_half_crate_for_every_kind_of_number() {
        for high in 0..=u16::MAX {
            for low in [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff] {
                let bits = u32::from(high) << 16 | low;
                assert_eq!(
                    upper_half(bits),
                    bf16::from_f32(f32::from_bits(bits)).to_bits(),
                    "{bits:08x}"
                );
            }
        }
    }

    #[test]
    fn the_first_value_that_is_not_finite_is_found() {
        assert_eq!(first_not_finite(&[0.0, f32::MAX, f32::MIN_POSITIVE]), None);
        assert_eq!(first_not_finite(&[0.0, f32::NEG_INFINITY, f32::NAN]), Some(1));
        assert_eq!(first_not_finite(&[]), None);
    }
}
