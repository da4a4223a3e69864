//! AdamW with decoupled weight decay (Loshchilov and Hutter 2019), in the order of PyTorch: first
//! decay, then moments, then the step.

use pulp::Arch;
use rayon::prelude::*;

use super::chunks::CHUNK;
use super::lanes::in_lanes;
use crate::backend::{AdamWStep, Scalar};
use crate::wide::widest;

/// One step on parallel slices.
pub(super) fn step<T: Scalar>(
    arch: Arch,
    weights: &mut [T],
    gradients: &[T],
    first: &mut [T],
    second: &mut [T],
    constants: AdamWStep,
) {
    let AdamWStep { learning_rate, beta1, beta2, epsilon, weight_decay, step, gradient_scale } =
        constants;
    // In f64: with beta near 1, 1 - beta^step would lose digits in f32.
    let correction1 = 1.0 - beta1.powf(step as f64);
    let correction2 = 1.0 - beta2.powf(step as f64);
    let keep = T::from_f64(1.0 - learning_rate * weight_decay);
    let size = T::from_f64(learning_rate / correction1);
    let root = T::from_f64(1.0 / correction2.sqrt());
    let (b1, b2) = (T::from_f64(beta1), T::from_f64(beta2));
    let (c1, c2) = (T::from_f64(1.0 - beta1), T::from_f64(1.0 - beta2));
    let (scale, epsilon) = (T::from_f64(gradient_scale), T::from_f64(epsilon));
    weights
        .par_chunks_mut(CHUNK)
        .zip(gradients.par_chunks(CHUNK))
        .zip(first.par_chunks_mut(CHUNK).zip(second.par_chunks_mut(CHUNK)))
        .for_each(|((weights, gradients), (first, second))| {
            widest(
                arch,
                #[inline(always)]
                || {
                    let state = [&mut *weights, &mut *first, &mut *second];
                    in_lanes(state, [gradients], |[weight, m, v], [gradient]| {
                        let gradient = gradient * scale;
                        let m = b1 * m + c1 * gradient;
                        let v = b2 * v + c2 * gradient * gradient;
                        [weight * keep - size * m / (v.sqrt() * root + epsilon), m, v]
                    });
                },
            );
        });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_moves_by_the_learning_rate_against_the_sign() {
        let constants = AdamWStep {
            learning_rate: 0.1,
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-12,
            weight_decay: 0.5,
            step: 1,
            gradient_scale: 1.0,
        };
        let (mut weights, mut first, mut second) = ([1.0, 1.0, 1.0], [0.0; 3], [0.0; 3]);
        step(Arch::new(), &mut weights, &[3.0, -0.2, 0.0], &mut first, &mut second, constants);
        for (found, expected) in weights.iter().zip([0.95 - 0.1, 0.95 + 0.1, 0.95_f64]) {
            assert!((found - expected).abs() < 1e-9, "{found} instead of {expected}");
        }
    }
}
