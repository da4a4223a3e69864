//! Next-token loss: log-sum-exp of the logits minus the logit of the target, and its gradient in
//! place.

use pulp::Arch;
use rayon::prelude::*;

use super::sums::folded;
use crate::backend::{IGNORED, Scalar};
use crate::wide::widest;

/// Loss of each row in nats. With `gradient_scale`, the row becomes that scale times (softmax minus
/// one-hot).
pub(super) fn cross_entropy<T: Scalar>(
    arch: Arch,
    logits: &mut [T],
    vocabulary: usize,
    targets: &[u32],
    gradient_scale: Option<f64>,
    losses: &mut [f64],
) {
    assert!(logits.len() == targets.len() * vocabulary && losses.len() == targets.len());
    logits.par_chunks_exact_mut(vocabulary).zip(targets).zip(losses).for_each(
        |((row, &target), loss)| {
            if is_ignored(target, row, loss, gradient_scale.is_some()) {
                return;
            }
            // Read now: below, the row becomes its gradient.
            let hit = row[target as usize];
            let (largest, sum) = widest(
                arch,
                #[inline(always)]
                || {
                    let largest = largest(row);
                    (largest, sum_of_exp(row, largest, gradient_scale.is_some()))
                },
            );
            // The difference first: both terms may be large while the loss is small.
            *loss = sum.to_f64().ln() + (largest.to_f64() - hit.to_f64());
            if let Some(scale) = gradient_scale {
                let scale = T::from_f64(scale);
                // exp / sum is the softmax.
                let factor = scale / sum;
                widest(
                    arch,
                    #[inline(always)]
                    || {
                        for value in row.iter_mut() {
                            *value = *value * factor;
                        }
                    },
                );
                row[target as usize] = row[target as usize] - scale;
            }
        },
    );
}

/// Whether a row has no target. Its loss is then 0, and its gradient too where one is wanted.
pub(super) fn is_ignored<T: Scalar>(
    target: u32,
    row: &mut [T],
    loss: &mut f64,
    wants_gradient: bool,
) -> bool {
    if target != IGNORED {
        return false;
    }
    *loss = 0.0;
    if wants_gradient {
        row.fill(T::ZERO);
    }
    true
}

/// The largest number. It may miss a NaN, which then shows in the sum of exponentials.
#[inline(always)]
pub(super) fn largest<T: Scalar>(values: &[T]) -> T {
    let mut lanes = [values[0]; 16];
    let lines = values.chunks_exact(16);
    let rest = lines.remainder();
    for line in lines {
        for i in 0..16 {
            lanes[i] = if line[i] > lanes[i] { line[i] } else { lanes[i] };
        }
    }
    rest.iter().fold(folded(lanes, T::larger), |largest, &value| largest.larger(value))
}

/// Sum of exp(value - largest). With `keep`, the values become these exponentials.
#[inline(always)]
fn sum_of_exp<T: Scalar>(values: &mut [T], largest: T, keep: bool) -> T {
    let mut lanes = [T::ZERO; 16];
    let mut lines = values.chunks_exact_mut(16);
    for line in &mut lines {
        for i in 0..16 {
            let power = (line[i] - largest).exp();
            if keep {
                line[i] = power;
            }
            lanes[i] += power;
        }
    }
    // The numbers after the last whole block of sixteen.
    let mut rest = T::ZERO;
    for value in lines.into_remainder() {
        let power = (*value - largest).exp();
        if keep {
            *value = power;
        }
        rest += power;
    }
    rest + folded(lanes, |a, b| a + b)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_gradient, numbers};
    use super::*;

    const VOCABULARY: usize = 37;

    #[test]
    fn the_backward_pass_agrees_with_finite_differences() {
        let targets = [3, IGNORED, 36];
        let logits: Vec<f64> = numbers(targets.len() * VOCABULARY, 1);
        let value = |logits: &[f64], scale: Option<f64>| {
            let (mut logits, mut losses) = (logits.to_vec(), vec![0.0; targets.len()]);
            cross_entropy(Arch::new(), &mut logits, VOCABULARY, &targets, scale, &mut losses);
            (losses.iter().sum::<f64>(), logits)
        };
        let gradient = value(&logits, Some(0.7)).1;
        check_gradient("logits", &logits, &gradient, |logits| 0.7 * value(logits, None).0);
        assert!(gradient[VOCABULARY..2 * VOCABULARY].iter().all(|&g| g == 0.0));
    }

    #[test]
    fn equal_logits_lose_the_logarithm_of_the_vocabulary() {
        let mut losses = [0.0];
        cross_entropy(Arch::new(), &mut [5.0_f32; 100], 100, &[42], None, &mut losses);
        assert!((losses[0] - 100.0_f64.ln()).abs() < 1e-6);
    }

    #[test]
    fn a_logit_that_is_not_a_number_shows_in_the_loss() {
        for at in [0, 17, 99] {
            let (mut logits, mut losses) = ([1.0_f32; 100], [0.0]);
            logits[at] = f32::NAN;
            cross_entropy(Arch::new(), &mut logits, 100, &[3], None, &mut losses);
            assert!(losses[0].is_nan(), "NaN at {at} was lost");
        }
    }
}
