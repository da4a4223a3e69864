//! Choices by chance, and how likely what was chosen is.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Topics that a text can be about. A text never says which: it has to be told from the words.
pub(super) const TOPICS: usize = 8;

/// Random numbers that follow from a seed and a stream alone.
pub(super) fn random(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(stream);
    random
}

/// A whole number below `count`; the bias of the widening multiplication is below 2^-32 for the counts used here.
pub(super) fn below(random: &mut ChaCha8Rng, count: u64) -> u64 {
    ((u128::from(random.next_u64()) * u128::from(count)) >> 64) as u64
}

/// Rows of weights, each a power of the rank in an order of its own: what is likely after one word is rare after another.
#[derive(Debug)]
pub(super) struct Weights {
    columns: usize,
    weights: Vec<u64>,
}

impl Weights {
    /// `rows` of `columns` weights that fall as `rank^-exponent`, from at most 10,000 down to no less than 1.
    pub(super) fn new(random: &mut ChaCha8Rng, rows: usize, columns: usize, exponent: f64) -> Self {
        let mut weights = Vec::with_capacity(rows * columns);
        for _ in 0..rows {
            let mut row: Vec<u64> = (1..=columns)
                .map(|rank| (10_000.0 * (rank as f64).powf(-exponent)).round().max(1.0) as u64)
                .collect();
            for last in (1..columns).rev() {
                row.swap(last, below(random, last as u64 + 1) as usize);
            }
            weights.extend(row);
        }
        Self { columns, weights }
    }

    pub(super) fn row(&self, row: usize) -> &[u64] {
        &self.weights[row * self.columns..][..self.columns]
    }
}

/// One text in the making: its topic, and how likely the choices so far are under every topic.
#[derive(Debug)]
pub(super) struct Chance {
    random: ChaCha8Rng,
    topic: usize,
    /// Natural logarithms.
    likely: [f64; TOPICS],
}

impl Chance {
    /// A text with a topic by chance.
    pub(super) fn new(mut random: ChaCha8Rng) -> Self {
        let topic = below(&mut random, TOPICS as u64) as usize;
        Self { random, topic, likely: [0.0; TOPICS] }
    }

    /// Chooses by weights that do not depend on the topic.
    pub(super) fn choose(&mut self, weights: &[u64]) -> usize {
        let all: u64 = weights.iter().sum();
        let chosen = pick(&mut self.random, weights, all);
        let share = (weights[chosen] as f64 / all as f64).ln();
        self.likely.iter_mut().for_each(|likely| *likely += share);
        chosen
    }

    /// Chooses by a row of weights a topic, multiplied by `factor` where there is one.
    pub(super) fn choose_by_topic(&mut self, topics: &Weights, factor: impl Fn(usize) -> u64) -> usize {
        let weights = |topic: usize| -> Vec<u64> {
            topics.row(topic).iter().enumerate().map(|(at, &weight)| weight * factor(at)).collect()
        };
        let own = weights(self.topic);
        let chosen = pick(&mut self.random, &own, own.iter().sum());
        for (topic, likely) in self.likely.iter_mut().enumerate() {
            let weights = weights(topic);
            *likely += (weights[chosen] as f64 / weights.iter().sum::<u64>() as f64).ln();
        }
        chosen
    }

    /// Minus the logarithm of the chance of all these choices, whatever the topic was, in nats.
    pub(super) fn nats(&self) -> f64 {
        let largest = self.likely.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = self.likely.iter().map(|likely| (likely - largest).exp()).sum();
        (TOPICS as f64).ln() - largest - sum.ln()
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
        // Standard deviations 29, 37 and 39.
        assert!(
            count.iter().zip([1000, 2000, 3000]).all(|(&found, wanted)| found.abs_diff(wanted) < 160),
            "{count:?}"
        );
    }

    #[test]
    fn chances_of_all_outcomes_add_up_to_one_whatever_the_topic() {
        let topics = Weights::new(&mut random(1, 1), TOPICS, 5, 1.0);
        let plain = [3, 1, 4];
        let mut seen = std::collections::BTreeMap::new();
        for stream in 0..2000 {
            let mut chance = Chance::new(random(5, stream));
            let first = chance.choose(&plain);
            let second = chance.choose_by_topic(&topics, |at| (at as u64 + first as u64) % 4 + 1);
            let third = chance.choose_by_topic(&topics, |_| 1);
            seen.insert((first, second, third), (-chance.nats()).exp());
        }
        assert_eq!(seen.len(), 75);
        let sum: f64 = seen.values().sum();
        assert!((sum - 1.0).abs() < 1e-12, "{sum}");
    }
}
