//! A design tried out: tables are made from worlds, fitted, and asked for the wanted number.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use super::answer::Width;
use super::problem::{believed, line, number};
use super::question::{Belief, Options, Pilot, Target, Wanted};
use crate::error::{Fault, Result};
use crate::levels::{Curves, Levels, Sampling, Shape, Subject, World, quantile};
use crate::parallel;
use crate::place::Place;
use crate::table::{Point, Run};

/// The loss before pruning of made runs, nats. Only the excess over it matters.
const LOSS0: f64 = 2.0;

/// What came out when a design was tried.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    tables: usize,
    answered: usize,
    held: usize,
    /// The middle width of the intervals; left out where none is finite.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    width: Option<Width>,
}

impl Check {
    /// How many tables were made.
    pub fn tables(&self) -> usize {
        self.tables
    }

    /// How many of them gave a finite interval.
    pub fn answered(&self) -> usize {
        self.answered
    }

    /// How many of these intervals held the number of a new run in the table's world.
    pub fn held(&self) -> usize {
        self.held
    }

    /// The middle width of the intervals: that of the mean logarithm.
    pub fn width(&self) -> Option<Width> {
        self.width
    }
}

/// Makes as many tables of the pilots, each from another world that the priors hold possible. Fits
/// a law with levels to each, and asks it for the number of a new run. A table takes about a
/// second.
///
/// # Errors
/// If a setting is out of range, there is no pilot, or the belief is a law: its draws belong to its
/// own data, which a made table does not hold.
pub fn check(
    pilots: &[Pilot],
    target: &Target,
    belief: Belief<'_>,
    tables: usize,
    options: &Options,
) -> Result<Check> {
    options.check()?;
    let Belief::Priors { priors, .. } = belief else {
        return Err(Fault::CheckOfLaw.into());
    };
    // Other worlds than those that the pilots were chosen in.
    let options = Options { seed: options.seed.wrapping_add(0x5eed), ..*options };
    let believed = believed(pilots, target, belief, &options)?;
    let place = |n0: f64, rate: f64, base: &str| {
        believed.place(n0, rate, base).expect("the groups hold every pilot and the target")
    };
    let of_target = place(target.n0, target.rate, &target.base);
    let has_number = |world: &&World| line(world, &of_target, target.wanted).is_some();
    let worlds: Vec<&World> = believed.worlds.iter().filter(has_number).take(tables).collect();
    let numbered: Vec<(u64, &World)> = (0..).zip(worlds).collect();
    let found = parallel::map(&numbered, |(stream, world)| {
        let mut random = ChaCha8Rng::seed_from_u64(options.seed);
        random.set_stream(*stream);
        let runs: Vec<Run> = pilots
            .iter()
            .enumerate()
            .map(|(i, pilot)| {
                let Pilot { base, n0, rate, .. } = pilot;
                let tokens = options.evaluations(pilot);
                let curve = world.curve(&place(*n0, *rate, base), &mut random);
                let excesses = world.measured(&curve, &tokens, &mut random);
                let points = tokens.iter().zip(excesses).map(|(tokens, excess)| Point {
                    tokens: *tokens,
                    loss: LOSS0 + excess,
                    weight: 1.0,
                });
                let at = Place { n0: *n0, rate: *rate, loss0: LOSS0 };
                Run::new(&i.to_string(), base, at, points.collect())
            })
            .collect();
        let truth = number(target.wanted, &world.curve(&of_target, &mut random));
        let runs: Vec<&Run> = runs.iter().collect();
        let sampling = Sampling::default().seeded(options.seed);
        let levels = Levels::sample(&runs, Shape::Fall, priors, &sampling)?;
        let is_known = pilots.iter().any(|pilot| pilot.base == target.base);
        let subject = if is_known { Subject::KnownBase(&target.base) } else { Subject::NewBase };
        let curves = levels.curves(subject, target.n0, target.rate)?;
        let [low, high] = interval(target.wanted, &curves, options.level)?;
        Some((low <= truth && truth <= high, 0.5 * (high - low)))
    });
    let answers: Vec<(bool, f64)> = found.into_iter().flatten().collect();
    let count = answers.len();
    let mean = answers.iter().map(|(_, half)| half.ln()).sum::<f64>() / count as f64;
    Ok(Check {
        tables: numbered.len(),
        answered: count,
        held: answers.iter().filter(|(held, _)| *held).count(),
        width: (count > 0).then(|| Width::of(target.wanted, mean.exp())),
    })
}

/// The interval of the number that a law gives; `None` where it is not finite.
fn interval(wanted: Wanted, curves: &Curves, level: f64) -> Option<[f64; 2]> {
    let mut found = match wanted {
        Wanted::Enough { gain } => {
            curves.where_doubling_buys(gain).into_iter().map(f64::ln).collect()
        }
        Wanted::Loss { tokens } => curves.excesses(tokens),
    };
    let tail = 0.5 * (1.0 - level);
    let [low, high] = [tail, 1.0 - tail].map(|share| quantile(&mut found, share));
    let ends = [low?, high?];
    (ends.iter().all(|end| end.is_finite()) && ends[0] < ends[1]).then_some(ends)
}
