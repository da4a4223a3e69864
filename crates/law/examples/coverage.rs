//! Do 90 % intervals hold the truth in 90 % of made worlds? For every design of runs that the law
//! speaks of.
//!
//! `cargo run --release -p regrow-law --example coverage -- 400 > coverage.csv`: a line of CSV a
//! design and quantity on stdout. The first argument is how many tables are drawn for each design,
//! the second picks designs by a part of their name, the third the intervals (`jackknife`,
//! `parametric` or `pairs`).

#[path = "../tests/world/mod.rs"]
mod world;

use law::uncertainty::Intervals;
use law::{GroupLaw, Place, Settings, Table, TableRow};
use rayon::prelude::*;
use world::{Bend, World, wrong};

/// A way of laying out runs, and the world they are drawn from.
struct Design {
    name: String,
    world: World,
    method: &'static str,
}

/// Whether an interval held the truth, and half its width; `None` where no interval was given.
type Verdict = Option<(bool, f64)>;

const FOUR: [f64; 4] = [0.494, 1.236, 1.544, 3.086];
const SIX: [f64; 6] = [0.494, 1.236, 1.544, 3.086, 3.213, 7.616];
const RATES: [f64; 3] = [0.15, 0.25, 0.36];
/// Realised rates of 2:4 patterns at Llama-3.2-1B and 3B and Qwen2.5-0.5B, 1.5B, 3B and 7B, by
/// size.
const PATTERN: [f64; 6] = [0.362, 0.394, 0.424, 0.450, 0.439, 0.428];

const QUANTITIES: [&str; 15] = [
    "mean curve, middle of the range",
    "mean curve, corner of the range",
    "new run, middle of the range",
    "new run, corner of the range",
    "mean curve, 3 times the tokens",
    "new run, 3 times the tokens",
    "mean curve, 2.5 times the size",
    "new run, 2.5 times the size",
    "mean curve, rate 0.5",
    "enough tokens",
    "beta",
    "gamma",
    "no lack of fit",
    "a single run's own curve, middle of the range",
    "a single run's own curve, corner of the range",
];

fn main() -> law::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let tables = arguments.first().and_then(|count| count.parse().ok()).unwrap_or(400);
    let part = arguments.get(1).map_or("", |name| name);
    let intervals = match arguments.get(2).map(String::as_str) {
        None | Some("jackknife") => Intervals::Jackknife,
        Some("parametric") => Intervals::Parametric,
        Some("pairs") => Intervals::Pairs,
        Some(other) => panic!("there are no intervals `{other}`"),
    };
    println!("design,quantity,tables,intervals,covered,percent,median_half_width");
    for design in designs().into_iter().filter(|design| design.name.contains(part)) {
        let verdicts: law::Result<Vec<Vec<Verdict>>> =
            (0..tables).into_par_iter().map(|seed| judge(&design, intervals, seed)).collect();
        for (line, quantity) in summary(&verdicts?).into_iter().zip(QUANTITIES) {
            println!("\"{}\",\"{quantity}\",{tables},{line}", design.name);
        }
    }
    Ok(())
}

/// How many tables gave an interval, how many of these held the truth, and half the middle
/// interval's width.
fn summary(verdicts: &[Vec<Verdict>]) -> Vec<String> {
    let of_quantity = |i: usize| {
        let given: Vec<(bool, f64)> = verdicts.iter().filter_map(|verdict| verdict[i]).collect();
        let held = given.iter().filter(|(held, _)| *held).count();
        let mut halves: Vec<f64> = given.iter().map(|(_, half)| *half).collect();
        halves.sort_by(f64::total_cmp);
        match given.len() {
            0 => "0,0,,".to_owned(),
            count => {
                let percent = 100.0 * held as f64 / count as f64;
                format!("{count},{held},{percent:.1},{:.3e}", halves[count / 2])
            }
        }
    };
    (0..QUANTITIES.len()).map(of_quantity).collect()
}

fn judge(design: &Design, intervals: Intervals, seed: u64) -> law::Result<Vec<Verdict>> {
    let Design { world, method, .. } = design;
    let rows =
        world.rows(seed).into_iter().map(|row| TableRow { method: (*method).to_owned(), ..row });
    let settings = Settings { starts: 16, intervals, ..Settings::default() };
    let law = law::fit(&Table::new(rows)?, &settings)?;
    let group = &law.groups()[0];
    let last = |values: &[f64]| values[values.len() - 1];
    let middle = |values: &[f64]| values[values.len() / 2];
    let (size, rate) = (middle(&world.sizes), middle(&world.rates));
    let at = |n0: f64, rate: f64, tokens: f64| both(world, group, seed, n0, rate, tokens);
    let corner = (last(&world.sizes), last(&world.rates), last(&world.tokens));
    let [middle_mean, middle_new] = at(size, rate, middle(&world.tokens))?;
    let [corner_mean, corner_new] = at(corner.0, corner.1, corner.2)?;
    let [later_mean, later_new] = at(size, rate, 3.0 * corner.2)?;
    let [larger_mean, larger_new] = at(2.5 * corner.0, rate, corner.2)?;
    let [cut_mean, _] = at(size, 0.5, corner.2)?;
    let constant = |name: &str, truth: f64| {
        group
            .constants()
            .get(name)
            .and_then(|constant| constant.interval)
            .map(|ends| held(ends, truth))
    };
    let place = Place::new(size * 1e9, rate, World::loss0(size))?;
    let enough = group.plan(place, &Default::default())?.enough().interval();
    // One run cannot know how it lies to others: its interval is that of its own curve.
    let own = |tokens: f64| -> law::Result<Verdict> {
        let prediction = group.predict(place, tokens * 1e9)?;
        let truth = world.loss(size, rate, tokens) + world.offset_of_first(seed);
        Ok(prediction.mean().filter(|_| group.runs() == 1).map(|ends| held(ends, truth)))
    };
    let alarm = group.warnings().iter().any(|warning| *warning.code() == "lack-of-fit");
    Ok(vec![
        middle_mean,
        corner_mean,
        middle_new,
        corner_new,
        later_mean,
        later_new,
        larger_mean,
        larger_new,
        cut_mean,
        enough.map(|ends| held(ends.map(f64::ln), world.enough(size, rate).ln())),
        constant("beta", world.truth[4]),
        constant("gamma", world.truth[5]),
        Some((!alarm, 0.0)),
        own(middle(&world.tokens))?,
        own(corner.2)?,
    ])
}

/// Whether the two intervals of a place hold the true mean curve, and a new run of a new base.
fn both(
    world: &World,
    group: &GroupLaw,
    seed: u64,
    n0: f64,
    rate: f64,
    tokens: f64,
) -> law::Result<[Verdict; 2]> {
    let place = Place::new(n0 * 1e9, rate, World::loss0(n0))?;
    let prediction = group.predict(place, tokens * 1e9)?;
    let new = world.at(n0, rate, tokens).rows(1_000_000 + seed)[0].loss;
    Ok([
        prediction.mean().map(|ends| held(ends, world.loss(n0, rate, tokens))),
        prediction.new_run().map(|ends| held(ends, new)),
    ])
}

fn held(ends: [f64; 2], truth: f64) -> (bool, f64) {
    ((ends[0]..=ends[1]).contains(&truth), 0.5 * (ends[1] - ends[0]))
}

fn designs() -> Vec<Design> {
    let of =
        |name: &str, world: World| Design { name: name.to_owned(), world, method: "depth-list" };
    let noisy = |sizes: &[f64], rates: &[f64]| World::new(sizes, rates).noisy();
    let off = |sizes: &[f64], rates: &[f64]| World { base: 0.005, ..noisy(sizes, rates) };
    let wide: Vec<f64> = (0..8).map(|i| 0.1 + 0.04 * f64::from(i)).collect();
    let mut designs = vec![
        of("1 size, 1 rate", noisy(&FOUR[1..2], &RATES[1..2])),
        of("1 size, 3 rates (3 runs)", noisy(&FOUR[1..2], &RATES)),
        of("1 size, 6 rates", noisy(&FOUR[1..2], &wide[..6])),
        of("1 size, 8 rates", noisy(&FOUR[1..2], &wide)),
        of("2 sizes, 1 rate", noisy(&FOUR[..2], &RATES[1..2])),
        of("2 sizes, 3 rates", noisy(&FOUR[..2], &RATES)),
        of("3 sizes, 3 rates", noisy(&FOUR[1..], &RATES)),
        of("4 sizes, 3 rates", noisy(&FOUR, &RATES)),
        of("6 sizes, 3 rates", noisy(&SIX, &RATES)),
        of("6 sizes, 1 rate", noisy(&SIX, &RATES[1..2])),
        Design {
            method: "2:4-wanda",
            ..of("6 sizes, 2:4", World { paired: true, ..noisy(&SIX, &PATTERN) })
        },
        of("6 sizes, 3 rates, 1 count", World { tokens: vec![1.0], ..noisy(&SIX, &RATES) }),
        of("6 sizes, 3 rates, 2 counts", World { tokens: vec![0.2, 1.0], ..noisy(&SIX, &RATES) }),
        of("base offset: 3 sizes, 3 rates", off(&FOUR[1..], &RATES)),
        of("base offset: 4 sizes, 3 rates", off(&FOUR, &RATES)),
        of("base offset: 6 sizes, 3 rates", off(&SIX, &RATES)),
        of("second truth: 1 size, 8 rates", World::second(&FOUR[1..2], &wide)),
        of("second truth: 3 sizes, 3 rates", World::second(&FOUR[1..], &RATES)),
        of("second truth: 4 sizes, 3 rates", World::second(&FOUR, &RATES)),
        of("second truth: 6 sizes, 3 rates", World::second(&SIX, &RATES)),
        of(
            "second truth, base offset: 6 sizes, 3 rates",
            World { base: 0.005, ..World::second(&SIX, &RATES) },
        ),
    ];
    let bends: [(&str, Bend); 3] = [
        ("D shifted by 0.1B", |n0, rate, tokens| wrong::shifted(n0, rate, tokens, 0.1)),
        ("beta grows with the rate", wrong::beta_grows_with_the_rate),
        ("no power of the rate", wrong::no_power_of_the_rate),
    ];
    for (name, bend) in bends {
        designs.push(of(
            &format!("wrong form, {name}: 6 sizes, 3 rates"),
            World { bend, ..noisy(&SIX, &RATES) },
        ));
    }
    designs
}
