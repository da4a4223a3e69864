//! Causal grouped-query attention in blocks of rows and keys. It never stores a length x length
//! matrix.
//!
//! The forward pass goes through the keys block by block with a running maximum and sum, and keeps
//! only the log-sum-exp of each row of scores. The backward pass recomputes the probabilities from
//! it (the scheme of FlashAttention, Dao et al. 2022). Tiles that no row may see are skipped.

mod backward;
mod forward;
mod tiles;

pub(super) use backward::backward;
pub(super) use forward::forward;
pub(super) use tiles::Saved;

#[cfg(test)]
mod tests {
    use ledger::Precision;

    use std::ops::Range;

    use super::super::Cpu;
    use super::super::sums::dot;
    use super::super::testing::{check_gradient, numbers, on_threads};
    use super::tiles::{KEYS, ROWS};
    use super::*;
    use crate::backend::Heads;

    const HEADS: Heads = Heads { query: 4, key_value: 2, dim: 6 };

    fn run(qkv: &[f64], sequences: &[Range<usize>], rows: usize) -> (Vec<f64>, Vec<f64>) {
        let mut out = vec![0.0; rows * HEADS.query * HEADS.dim];
        let mut log_sums = vec![0.0; rows * HEADS.query];
        forward(Cpu::new(), qkv, HEADS, sequences, &mut out, &mut log_sums);
        (out, log_sums)
    }

    /// Attention by its definition, one row and one head at a time.
    fn definition(qkv: &[f64], sequences: &[Range<usize>], rows: usize) -> Vec<f64> {
        let Heads { query, key_value, dim } = HEADS;
        let at = |row: usize, head: usize| {
            let from = row * HEADS.width() + head * dim;
            &qkv[from..from + dim]
        };
        let mut out = vec![0.0; rows * query * dim];
        for sequence in sequences {
            for row in sequence.clone() {
                for head in 0..query {
                    let shared = head / (query / key_value);
                    let past = sequence.start..row + 1;
                    let scores: Vec<f64> = past
                        .clone()
                        .map(|other| {
                            (dot(at(row, head), at(other, query + shared)) / (dim as f64).sqrt())
                                .exp()
                        })
                        .collect();
                    let sum: f64 = scores.iter().sum();
                    for (other, score) in past.zip(scores) {
                        for (channel, value) in
                            at(other, query + key_value + shared).iter().enumerate()
                        {
                            out[row * query * dim + head * dim + channel] += score / sum * value;
                        }
                    }
                }
            }
        }
        out
    }

    #[test]
    fn blocks_give_what_the_definition_gives() {
        let rows = 2 * ROWS + KEYS + 20;
        let sequences = [0..3, 3..4, 4..ROWS + 5, ROWS + 5..rows];
        let qkv: Vec<f64> = numbers(rows * HEADS.width(), 1);
        let (out, _) = run(&qkv, &sequences, rows);
        let expected = definition(&qkv, &sequences, rows);
        assert!(out.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-13));
    }

    #[test]
    fn the_backward_pass_agrees_with_finite_differences() {
        // Two sequences, one longer than a block. The numbers are scaled up, so that the softmax is
        // far from flat.
        let rows = ROWS + 9;
        let sequences = [0..5, 5..rows];
        let qkv: Vec<f64> =
            numbers(rows * HEADS.width(), 1).iter().map(|x: &f64| 1.5 * x).collect();
        let probe: Vec<f64> = numbers(rows * HEADS.query * HEADS.dim, 2);
        let (out, log_sums) = run(&qkv, &sequences, rows);
        let mut gradient = vec![f64::NAN; qkv.len()];
        let saved = Saved { qkv: &qkv, out: &out, log_sums: &log_sums };
        backward(Cpu::new(), saved, &probe, HEADS, &sequences, &mut gradient);
        check_gradient("q, k and v", &qkv, &gradient, |qkv| {
            dot(&run(qkv, &sequences, rows).0, &probe)
        });
    }

    /// The gradient by the chain rule, one row and one head at a time.
    fn gradient_by_definition(qkv: &[f64], probe: &[f64], rows: usize) -> Vec<f64> {
        let Heads { query, key_value, dim } = HEADS;
        let at = |row: usize, head: usize| {
            row * HEADS.width() + head * dim..row * HEADS.width() + (head + 1) * dim
        };
        let scale = 1.0 / (dim as f64).sqrt();
        let mut gradient = vec![0.0; qkv.len()];
        for row in 0..rows {
            for head in 0..query {
                let (key, value) = (
                    query + head / (query / key_value),
                    query + key_value + head / (query / key_value),
                );
                let out_grad = &probe[row * query * dim + head * dim..][..dim];
                let weights: Vec<f64> = (0..=row)
                    .map(|other| (dot(&qkv[at(row, head)], &qkv[at(other, key)]) * scale).exp())
                    .collect();
                let sum: f64 = weights.iter().sum();
                let by_weight: Vec<f64> =
                    (0..=row).map(|other| dot(out_grad, &qkv[at(other, value)])).collect();
                let mean: f64 = weights.iter().zip(&by_weight).map(|(w, g)| w / sum * g).sum();
                for other in 0..=row {
                    let weight = weights[other] / sum;
                    let by_score = weight * (by_weight[other] - mean) * scale;
                    for channel in 0..dim {
                        gradient[at(other, value).start + channel] += weight * out_grad[channel];
                        gradient[at(row, head).start + channel] +=
                            by_score * qkv[at(other, key).start + channel];
                        gradient[at(other, key).start + channel] +=
                            by_score * qkv[at(row, head).start + channel];
                    }
                }
            }
        }
        gradient
    }

    #[test]
    fn blocks_of_keys_give_the_gradient_of_the_definition() {
        let rows = KEYS + ROWS + 7;
        let qkv: Vec<f64> =
            numbers(rows * HEADS.width(), 1).iter().map(|x: &f64| 1.5 * x).collect();
        let probe: Vec<f64> = numbers(rows * HEADS.query * HEADS.dim, 2);
        let all = std::slice::from_ref(&(0..rows)).to_vec();
        let (out, log_sums) = run(&qkv, &all, rows);
        let mut gradient = vec![f64::NAN; qkv.len()];
        let saved = Saved { qkv: &qkv, out: &out, log_sums: &log_sums };
        backward(Cpu::new(), saved, &probe, HEADS, &all, &mut gradient);
        let expected = gradient_by_definition(&qkv, &probe, rows);
        let worst =
            gradient.iter().zip(&expected).fold(0.0_f64, |worst, (a, b)| worst.max((a - b).abs()));
        assert!(worst < 1e-12, "{worst:e}");
    }

    #[test]
    fn the_number_of_threads_does_not_change_a_bit() {
        let rows = 150;
        let sequences = [0..70, 70..rows];
        let qkv: Vec<f32> = numbers(rows * HEADS.width(), 1);
        let probe: Vec<f32> = numbers(rows * HEADS.query * HEADS.dim, 2);
        for precision in [Precision::F32, Precision::Bf16] {
            let cpu = Cpu::with(precision);
            let work = || {
                let (mut out, mut log_sums) =
                    (vec![0.0; rows * HEADS.query * HEADS.dim], vec![0.0; rows * HEADS.query]);
                forward(cpu, &qkv, HEADS, &sequences, &mut out, &mut log_sums);
                let mut gradient = vec![0.0; qkv.len()];
                let saved = Saved { qkv: &qkv, out: &out, log_sums: &log_sums };
                backward(cpu, saved, &probe, HEADS, &sequences, &mut gradient);
                (out, gradient)
            };
            assert!(on_threads(1, work) == on_threads(4, work));
        }
    }
}
