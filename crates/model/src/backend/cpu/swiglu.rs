//! SwiGLU (Shazeer 2020): `silu(gate) * up`, `silu(x) = x / (1 + e^-x)`.

use pulp::Arch;
use rayon::prelude::*;

use super::chunks::rows_of_chunk;
use super::lanes::in_lanes;
use crate::backend::Scalar;
use crate::wide::widest;

/// `out = silu(gate) * up`; `gate_up` is `[rows, 2 * columns]`, gate first.
pub(super) fn forward<T: Scalar>(arch: Arch, gate_up: &[T], columns: usize, out: &mut [T]) {
    let rows = rows_of_chunk(columns);
    out.par_chunks_mut(rows * columns).zip(gate_up.par_chunks(rows * 2 * columns)).for_each(
        |(out, gate_up)| {
            widest(
                arch,
                #[inline(always)]
                || {
                    for (out, line) in
                        out.chunks_exact_mut(columns).zip(gate_up.chunks_exact(2 * columns))
                    {
                        let (gate, up) = line.split_at(columns);
                        in_lanes([out], [gate, up], |_, [gate, up]| {
                            [gate / (T::ONE + (-gate).exp()) * up]
                        });
                    }
                },
            );
        },
    );
}

/// In place: `gate_up` becomes its gradient, and `grad`, the gradient of the output, becomes the
/// output. The backward pass of the down projection needs that output, and the forward pass did not
/// keep it.
pub(super) fn backward<T: Scalar>(arch: Arch, gate_up: &mut [T], columns: usize, grad: &mut [T]) {
    let rows = rows_of_chunk(columns);
    grad.par_chunks_mut(rows * columns).zip(gate_up.par_chunks_mut(rows * 2 * columns)).for_each(
        |(grad, gate_up)| {
            widest(
                arch,
                #[inline(always)]
                || {
                    let lines =
                        grad.chunks_exact_mut(columns).zip(gate_up.chunks_exact_mut(2 * columns));
                    for (grad, line) in lines {
                        let (gate, up) = line.split_at_mut(columns);
                        in_lanes([grad, gate, up], [], |[grad, gate, up], []| {
                            let sigmoid = T::ONE / (T::ONE + (-gate).exp());
                            let silu = gate * sigmoid;
                            // The derivative of silu.
                            let slope = sigmoid * (T::ONE + gate * (T::ONE - sigmoid));
                            [silu * up, grad * up * slope, grad * silu]
                        });
                    }
                },
            );
        },
    );
}

#[cfg(test)]
mod tests {
    use super::super::sums::dot;
    use super::super::testing::{check_gradient, numbers};
    use super::*;

    #[test]
    fn the_backward_pass_agrees_with_finite_differences_and_gives_the_output_back() {
        let (rows, columns) = (3, 11);
        let gate_up: Vec<f64> = numbers(rows * 2 * columns, 1);
        let probe: Vec<f64> = numbers(rows * columns, 2);
        let value = |gate_up: &[f64]| {
            let mut out = vec![0.0; rows * columns];
            forward(Arch::new(), gate_up, columns, &mut out);
            (dot(&out, &probe), out)
        };
        let (mut gradient, mut grad) = (gate_up.clone(), probe.clone());
        backward(Arch::new(), &mut gradient, columns, &mut grad);
        check_gradient("gate and up", &gate_up, &gradient, |x| value(x).0);
        for (found, expected) in grad.iter().zip(value(&gate_up).1) {
            assert!((found - expected).abs() < 1e-15);
        }
    }
}
