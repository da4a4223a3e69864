//! Helpers for the tests of the operations.

use crate::backend::Scalar;

/// `len` reproducible numbers between -1 and 1, none of them near 0.
pub(super) fn numbers<T: Scalar>(len: usize, seed: u64) -> Vec<T> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x1234_5678_9ABC_DEF1;
    (0..len)
        .map(|_| {
            // Xorshift: its numbers are the same on every machine.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let size = 0.1 + 0.9 * (state >> 11) as f64 / (1_u64 << 53) as f64;
            T::from_f64(if state & 1 == 0 { size } else { -size })
        })
        .collect()
}

/// Runs `work` in a pool of `threads`.
pub(super) fn on_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

/// Compares `gradient` with central differences of `value` at `at`: within 1e-6 of the largest
/// entry.
pub(super) fn check_gradient(
    name: &str,
    at: &[f64],
    gradient: &[f64],
    value: impl Fn(&[f64]) -> f64,
) {
    // Fourth-order differences: their error is about h^4 + 1e-16 / h, far below the tolerance.
    let step = 1e-3;
    let largest = gradient.iter().fold(0.0_f64, |largest, g| largest.max(g.abs()));
    assert!(largest > 0.0, "the gradient of {name} is zero everywhere");
    let mut moved = at.to_vec();
    for i in 0..at.len() {
        // Restores the number after each evaluation.
        let mut shifted = |by: f64| {
            moved[i] = at[i] + by;
            let result = value(&moved);
            moved[i] = at[i];
            result
        };
        let difference = (8.0 * (shifted(step) - shifted(-step))
            - (shifted(2.0 * step) - shifted(-2.0 * step)))
            / (12.0 * step);
        assert!(
            (difference - gradient[i]).abs() <= 1e-6 * largest,
            "{name}[{i}]: {} by the backward pass, {difference} by finite differences",
            gradient[i]
        );
    }
}
