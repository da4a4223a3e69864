//! Pairs cluster bootstrap: draws as many whole runs as there are, with replacement, and refits.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::refit::{LeftOut, Refit};
use crate::fit::{Fit, refit};
use crate::identify::Grid;
use crate::parallel;
use crate::table::Run;

/// A draw that cannot determine the form's constants is repeated at most this often.
const TRIES: usize = 100;

/// `count` refits of drawn runs. `None` if one finds no draw that fixes all constants.
pub(super) fn refits(
    fit: &Fit,
    runs: &[&Run],
    method: &str,
    count: usize,
    seed: u64,
) -> Option<Vec<Refit>> {
    let needed = Grid::of(runs, method).form();
    let whole = fit.problem(runs);
    let numbers: Vec<usize> = (0..count).collect();
    let refits = parallel::map(&numbers, |&number| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        // A stream of its own for each draw: the order of threads does not matter.
        random.set_stream(number as u64);
        let draw = |_| {
            let places: Vec<usize> =
                runs.iter().map(|_| (random.next_u64() % runs.len() as u64) as usize).collect();
            let drawn: Vec<&Run> = places.iter().map(|&place| runs[place]).collect();
            (Grid::of(&drawn, method).form() == needed).then_some(places)
        };
        let places = (0..TRIES).find_map(draw)?;
        let parameters = refit(&whole.chosen(&places), &fit.parameters, &[]).parameters;
        Some(Refit { left_out: LeftOut::Draw(number), parameters })
    });
    refits.into_iter().collect()
}
