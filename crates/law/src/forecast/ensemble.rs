//! Draws from a density of a few constants: an ensemble of walkers. Most moves go along the
//! difference of two others (ter Braak 2006), some towards one other (Goodman and Weare 2010). That
//! needs no gradient, and long narrow ridges are no harder than round hills.
//!
//! It is for one run, whose seven constants it samples in a fraction of a second. It uses no crate
//! that a browser lacks.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::levels::Diagnostics;
use crate::parallel;

/// Ensembles that know nothing of each other.
const ENSEMBLES: u64 = 4;
/// Walkers of each: a few more than there are constants would do, many meet sooner.
const WALKERS: usize = 40;
/// Steps of each walker before its places count, and after.
const STEPS: [usize; 2] = [500, 800];
/// Of the steps that count, one in so many is kept: neighbours tell nearly the same.
const STRIDE: usize = 5;
/// The share of moves along a difference.
const ALONG: f64 = 0.8;
/// How far a walker may stretch, as in the paper.
const STRETCH: f64 = 2.0;
/// Walkers that stand still count as one draw each, so more are needed than there are walkers.
const FEWEST_EFFECTIVE: f64 = 400.0;
/// Before places count, walkers far below the best are moved to others so often.
const ROUNDS: usize = 10;
/// How often sampling is tried again, each time with twice as many steps.
const RETRIES: u32 = 2;

/// Draws, and whether the walkers have met: only then the draws may be believed.
pub(super) struct Sampled<const N: usize> {
    pub(super) draws: Vec<[f64; N]>,
    pub(super) diagnostics: Diagnostics,
    pub(super) have_met: bool,
}

/// Samples, and again with more steps where walkers have not met. `starts` are places to begin at,
/// the best first. `None` if the density is zero at all of them.
pub(super) fn sample<const N: usize>(
    ln_density: impl Fn(&[f64; N]) -> f64 + Sync + Send,
    starts: &[[f64; N]],
    seed: u64,
) -> Option<Sampled<N>> {
    (!starts.is_empty()).then_some(())?;
    let numbers: Vec<u64> = (0..ENSEMBLES).collect();
    for attempt in 0..=RETRIES {
        let steps = STEPS.map(|steps| steps << attempt);
        let chains: Vec<Vec<[f64; N]>> = parallel::map(&numbers, |number| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(*number);
            ensemble(&ln_density, starts, steps, &mut random)
        })
        .into_iter()
        .flatten()
        .collect();
        // The walkers of an ensemble behind one another are a chain: those of other ensembles know
        // nothing of them, and one that stands still lowers the effective size.
        let whole: Vec<Vec<[f64; N]>> = chains.chunks(WALKERS).map(|part| part.concat()).collect();
        let whole: Vec<&[[f64; N]]> = whole.iter().map(Vec::as_slice).collect();
        let diagnostics = Diagnostics::of(&whole, N);
        let have_met = diagnostics.is_good() && diagnostics.effective() >= FEWEST_EFFECTIVE;
        if have_met || attempt == RETRIES {
            return Some(Sampled { draws: chains.concat(), diagnostics, have_met });
        }
    }
    None
}

/// The places of each walker.
fn ensemble<const N: usize>(
    ln_density: impl Fn(&[f64; N]) -> f64,
    starts: &[[f64; N]],
    [before, counted]: [usize; 2],
    random: &mut ChaCha8Rng,
) -> Vec<Vec<[f64; N]>> {
    let mut walkers: Vec<([f64; N], f64)> = (0..WALKERS)
        .map(|_| {
            let at = starts[(uniform(random) * starts.len() as f64) as usize];
            (at, ln_density(&at))
        })
        .collect();
    // Walkers at one place could not leave it.
    for (at, value) in &mut walkers {
        let moved = at.map(|x| x + 1e-3 * (uniform(random) - 0.5));
        let there = ln_density(&moved);
        if there.is_finite() {
            (*at, *value) = (moved, there);
        }
    }
    let half = WALKERS / 2;
    let mut chains = vec![Vec::new(); WALKERS];
    for step in 0..before + counted {
        let round = before / (2 * ROUNDS);
        if step % round == 0 && step / round < ROUNDS {
            gather(&mut walkers, &ln_density, random);
        }
        for i in 0..WALKERS {
            // Only the other half of the walkers may guide a move.
            let mut other = || {
                let number = (uniform(random) * half as f64) as usize;
                walkers[half * usize::from(i < half) + number].0
            };
            let (a, b) = (other(), other());
            let (here, value) = walkers[i];
            let (moved, ln_volume): ([f64; N], f64) = if uniform(random) < ALONG {
                // The length that suits a normal density, and now and then a whole difference,
                // which can lead from hill to hill.
                let whole = uniform(random) < 0.1;
                let length = if whole { 1.0 } else { 2.38 / (2.0 * N as f64).sqrt() };
                let length = length * (1.0 + 0.2 * (uniform(random) - 0.5));
                (std::array::from_fn(|k| here[k] + length * (a[k] - b[k])), 0.0)
            } else {
                let root = 1.0 + uniform(random) * (STRETCH - 1.0);
                let z = root * root / STRETCH;
                let moved = std::array::from_fn(|k| a[k] + z * (here[k] - a[k]));
                (moved, (N as f64 - 1.0) * z.ln())
            };
            let found = ln_density(&moved);
            let ratio = ln_volume + found - value;
            if found.is_finite() && uniform(random).ln() < ratio {
                walkers[i] = (moved, found);
            }
        }
        if step >= before && (step - before).is_multiple_of(STRIDE) {
            chains.iter_mut().zip(&walkers).for_each(|(chain, (at, _))| chain.push(*at));
        }
    }
    chains
}

/// Moves walkers that lie far below the best to where others are.
fn gather<const N: usize>(
    walkers: &mut [([f64; N], f64)],
    ln_density: impl Fn(&[f64; N]) -> f64,
    random: &mut ChaCha8Rng,
) {
    let best = walkers.iter().map(|(_, value)| *value).fold(f64::NEG_INFINITY, f64::max);
    // A normal density lies as far below its top at seven deviations in all directions together.
    let limit = best - 3.5 * N as f64;
    let good: Vec<[f64; N]> =
        walkers.iter().filter(|(_, value)| *value >= limit).map(|(at, _)| *at).collect();
    for walker in walkers.iter_mut().filter(|(_, value)| *value < limit) {
        let mut any = || good[(uniform(random) * good.len() as f64) as usize];
        let (at, a, b) = (any(), any(), any());
        let moved: [f64; N] =
            std::array::from_fn(|k| at[k] + 0.3 * (a[k] - b[k]) + 1e-4 * (uniform(random) - 0.5));
        let value = ln_density(&moved);
        *walker = if value.is_finite() { (moved, value) } else { (at, ln_density(&at)) };
    }
}

/// A number from 0 up to 1.
fn uniform(random: &mut impl Rng) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skewed_normal_ridge_has_its_known_moments() {
        // A ridge a thousand times longer than wide: x ~ N(3, 10), y = x + N(0, 0.01).
        let ln = |at: &[f64; 2]| {
            -0.5 * ((at[0] - 3.0) / 10.0).powi(2) - 0.5 * ((at[1] - at[0]) / 0.01).powi(2)
        };
        let starts: Vec<[f64; 2]> = (0..20).map(|i| [f64::from(i), f64::from(i) + 0.01]).collect();
        let Sampled { draws, diagnostics, have_met } = sample(ln, &starts, 1).unwrap();
        assert!(have_met, "{}", diagnostics.sentence());
        let n = draws.len() as f64;
        let mean = draws.iter().map(|at| at[0]).sum::<f64>() / n;
        let sd = (draws.iter().map(|at| (at[0] - mean).powi(2)).sum::<f64>() / n).sqrt();
        let across = (draws.iter().map(|at| (at[1] - at[0]).powi(2)).sum::<f64>() / n).sqrt();
        assert!((mean - 3.0).abs() < 1.0 && (sd / 10.0 - 1.0).abs() < 0.07, "{mean} {sd}");
        assert!((across / 0.01 - 1.0).abs() < 0.07, "{across}");
    }

    #[test]
    fn hills_apart_are_seen_not_to_have_met() {
        let ln = |at: &[f64; 1]| {
            let hill = |x: f64| (-0.5 * ((at[0] - x) / 0.01).powi(2)).exp();
            (hill(0.0) + hill(50.0)).ln()
        };
        let found = sample(ln, &[[0.0], [50.0], [0.001], [50.001]], 1).unwrap();
        assert!(!found.have_met, "{}", found.diagnostics.sentence());
    }

    #[test]
    fn the_same_seed_gives_the_same_draws() {
        let ln = |at: &[f64; 1]| -0.5 * at[0] * at[0];
        let draws = |seed| sample(ln, &[[0.1], [-0.2], [1.0]], seed).unwrap().draws;
        assert_eq!(draws(7), draws(7));
        assert_ne!(draws(7), draws(8));
    }
}
