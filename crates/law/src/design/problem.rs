//! Sets of pilots, judged by how uncertain they would leave the wanted number.

use super::question::{Belief, Options, Pilot, Target, Wanted};
use super::view::View;
use crate::error::{Fault, Result};
use crate::levels::{BEYOND, Believed, Curve, Gauge, Line, RunPlace, Scales, World, nearest_rate};
use crate::parallel;

/// In so many worlds sets are held against each other.
const WORLDS: usize = 32;
/// So many are drawn at most: some have no such number, or curves that no model has.
const DRAWN: usize = 1024;
/// Fewer worlds than this give no design.
const FEWEST: usize = 16;
/// No language model is worse than chance by so many nats: a world with such an excess is left out.
const MOST: f64 = 20.0;
/// Tokens beyond these factors of the middle of all pilots are no answer: a world with such a
/// number is left out.
const FAR: f64 = 1e5;

/// A choice of pilots, prepared for the search.
pub(super) struct Problem<'a> {
    pilots: &'a [Pilot],
    target: &'a Target,
    pub(super) worlds: Vec<Seen>,
    pub(super) left_out: usize,
    /// What was measured already, with the base of each.
    before: Vec<(String, [f64; 2])>,
}

/// A world, prepared for the search.
pub(super) struct Seen {
    world: World,
    view: View,
    by_level: f64,
}

impl<'a> Problem<'a> {
    pub(super) fn new(
        pilots: &'a [Pilot],
        target: &'a Target,
        belief: Belief<'_>,
        options: &Options,
    ) -> Result<Self> {
        let believed = believed(pilots, target, belief, options)?;
        let seen = |world: &World| {
            let of_target = believed.place(target.n0, target.rate, &target.base)?;
            let line = line(world, &of_target, target.wanted)?;
            let rows: Option<Vec<_>> = pilots
                .iter()
                .map(|pilot| {
                    let place = believed.place(pilot.n0, pilot.rate, &pilot.base)?;
                    Some(world.rows(&place, &told(pilot, belief, options)))
                })
                .collect();
            let Line { slopes, own, by_level } = line;
            let view = View::new(&believed.covariance, &rows?, &[(slopes, own)]);
            Some(Seen { world: world.clone(), view, by_level })
        };
        let (mut worlds, mut drawn) = (Vec::new(), believed.left_out);
        for some in believed.worlds.chunks(WORLDS) {
            worlds.extend(parallel::map(some, seen).into_iter().flatten());
            drawn += some.len();
            if worlds.len() >= WORLDS {
                break;
            }
        }
        let left_out = drawn - worlds.len();
        // A number that few worlds have cannot be planned for.
        if worlds.len() < FEWEST {
            return Err(Fault::NoNumber { without: left_out, of: drawn }.into());
        }
        worlds.truncate(WORLDS);
        Ok(Self { pilots, target, worlds, left_out, before: believed.seen })
    }

    /// The logarithm of the deviation of the number after some pilots, its mean over the worlds.
    pub(super) fn ln_deviation(&self, set: &[usize]) -> f64 {
        self.ln_deviations(set, &[None])[0]
    }

    /// The same with each of some further pilots.
    pub(super) fn ln_deviations(&self, set: &[usize], more: &[Option<usize>]) -> Vec<f64> {
        let nearest: Vec<Option<f64>> =
            more.iter().map(|pilot| self.nearest_rate(set.iter().chain(pilot))).collect();
        let mut sums = vec![0.0; more.len()];
        for seen in &self.worlds {
            let after = seen.view.after(set);
            for ((sum, pilot), nearest) in sums.iter_mut().zip(more).zip(&nearest) {
                let found = after.as_ref().and_then(|after| match pilot {
                    Some(pilot) => after.variances_with(&seen.view, *pilot),
                    None => after.variances(&seen.view),
                });
                let Some([variance]) = found.as_deref() else {
                    *sum = f64::INFINITY;
                    continue;
                };
                let doubt = nearest.map_or(0.0, |nearest| {
                    let step = seen.world.step(self.target.n0, nearest, self.target.rate);
                    BEYOND * step * seen.by_level
                });
                *sum += 0.5 * (variance + doubt * doubt).ln();
            }
        }
        sums.into_iter().map(|sum| sum / self.worlds.len() as f64).collect()
    }

    /// The nearest measured rate, if the wanted one lies outside those: of its base if that has
    /// runs, or else of the bases nearest in size.
    fn nearest_rate<'p>(&self, set: impl Iterator<Item = &'p usize>) -> Option<f64> {
        let before = self.before.iter().map(|(base, place)| (base.as_str(), *place));
        let pilots = set.map(|pilot| &self.pilots[*pilot]);
        let all: Vec<(&str, [f64; 2])> = before
            .chain(pilots.map(|pilot| (pilot.base.as_str(), [pilot.n0, pilot.rate])))
            .collect();
        let Target { base, n0, rate, .. } = self.target;
        let own = all.iter().filter(|(name, _)| name == base);
        let of = |all: &[[f64; 2]]| nearest_rate(all.iter().copied(), *n0, *rate);
        let own: Vec<[f64; 2]> = own.map(|(_, place)| *place).collect();
        if own.is_empty() {
            return of(&all.iter().map(|(_, place)| *place).collect::<Vec<_>>());
        }
        of(&own)
    }
}

/// What is believed, as worlds in which no pilot begins at an excess that no model has.
///
/// # Errors
/// If there is no pilot, a scale is out of range, or the law has no posterior.
pub(super) fn believed(
    pilots: &[Pilot],
    target: &Target,
    belief: Belief<'_>,
    options: &Options,
) -> Result<Believed> {
    if pilots.is_empty() {
        return Err(Fault::NoPilots.into());
    }
    let mut believed = drawn(pilots, target, belief, options)?;
    let begins: Vec<(RunPlace, f64)> = pilots
        .iter()
        .filter_map(|pilot| {
            let place = believed.place(pilot.n0, pilot.rate, &pilot.base)?;
            Some((place, *told(pilot, belief, options).first()?))
        })
        .collect();
    let before = believed.worlds.len();
    believed.worlds.retain(|world| {
        begins.iter().all(|(place, tokens)| world.middle(place).excess(*tokens) < MOST)
    });
    believed.left_out = before - believed.worlds.len();
    Ok(believed)
}

/// The tokens at which a pilot tells something. A law says nothing of evaluations before the first
/// tokens that it was fitted to.
fn told(pilot: &Pilot, belief: Belief<'_>, options: &Options) -> Vec<f64> {
    let first = match belief {
        Belief::Law(law) => law.ranges().get("tokens").map_or(0.0, |range| range[0]),
        Belief::Priors { .. } => 0.0,
    };
    // The same tokens may differ in the last digits.
    let is_told = |tokens: &f64| *tokens >= first * (1.0 - 1e-9);
    options.evaluations(pilot).into_iter().filter(is_told).collect()
}

fn drawn(
    pilots: &[Pilot],
    target: &Target,
    belief: Belief<'_>,
    options: &Options,
) -> Result<Believed> {
    let models = pilots
        .iter()
        .map(|pilot| (pilot.n0, pilot.base.as_str()))
        .chain([(target.n0, target.base.as_str())]);
    match belief {
        Belief::Law(law) => {
            let levels = law.levels().ok_or(Fault::NoLevels)?;
            Ok(Believed::of_levels(levels, models, DRAWN, options.seed))
        }
        Belief::Priors { priors, excess, noise } => {
            for (name, found) in [("excess", excess), ("noise", noise)] {
                if !(1e-9..=1e3).contains(&found) {
                    let expected = "from 1e-9 to 1000 nats";
                    return Err(Fault::Setting { name, found, expected }.into());
                }
            }
            let places: Vec<[f64; 2]> = pilots.iter().map(|pilot| [pilot.n0, pilot.rate]).collect();
            let tokens: Vec<f64> =
                pilots.iter().flat_map(|pilot| options.evaluations(pilot)).collect();
            let step = options.span.ln() / (options.points - 1) as f64;
            let gauge = Gauge::expected(&places, &tokens, excess, step);
            let scales = Scales { gauge, noise };
            Ok(Believed::of_priors(priors, &scales, models, DRAWN, options.seed))
        }
    }
}

/// The wanted number of a curve: the logarithm of tokens, or the excess of a loss in nats.
pub(super) fn number(wanted: Wanted, curve: &Curve) -> f64 {
    match wanted {
        Wanted::Enough { gain } => curve.enough(gain).ln(),
        Wanted::Loss { tokens } => curve.excess(tokens),
    }
}

/// The wanted number as a line. `None` where it has no value that a run could have.
pub(super) fn line(world: &World, place: &RunPlace, wanted: Wanted) -> Option<Line> {
    let middle = world.gauge.tokens().ln();
    let is_sane = |curve: &Curve, number: f64| match wanted {
        Wanted::Enough { .. } => {
            (number - middle).abs() < FAR.ln() && curve.excess(number.exp()) < MOST
        }
        Wanted::Loss { .. } => true,
    };
    world.line(place, |curve| {
        let number = number(wanted, curve);
        is_sane(curve, number).then_some(number)
    })
}
