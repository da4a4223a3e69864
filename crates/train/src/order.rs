//! The order in which training text is read: adjacent windows, shuffled again for every epoch.

use std::ops::Range;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use text::CorpusPart;

use crate::error::{Error, Result};

/// Gives the n-th sequence of a run. The order depends only on the seed, so a run can resume at any
/// sequence.
pub(crate) struct Order<'a> {
    part: &'a CorpusPart,
    context: usize,
    seed: u64,
    windows: u32,
    /// The epoch that `shuffled` belongs to.
    epoch: Option<u64>,
    shuffled: Vec<u32>,
}

impl<'a> Order<'a> {
    /// Cuts the part into windows of `context` tokens. Each window also has the token after it, as
    /// the last target. Tokens left over at the end are not read.
    pub(crate) fn new(part: &'a CorpusPart, context: usize, seed: u64) -> Result<Self> {
        // One token less, because the last window also needs a target after it.
        let windows = part.tokens().saturating_sub(1) / context as u64;
        if windows == 0 {
            return Err(Error::ShortCorpus {
                tokens: part.tokens(),
                context,
                expected: context as u64 + 1,
            });
        }
        let windows = u32::try_from(windows).map_err(|_| Error::Setting {
            setting: "context",
            found: context.to_string(),
            expected: format!(
                "a length that cuts {} tokens into fewer than 2^32 sequences",
                part.tokens()
            ),
        })?;
        Ok(Order { part, context, seed, windows, epoch: None, shuffled: Vec::new() })
    }

    /// Sequences of one epoch.
    pub(crate) fn epoch_length(&self) -> u64 {
        u64::from(self.windows)
    }

    /// Copies sequence number `n` of the run: `context + 1` tokens.
    pub(crate) fn read(&mut self, n: u64, window: &mut Vec<u32>) -> Result<()> {
        let (epoch, at) = (n / self.epoch_length(), n % self.epoch_length());
        if self.epoch != Some(epoch) {
            self.shuffle(epoch);
        }
        window.resize(self.context + 1, 0);
        let start = u64::from(self.shuffled[at as usize]) * self.context as u64;
        Ok(self.part.read(start, window)?)
    }

    /// The place of sequence number `n`, which was read last, in the training part: the positions
    /// of its tokens.
    pub(crate) fn rows(&self, n: u64) -> Range<u64> {
        let window = u64::from(self.shuffled[(n % self.epoch_length()) as usize]);
        let context = self.context as u64;
        window * context..(window + 1) * context
    }

    fn shuffle(&mut self, epoch: u64) {
        self.shuffled = shuffled(self.windows, self.seed, epoch);
        self.epoch = Some(epoch);
    }
}

/// A Fisher-Yates shuffle of `0..count`. Each epoch uses its own stream of the generator.
fn shuffled(count: u32, seed: u64, epoch: u64) -> Vec<u32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(epoch);
    let mut order: Vec<u32> = (0..count).collect();
    for last in (1..order.len()).rev() {
        // A widening multiplication maps 64 random bits to 0..=last. Its bias is below 2^-32,
        // because `last` is below 2^32.
        let chosen = (u128::from(random.next_u64()) * (last as u128 + 1)) >> 64;
        order.swap(last, chosen as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_is_a_different_permutation_of_the_same_windows() {
        let (first, second) = (shuffled(1000, 7, 0), shuffled(1000, 7, 1));
        assert_ne!(first, second);
        for mut order in [first.clone(), second] {
            order.sort_unstable();
            assert!(order.into_iter().eq(0..1000));
        }
        assert_eq!(first, shuffled(1000, 7, 0));
        assert_ne!(first, shuffled(1000, 8, 0));
    }

    #[test]
    fn the_torch_job_reads_text_in_the_same_order() {
        // The file was made by `python/regrow_torch`, whose tests read it too.
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/order/orders.json");
        let cases: serde_json::Value =
            serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let cases = cases.as_array().unwrap();
        assert!(cases.len() > 5);
        for case in cases {
            let number = |key: &str| case[key].as_u64().unwrap();
            let order = shuffled(number("count") as u32, number("seed"), number("epoch"));
            let bytes: Vec<u8> = order.iter().flat_map(|at| at.to_le_bytes()).collect();
            let hash = ledger::Sha256::of(&bytes).to_string();
            assert_eq!(case["sha256"], hash, "{case}: {:?}", &order[..order.len().min(6)]);
        }
    }

    #[test]
    fn every_place_is_reached_by_every_window_about_equally_often() {
        let mut count = [[0_u32; 4]; 4];
        for seed in 0..4000 {
            for (place, window) in shuffled(4, seed, 0).into_iter().enumerate() {
                count[place][window as usize] += 1;
            }
        }
        // 1000 expected, deviation 27: five deviations.
        assert!(count.iter().flatten().all(|&count| (860..1140).contains(&count)), "{count:?}");
    }
}
