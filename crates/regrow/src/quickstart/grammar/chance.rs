//! Random choices, and the probability of what was chosen.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A random number generator that depends only on a seed and a stream.
pub(super) fn random(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(stream);
    random
}

/// A random whole number below `count`, by widening multiplication (Lemire 2019) without rejection.
/// Its bias is below 2^-30 for the counts used here.
pub(super) fn below(random: &mut ChaCha8Rng, count: u64) -> u64 {
    ((u128::from(random.next_u64()) * u128::from(count)) >> 64) as u64
}

/// Rows of word weights. Each row is a power law of the rank, with its own random order. So a word
/// that is likely after one word is rare after another.
#[derive(Debug)]
pub(super) struct WordWeights {
    columns: usize,
    weights: Vec<u64>,
}

impl WordWeights {
    /// `rows` of `columns` weights that fall as `rank^-exponent`, from at most 10,000 down to no
    /// less than 1.
    pub(super) fn new(random: &mut ChaCha8Rng, rows: usize, columns: usize, exponent: f64) -> Self {
        let mut weights = Vec::with_capacity(rows * columns);
        for _ in 0..rows {
            let mut row: Vec<u64> = (1..=columns)
                .map(|rank| (10_000.0 * (rank as f64).powf(-exponent)).round().max(1.0) as u64)
                .collect();
            // Fisher-Yates shuffle.
            for last in (1..columns).rev() {
                row.swap(last, below(random, last as u64 + 1) as usize);
            }
            weights.extend(row);
        }
        Self { columns, weights }
    }

    /// Multiplies every row by `common`, column by column. The result combines how common a word is
    /// with how likely it is after another word.
    pub(super) fn times(mut self, common: &[u64]) -> Self {
        for row in self.weights.chunks_exact_mut(self.columns) {
            row.iter_mut().zip(common).for_each(|(weight, common)| *weight *= common);
        }
        self
    }

    /// The weights of the words that follow one word.
    pub(super) fn row(&self, row: usize) -> &[u64] {
        &self.weights[row * self.columns..][..self.columns]
    }
}

/// The random choices of one text, and their total probability so far.
#[derive(Debug)]
pub(super) struct Chance {
    random: ChaCha8Rng,
    nats: f64,
}

impl Chance {
    /// No choice so far.
    pub(super) fn new(random: ChaCha8Rng) -> Self {
        Self { random, nats: 0.0 }
    }

    /// Chooses an index with probability proportional to its weight.
    pub(super) fn choose(&mut self, weights: &[u64]) -> usize {
        let all: u64 = weights.iter().sum();
        let chosen = pick(&mut self.random, weights, all);
        self.nats -= (weights[chosen] as f64 / all as f64).ln();
        chosen
    }

    /// Chooses yes with a probability of `percent` %.
    pub(super) fn yes_in_a_hundred(&mut self, percent: u64) -> bool {
        self.choose(&[100 - percent, percent]) == 1
    }

    /// Minus the natural logarithm of the probability of all choices so far.
    pub(super) fn nats(&self) -> f64 {
        self.nats
    }
}

fn pick(random: &mut ChaCha8Rng, weights: &[u64], all: u64) -> usize {
    let mut left = below(random, all);
    for (at, &weight) in weights.iter().enumerate() {
        if left < weight {
            return at;
        }
        left -= weight;
    }
    unreachable!("a number below the sum of the weights falls on one of them")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_come_as_often_as_their_weights_say() {
        let mut chance = Chance::new(random(3, 0));
        let mut count = [0_u32; 3];
        for _ in 0..6000 {
            count[chance.choose(&[1, 2, 3])] += 1;
        }
        // Binomial standard deviations: 29, 37 and 39. The limit is about four of them.
        assert!(
            count
                .iter()
                .zip([1000, 2000, 3000])
                .all(|(&found, wanted)| found.abs_diff(wanted) < 160),
            "{count:?}"
        );
    }

    #[test]
    fn chances_of_all_outcomes_add_up_to_one() {
        let habits = WordWeights::new(&mut random(1, 1), 3, 5, 1.0).times(&[5, 1, 4, 2, 3]);
        let mut seen = std::collections::BTreeMap::new();
        for stream in 0..2000 {
            let mut chance = Chance::new(random(5, stream));
            let first = chance.choose(&[3, 1, 4]);
            let second = chance.choose(habits.row(first));
            let third = chance.yes_in_a_hundred(30);
            seen.insert((first, second, third), (-chance.nats()).exp());
        }
        // 3 * 5 * 2 outcomes, and all must have been seen for the sum.
        assert_eq!(seen.len(), 30);
        let sum: f64 = seen.values().sum();
        assert!((sum - 1.0).abs() < 1e-12, "{sum}");
    }
}
