//! What the draws of a posterior say about one run: its curves, losses, doublings and floor.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::Levels;
use super::density::{LATENT, Means, PointNoise, TAILS, spread};
use super::gauge::Gauge;
use super::groups::KINDS;
use super::prior::{BEND, MEANS, SHARED};
use super::shape::Arc;
use crate::uncertainty::normal;

/// What is asked about: each knows less than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A run that the law has seen, continued.
    Run(&'a str),
    /// A new run from a base that the law has seen.
    KnownBase(&'a str),
    /// A new run from a base that the law has not seen.
    NewBase,
}

/// How often each draw is used. Effects of new bases and runs are drawn anew each time.
const REPEATS: usize = 2;

/// Beyond the measured rates, the step of the level that the slope foretells is taken as uncertain
/// by this share (one standard deviation). Two or three rates cannot tell how the slope goes on.
pub(crate) const BEYOND: f64 = 0.5;

/// Beyond the last point of a run, what its curve falls is taken as uncertain by this share
/// (one standard deviation): no formula is exact, and points that it describes do not show by how
/// much it is wrong later.
const LATER: f64 = 0.05;

/// The curves that a posterior holds possible for one run. The same question gets the same curves,
/// so that answers at several tokens can be compared draw by draw.
#[derive(Clone, Debug)]
pub struct Curves {
    each: Vec<One>,
    /// Tokens and excess in one unit of the gauge, and the step of the correlation.
    tokens: f64,
    excess: f64,
    step: f64,
}

/// One possible curve, before the noise of what comes next is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drawn {
    pub(super) arc: Arc,
    pub(super) floor: f64,
    pub(super) noise: PointNoise,
    /// The residual at the last point, over its deviation, and the `ln D` of that point.
    pub(super) last: Option<(f64, f64)>,
}

#[derive(Clone, Copy, Debug)]
struct One {
    arc: Arc,
    floor: f64,
    noise: PointNoise,
    /// The residual at the last point, over its deviation, and the `ln D` of that point.
    last: Option<(f64, f64)>,
    /// What is new in the noise.
    fresh: f64,
    /// What the curve of a run falls after its last point is uncertain by this factor.
    beyond: f64,
}

impl Levels {
    /// The curves of a run at a size and a rate. `None` if the law knows no such run or base.
    ///
    /// Size and rate of a run that the law has seen are its own.
    pub fn curves(&self, subject: Subject<'_>, n0: f64, rate: f64) -> Option<Curves> {
        let run = match subject {
            Subject::Run(name) => Some(self.runs.iter().position(|run| run.name == name)?),
            _ => None,
        };
        let base = match subject {
            Subject::KnownBase(name) => Some(self.groups.base(name)?),
            _ => None,
        };
        let place = self.gauge.place(n0, rate);
        let groups = self.groups.find(n0, base.map(|base| self.bases()[base].as_str()));
        // A run that the law has seen needs no slopes.
        let nearest = self.nearest_rate(base, n0, rate);
        let beyond = nearest.map(|nearest| self.gauge.place(n0, nearest));
        let mut each = Vec::with_capacity(REPEATS * self.draws.len());
        for repeat in 0..REPEATS {
            for (i, draw) in self.draws.iter().enumerate() {
                let number = (repeat * self.draws.len() + i) as u64;
                // New effects belong to a place: other questions about it meet the same ones.
                let mut of_group = random(number, &[n0]);
                let mut of_run = random(number, &[n0, rate]);
                let latent = match run {
                    Some(run) => self.own(draw, run),
                    None => self.drawn(draw, place, beyond, groups, [&mut of_group, &mut of_run]),
                };
                let [level, fall, floor] = latent;
                let arc = Arc::new(self.shape, level, fall, draw[BEND]);
                let noise = PointNoise::of(&draw[..SHARED]);
                let last = run.map(|run| {
                    let last = &self.runs[run];
                    let x = self.gauge.ln_tokens(last.tokens);
                    let excess = last.excess / self.gauge.excess;
                    ((excess - floor - arc.at(x).y) / noise.deviation(excess), x)
                });
                let fresh = student(&mut of_run);
                let beyond = last.map_or(1.0, |_| later(&mut of_run));
                each.push(One { arc, floor, noise, last, fresh, beyond });
            }
        }
        let gauge = &self.gauge;
        Some(Curves { each, tokens: gauge.tokens, excess: gauge.excess, step: gauge.step })
    }

    /// The nearest rate that was measured on the base, or on the bases nearest in size, if this one
    /// lies outside all of those.
    fn nearest_rate(&self, base: Option<usize>, n0: f64, rate: f64) -> Option<f64> {
        let seen = self.runs.iter().filter(|run| base.is_none_or(|base| run.base == base));
        nearest_rate(seen.map(|run| [run.n0, run.rate]), n0, rate)
    }

    /// The constants of a run that the law has seen.
    pub(super) fn own(&self, draw: &[f64], run: usize) -> [f64; LATENT] {
        let place = SHARED + LATENT * (self.groups.count() + run);
        std::array::from_fn(|k| draw[place + k])
    }

    /// The constants of a new run.
    fn drawn(
        &self,
        draw: &[f64],
        place: [f64; 2],
        nearest: Option<[f64; 2]>,
        groups: [Option<usize>; KINDS],
        [of_group, of_run]: [&mut ChaCha8Rng; 2],
    ) -> [f64; LATENT] {
        let mut means = Means::of(&draw[..MEANS], place);
        let doubt = normal(of_group);
        if let Some(nearest) = nearest {
            let step = means.value[0] - Means::of(&draw[..MEANS], nearest).value[0];
            means.value[0] += BEYOND * doubt * step;
        }
        std::array::from_fn(|k| {
            // Each kind draws a number, so that a question meets the same ones whatever is known.
            let of_kind = |(kind, group): (usize, Option<usize>)| {
                let fresh = normal(of_group);
                let effect = group.map_or(fresh, |group| draw[SHARED + LATENT * group + k]);
                spread(draw, k, kind) * effect
            };
            let effect: f64 = groups.into_iter().enumerate().map(of_kind).sum();
            means.value[k] + effect + spread(draw, k, KINDS) * normal(of_run)
        })
    }
}

/// The nearest of the rates that were measured at the nearest size, if this one lies outside all
/// of those. What was measured is given by size and rate.
pub(crate) fn nearest_rate(
    seen: impl Iterator<Item = [f64; 2]> + Clone,
    n0: f64,
    rate: f64,
) -> Option<f64> {
    let apart = |seen: f64| (seen / n0).ln().abs();
    let least = seen.clone().map(|[n0, _]| apart(n0)).fold(f64::INFINITY, f64::min);
    let near = seen.filter(|[n0, _]| apart(*n0) <= least + 1e-6).map(|[_, rate]| rate);
    let [low, high] =
        near.fold([f64::INFINITY, 0.0_f64], |[low, high], rate| [low.min(rate), high.max(rate)]);
    // Rates of one cut differ in the last digits.
    match rate {
        _ if high == 0.0 => None,
        above if above > high * (1.0 + 1e-6) => Some(high),
        below if below < low * (1.0 - 1e-6) => Some(low),
        _ => None,
    }
}

impl Curves {
    /// The curves that were drawn for one run alone.
    pub(super) fn of_drawn(gauge: &Gauge, drawn: impl Iterator<Item = Drawn>, seed: u64) -> Self {
        let one = |(number, drawn): (usize, Drawn)| {
            let Drawn { arc, floor, noise, last } = drawn;
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(number as u64);
            let fresh = student(&mut random);
            One { arc, floor, noise, last, fresh, beyond: later(&mut random) }
        };
        let each = drawn.enumerate().map(one).collect();
        Self { each, tokens: gauge.tokens, excess: gauge.excess, step: gauge.step }
    }

    /// Level, rate of fall and floor of each curve, in the gauge.
    pub(super) fn latents(&self) -> impl Iterator<Item = [f64; LATENT]> {
        self.each.iter().map(|one| {
            let [level, fall] = one.arc.level_and_fall();
            [level, fall, one.floor]
        })
    }

    /// The excess of each curve after some tokens, nats, without noise.
    pub fn excesses(&self, tokens: f64) -> Vec<f64> {
        let x = (tokens / self.tokens).ln();
        self.each.iter().map(|one| self.excess * one.excess(x)).collect()
    }

    /// The excess that would be measured after some tokens, nats.
    pub fn measured(&self, tokens: f64) -> Vec<f64> {
        let x = (tokens / self.tokens).ln();
        let measured = |one: &One| {
            let excess = one.excess(x);
            let (before, correlation) = match one.last {
                Some((z, last)) => (z, one.noise.over(((x - last) / self.step).abs())),
                None => (0.0, 0.0),
            };
            let z = correlation * before + (1.0 - correlation * correlation).sqrt() * one.fresh;
            self.excess * (excess + z * one.noise.deviation(excess))
        };
        self.each.iter().map(measured).collect()
    }

    /// What the doubling from some tokens buys on each curve, nats.
    pub fn doublings(&self, from: f64) -> Vec<f64> {
        let x = (from / self.tokens).ln();
        self.each.iter().map(|one| self.excess * one.doubling(x)).collect()
    }

    /// The excess that each curve tends to, nats. It is an extrapolation to tokens without end.
    pub fn floors(&self) -> Vec<f64> {
        self.each.iter().map(|one| self.excess * one.moved(one.floor)).collect()
    }

    /// The tokens from which a doubling buys no more than `gain` nats, on each curve.
    pub fn where_doubling_buys(&self, gain: f64) -> Vec<f64> {
        let gain = gain / self.excess;
        let find = |one: &One| self.tokens * first(|x| one.doubling(x) <= gain).exp();
        self.each.iter().map(find).collect()
    }

    /// The tokens from which one more token buys no more than `gain` nats, on each curve.
    pub fn where_one_buys(&self, gain: f64) -> Vec<f64> {
        let gain = gain / self.excess;
        let slope = |one: &One, x: f64| {
            let step = 1e-4;
            let fall = one.fall(x - step, x + step) / (2.0 * step);
            fall / (self.tokens * x.exp())
        };
        let find = |one: &One| self.tokens * first(|x| slope(one, x) <= gain).exp();
        self.each.iter().map(find).collect()
    }

    /// The tokens after which each curve has fallen to this excess, nats; infinite where it never
    /// does.
    pub fn where_excess_is(&self, excess: f64) -> Vec<f64> {
        let target = excess / self.excess;
        let find = |one: &One| match one.moved(one.floor) < target {
            true => self.tokens * first(|x| one.excess(x) <= target).exp(),
            false => f64::INFINITY,
        };
        self.each.iter().map(find).collect()
    }
}

impl One {
    fn excess(&self, x: f64) -> f64 {
        let excess = self.floor + self.arc.at(x).y;
        match self.last {
            Some((_, last)) if x > last => self.moved(excess),
            _ => excess,
        }
    }

    /// An excess after the last point, as the curve goes on from there.
    fn moved(&self, excess: f64) -> f64 {
        match self.last {
            // Exactly the same where nothing is uncertain.
            Some((_, last)) if self.beyond != 1.0 => {
                let there = self.floor + self.arc.at(last).y;
                there + self.beyond * (excess - there)
            }
            _ => excess,
        }
    }

    /// What it falls from `x` to `y`.
    fn fall(&self, x: f64, y: f64) -> f64 {
        match self.beyond {
            // Without the floor, which would cost digits.
            1.0 => self.arc.at(x).y - self.arc.at(y).y,
            _ => self.excess(x) - self.excess(y),
        }
    }

    fn doubling(&self, x: f64) -> f64 {
        self.fall(x, x + std::f64::consts::LN_2)
    }
}

/// The first `x` from which a condition holds, that holds from somewhere on.
pub(super) fn first(holds: impl Fn(f64) -> bool) -> f64 {
    // Far beyond what anybody trains: from e^-30 to e^60 mean tokens.
    let (mut low, mut high) = (-30.0, 60.0);
    if holds(low) {
        return f64::NEG_INFINITY;
    }
    if !holds(high) {
        return f64::INFINITY;
    }
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if holds(middle) { high = middle } else { low = middle }
    }
    high
}

/// A draw of the factor by which a curve falls more than its formula says after its last point.
fn later(random: &mut impl Rng) -> f64 {
    (LATER * normal(random)).exp()
}

/// A generator for one draw and one place.
fn random(number: u64, place: &[f64]) -> ChaCha8Rng {
    // A simple mix is enough: the generator itself is strong.
    let mix = |seed: u64, x: &f64| {
        (seed ^ x.to_bits()).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23)
    };
    let mut random = ChaCha8Rng::seed_from_u64(place.iter().fold(place.len() as u64, mix));
    random.set_stream(number);
    random
}

/// A number from Student's distribution with [`TAILS`] degrees of freedom.
pub(super) fn student(random: &mut impl Rng) -> f64 {
    let mut squares = 0.0;
    for _ in 0..TAILS as usize {
        squares += normal(random).powi(2);
    }
    normal(random) / (squares / TAILS).sqrt()
}

/// The value below which a share of the samples lies, between neighbours along a line.
///
/// ```
/// assert_eq!(law::levels::quantile(&mut [3.0, 1.0, 2.0], 0.25), Some(1.5));
/// assert_eq!(law::levels::quantile(&mut [], 0.25), None);
/// ```
pub fn quantile(samples: &mut [f64], share: f64) -> Option<f64> {
    samples.sort_by(f64::total_cmp);
    let last = samples.len().checked_sub(1)?;
    let place = share * last as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let (low, high) = (samples[below], samples[(below + 1).min(last)]);
    // An infinite neighbour must not turn a finite value into NaN.
    Some(if part == 0.0 || low == high { low } else { (1.0 - part) * low + part * high })
}
