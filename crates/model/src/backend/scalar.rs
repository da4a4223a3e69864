//! The number type that an engine computes in: `f32` for work, `f64` to check it.

use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

/// A floating-point number of the engine.
pub trait Scalar:
    Copy
    + Send
    + Sync
    + 'static
    + PartialOrd
    + std::fmt::Debug
    + Default
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
{
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// Its name in records: `f32` or `f64`.
    const NAME: &'static str;

    /// Rounds to this type.
    fn from_f64(value: f64) -> Self;
    /// Converts to f64, exactly.
    fn to_f64(self) -> f64;
    /// Converts a stored number.
    fn from_f32(value: f32) -> Self;
    /// Rounds to a stored number.
    fn to_f32(self) -> f32;
    /// e to the power of `self`, written so that loops over it become vector code.
    fn exp(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// The larger of two numbers, neither of them NaN.
    #[inline(always)]
    fn larger(self, other: Self) -> Self {
        if self > other { self } else { other }
    }
}

impl Scalar for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const NAME: &'static str = "f32";

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value as f32
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn from_f32(value: f32) -> Self {
        value
    }
    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }
    #[inline(always)]
    fn exp(self) -> Self {
        exp_f32(self)
    }
    #[inline(always)]
    fn ln(self) -> Self {
        f32::ln(self)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        f32::sqrt(self)
    }
}

impl Scalar for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    const NAME: &'static str = "f64";

    #[inline(always)]
    fn from_f64(value: f64) -> Self {
        value
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }
    #[inline(always)]
    fn from_f32(value: f32) -> Self {
        f64::from(value)
    }
    #[inline(always)]
    fn to_f32(self) -> f32 {
        self as f32
    }
    #[inline(always)]
    fn exp(self) -> Self {
        f64::exp(self)
    }
    #[inline(always)]
    fn ln(self) -> Self {
        f64::ln(self)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }
}

/// The smallest and largest arguments of [`exp_f32`]; others are clamped to them.
const EXP_RANGE: (f32, f32) = (-86.6, 88.0);

/// e^x within two units in the last place. It has no branch or call, so that loops over it
/// vectorise.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2. A polynomial gives e^r (minimax coefficients of `expf` in
/// the Cephes library), and the exponent bits give 2^n. NaN stays NaN. Below -86.6 the result stays
/// at 2.5e-38, above 88 at 1.7e38. In a softmax or a sigmoid these cannot be told from 0 or
/// infinity, and no intermediate number is denormal.
#[inline(always)]
fn exp_f32(x: f32) -> f32 {
    // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer: at that size an f32 has no
    // fraction bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 as the sum of two parts. The first has few enough bits that n times it is exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // Not `min` and `max`, which would turn a NaN into a number.
    let x = if x > EXP_RANGE.1 { EXP_RANGE.1 } else { x };
    let x = if x < EXP_RANGE.0 { EXP_RANGE.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_6e-1;
    p = p * r + 0.5;
    // The first two terms of the series are exact: 1 + r.
    let p = p * r * r + r + 1.0;
    // The low bits of `shifted` hold n.
    let n = (shifted.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    p * f32::from_bits((n.wrapping_add(127) << 23) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_agrees_with_the_standard_library_to_two_units_in_the_last_place() {
        let mut worst = 0.0_f64;
        for i in -866_000..880_000 {
            let x = i as f32 * 1e-4;
            let exact = f64::from(x).exp();
            let found = f64::from(exp_f32(x));
            worst = worst.max((found - exact).abs() / exact);
        }
        assert!(worst < 2.0 * f64::from(f32::EPSILON), "largest relative error {worst:e}");
    }

    #[test]
    fn exp_of_the_extremes_stays_at_the_ends_of_its_range() {
        for low in [f32::NEG_INFINITY, -1e30, -87.0] {
            assert_eq!(exp_f32(low), exp_f32(EXP_RANGE.0));
        }
        for high in [f32::INFINITY, 1e30, 88.1] {
            assert_eq!(exp_f32(high), exp_f32(EXP_RANGE.1));
        }
        assert!(exp_f32(EXP_RANGE.0) < 3e-38 && exp_f32(EXP_RANGE.1).is_finite());
        assert!(exp_f32(f32::NAN).is_nan());
        assert_eq!(exp_f32(0.0), 1.0);
    }
}
