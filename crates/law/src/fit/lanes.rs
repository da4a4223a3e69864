//! Arithmetic in fixed lanes. Wide vector units speed it up where the processor has them, and
//! change no bit.
//!
//! Every sum runs in [`LANES`] lanes that are added in one order. The compiler neither fuses nor
//! reorders these operations.

/// The number of lanes of a sum.
pub(super) const LANES: usize = 8;

/// Runs `loops` compiled for the widest vector units of this processor. The closure should be
/// `#[inline(always)]`.
///
/// It must be `FnMut`. A closure that runs only once is called through a function without that
/// attribute. A long body then stays compiled for the baseline processor.
#[inline(always)]
pub(super) fn widest<R>(
    #[cfg_attr(not(target_arch = "wasm32"), allow(unused_mut))] mut loops: impl FnMut() -> R,
) -> R {
    #[cfg(not(target_arch = "wasm32"))]
    {
        struct Loops<F>(F);

        impl<R, F: FnMut() -> R> pulp::NullaryFnOnce for Loops<F> {
            type Output = R;

            #[inline(always)]
            fn call(mut self) -> R {
                (self.0)()
            }
        }

        pulp::Arch::new().dispatch(Loops(loops))
    }
    #[cfg(target_arch = "wasm32")]
    loops()
}

/// A sum of products. Both lengths are the same multiple of [`LANES`].
#[inline(always)]
pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    for (a, b) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    // One fixed order: rounding depends on the order of additions.
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// `x -= factor v`.
#[inline(always)]
pub(super) fn subtract(x: &mut [f64], factor: f64, v: &[f64]) {
    for (x, v) in x.iter_mut().zip(v) {
        *x -= factor * v;
    }
}

/// The exponential of `x`, which is first clamped to -708 to 709. It has no branches or tables, so
/// lanes run side by side. `x = k ln 2 + r` with `|r| <= ln 2 / 2`, then Taylor's series to `r^13`.
#[inline(always)]
pub(super) fn exp(x: f64) -> f64 {
    /// `1.5 2^52`: adding it rounds to a whole number and leaves that in the lowest bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    /// `ln 2` in two parts. The first one ends in zero bits, so `k` times it is exact (Cody and
    /// Waite 1980).
    const LN_2: [f64; 2] = [6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10];
    let x = x.clamp(-708.0, 709.0);
    let rounded = x * std::f64::consts::LOG2_E + ROUND;
    let k = rounded - ROUND;
    let r = (x - k * LN_2[0]) - k * LN_2[1];
    let mut sum = 1.0 / 6_227_020_800.0;
    for inverse in [
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5_040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ] {
        sum = sum * r + inverse;
    }
    // `k` is added to the exponent bits, which multiplies by `2^k`.
    f64::from_bits(sum.to_bits().wrapping_add(rounded.to_bits() << 52))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_that_of_the_library_to_two_units_of_the_last_place() {
        for i in -70_700..=70_800 {
            let x = f64::from(i) * 0.01 + 1e-3 * f64::from(i % 7);
            let (found, expected) = (exp(x), x.exp());
            assert!(
                (found - expected).abs() <= 2.0 * f64::EPSILON * expected,
                "{x}: {found} {expected}"
            );
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(-1e9) < 1e-300 && exp(1e9).is_finite());
    }

    #[test]
    fn vector_units_change_no_bit() {
        let a: Vec<f64> = (0..64).map(|i| f64::from(i).sin()).collect();
        let b: Vec<f64> = (0..64).map(|i| f64::from(i * i).cos()).collect();
        assert_eq!(widest(|| dot(&a, &b)).to_bits(), dot(&a, &b).to_bits());
        let wide = widest(|| a.iter().map(|x| exp(3.0 * x)).collect::<Vec<_>>());
        for (wide, x) in wide.iter().zip(&a) {
            assert_eq!(wide.to_bits(), exp(3.0 * x).to_bits());
        }
    }
}
