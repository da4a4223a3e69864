//! How a law with levels does on what is held out of measured tables, beside plain rivals.
//!
//! `cargo run --release -p regrow-law --example levels -- TABLE.csv...`: a line of CSV a table and
//! way of holding out on stdout, then the ways over all tables. Ways: the last fifth of each run's
//! range of `ln D`, the largest size, the highest rate of every base, and one base at a time.
//!
//! Rivals of the last checkpoints: the last value seen, and a power law through each run alone.
//! Of the largest size and of a base: the mean excess of runs of the next size (or the same) with
//! as many smaller rates. Of the highest rate: an excess proportional to the rate, and a line
//! through the two highest rates seen.

use std::collections::BTreeMap;
use std::error::Error;

#[path = "tables/mod.rs"]
mod tables;

use law::levels::{Levels, Priors, Sampling, Shape, Subject, quantile};
use law::{Point, Run};

/// Sums over held-out points.
#[derive(Clone, Copy, Default)]
struct Score {
    points: f64,
    withheld: f64,
    error: f64,
    of_rivals: [f64; 2],
    held: f64,
    width: f64,
    interval_score: f64,
}

/// What is held out, and what rivals say about each of its points.
struct Fold {
    seen: Vec<Run>,
    unseen: Vec<Run>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut pooled: BTreeMap<&str, Score> = BTreeMap::new();
    println!("{HEADER}");
    for path in std::env::args().skip(1) {
        for (group, runs) in tables::read(&path)? {
            let name = format!("{path} {group}");
            for (way, folds, rivals) in ways(&runs) {
                let mut score = Score::default();
                folds.iter().for_each(|fold| score.judge(fold, rivals));
                if score.points + score.withheld > 0.0 {
                    score.print(&name, way);
                    pooled.entry(way).or_default().add(&score);
                }
            }
        }
    }
    pooled.iter().for_each(|(way, score)| score.print("all", way));
    Ok(())
}

const HEADER: &str =
    "table,way,points,withheld,mae,skill,skill_against_second,held,width,interval_score";

type Rivals = fn(&Fold, &Run, f64) -> [f64; 2];

fn ways(runs: &[Run]) -> Vec<(&'static str, Vec<Fold>, Rivals)> {
    let largest = runs.iter().map(Run::n0).fold(0.0, f64::max);
    let highest = |run: &Run| {
        let of_base = runs.iter().filter(|other| other.base() == run.base());
        of_base.map(Run::rate).fold(0.0, f64::max)
    };
    let mut bases: Vec<&str> = runs.iter().map(Run::base).collect();
    bases.sort_unstable();
    bases.dedup();
    let of_bases = bases.iter().flat_map(|base| apart(runs, |run| run.base() == *base)).collect();
    vec![
        ("last-checkpoints", vec![last_checkpoints(runs)], of_its_own),
        ("largest-size", apart(runs, |run| same(run.n0(), largest)), of_next_size),
        ("highest-rate", apart(runs, |run| same(run.rate(), highest(run))), of_lower_rates),
        ("base", of_bases, of_next_size),
    ]
}

fn apart(runs: &[Run], is_out: impl Fn(&Run) -> bool) -> Vec<Fold> {
    let (unseen, seen): (Vec<Run>, Vec<Run>) = runs.iter().cloned().partition(is_out);
    if seen.is_empty() || unseen.is_empty() { Vec::new() } else { vec![Fold { seen, unseen }] }
}

fn last_checkpoints(runs: &[Run]) -> Fold {
    let with =
        |run: &Run, points: Vec<Point>| Run::new(run.name(), run.base(), run.place(), points);
    let (mut seen, mut unseen) = (Vec::new(), Vec::new());
    for run in runs {
        let ends = [run.points()[0].tokens.ln(), run.points()[run.points().len() - 1].tokens.ln()];
        let cut = ends[0] + 0.8 * (ends[1] - ends[0]) + 1e-9;
        let (before, after) =
            run.points().iter().copied().partition(|point| point.tokens.ln() <= cut);
        seen.push(with(run, before));
        unseen.push(with(run, after));
    }
    Fold { seen, unseen }
}

impl Score {
    fn judge(&mut self, fold: &Fold, rivals: Rivals) {
        let seen: Vec<&Run> = fold.seen.iter().collect();
        let levels = Levels::sample(&seen, Shape::Fall, &Priors::default(), &Sampling::default());
        for run in &fold.unseen {
            let subject = if seen.iter().any(|other| other.name() == run.name()) {
                Subject::Run(run.name())
            } else if seen.iter().any(|other| other.base() == run.base()) {
                Subject::KnownBase(run.base())
            } else {
                Subject::NewBase
            };
            let good = levels.as_ref().filter(|levels| levels.diagnostics().is_good());
            let curves = good.and_then(|levels| levels.curves(subject, run.n0(), run.rate()));
            let Some(curves) = curves else {
                self.withheld += run.points().len() as f64;
                continue;
            };
            for point in run.points() {
                let truth = point.loss - run.loss0();
                let mut drawn = curves.measured(point.tokens);
                let mut at = |share: f64| quantile(&mut drawn, share).unwrap_or(f64::NAN);
                let (low, middle, high) = (at(0.05), at(0.5), at(0.95));
                self.points += 1.0;
                self.error += (middle - truth).abs();
                for (sum, rival) in self.of_rivals.iter_mut().zip(rivals(fold, run, point.tokens)) {
                    *sum += (rival - truth).abs();
                }
                self.held += f64::from(u8::from((low..=high).contains(&truth)));
                self.width += high - low;
                // Winkler (1972) for 90 %: the width, and 20 times what lies outside.
                let outside = (low - truth).max(0.0) + (truth - high).max(0.0);
                self.interval_score += high - low + 20.0 * outside;
            }
        }
    }

    fn add(&mut self, other: &Self) {
        self.points += other.points;
        self.withheld += other.withheld;
        self.error += other.error;
        self.held += other.held;
        self.width += other.width;
        self.interval_score += other.interval_score;
        self.of_rivals.iter_mut().zip(other.of_rivals).for_each(|(sum, x)| *sum += x);
    }

    fn print(&self, table: &str, way: &str) {
        let mean = |sum: f64| sum / self.points;
        let [first, second] = self.of_rivals.map(|of_rival| 1.0 - self.error / of_rival);
        println!(
            "{table},{way},{},{},{:.5},{first:.3},{second:.3},{:.3},{:.4},{:.4}",
            self.points,
            self.withheld,
            mean(self.error),
            mean(self.held),
            mean(self.width),
            mean(self.interval_score)
        );
    }
}

/// The last value seen, and a power law through the run's own points.
fn of_its_own(fold: &Fold, run: &Run, tokens: f64) -> [f64; 2] {
    let Some(seen) = fold.seen.iter().find(|other| other.name() == run.name()) else {
        return [f64::NAN; 2];
    };
    let points = seen.points();
    let last = points[points.len() - 1].loss - run.loss0();
    let count = points.len() as f64;
    let middle = points.iter().map(|point| point.loss).sum::<f64>() / count;
    let unit = points.iter().map(|point| point.tokens).sum::<f64>() / count;
    let mut best = (f64::INFINITY, middle);
    for i in 0..120 {
        let beta = 0.02 * 250.0_f64.powf(f64::from(i) / 119.0);
        let power = |tokens: f64| (tokens / unit).powf(-beta);
        let mean = points.iter().map(|point| power(point.tokens)).sum::<f64>() / count;
        let sums = points.iter().fold([0.0, 0.0], |[together, square], point| {
            let x = power(point.tokens) - mean;
            [together + x * (point.loss - middle), square + x * x]
        });
        let slope = sums[0] / sums[1];
        let left =
            |point: &Point| (point.loss - middle - slope * (power(point.tokens) - mean)).powi(2);
        let error: f64 = points.iter().map(left).sum();
        if slope >= 0.0 && error < best.0 {
            best = (error, middle + slope * (power(tokens) - mean));
        }
    }
    [last, best.1 - run.loss0()]
}

/// The mean excess of runs of the nearest size seen, with as many smaller rates on their base.
fn of_next_size(fold: &Fold, run: &Run, tokens: f64) -> [f64; 2] {
    let all: Vec<&Run> = fold.seen.iter().chain(&fold.unseen).collect();
    let rank = |run: &Run| {
        let is_smaller =
            |other: &&&Run| other.base() == run.base() && other.rate() < run.rate() * (1.0 - 1e-6);
        all.iter().filter(is_smaller).count()
    };
    let apart = |other: &Run| (other.n0() / run.n0()).ln().abs();
    let nearest = fold.seen.iter().map(apart).fold(f64::INFINITY, f64::min);
    let alike: Vec<f64> = fold
        .seen
        .iter()
        .filter(|other| apart(other) <= nearest + 1e-6 && rank(other) == rank(run))
        .map(|other| excess(other, tokens))
        .collect();
    let mean = alike.iter().sum::<f64>() / alike.len() as f64;
    [mean; 2]
}

/// The excess of the next lower rate on its base, in proportion to the rate, and along the line
/// through the two next lower rates.
fn of_lower_rates(fold: &Fold, run: &Run, tokens: f64) -> [f64; 2] {
    let mut seen: Vec<&Run> = fold.seen.iter().filter(|other| other.base() == run.base()).collect();
    seen.sort_by(|a, b| b.rate().total_cmp(&a.rate()));
    let Some(next) = seen.first() else { return [f64::NAN; 2] };
    let of_next = excess(next, tokens);
    let proportional = of_next * run.rate() / next.rate();
    let line = seen.get(1).map_or(proportional, |below| {
        let slope = (of_next - excess(below, tokens)) / (next.rate() - below.rate());
        of_next + slope * (run.rate() - next.rate())
    });
    [proportional, line]
}

/// A run's excess after some tokens, between its points along a line in `ln D`.
fn excess(run: &Run, tokens: f64) -> f64 {
    let points = run.points();
    let after = points.iter().position(|point| point.tokens >= tokens * (1.0 - 1e-9));
    let after = after.unwrap_or(points.len() - 1).max(1).min(points.len() - 1);
    let (low, high) = (points[after - 1], points[after]);
    let share = ((tokens / low.tokens).ln() / (high.tokens / low.tokens).ln()).clamp(0.0, 1.0);
    (1.0 - share) * low.loss + share * high.loss - run.loss0()
}

fn same(a: f64, b: f64) -> bool {
    (a / b - 1.0).abs() < 1e-6
}
