//! Whether the chains of a sampler have met: R-hat and the effective sample size.
//!
//! Both follow Vehtari et al. (2021), without ranks: chains are split in halves, and
//! autocorrelations are summed as long as sums of neighbours are positive and fall (Geyer 1992).

use serde::{Deserialize, Serialize};

use crate::parallel;

/// What tells whether a posterior may be believed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnostics {
    /// The largest R-hat of a constant; 1 where all chains tell the same.
    pub(super) r_hat: f64,
    /// The smallest effective sample size of a constant.
    pub(super) effective: f64,
    /// Trajectories that the sampler had to give up.
    pub(super) divergences: usize,
    /// Draws of all chains together.
    pub(super) draws: usize,
    /// Chains.
    pub(super) chains: usize,
}

/// A posterior with a larger R-hat is not believed.
const LARGEST_R_HAT: f64 = 1.05;
/// A posterior with fewer effective draws is not believed.
const FEWEST_EFFECTIVE: f64 = 100.0;
/// A posterior of which the sampler gave up a larger share of trajectories is not believed: the
/// draws avoid a part of it.
const LARGEST_SHARE_GIVEN_UP: f64 = 0.05;

impl Diagnostics {
    /// Of chains of the same length, each a list of draws of so many constants.
    pub(crate) fn of<D: AsRef<[f64]> + Sync>(chains: &[&[D]], dimension: usize) -> Self {
        let places: Vec<usize> = (0..dimension).collect();
        let told = parallel::map(&places, |place| {
            let of_chain = |chain: &&[D]| chain.iter().map(|draw| draw.as_ref()[*place]).collect();
            of_chains(&chains.iter().map(of_chain).collect::<Vec<_>>())
        });
        let mut worst = Self {
            r_hat: 0.0,
            effective: f64::MAX,
            divergences: 0,
            draws: chains.iter().map(|chain| chain.len()).sum(),
            chains: chains.len(),
        };
        for (r_hat, effective) in told {
            // A chain that never moved gives infinity or NaN, which no file can hold.
            let r_hat = if r_hat.is_finite() { r_hat } else { f64::MAX };
            worst.r_hat = worst.r_hat.max(r_hat);
            worst.effective = worst.effective.min(if effective.is_nan() { 0.0 } else { effective });
        }
        worst
    }

    /// The same, with trajectories that were given up.
    #[cfg(feature = "sampler")]
    pub(super) fn diverging(self, divergences: usize) -> Self {
        Self { divergences, ..self }
    }

    /// The largest R-hat of a constant; 1 where all chains tell the same.
    pub fn r_hat(&self) -> f64 {
        self.r_hat
    }

    /// The smallest effective sample size of a constant.
    pub fn effective(&self) -> f64 {
        self.effective
    }

    /// Trajectories that the sampler had to give up.
    pub fn divergences(&self) -> usize {
        self.divergences
    }

    /// Draws of all chains together.
    pub fn draws(&self) -> usize {
        self.draws
    }

    /// Whether the chains have met.
    pub fn is_good(&self) -> bool {
        // Written so that NaN is bad.
        self.r_hat <= LARGEST_R_HAT && self.effective >= FEWEST_EFFECTIVE && !self.is_hopeless()
    }

    /// Whether more draws cannot help.
    pub(super) fn is_hopeless(&self) -> bool {
        self.divergences as f64 > LARGEST_SHARE_GIVEN_UP * self.draws as f64
    }

    /// The same for a person.
    pub fn sentence(&self) -> String {
        let Self { r_hat, effective, divergences, draws, chains } = *self;
        let what = format!(
            "{chains} chains, {draws} draws: R-hat at most {r_hat:.3}, effective sample size at least \
             {effective:.0}, {divergences} divergences"
        );
        match self.is_good() {
            true => what,
            false => format!(
                "{what}; the chains have not met (R-hat above {LARGEST_R_HAT}, fewer than \
                 {FEWEST_EFFECTIVE:.0} effective draws, or more divergences than one draw in twenty), \
                 so there is no posterior"
            ),
        }
    }
}

/// R-hat and effective sample size of one constant. Chains must have the same length.
pub(super) fn of_chains(chains: &[Vec<f64>]) -> (f64, f64) {
    let half = chains[0].len() / 2;
    let halves: Vec<&[f64]> =
        chains.iter().flat_map(|chain| [&chain[..half], &chain[half..2 * half]]).collect();
    let (count, n) = (halves.len() as f64, half as f64);
    let means: Vec<f64> = halves.iter().map(|part| part.iter().sum::<f64>() / n).collect();
    let middle = means.iter().sum::<f64>() / count;
    let between = means.iter().map(|mean| (mean - middle).powi(2)).sum::<f64>() / (count - 1.0);
    // The mean over halves of how far draws `lag` apart move together.
    let together = |lag: usize| {
        let of_part = |(part, mean): (&&[f64], &f64)| {
            let pairs = part.iter().zip(&part[lag..]);
            pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>() / n
        };
        halves.iter().zip(&means).map(of_part).sum::<f64>() / count
    };
    let within = together(0) * n / (n - 1.0);
    let whole = together(0) + between;
    // A constant that never moves has met itself, but tells nothing.
    if whole <= 0.0 {
        return (1.0, 0.0);
    }
    let correlation = |lag: usize| 1.0 - (within - together(lag)) / whole;
    let (mut sum, mut last) = (0.0, f64::INFINITY);
    for lag in (0..half.saturating_sub(1)).step_by(2) {
        let pair = correlation(lag) + correlation(lag + 1);
        if pair < 0.0 {
            break;
        }
        last = pair.min(last);
        sum += last;
    }
    let total = count * n;
    let time = (2.0 * sum - 1.0).max(1.0 / total.log10());
    ((whole / within).sqrt(), total / time)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::uncertainty::normal;

    /// Chains of an autoregression of order 1, each with its own mean.
    fn chains(correlation: f64, means: [f64; 4]) -> Vec<Vec<f64>> {
        let mut random = ChaCha8Rng::seed_from_u64(4);
        means
            .into_iter()
            .map(|mean| {
                let mut x = 0.0;
                let fresh = (1.0 - correlation * correlation).sqrt();
                let mut next = || {
                    x = correlation * x + fresh * normal(&mut random);
                    mean + x
                };
                (0..2000).map(|_| next()).collect()
            })
            .collect()
    }

    #[test]
    fn the_effective_size_is_that_of_an_autoregression() {
        for correlation in [0.0, 0.5, 0.9] {
            let (r_hat, effective) = of_chains(&chains(correlation, [0.0; 4]));
            let expected = 8000.0 * (1.0 - correlation) / (1.0 + correlation);
            assert!(
                (effective / expected - 1.0).abs() < 0.25,
                "{correlation}: {effective} {expected}"
            );
            assert!(r_hat < 1.02, "{r_hat}");
        }
    }

    #[test]
    fn chains_that_stay_apart_are_seen() {
        let (r_hat, effective) = of_chains(&chains(0.0, [0.0, 0.0, 0.0, 1.0]));
        assert!(r_hat > 1.05 && effective < 100.0, "{r_hat} {effective}");
    }

    #[test]
    fn a_constant_that_is_not_a_number_is_bad() {
        let bad =
            Diagnostics { r_hat: f64::NAN, effective: 1e3, divergences: 0, draws: 1, chains: 1 };
        assert!(!bad.is_good() && bad.sentence().contains("have not met"));
    }
}
