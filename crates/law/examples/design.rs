//! How designed pilots do.
//!
//! `cargo run --release -p regrow-law --example design -- grid TABLE.csv...`: from the grid of each
//! table pilots are chosen at 5, 10, 15 and 30 % of its cost, for the enough tokens of the largest
//! size at each rate. A law of the pilots answers, and so does one of the whole grid. Pilots may
//! end at every third of their evaluations. A line of CSV a table, share and way of choosing: by
//! design; at random (five times); one factor at a time. `... -- made COUNT` designs pilots for
//! made worlds, fits tables of them, and holds the width of the answers against the expected one.

use std::collections::BTreeMap;
use std::error::Error;

#[path = "tables/mod.rs"]
mod tables;

use law::design::{Belief, Options, Pilot, Target, Wanted, check, design};
use law::levels::{Levels, Priors, Sampling, Shape, Subject, quantile};
use law::{Point, Run};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const GAIN: f64 = 0.01;
const SHARES: [f64; 4] = [0.05, 0.1, 0.15, 0.3];
/// Random sets of each table, share and number.
const RANDOM: u64 = 5;
/// What is believed of tables that were not made: excess and noise, nats.
const EXCESS: f64 = 0.3;
const NOISE: f64 = 0.003;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("grid") => grid(arguments),
        Some("made") => made(arguments.next().map_or(Ok(20), |count| count.parse())?),
        _ => Err("expected `grid TABLE.csv...` or `made COUNT`".into()),
    }
}

/// How a way of choosing did, over numbers and repeats.
#[derive(Clone, Copy, Default)]
struct Score {
    asked: u32,
    answered: u32,
    near: u32,
    held: u32,
    off: f64,
    spent: f64,
}

fn grid(paths: impl Iterator<Item = String>) -> Result<(), Box<dyn Error>> {
    println!("table,share,way,asked,answered,within_10,held,off,spent");
    let mut pooled: BTreeMap<(String, &str), Score> = BTreeMap::new();
    for path in paths {
        for (group, runs) in tables::read(&path)? {
            let name = format!("{path} {group}");
            whole_grid(&runs).print(&name, 1.0, "half interval of the grid");
            for share in SHARES {
                for (way, score) in of_table(&runs, share)? {
                    score.print(&name, share, way);
                    pooled.entry((share.to_string(), way)).or_default().add(&score);
                }
            }
        }
    }
    for ((share, way), score) in pooled {
        score.print("all", share.parse()?, way);
    }
    Ok(())
}

impl Score {
    fn add(&mut self, other: &Self) {
        self.asked += other.asked;
        self.answered += other.answered;
        self.near += other.near;
        self.held += other.held;
        self.off += other.off;
        self.spent += other.spent;
    }

    fn print(&self, table: &str, share: f64, way: &str) {
        let Self { asked, answered, near, held, off, spent } = *self;
        let [of_asked, of_answered] = [asked, answered].map(|n| f64::from(n.max(1)));
        println!(
            "{table},{share},{way},{asked},{answered},{:.3},{:.3},{:.3},{:.3}",
            f64::from(near) / of_asked,
            f64::from(held) / of_answered,
            (off / of_answered).exp(),
            spent / of_asked
        );
    }
}

/// How sure the whole grid is of the numbers: `off` is half of its interval, as a factor.
fn whole_grid(runs: &[Run]) -> Score {
    let largest = runs.iter().map(Run::n0).fold(0.0, f64::max);
    let mut score = Score::default();
    let law = fitted(runs.iter().collect());
    for run in runs.iter().filter(|run| run.n0() == largest) {
        score.asked += 1;
        score.spent += 1.0;
        let Some([low, _, high]) = law.as_ref().and_then(|law| enough(law, run)) else { continue };
        score.answered += 1;
        score.off += 0.5 * (high / low).ln();
    }
    score
}

/// The ways of choosing on one table.
fn of_table(runs: &[Run], share: f64) -> Result<Vec<(&'static str, Score)>, Box<dyn Error>> {
    // A run may end at every third evaluation. Costs are shares of the grid's.
    let whole: f64 = runs.iter().map(|run| cost(run, run.points())).sum();
    let mut pool = Vec::new();
    let mut pilots = Vec::new();
    for run in runs {
        for end in (3..=run.points().len()).step_by(3) {
            let points = &run.points()[..end];
            let tokens: Vec<f64> = points.iter().map(|point| point.tokens).collect();
            let pilot = Pilot::new(
                run.base(),
                run.n0(),
                run.rate(),
                tokens[end - 1],
                cost(run, points) / whole,
            )?;
            pilots.push(pilot.with_evaluations(tokens));
            pool.push(Run::new(run.name(), run.base(), run.place(), points.to_vec()));
        }
    }
    let largest = runs.iter().map(Run::n0).fold(0.0, f64::max);
    let targets: Vec<&Run> = runs.iter().filter(|run| run.n0() == largest).collect();
    let full = fitted(runs.iter().collect());
    let truths: Vec<Option<[f64; 3]>> =
        targets.iter().map(|run| full.as_ref().and_then(|law| enough(law, run))).collect();
    let priors = Priors::default();
    let mut found = [
        ("design", Score::default()),
        ("random", Score::default()),
        ("one factor", Score::default()),
    ];
    for (i, (run, truth)) in targets.iter().zip(&truths).enumerate() {
        let Some([_, truth, _]) = truth else { continue };
        let target = Target::new(run.base(), run.n0(), run.rate(), Wanted::Enough { gain: GAIN })?;
        let belief = Belief::Priors { priors: &priors, excess: EXCESS, noise: NOISE };
        let chosen = design(&pilots, &target, belief, share, &Options::default())?;
        let set = chosen
            .runs()
            .iter()
            .filter_map(|run| pilots.iter().position(|pilot| pilot == run.pilot()));
        found[0].1.judge(&pool, &pilots, &set.collect::<Vec<_>>(), run, *truth);
        for repeat in 0..RANDOM {
            let set = random(&pilots, &pool, share, 100 * repeat + i as u64);
            found[1].1.judge(&pool, &pilots, &set, run, *truth);
        }
        let set = one_factor(&pilots, &pool, share);
        found[2].1.judge(&pool, &pilots, &set, run, *truth);
    }
    Ok(found.to_vec())
}

fn cost(run: &Run, points: &[Point]) -> f64 {
    run.n0() * (1.0 - run.rate()) * points[points.len() - 1].tokens
}

/// Whole runs and beginnings, as they come, while the money lasts.
fn random(pilots: &[Pilot], pool: &[Run], budget: f64, seed: u64) -> Vec<usize> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut left: Vec<usize> = (0..pilots.len()).collect();
    let (mut set, mut spent) = (Vec::new(), 0.0);
    while !left.is_empty() {
        let pilot = left.swap_remove((random.next_u64() % left.len() as u64) as usize);
        if spent + pilots[pilot].cost() <= budget {
            spent += pilots[pilot].cost();
            set.push(pilot);
            left.retain(|other| pool[*other].name() != pool[pilot].name());
        }
    }
    set
}

/// Sizes at the middle rate, then rates at the middle size; whole runs, the cheapest first, and the
/// last as long as the money lasts.
fn one_factor(pilots: &[Pilot], pool: &[Run], budget: f64) -> Vec<usize> {
    let middle = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values.dedup();
        values[(values.len() - 1) / 2]
    };
    let n0 = middle(pilots.iter().map(Pilot::n0).collect());
    // Rates differ in the last digits from size to size: the middle one of each.
    let rate_of =
        |n0: f64| middle(pilots.iter().filter(|pilot| pilot.n0() == n0).map(Pilot::rate).collect());
    let mut order: Vec<usize> = (0..pilots.len())
        .filter(|pilot| {
            let pilot = &pilots[*pilot];
            pilot.rate() == rate_of(pilot.n0()) || pilot.n0() == n0
        })
        .collect();
    // Whole runs before their beginnings.
    order.sort_by(|a, b| {
        let key = |pilot: usize| (pilots[pilot].n0(), pool[pilot].name().to_owned());
        let longer = pilots[*b].tokens().total_cmp(&pilots[*a].tokens());
        key(*a).partial_cmp(&key(*b)).unwrap_or(std::cmp::Ordering::Equal).then(longer)
    });
    let (mut set, mut spent): (Vec<usize>, f64) = (Vec::new(), 0.0);
    for pilot in order {
        let is_new = set.iter().all(|other| pool[*other].name() != pool[pilot].name());
        if is_new && spent + pilots[pilot].cost() <= budget {
            spent += pilots[pilot].cost();
            set.push(pilot);
        }
    }
    set
}

impl Score {
    fn judge(&mut self, pool: &[Run], pilots: &[Pilot], set: &[usize], run: &Run, truth: f64) {
        self.asked += 1;
        self.spent += set.iter().map(|pilot| pilots[*pilot].cost()).sum::<f64>();
        let law = fitted(set.iter().map(|pilot| &pool[*pilot]).collect());
        let Some([low, value, high]) = law.and_then(|law| enough(&law, run)) else { return };
        let off = (value / truth).ln().abs();
        self.answered += 1;
        self.near += u32::from(off < 1.1_f64.ln());
        self.held += u32::from(low <= truth && truth <= high);
        self.off += off;
    }
}

fn fitted(runs: Vec<&Run>) -> Option<Levels> {
    let levels = Levels::sample(&runs, Shape::Fall, &Priors::default(), &Sampling::default())?;
    levels.diagnostics().is_good().then_some(levels)
}

/// Enough tokens of a new run at a run's place, with the ends of the 90 % interval.
fn enough(law: &Levels, run: &Run) -> Option<[f64; 3]> {
    let is_known = law.bases().iter().any(|base| base == run.base());
    let subject = if is_known { Subject::KnownBase(run.base()) } else { Subject::NewBase };
    let mut found = law.curves(subject, run.n0(), run.rate())?.where_doubling_buys(GAIN);
    let [low, value, high] = [0.05, 0.5, 0.95].map(|share| quantile(&mut found, share));
    let found = [low?, value?, high?];
    (found[1].is_finite() && found[1] > 0.0).then_some(found)
}

/// Designs in frames of the kind that people have, each tried on made tables.
fn made(count: usize) -> Result<(), Box<dyn Error>> {
    println!("frame,wanted,runs,expected,found,answered,held");
    let frames = [("3 sizes x 1 base", 3, 1), ("4 sizes x 2 bases", 4, 2)];
    let priors = Priors::default();
    let belief = Belief::Priors { priors: &priors, excess: EXCESS, noise: NOISE };
    for (frame, sizes, bases) in frames {
        let mut pilots = Vec::new();
        for size in 0..sizes {
            let n0 = 1e9 * 2.5_f64.powi(size);
            for base in 0..bases {
                for rate in [0.15, 0.25, 0.35] {
                    for tokens in [1e8, 4e8, 1.6e9] {
                        let name = format!("{size} {base}");
                        let cost = 6.0 * n0 * (1.0 - rate) * tokens;
                        pilots.push(Pilot::new(&name, n0, rate, tokens, cost)?);
                    }
                }
            }
        }
        let whole: f64 = pilots.iter().map(Pilot::cost).sum();
        let n0 = 1e9 * 2.5_f64.powi(sizes - 1);
        for wanted in [Wanted::Loss { tokens: 1.6e9 }, Wanted::Enough { gain: GAIN }] {
            let target = Target::new("another", n0, 0.25, wanted)?;
            let options = Options::default();
            let found = design(&pilots, &target, belief, 0.2 * whole, &options)?;
            let chosen: Vec<Pilot> = found.runs().iter().map(|run| run.pilot().clone()).collect();
            let tried = check(&chosen, &target, belief, count, &options)?;
            let width = tried.width().map_or_else(String::new, |width| width.to_string());
            println!(
                "{frame},{wanted:?},{},{},{width},{} of {count},{}",
                chosen.len(),
                found.after(),
                tried.answered(),
                tried.held()
            );
        }
    }
    Ok(())
}
