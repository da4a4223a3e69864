//! Pairs cluster bootstrap: whole runs drawn with replacement, as many as there are, and fitted
//! again.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::refit::{LeftOut, Refit};
use crate::fit::{Fit, refit};
use crate::identify::Levels;
use crate::parallel;
use crate::table::Run;

/// Draws that cannot fix the form's constants are made anew at most this often.
const TRIES: usize = 100;

/// `count` refits of drawn runs; `None` where too few draws can tell all constants.
pub(super) fn refits(
    fit: &Fit,
    runs: &[&Run],
    method: &str,
    count: usize,
    seed: u64,
) -> Option<Vec<Refit>> {
    let needed = Levels::of(runs, method).form();
    let whole = fit.problem(runs);
    let numbers: Vec<usize> = (0..count).collect();
    let refits = parallel::map(&numbers, |&number| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(number as u64);
        let draw = |_| {
            let places: Vec<usize> =
                runs.iter().map(|_| (random.next_u64() % runs.len() as u64) as usize).collect();
            let drawn: Vec<&Run> = places.iter().map(|&place| runs[place]).collect();
            (Levels::of(&drawn, method).form() == needed).then_some(places)
        };
        let places = (0..TRIES).find_map(draw)?;
        let parameters = refit(&whole.chosen(&places), &fit.parameters, &[]).parameters;
        Some(Refit { left_out: LeftOut::Draw(number), parameters })
    });
    refits.into_iter().collect()
}
