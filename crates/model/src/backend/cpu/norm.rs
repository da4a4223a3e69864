//! RMSNorm (Zhang and Sennrich 2019): `x / sqrt(mean(x^2) + epsilon) * weight`.

use pulp::Arch;
use rayon::prelude::*;

use super::chunks::rows_of_chunk;
use super::lanes::in_lanes;
use super::sums::{dot, folded, sum_rows};
use crate::backend::Scalar;
use crate::wide::widest;

/// `out = x * inverse_rms * weight`, `[rows, columns]`. Keeps `inverse_rms` `[rows]`.
pub(super) fn forward<T: Scalar>(
    arch: Arch,
    x: &[T],
    weight: &[T],
    epsilon: T,
    out: &mut [T],
    inverse_rms: &mut [T],
) {
    let columns = weight.len();
    let rows = rows_of_chunk(columns);
    let mean = T::ONE / T::from_f64(columns as f64);
    out.par_chunks_mut(rows * columns)
        .zip(x.par_chunks(rows * columns))
        .zip(inverse_rms.par_chunks_mut(rows))
        .for_each(|((out, x), inverse_rms)| {
            widest(
                arch,
                #[inline(always)]
                || {
                    let lines = out
                        .chunks_exact_mut(columns)
                        .zip(x.chunks_exact(columns))
                        .zip(inverse_rms.iter_mut());
                    for ((out, x), kept) in lines {
                        let inverse = T::ONE / (dot(x, x) * mean + epsilon).sqrt();
                        *kept = inverse;
                        in_lanes([out], [x, weight], |_, [x, weight]| [x * inverse * weight]);
                    }
                },
            );
        });
}

/// With r = inverse_rms and g = out_grad * weight: `x_grad += r (g - x r^2 mean(g x))`,
/// `weight_grad += sum over rows of out_grad x r`.
pub(super) fn backward<T: Scalar>(
    arch: Arch,
    out_grad: &[T],
    x: &[T],
    weight: &[T],
    inverse_rms: &[T],
    x_grad: &mut [T],
    weight_grad: &mut [T],
) {
    let columns = weight.len();
    let rows = rows_of_chunk(columns);
    let mean = T::ONE / T::from_f64(columns as f64);
    let partial: Vec<Vec<T>> = x_grad
        .par_chunks_mut(rows * columns)
        .zip(out_grad.par_chunks(rows * columns))
        .zip(x.par_chunks(rows * columns))
        .zip(inverse_rms.par_chunks(rows))
        .map(|(((x_grad, out_grad), x), inverse_rms)| {
            let mut weight_grad = vec![T::ZERO; columns];
            widest(
                arch,
                #[inline(always)]
                || {
                    let lines = x_grad
                        .chunks_exact_mut(columns)
                        .zip(out_grad.chunks_exact(columns))
                        .zip(x.chunks_exact(columns))
                        .zip(inverse_rms);
                    for (((x_grad, out_grad), x), &inverse) in lines {
                        // r^2 mean(g x) of the formula above.
                        let along = triple(out_grad, weight, x) * mean * inverse * inverse;
                        let lines = ([x_grad, &mut weight_grad[..]], [out_grad, x, weight]);
                        in_lanes(
                            lines.0,
                            lines.1,
                            |[x_grad, weight_grad], [out_grad, x, weight]| {
                                [
                                    x_grad + inverse * (out_grad * weight - x * along),
                                    weight_grad + out_grad * x * inverse,
                                ]
                            },
                        );
                    }
                },
            );
            weight_grad
        })
        .collect();
    sum_rows(&partial, weight_grad);
}

/// Sum of `a b c`, in sixteen lanes.
#[inline(always)]
fn triple<T: Scalar>(a: &[T], b: &[T], c: &[T]) -> T {
    let mut lanes = [T::ZERO; 16];
    let (a16, b16, c16) = (a.chunks_exact(16), b.chunks_exact(16), c.chunks_exact(16));
    let rest = a16.remainder().iter().zip(b16.remainder()).zip(c16.remainder());
    let rest = rest.fold(T::ZERO, |sum, ((&a, &b), &c)| sum + a * b * c);
    for ((a, b), c) in a16.zip(b16).zip(c16) {
        for i in 0..16 {
            lanes[i] += a[i] * b[i] * c[i];
        }
    }
    rest + folded(lanes, |a, b| a + b)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_gradient, numbers};
    use super::*;

    const ROWS: usize = 5;
    const COLUMNS: usize = 37;

    fn value(x: &[f64], weight: &[f64], probe: &[f64]) -> f64 {
        let (mut out, mut kept) = (vec![0.0; x.len()], vec![0.0; ROWS]);
        forward(Arch::new(), x, weight, 1e-5, &mut out, &mut kept);
        dot(&out, probe)
    }

    #[test]
    fn the_backward_pass_agrees_with_finite_differences() {
        let x: Vec<f64> = numbers(ROWS * COLUMNS, 1);
        let (weight, probe) = (numbers(COLUMNS, 2), numbers(ROWS * COLUMNS, 3));
        let (mut out, mut kept) = (vec![0.0; x.len()], vec![0.0; ROWS]);
        forward(Arch::new(), &x, &weight, 1e-5, &mut out, &mut kept);
        let (mut x_grad, mut weight_grad) = (vec![0.0; x.len()], vec![0.0; COLUMNS]);
        backward(Arch::new(), &probe, &x, &weight, &kept, &mut x_grad, &mut weight_grad);
        check_gradient("x", &x, &x_grad, |x| value(x, &weight, &probe));
        check_gradient("weight", &weight, &weight_grad, |weight| value(&x, weight, &probe));
    }

    #[test]
    fn a_row_of_equal_numbers_becomes_the_weight() {
        let (mut out, mut kept) = (vec![0.0; 4], vec![0.0]);
        forward(Arch::new(), &[3.0; 4], &[1.0, 2.0, 3.0, 4.0], 0.0, &mut out, &mut kept);
        assert_eq!(out, [1.0, 2.0, 3.0, 4.0]);
    }
}
