//! What a run that was not made yet would tell: the information of its points about the constants
//! of the mean curve and about the effects of sizes and bases.
//!
//! A world is one set of constants that is held possible. In it, each run has a curve, and small
//! changes of the constants move that curve along a line.

use super::density::{LATENT, Means, PointNoise, TAILS, spread};
use super::gauge::Gauge;
use super::groups::{Groups, KINDS};
use super::prior::{BEND, MEANS};
use super::shape::{Arc, Shape};

/// Level, rate of fall, floor, and the bend that all runs share.
const MOVED: usize = LATENT + 1;
/// The share of Fisher's information of a normal distribution that Student's has, at the same
/// scale.
const OF_STUDENT: f64 = (TAILS + 1.0) / (TAILS + 3.0);

/// One set of constants: the shared ones, and three effects of each group.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) shape: Shape,
    pub(crate) gauge: Gauge,
    pub(crate) shared: Vec<f64>,
    pub(crate) effects: Vec<f64>,
}

/// A run by its place: its size and rate, and its groups.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunPlace {
    pub(crate) place: [f64; 2],
    pub(crate) groups: [usize; KINDS],
}

impl RunPlace {
    /// `None` if the groups do not hold its size or base.
    pub(super) fn of(
        gauge: &Gauge,
        groups: &Groups,
        n0: f64,
        rate: f64,
        base: &str,
    ) -> Option<Self> {
        let [size, base] = groups.find(n0, Some(base));
        Some(Self { place: gauge.place(n0, rate), groups: [size?, base?] })
    }
}

/// A wanted number as a line in the constants.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// By the constants, in the order of [`World::rows`].
    pub(crate) slopes: Vec<f64>,
    /// The variance that no pilot takes away: the target's own run.
    pub(crate) own: f64,
    /// By the level, for doubt about a rate beyond the measured ones.
    pub(crate) by_level: f64,
}

impl World {
    /// How many constants the information is about: those of the mean curve, and all effects.
    pub(crate) fn dimension(&self) -> usize {
        MEANS + self.effects.len()
    }

    /// Level, rate of fall and floor that a run without effects of its own would have.
    pub(super) fn latent(&self, run: &RunPlace) -> [f64; LATENT] {
        let means = Means::of(&self.shared[..MEANS], run.place);
        std::array::from_fn(|k| {
            let of = |(kind, group): (usize, usize)| {
                spread(&self.shared, k, kind) * self.effects[LATENT * group + k]
            };
            means.value[k] + run.groups.into_iter().enumerate().map(of).sum::<f64>()
        })
    }

    /// The curve of a run without effects of its own.
    pub(crate) fn middle(&self, run: &RunPlace) -> Curve {
        let [level, fall, floor] = self.latent(run);
        Curve::new(self.shape, [level, fall, floor, self.shared[BEND]], &self.gauge)
    }

    /// How the constants move a run's level, rate of fall, floor and bend.
    fn moves(&self, run: &RunPlace) -> [Vec<f64>; MOVED] {
        let means = Means::of(&self.shared[..MEANS], run.place);
        std::array::from_fn(|k| {
            let mut row = vec![0.0; self.dimension()];
            if k == LATENT {
                row[BEND] = 1.0;
                return row;
            }
            row[..MEANS].copy_from_slice(&means.by[k]);
            for (kind, group) in run.groups.into_iter().enumerate() {
                row[MEANS + LATENT * group + k] = spread(&self.shared, k, kind);
            }
            row
        })
    }

    /// What a run with evaluations after `tokens` tells, as rows: the information is the sum of
    /// their squares.
    pub(crate) fn rows(&self, run: &RunPlace, tokens: &[f64]) -> Vec<Vec<f64>> {
        let factor = factor(&self.within_run(self.of_points(run, tokens)));
        let moves = self.moves(run);
        let row = |j: usize| {
            let mut row = vec![0.0; self.dimension()];
            for (k, along) in moves.iter().enumerate().skip(j) {
                row.iter_mut().zip(along).for_each(|(x, by)| *x += factor[k][j] * by);
            }
            row
        };
        (0..MOVED).map(row).collect()
    }

    /// The information of points about the run's own curve.
    fn of_points(&self, run: &RunPlace, tokens: &[f64]) -> [[f64; MOVED]; MOVED] {
        let [level, fall, floor] = self.latent(run);
        let arc = Arc::new(self.shape, level, fall, self.shared[BEND]);
        let noise = PointNoise::of(&self.shared);
        let mut found = [[0.0; MOVED]; MOVED];
        let mut before: Option<(f64, [f64; MOVED])> = None;
        for tokens in tokens {
            let x = self.gauge.ln_tokens(*tokens);
            let at = arc.at(x);
            let inverse = noise.deviation(floor + at.y).recip();
            let by = [at.by_level, at.by_fall, 1.0, at.by_bend].map(|by| by * inverse);
            let correlation =
                before.map_or(0.0, |(last, _)| noise.over(((x - last) / self.gauge.step).abs()));
            let unit = (1.0 - correlation * correlation).sqrt().recip();
            let last = before.map_or([0.0; MOVED], |(_, by)| by);
            let fresh: [f64; MOVED] =
                std::array::from_fn(|k| unit * (by[k] - correlation * last[k]));
            for (row, a) in found.iter_mut().zip(fresh) {
                row.iter_mut().zip(fresh).for_each(|(x, b)| *x += OF_STUDENT * a * b);
            }
            before = Some((x, by));
        }
        found
    }

    /// What is left of the information about the curves of all runs: a run has effects of its own,
    /// one number after the other is taken out.
    fn within_run(&self, mut found: [[f64; MOVED]; MOVED]) -> [[f64; MOVED]; MOVED] {
        for k in 0..LATENT {
            let variance = spread(&self.shared, k, KINDS).powi(2);
            let column = found.map(|row| row[k]);
            let shrink = variance / (1.0 + variance * column[k]);
            for (row, a) in found.iter_mut().zip(column) {
                row.iter_mut().zip(column).for_each(|(x, b)| *x -= shrink * a * b);
            }
        }
        found
    }

    /// A number that follows from a run's curve, as a line. `None` where it has no value.
    pub(crate) fn line(
        &self,
        run: &RunPlace,
        number: impl Fn(&Curve) -> Option<f64>,
    ) -> Option<Line> {
        let [level, fall, floor] = self.latent(run);
        let middle = [level, fall, floor, self.shared[BEND]];
        let step = 1e-4;
        let mut slopes = [0.0; MOVED];
        for (k, slope) in slopes.iter_mut().enumerate() {
            let moved = |by: f64| {
                let mut at = middle;
                at[k] += by;
                number(&Curve::new(self.shape, at, &self.gauge))
            };
            *slope = (moved(step)? - moved(-step)?) / (2.0 * step);
        }
        let mut line = vec![0.0; self.dimension()];
        for (along, slope) in self.moves(run).iter().zip(slopes) {
            line.iter_mut().zip(along).for_each(|(x, by)| *x += slope * by);
        }
        let own = (0..LATENT).map(|k| (spread(&self.shared, k, KINDS) * slopes[k]).powi(2)).sum();
        Some(Line { slopes: line, own, by_level: slopes[0] })
    }

    /// How far the level steps between two rates at a size, in the logarithm.
    pub(crate) fn step(&self, n0: f64, from: f64, to: f64) -> f64 {
        let level =
            |rate: f64| Means::of(&self.shared[..MEANS], self.gauge.place(n0, rate)).value[0];
        level(to) - level(from)
    }
}

/// A curve of one run, in natural units.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Curve {
    arc: Arc,
    floor: f64,
    tokens: f64,
    excess: f64,
}

impl Curve {
    pub(super) fn new(shape: Shape, at: [f64; MOVED], gauge: &Gauge) -> Self {
        let arc = Arc::new(shape, at[0], at[1], at[3]);
        Self { arc, floor: at[2], tokens: gauge.tokens, excess: gauge.excess }
    }

    /// The excess after some tokens, nats.
    pub(crate) fn excess(&self, tokens: f64) -> f64 {
        self.excess * (self.floor + self.arc.at((tokens / self.tokens).ln()).y)
    }

    /// The tokens from which a doubling buys no more than `gain` nats.
    pub(crate) fn enough(&self, gain: f64) -> f64 {
        let ln_two = std::f64::consts::LN_2;
        let buys = |x: f64| self.excess * (self.arc.at(x).y - self.arc.at(x + ln_two).y);
        self.tokens * super::draws::first(|x| buys(x) <= gain).exp()
    }
}

/// The lower triangular factor of a matrix that may lack full rank; what is left of rounding counts
/// as nothing.
fn factor(a: &[[f64; MOVED]; MOVED]) -> [[f64; MOVED]; MOVED] {
    let mut l = [[0.0; MOVED]; MOVED];
    for j in 0..MOVED {
        let square = a[j][j] - l[j][..j].iter().map(|x| x * x).sum::<f64>();
        if square <= 1e-12 * a[j][j].abs() {
            continue;
        }
        l[j][j] = square.sqrt();
        for i in j + 1..MOVED {
            let both: f64 = (0..j).map(|k| l[i][k] * l[j][k]).sum();
            l[i][j] = (a[i][j] - both) / l[j][j];
        }
    }
    l
}
