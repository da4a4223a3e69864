//! The loss of learning from a teacher: the forward divergence between two softmaxes, mixed with
//! the next-token loss, and its gradient in place.

use pulp::Arch;
use rayon::prelude::*;

use super::loss::{is_ignored, largest};
use super::sums::folded;
use crate::backend::{Mixture, Scalar};
use crate::wide::widest;

/// The numbers of a loss over one row, in the type that is computed in.
#[derive(Clone, Copy)]
struct Factors<T> {
    /// One over the temperature.
    inverse: T,
    /// Weight of the divergence: weight T² in the loss, weight T in the gradient.
    divergence: f64,
    gradient: f64,
    /// Weight of the next-token loss.
    text: f64,
    /// Whether the next-token loss needs a softmax of its own.
    apart: bool,
}

impl<T: Scalar> Factors<T> {
    fn new(mixture: Mixture) -> Self {
        let Mixture { weight, temperature } = mixture;
        Factors {
            inverse: T::from_f64(1.0 / temperature),
            divergence: weight * temperature * temperature,
            gradient: weight * temperature,
            text: 1.0 - weight,
            apart: weight < 1.0 && temperature != 1.0,
        }
    }
}

/// What one pass over a row of both logits gives.
struct Sums<T> {
    /// Sum of exp((student - largest) / temperature).
    student: T,
    /// The same at temperature 1, where it is needed.
    plain: T,
    /// Sum of exp((teacher - largest) / temperature).
    teacher: T,
    /// Sum of these exponentials times the difference of both logits, each less its largest.
    difference: T,
}

/// Loss of each row in nats against the softmax of `teacher`, which becomes its exponentials. With
/// `gradient_scale`, the logits become that scale times the gradient.
pub(super) fn from_logits<T: Scalar>(
    arch: Arch,
    logits: &mut [T],
    teacher: &mut [T],
    targets: &[u32],
    mixture: Mixture,
    gradient_scale: Option<f64>,
    losses: &mut [f64],
) {
    assert!(logits.len() == teacher.len() && losses.len() == targets.len());
    let Some(vocabulary) = logits.len().checked_div(targets.len()).filter(|&n| n > 0) else {
        return;
    };
    assert_eq!(logits.len(), targets.len() * vocabulary);
    let factors = Factors::<T>::new(mixture);
    logits
        .par_chunks_exact_mut(vocabulary)
        .zip(teacher.par_chunks_exact_mut(vocabulary))
        .zip(targets)
        .zip(losses)
        .for_each(|(((row, teacher), &target), loss)| {
            if is_ignored(target, row, loss, gradient_scale.is_some()) {
                return;
            }
            let hit = row[target as usize];
            let (most, sums) = widest(
                arch,
                #[inline(always)]
                || {
                    let most = [largest(row), largest(teacher)];
                    (most, both_sums(row, teacher, most, factors))
                },
            );
            let [student, taught] = [sums.student, sums.teacher].map(|sum| sum.to_f64().ln());
            // The sum of p (ln p - ln q), with p = exp(..) / sum. Equal rows give exactly 0.
            let mean = (sums.difference / sums.teacher * factors.inverse).to_f64();
            let divergence = mean - taught + student;
            *loss = factors.divergence * divergence;
            if factors.text > 0.0 {
                let text = sums.plain.to_f64().ln() + (most[0].to_f64() - hit.to_f64());
                *loss += factors.text * text;
            }
            let Some(scale) = gradient_scale else { return };
            let of = |weight: f64, sum: T| T::from_f64(scale * weight) / sum;
            let [student, taught, plain] = [
                of(factors.gradient, sums.student),
                of(factors.gradient, sums.teacher),
                of(factors.text, sums.plain),
            ];
            // At temperature 1 both losses share the student's softmax.
            let (student, plain) =
                if factors.apart { (student, plain) } else { (student + plain, T::ZERO) };
            widest(
                arch,
                #[inline(always)]
                || {
                    for (value, &power) in row.iter_mut().zip(&*teacher) {
                        let below = *value - most[0];
                        let own = (below * factors.inverse).exp();
                        *value = own * student - power * taught;
                        if factors.apart {
                            *value += below.exp() * plain;
                        }
                    }
                },
            );
            row[target as usize] = row[target as usize] - T::from_f64(scale * factors.text);
        });
}

/// One pass over both rows. `teacher` becomes its exponentials.
#[inline(always)]
fn both_sums<T: Scalar>(
    row: &[T],
    teacher: &mut [T],
    [most, most_taught]: [T; 2],
    factors: Factors<T>,
) -> Sums<T> {
    let each = |value: T, taught: &mut T| {
        let (below, below_taught) = (value - most, *taught - most_taught);
        let power = (below_taught * factors.inverse).exp();
        *taught = power;
        let own = (below * factors.inverse).exp();
        // Without a second temperature the sum is a copy of the first.
        let plain = if factors.apart { below.exp() } else { own };
        [own, plain, power, power * (below_taught - below)]
    };
    let mut lanes = [[T::ZERO; 16]; 4];
    let (lines, rest) = row.as_chunks::<16>();
    let (taught_lines, taught_rest) = teacher.as_chunks_mut::<16>();
    for (line, taught) in lines.iter().zip(taught_lines) {
        for i in 0..16 {
            let found = each(line[i], &mut taught[i]);
            for (lane, found) in lanes.iter_mut().zip(found) {
                lane[i] += found;
            }
        }
    }
    let mut sums = [T::ZERO; 4];
    for (value, taught) in rest.iter().zip(taught_rest) {
        for (sum, found) in sums.iter_mut().zip(each(*value, taught)) {
            *sum += found;
        }
    }
    let [student, plain, teacher, difference] = std::array::from_fn(|i| {
        let lanes: [T; 16] = lanes[i];
        sums[i] + folded(lanes, |a, b| a + b)
    });
    Sums { student, plain, teacher, difference }
}

/// The rows of a teacher of which only the most probable tokens are known.
#[derive(Clone, Copy)]
pub(super) struct TopRows<'a, T> {
    /// Ids of the known tokens, `[rows, count]`.
    pub(super) ids: &'a [u32],
    /// Their probabilities, and that of all others together, `[rows, count + 1]`.
    pub(super) shares: &'a [T],
    pub(super) count: usize,
}

/// As [`from_logits`], against the known tokens and all others as one outcome. The divergence
/// between such distributions is at most that between the full ones.
pub(super) fn from_top<T: Scalar>(
    arch: Arch,
    logits: &mut [T],
    top: TopRows<'_, T>,
    targets: &[u32],
    mixture: Mixture,
    gradient_scale: Option<f64>,
    losses: &mut [f64],
) {
    let Some(vocabulary) = logits.len().checked_div(targets.len()).filter(|&n| n > 0) else {
        return;
    };
    assert_eq!(logits.len(), targets.len() * vocabulary);
    assert_eq!(top.ids.len(), targets.len() * top.count);
    assert_eq!(top.shares.len(), targets.len() * (top.count + 1));
    let factors = Factors::<T>::new(mixture);
    logits
        .par_chunks_exact_mut(vocabulary)
        .zip(top.ids.par_chunks_exact(top.count))
        .zip(top.shares.par_chunks_exact(top.count + 1))
        .zip(targets)
        .zip(losses)
        .for_each_init(Vec::new, |known: &mut Vec<T>, ((((row, ids), shares), &target), loss)| {
            if is_ignored(target, row, loss, gradient_scale.is_some()) {
                return;
            }
            let hit = row[target as usize];
            let most = largest(row);
            // The known tokens are taken out, so that the sum over the others loses no digits.
            known.clear();
            for &id in ids {
                known.push(row[id as usize]);
                row[id as usize] = T::from_f64(-1e30);
            }
            let [others, others_plain] = widest(
                arch,
                #[inline(always)]
                || rest_sums(row, most, factors),
            );
            // Backwards, so that an id that stands twice gets its logit back.
            for (&id, &value) in ids.iter().zip(known.iter()).rev() {
                row[id as usize] = value;
            }
            let power = |value: T| ((value - most) * factors.inverse).exp();
            let sum = others + known.iter().fold(T::ZERO, |sum, &value| sum + power(value));
            let plain = if factors.apart {
                known.iter().fold(others_plain, |sum, &value| sum + (value - most).exp())
            } else {
                sum
            };
            let log_sum = sum.to_f64().ln();
            let of_known = shares.iter().zip(known.iter()).map(|(share, &value)| {
                let log_q = ((value - most) * factors.inverse).to_f64() - log_sum;
                part(share.to_f64(), log_q)
            });
            let share_of_others = shares[top.count];
            let divergence = of_known.sum::<f64>()
                + part(share_of_others.to_f64(), others.to_f64().ln() - log_sum);
            *loss = factors.divergence * divergence;
            if factors.text > 0.0 {
                *loss += factors.text * (plain.to_f64().ln() + (most.to_f64() - hit.to_f64()));
            }
            let Some(scale) = gradient_scale else { return };
            let gradient = T::from_f64(scale * factors.gradient);
            let of_text = T::from_f64(scale * factors.text) / plain;
            let of_student = gradient / sum;
            // Nothing is left over where all tokens are known.
            let of_others = if share_of_others > T::ZERO {
                of_student - gradient * (share_of_others / others)
            } else {
                of_student
            };
            widest(
                arch,
                #[inline(always)]
                || {
                    for value in row.iter_mut() {
                        let below = *value - most;
                        let own = (below * factors.inverse).exp();
                        let plain = if factors.apart { below.exp() } else { own };
                        *value = own * of_others + plain * of_text;
                    }
                },
            );
            for ((&id, &value), &share) in ids.iter().zip(known.iter()).zip(shares) {
                let own = power(value);
                let plain = if factors.apart { (value - most).exp() } else { own };
                row[id as usize] = own * of_student - gradient * share + plain * of_text;
            }
            row[target as usize] = row[target as usize] - T::from_f64(scale * factors.text);
        });
}

/// p (ln p - ln q); 0 where p is.
fn part(share: f64, log_q: f64) -> f64 {
    if share > 0.0 { share * (share.ln() - log_q) } else { 0.0 }
}

/// Sums of exp((value - most) / temperature), and of the same at temperature 1.
#[inline(always)]
fn rest_sums<T: Scalar>(row: &[T], most: T, factors: Factors<T>) -> [T; 2] {
    let each = |value: T| {
        let below = value - most;
        let own = (below * factors.inverse).exp();
        [own, if factors.apart { below.exp() } else { own }]
    };
    let mut lanes = [[T::ZERO; 16]; 2];
    let (lines, rest) = row.as_chunks::<16>();
    for line in lines {
        for i in 0..16 {
            for (lane, found) in lanes.iter_mut().zip(each(line[i])) {
                lane[i] += found;
            }
        }
    }
    let mut sums = [T::ZERO; 2];
    for &value in rest {
        for (sum, found) in sums.iter_mut().zip(each(value)) {
            *sum += found;
        }
    }
    std::array::from_fn(|i| sums[i] + folded(lanes[i], |a, b| a + b))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{check_gradient, numbers, on_threads};
    use super::*;
    use crate::backend::IGNORED;

    const VOCABULARY: usize = 37;
    const TARGETS: [u32; 3] = [3, IGNORED, 36];
    const MIXTURES: [(f64, f64); 5] = [(1.0, 1.0), (1.0, 2.0), (0.5, 1.0), (0.3, 2.0), (0.0, 2.0)];

    fn mixture((weight, temperature): (f64, f64)) -> Mixture {
        Mixture { weight, temperature }
    }

    /// Loss and gradient, or the unchanged logits without a scale.
    fn full<T: Scalar>(
        logits: &[T],
        teacher: &[T],
        mix: (f64, f64),
        scale: Option<f64>,
    ) -> (f64, Vec<T>) {
        let (mut logits, mut teacher) = (logits.to_vec(), teacher.to_vec());
        let mut losses = vec![0.0; TARGETS.len()];
        from_logits(
            Arch::new(),
            &mut logits,
            &mut teacher,
            &TARGETS,
            mixture(mix),
            scale,
            &mut losses,
        );
        (losses.iter().sum(), logits)
    }

    /// The distribution of each row, as its `count` likeliest tokens and the rest.
    fn top_of(teacher: &[f64], temperature: f64, count: usize) -> (Vec<u32>, Vec<f64>) {
        let (mut ids, mut shares) = (Vec::new(), Vec::new());
        for row in teacher.chunks(VOCABULARY) {
            let powers: Vec<f64> = row.iter().map(|logit| (logit / temperature).exp()).collect();
            let sum: f64 = powers.iter().sum();
            let mut order: Vec<usize> = (0..VOCABULARY).collect();
            order.sort_by(|&a, &b| powers[b].total_cmp(&powers[a]));
            ids.extend(order[..count].iter().map(|&id| id as u32));
            shares.extend(order[..count].iter().map(|&id| powers[id] / sum));
            shares.push(order[count..].iter().map(|&id| powers[id] / sum).sum());
        }
        (ids, shares)
    }

    fn top(
        logits: &[f64],
        (ids, shares): &(Vec<u32>, Vec<f64>),
        mix: (f64, f64),
        scale: Option<f64>,
    ) -> (f64, Vec<f64>) {
        let (mut logits, mut losses) = (logits.to_vec(), vec![0.0; TARGETS.len()]);
        let top = TopRows { ids, shares, count: ids.len() / TARGETS.len() };
        from_top(Arch::new(), &mut logits, top, &TARGETS, mixture(mix), scale, &mut losses);
        (losses.iter().sum(), logits)
    }

    fn rows(seed: u64) -> Vec<f64> {
        numbers::<f64>(TARGETS.len() * VOCABULARY, seed).into_iter().map(|x| 3.0 * x).collect()
    }

    #[test]
    fn the_backward_pass_agrees_with_finite_differences() {
        let (logits, teacher) = (rows(1), rows(2));
        for mix in MIXTURES {
            let gradient = full(&logits, &teacher, mix, Some(0.7)).1;
            check_gradient("logits", &logits, &gradient, |logits| {
                0.7 * full(logits, &teacher, mix, None).0
            });
            assert!(gradient[VOCABULARY..2 * VOCABULARY].iter().all(|&g| g == 0.0));
            for count in [1, 5, VOCABULARY] {
                let known = top_of(&teacher, mix.1, count);
                let gradient = top(&logits, &known, mix, Some(0.7)).1;
                check_gradient("logits", &logits, &gradient, |logits| {
                    0.7 * top(logits, &known, mix, None).0
                });
                assert!(gradient[VOCABULARY..2 * VOCABULARY].iter().all(|&g| g == 0.0));
            }
        }
    }

    #[test]
    fn the_loss_is_the_formula() {
        let (logits, teacher) = (rows(1), rows(2));
        for (weight, temperature) in MIXTURES {
            let softmax = |row: &[f64], temperature: f64| {
                let powers: Vec<f64> = row.iter().map(|x| (x / temperature).exp()).collect();
                let sum: f64 = powers.iter().sum();
                powers.into_iter().map(|power| power / sum).collect::<Vec<_>>()
            };
            let mut expected = 0.0;
            for (row, target) in [(0, 3), (2, 36)] {
                let at = row * VOCABULARY..(row + 1) * VOCABULARY;
                let p = softmax(&teacher[at.clone()], temperature);
                let q = softmax(&logits[at.clone()], temperature);
                let divergence: f64 = p.iter().zip(&q).map(|(p, q)| p * (p / q).ln()).sum();
                let text = -softmax(&logits[at], 1.0)[target].ln();
                expected += weight * temperature.powi(2) * divergence + (1.0 - weight) * text;
            }
            let found = full(&logits, &teacher, (weight, temperature), None);
            assert!((found.0 - expected).abs() < 1e-12, "{weight} {temperature}");
            assert_eq!(found.1, logits);
            // All tokens known is the full teacher, fewer are at most that.
            let all = top_of(&teacher, temperature, VOCABULARY);
            let known = top(&logits, &all, (weight, temperature), None);
            assert!((known.0 - expected).abs() < 1e-12, "{weight} {temperature}");
            assert_eq!(known.1, logits);
            let five = top_of(&teacher, temperature, 5);
            assert!(top(&logits, &five, (weight, temperature), None).0 <= expected + 1e-12);
        }
    }

    #[test]
    fn a_teacher_equal_to_the_student_gives_zero_loss_and_zero_gradient() {
        let single: Vec<f32> = rows(1).into_iter().map(|x| x as f32).collect();
        for temperature in [1.0, 2.0] {
            let mix = (1.0, temperature);
            let (loss, gradient) = full(&single, &single, mix, Some(1.0));
            assert_eq!(loss, 0.0);
            assert!(gradient.iter().all(|&g| g == 0.0));
            let logits = rows(1);
            let known = top_of(&logits, temperature, 5);
            let (loss, gradient) = top(&logits, &known, mix, Some(1.0));
            assert!(loss.abs() < 1e-14, "{loss}");
            assert!(gradient.iter().all(|&g| g.abs() < 1e-15));
        }
    }

    #[test]
    fn the_number_of_threads_does_not_change_a_bit() {
        let many = 64;
        let (logits, teacher): (Vec<f32>, Vec<f32>) =
            (numbers(many * 100, 1), numbers(many * 100, 2));
        let targets: Vec<u32> = (0..many as u32).collect();
        let on = |threads| {
            on_threads(threads, || {
                let (mut logits, mut teacher) = (logits.clone(), teacher.clone());
                let mut losses = vec![0.0; many];
                from_logits(
                    Arch::new(),
                    &mut logits,
                    &mut teacher,
                    &targets,
                    mixture((0.5, 2.0)),
                    Some(1.0),
                    &mut losses,
                );
                (logits, losses)
            })
        };
        assert_eq!(on(1), on(3));
    }

    #[test]
    fn a_logit_that_is_not_a_number_shows_in_the_loss() {
        let (logits, teacher) = (rows(1), rows(2));
        for at in [0, 17, VOCABULARY - 1] {
            let mut spoilt = logits.clone();
            spoilt[at] = f64::NAN;
            assert!(full(&spoilt, &teacher, (1.0, 1.0), None).0.is_nan());
            assert!(full(&logits, &spoilt, (1.0, 1.0), None).0.is_nan());
            let known = top_of(&teacher, 1.0, 5);
            assert!(top(&spoilt, &known, (1.0, 1.0), None).0.is_nan(), "{at}");
        }
    }
}
