//! Adds a bias to every row.

use pulp::Arch;
use rayon::prelude::*;

use super::chunks::rows_of_chunk;
use super::lanes::in_lanes;
use super::sums::sum_rows;
use crate::backend::Scalar;
use crate::wide::widest;

/// `x += bias` by rows.
pub(super) fn forward<T: Scalar>(arch: Arch, x: &mut [T], bias: &[T]) {
    let columns = bias.len();
    x.par_chunks_mut(rows_of_chunk(columns) * columns).for_each(|x| {
        widest(
            arch,
            #[inline(always)]
            || {
                for row in x.chunks_exact_mut(columns) {
                    in_lanes([row], [bias], |[x], [bias]| [x + bias]);
                }
            },
        );
    });
}

/// `bias_grad +=` the sum of the rows of `x_grad`.
pub(super) fn backward<T: Scalar>(arch: Arch, x_grad: &[T], bias_grad: &mut [T]) {
    let columns = bias_grad.len();
    let partial: Vec<Vec<T>> = x_grad
        .par_chunks(rows_of_chunk(columns) * columns)
        .map(|x_grad| {
            let mut sums = vec![T::ZERO; columns];
            widest(
                arch,
                #[inline(always)]
                || {
                    for row in x_grad.chunks_exact(columns) {
                        in_lanes([&mut sums[..]], [row], |[sum], [value]| [sum + value]);
                    }
                },
            );
            sums
        })
        // Collected in the order of chunks, so that the sums do not depend on the number of
        // threads.
        .collect();
    sum_rows(&partial, bias_grad);
}

#[cfg(test)]
mod tests {
    use super::super::sums::dot;
    use super::super::testing::{check_gradient, numbers};
    use super::*;

    #[test]
    fn the_backward_pass_agrees_with_finite_differences() {
        let x: Vec<f64> = numbers(4 * 9, 1);
        let (bias, probe) = (numbers(9, 2), numbers(4 * 9, 3));
        let mut bias_grad = vec![0.0; 9];
        backward(Arch::new(), &probe, &mut bias_grad);
        check_gradient("bias", &bias, &bias_grad, |bias| {
            let mut out = x.clone();
            forward(Arch::new(), &mut out, bias);
            dot(&out, &probe)
        });
    }
}
