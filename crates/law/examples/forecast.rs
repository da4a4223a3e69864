//! How forecasts of single runs do: on made curves whose truth is known, and on measured ones.
//!
//! `cargo run --release -p regrow-law --example forecast -- made` draws curves and says how often
//! the 90 % intervals hold. `... -- judge FILE...` forecasts every run of measured tables from 30,
//! 50 and 70 % of its tokens. `... -- stop FILE...` follows runs point by point and says what the
//! advice to stop would have saved and lost; `stop` follows one run in four of a long table. A
//! number before the files takes one run in so many, and `-8` takes all but one in eight. Tables
//! are points tables, the summary of scan-bench (`config_id`), or curves of Multi-Power Law
//! (`step,lr,loss`; steps stand for tokens).
//!
//! Rivals: the last value seen, a line in the logarithm of tokens, and a power law with a floor by
//! least squares. Each is judged as a bare number and with the normal distribution of its
//! residuals, whichever does better.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;

use law::forecast::{Measured, Prior, Question, curves};
use law::levels::quantile;
use ledger::{Phase, Point, Tokens};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

type Run = (String, Vec<[f64; 2]>);
type Sets = BTreeMap<String, Vec<Run>>;

const SPLITS: [f64; 3] = [0.3, 0.5, 0.7];
/// So many points of the rest of a run are judged.
const JUDGED: usize = 12;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("made") => made(),
        Some("judge") => judge(&read_all(arguments)?)?,
        Some("stop") => stop(&read_all(arguments)?)?,
        _ => return Err("expected `made`, `judge FILE...` or `stop FILE...`".into()),
    }
    Ok(())
}

/// What is said of one later point: our draws, and each rival's value and deviation.
struct Said {
    truth: f64,
    draws: Vec<f64>,
    rivals: [Option<[f64; 2]>; RIVALS],
}

const RIVALS: usize = 3;
const NAMES: [&str; RIVALS] = ["last", "line", "power"];

#[derive(Clone, Default)]
struct Score {
    runs: usize,
    withheld: usize,
    points: usize,
    held: usize,
    width: f64,
    crps: f64,
    bare: [f64; RIVALS],
    spread: [f64; RIVALS],
}

impl Score {
    fn add(&mut self, said: &mut Said) {
        let [low, high] =
            [0.05, 0.95].map(|share| quantile(&mut said.draws, share).unwrap_or(f64::NAN));
        self.points += 1;
        self.held += usize::from(low <= said.truth && said.truth <= high);
        self.width += high - low;
        self.crps += crps_of(&said.draws, said.truth);
        for (k, rival) in said.rivals.iter().enumerate() {
            let [value, deviation] = rival.unwrap_or([f64::NAN, 0.0]);
            self.bare[k] += (value - said.truth).abs();
            self.spread[k] += crps_of_normal(value, deviation, said.truth);
        }
    }

    fn merge(&mut self, other: &Self) {
        self.runs += other.runs;
        self.withheld += other.withheld;
        self.points += other.points;
        self.held += other.held;
        self.width += other.width;
        self.crps += other.crps;
        for k in 0..RIVALS {
            self.bare[k] += other.bare[k];
            self.spread[k] += other.spread[k];
        }
    }

    fn print(&self, set: &str, split: &str) {
        let n = self.points.max(1) as f64;
        let rivals: Vec<String> =
            (0..RIVALS).map(|k| format!("{:.5}", self.bare[k].min(self.spread[k]) / n)).collect();
        println!(
            "{set},{split},{},{},{},{:.3},{:.4},{:.5},{}",
            self.runs,
            self.withheld,
            self.points,
            self.held as f64 / n,
            self.width / n,
            self.crps / n,
            rivals.join(",")
        );
    }
}

fn header() {
    println!("set,split,runs,withheld,points,held,width,crps,{}", NAMES.join(","));
}

fn measured(points: &[[f64; 2]]) -> Measured {
    let point = |(step, [tokens, loss]): (u64, &[f64; 2])| Point {
        eval_loss: Some(*loss),
        ..Point::new(step, Tokens(*tokens as u64), 0.0, Phase::Constant)
    };
    Measured::new(&(1..).zip(points).map(point).collect::<Vec<_>>())
}

fn judge_one(points: &[[f64; 2]], split: f64, score: &mut Score) -> Result<(), Box<dyn Error>> {
    let end = points[points.len() - 1][0];
    let seen = points.iter().filter(|point| point[0] <= split * end).count();
    let (seen, unseen) = points.split_at(seen);
    let found = curves(&measured(seen), Prior::Weak, &Question::default())?;
    let Some((curves, reference)) = found else {
        score.withheld += 1;
        return Ok(());
    };
    score.runs += 1;
    let stride = unseen.len().div_ceil(JUDGED).max(1);
    for [tokens, truth] in unseen.iter().rev().step_by(stride) {
        let draws = curves.measured(*tokens).into_iter().map(|x| reference + x).collect();
        let rivals = [last(seen), line(seen, *tokens), power(seen, *tokens)];
        score.add(&mut Said { truth: *truth, draws, rivals });
    }
    Ok(())
}

fn judge(sets: &Sets) -> Result<(), Box<dyn Error>> {
    header();
    let start = Instant::now();
    let mut forecasts = 0;
    let mut pooled: BTreeMap<String, Score> = BTreeMap::new();
    for (set, runs) in sets {
        for split in SPLITS {
            let mut score = Score::default();
            for (_, points) in runs {
                judge_one(points, split, &mut score)?;
                forecasts += 1;
            }
            let split = format!("{split}");
            score.print(set, &split);
            let kind = set.split('/').next().unwrap_or(set).to_owned();
            for key in [format!("{kind},{split}"), format!("{kind},all"), "all,all".to_owned()] {
                pooled.entry(key).or_default().merge(&score);
            }
        }
    }
    for (key, score) in &pooled {
        let (set, split) = key.split_once(',').unwrap_or((key, ""));
        score.print(&format!("pooled {set}"), split);
    }
    eprintln!("{:.2} s a forecast", start.elapsed().as_secs_f64() / f64::from(forecasts));
    Ok(())
}

/// Made curves of four kinds, none of which is exactly the model but the first.
fn made() {
    header();
    let mut random = ChaCha8Rng::seed_from_u64(16);
    let mut uniform = move || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    let kinds = ["power and floor", "two powers", "early fall", "drifting noise"];
    for kind in kinds {
        let mut runs: Vec<Run> = Vec::new();
        for _ in 0..60 {
            let n = [6, 12, 25][(uniform() * 3.0) as usize];
            let (floor, fall) = (1.0 + 2.0 * uniform(), 0.1 + 0.5 * uniform());
            let (amplitude, sigma) = ((uniform() * 4.0 - 2.5).exp(), (uniform() * 3.0 - 7.0).exp());
            let first = 0.03 + 0.1 * uniform();
            let drift = if kind == "drifting noise" { 0.8 } else { 0.0 };
            let mut before = 0.0;
            let points = (0..n).map(|i| {
                let share = f64::from(i) / f64::from(n - 1);
                let x = first * (1.0 / first).powf(share);
                let more = match kind {
                    "two powers" => 0.4 * amplitude * x.powf(-0.5 * fall),
                    "early fall" => 3.0 * amplitude * (-x / (0.5 * first)).exp(),
                    _ => 0.0,
                };
                let sum: f64 = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
                before = drift * before + (1.0_f64 - drift * drift).sqrt() * sigma * sum;
                [1e9 * x, floor + amplitude * x.powf(-fall) + more + before]
            });
            runs.push((String::new(), points.collect()));
        }
        let mut pooled = Score::default();
        for split in SPLITS {
            let mut score = Score::default();
            for (_, points) in &runs {
                judge_one(points, split, &mut score).expect("made curves are whole");
            }
            score.print(kind, &format!("{split}"));
            pooled.merge(&score);
        }
        pooled.print(kind, "all");
    }
}

/// The gains a doubling must buy, nats: what tokens are worth to different people.
const GAINS: [f64; 5] = [0.01, 0.02, 0.05, 0.1, 0.2];
/// A run that is followed shows no more than so many evaluations.
const FOLLOWED: usize = 40;

/// Follows runs and stops them by each rule. A rule pays the loss where it stops, and the gain for
/// every doubling of tokens until there; regret is what the best point of the run would have paid
/// less.
fn stop(sets: &Sets) -> Result<(), Box<dyn Error>> {
    let rules = ["advice", "five flat", "five flat by gain", "25 %", "50 %", "75 %", "to the end"];
    println!("set,rule,runs,tokens_saved,nats_lost,regret");
    let mut pooled = vec![[0.0; 4]; rules.len()];
    for (set, runs) in sets {
        let mut sums = vec![[0.0; 4]; rules.len()];
        // One run in four: each needs a forecast at every evaluation.
        for (_, points) in runs.iter().step_by(if runs.len() > 12 { 4 } else { 1 }) {
            let stride = points.len().div_ceil(FOLLOWED);
            let points: Vec<[f64; 2]> = points.iter().copied().step_by(stride).collect();
            let found: Vec<_> = (1..=points.len())
                .map(|n| curves(&measured(&points[..n]), Prior::Weak, &Question::default()))
                .collect::<Result<_, _>>()?;
            let last = points.len() - 1;
            for gain in GAINS {
                let paid = |i: usize| points[i][1] + gain * points[i][0].log2();
                let best = (0..=last).map(paid).fold(f64::INFINITY, f64::min);
                let advised = (0..=last).find(|i| {
                    found[*i].as_ref().is_some_and(|(curves, _)| {
                        let doublings = curves.doublings(points[*i][0]);
                        let below = doublings.iter().filter(|x| **x < gain).count();
                        below as f64 >= law::forecast::SURE * doublings.len() as f64
                    })
                });
                let flat = |least: f64| {
                    (5..=last).find(|i| {
                        let low = |part: &[[f64; 2]]| {
                            part.iter().map(|point| point[1]).fold(f64::INFINITY, f64::min)
                        };
                        low(&points[i - 4..=*i]) > low(&points[..i - 4]) - least
                    })
                };
                let share =
                    |share: f64| (0..=last).find(|i| points[*i][0] >= share * points[last][0]);
                let stops =
                    [advised, flat(0.0), flat(gain), share(0.25), share(0.5), share(0.75), None];
                for (sum, stop) in sums.iter_mut().zip(stops) {
                    let i = stop.unwrap_or(last);
                    let saved = 1.0 - points[i][0] / points[last][0];
                    let lost = points[i][1] - points[last][1];
                    let row = [1.0, saved, lost, paid(i) - best];
                    sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
                }
            }
        }
        print_stops(set, &rules, &sums);
        for (all, sum) in pooled.iter_mut().zip(&sums) {
            all.iter_mut().zip(sum).for_each(|(all, x)| *all += x);
        }
    }
    print_stops("pooled", &rules, &pooled);
    Ok(())
}

fn print_stops(set: &str, rules: &[&str], sums: &[[f64; 4]]) {
    for (rule, [n, saved, lost, regret]) in rules.iter().zip(sums) {
        let runs = n / GAINS.len() as f64;
        println!("{set},{rule},{runs},{:.3},{:.5},{:.5}", saved / n, lost / n, regret / n);
    }
}

fn last(seen: &[[f64; 2]]) -> Option<[f64; 2]> {
    seen.last().map(|point| [point[1], 0.0])
}

/// A line in the logarithm of tokens: its value and the deviation of a new point.
fn line(seen: &[[f64; 2]], tokens: f64) -> Option<[f64; 2]> {
    least_squares(seen, |tokens| tokens.ln(), tokens)
        .map(|(value, deviation, _)| [value, deviation])
}

/// A power law with a floor: the best of many exponents.
fn power(seen: &[[f64; 2]], tokens: f64) -> Option<[f64; 2]> {
    let unit = seen.last()?[0];
    let fits = (1..=300).filter_map(|i| {
        let beta = 0.01 * f64::from(i);
        least_squares(seen, |tokens| (tokens / unit).powf(-beta), tokens)
    });
    let best = fits.min_by(|a, b| a.2.total_cmp(&b.2))?;
    Some([best.0, best.1])
}

/// A line in `of(tokens)`: value and deviation at some tokens, and the sum of squares.
fn least_squares(
    seen: &[[f64; 2]],
    of: impl Fn(f64) -> f64,
    tokens: f64,
) -> Option<(f64, f64, f64)> {
    let n = seen.len() as f64;
    let mean = |f: &dyn Fn(&[f64; 2]) -> f64| seen.iter().map(f).sum::<f64>() / n;
    let (x, y) = (mean(&|p| of(p[0])), mean(&|p| p[1]));
    let square = n * mean(&|p| (of(p[0]) - x).powi(2));
    let slope = n * mean(&|p| (of(p[0]) - x) * (p[1] - y)) / square;
    let left = n * mean(&|p| (p[1] - y - slope * (of(p[0]) - x)).powi(2));
    let at = of(tokens) - x;
    let deviation = (left / (n - 2.0).max(1.0) * (1.0 + 1.0 / n + at * at / square)).sqrt();
    let value = y + slope * at;
    value.is_finite().then_some((value, deviation, left))
}

/// The continuous ranked probability score of draws.
fn crps_of(draws: &[f64], truth: f64) -> f64 {
    let mut sorted = draws.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let off = sorted.iter().map(|x| (x - truth).abs()).sum::<f64>() / n;
    let apart: f64 =
        sorted.iter().enumerate().map(|(i, x)| (2.0 * i as f64 + 1.0 - n) * x).sum::<f64>();
    off - apart / (n * n)
}

/// The same of a normal distribution (Gneiting et al. 2005).
fn crps_of_normal(mean: f64, deviation: f64, truth: f64) -> f64 {
    let z = (truth - mean) / deviation;
    if !(deviation > 1e-12 && z.is_finite()) {
        return (truth - mean).abs();
    }
    let density = (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
    deviation * (z * (2.0 * below(z) - 1.0) + 2.0 * density - std::f64::consts::PI.sqrt().recip())
}

/// The standard normal distribution function (Abramowitz and Stegun 26.2.17).
fn below(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let sum = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429]
        .iter()
        .rev()
        .fold(0.0, |sum, c| (sum + c) * t);
    let tail = sum * (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
    if z > 0.0 { 1.0 - tail } else { tail }
}

fn read_all(paths: impl Iterator<Item = String>) -> Result<Sets, Box<dyn Error>> {
    let mut sets = Sets::new();
    let mut every = 1_i64;
    for path in paths {
        if let Ok(number) = path.parse() {
            every = number;
            continue;
        }
        let text = std::fs::read_to_string(&path)?;
        let mut lines = text.lines();
        let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
        let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
        let has = |name: &str| header.iter().position(|column| *column == name);
        let parts: Vec<&str> = path.rsplit('/').take(2).collect();
        let name = format!("{}/{}", parts.get(1).unwrap_or(&""), parts[0]);
        let (key, set) = match (has("run"), has("config_id")) {
            (Some(run), _) => (Some(run), format!("tables/{name}")),
            (None, Some(id)) => (Some(id), "scan_bench".to_owned()),
            (None, None) => (None, format!("multi_power_law/{name}")),
        };
        let [tokens, loss] = match (has("run"), has("config_id")) {
            (Some(_), _) => [has("tokens"), has("loss")],
            (None, Some(_)) => [has("tokens_so_far"), has("valid_loss")],
            (None, None) => [has("step"), has("loss")],
        };
        let (Some(tokens), Some(loss)) = (tokens, loss) else {
            return Err(format!("`{path}` is no table that is known").into());
        };
        let cell = |row: &[&str], place: Option<usize>| row.get(place?)?.parse::<f64>().ok();
        let mut runs: BTreeMap<String, Vec<[f64; 2]>> = BTreeMap::new();
        for row in &rows {
            // Before the rate cools.
            let steady = match (has("current_lr"), has("phase")) {
                (Some(_), _) => {
                    let [now, peak] = ["current_lr", "lr"].map(|name| cell(row, has(name)));
                    now.zip(peak).is_some_and(|(now, peak)| (now / peak - 1.0).abs() < 1e-6)
                }
                (None, Some(phase)) => row[phase] == "constant",
                (None, None) => true,
            };
            if let (true, Some(tokens), Some(loss)) =
                (steady, cell(row, Some(tokens)), cell(row, Some(loss)))
            {
                let name = key.map_or_else(String::new, |key| row[key].to_owned());
                runs.entry(name).or_default().push([tokens, loss]);
            }
        }
        let whole = runs.into_iter().filter(|(_, points)| points.len() >= 5);
        let is_taken = |i: &i64| (i % every.abs() == 0) == (every > 0);
        let taken = (0..).zip(whole).filter(|(i, _)| is_taken(i)).map(|(_, run)| run);
        sets.entry(set).or_default().extend(taken.map(|(name, mut points)| {
            points.sort_by(|a, b| a[0].total_cmp(&b[0]));
            (name, points)
        }));
    }
    Ok(sets)
}
