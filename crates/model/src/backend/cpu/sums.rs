//! Sums in a fixed order: sixteen lanes within a chunk, then chunk after chunk.

use pulp::Arch;
use rayon::prelude::*;

use super::chunks::CHUNK;
use crate::backend::Scalar;
use crate::wide::widest;

/// Sum of `a b`, in sixteen lanes.
#[inline(always)]
pub(super) fn dot<T: Scalar>(a: &[T], b: &[T]) -> T {
    let mut lanes = [T::ZERO; 16];
    let (a16, b16) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest =
        a16.remainder().iter().zip(b16.remainder()).fold(T::ZERO, |sum, (&a, &b)| sum + a * b);
    for (a, b) in a16.zip(b16) {
        for i in 0..16 {
            lanes[i] += a[i] * b[i];
        }
    }
    rest + folded(lanes, |a, b| a + b)
}

/// Sum in sixteen lanes. The number of values must be a multiple of sixteen.
#[inline(always)]
pub(super) fn total<T: Scalar>(values: &[T]) -> T {
    let (lines, rest) = values.as_chunks::<16>();
    assert!(rest.is_empty());
    let mut lanes = [T::ZERO; 16];
    for line in lines {
        for i in 0..16 {
            lanes[i] += line[i];
        }
    }
    folded(lanes, |a, b| a + b)
}

/// Reduces sixteen lanes to one by joining halves four times.
#[inline(always)]
pub(super) fn folded<T: Copy>(lanes: [T; 16], join: impl Fn(T, T) -> T) -> T {
    // Written out by length: the compiler turns a loop over the lengths into scalar code.
    let lanes: [T; 8] = std::array::from_fn(|i| join(lanes[i], lanes[i + 8]));
    let lanes: [T; 4] = std::array::from_fn(|i| join(lanes[i], lanes[i + 4]));
    let lanes: [T; 2] = std::array::from_fn(|i| join(lanes[i], lanes[i + 2]));
    join(lanes[0], lanes[1])
}

/// `total +=` every row of `partial`, first to last.
pub(super) fn sum_rows<T: Scalar>(partial: &[Vec<T>], total: &mut [T]) {
    for row in partial {
        for (total, &value) in total.iter_mut().zip(row) {
            *total += value;
        }
    }
}

/// Sum of squares in double precision. The norm of many small gradients would otherwise lose
/// digits.
pub(super) fn of_squares<T: Scalar>(arch: Arch, values: &[T]) -> f64 {
    let partial: Vec<f64> = values
        .par_chunks(CHUNK)
        .map(|chunk| {
            widest(
                arch,
                #[inline(always)]
                || {
                    let mut lanes = [0.0_f64; 16];
                    let lines = chunk.chunks_exact(16);
                    let rest: f64 =
                        lines.remainder().iter().map(|&x| x.to_f64() * x.to_f64()).sum();
                    for line in lines {
                        for i in 0..16 {
                            let value = line[i].to_f64();
                            lanes[i] += value * value;
                        }
                    }
                    lanes.iter().sum::<f64>() + rest
                },
            )
        })
        .collect();
    partial.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{numbers, on_threads};
    use super::*;

    #[test]
    fn a_sum_of_squares_is_one_and_does_not_follow_the_threads() {
        let values: Vec<f32> = numbers(3 * CHUNK + 5, 1);
        let exact: f64 = values.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        let one = on_threads(1, || of_squares(Arch::new(), &values));
        assert!((one - exact).abs() < 1e-12 * exact);
        assert_eq!(one.to_bits(), on_threads(3, || of_squares(Arch::new(), &values)).to_bits());
    }
}
