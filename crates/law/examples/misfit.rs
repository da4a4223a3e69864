//! How often is a wrong form noticed, and a right one accused? For every misfit that the law is
//! tested against.
//!
//! `cargo run --release -p regrow-law --example misfit -- 400 > misfit.csv`: a line of CSV a world
//! on stdout. The first argument is how many tables are drawn of each world, the second picks
//! worlds by a part of their name.

#[path = "../tests/world/mod.rs"]
mod world;

use law::{Place, Settings};
use rayon::prelude::*;
use world::{Bend, World, wrong};

const FOUR: [f64; 4] = [0.494, 1.236, 1.544, 3.086];
const SIX: [f64; 6] = [0.494, 1.236, 1.544, 3.086, 3.213, 7.616];
const RATES: [f64; 3] = [0.15, 0.25, 0.36];

/// What one table said: an alarm by each test, and the tokens that are enough over the true ones,
/// told or not.
struct Said {
    alarms: [bool; 5],
    told: bool,
    ratio: f64,
}

fn main() -> law::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let tables = arguments.first().and_then(|count| count.parse().ok()).unwrap_or(400);
    let part = arguments.get(1).map_or("", |name| name);
    println!(
        "world,tables,any,slope_on_rate,slope_on_n0,mean_on_rate,curved_slope_on_n0,shift,enough_told,median_enough_over_truth"
    );
    for (name, world) in worlds().into_iter().filter(|(name, _)| name.contains(part)) {
        let said: law::Result<Vec<Said>> =
            (0..tables).into_par_iter().map(|seed| of_table(&world, seed)).collect();
        let said = said?;
        let percent = |is: &dyn Fn(&Said) -> bool| {
            format!(
                "{:.2}",
                100.0 * said.iter().filter(|said| is(said)).count() as f64 / tables as f64
            )
        };
        let mut ratios: Vec<f64> =
            said.iter().map(|said| said.ratio).filter(|ratio| ratio.is_finite()).collect();
        ratios.sort_by(f64::total_cmp);
        let cells = [
            percent(&|said| said.alarms.contains(&true)),
            percent(&|said| said.alarms[0]),
            percent(&|said| said.alarms[1]),
            percent(&|said| said.alarms[2]),
            percent(&|said| said.alarms[3]),
            percent(&|said| said.alarms[4]),
            percent(&|said| said.told),
            ratios.get(ratios.len() / 2).map_or_else(String::new, |ratio| format!("{ratio:.2}")),
        ];
        println!("\"{name}\",{tables},{}", cells.join(","));
    }
    Ok(())
}

fn of_table(world: &World, seed: u64) -> law::Result<Said> {
    let law = law::fit(&world.table(seed), &Settings { starts: 16, ..Settings::default() })?;
    let group = &law.groups()[0];
    let alarm = |axis: &str, part: &str| {
        let is = |w: &&law::Warning| {
            *w.code() == "lack-of-fit" && w.axis().is_some_and(|found| found.name() == axis)
        };
        group.warnings().iter().filter(is).any(|warning| warning.sentence().contains(part))
    };
    let size = world.sizes[world.sizes.len() / 2];
    let place = Place::new(size * 1e9, 0.25, World::loss0(size))?;
    let plan = group.plan(place, &Default::default())?;
    let enough = plan.enough();
    let middle = enough
        .value()
        .or(enough.interval().map(|[low, high]| (low * high).sqrt()))
        .unwrap_or(f64::NAN);
    Ok(Said {
        alarms: [
            alarm("rate", "curves"),
            alarm("n0", "curves"),
            alarm("rate", "power"),
            alarm("n0", "power"),
            alarm("tokens", ""),
        ],
        told: enough.value().is_some(),
        ratio: middle / world.enough(size, 0.25),
    })
}

fn worlds() -> Vec<(String, World)> {
    let wide: Vec<f64> = (0..8).map(|i| 0.1 + 0.04 * f64::from(i)).collect();
    let noisy = |sizes: &[f64], rates: &[f64]| World::new(sizes, rates).noisy();
    let mut worlds: Vec<(String, World)> = vec![
        ("right form: 1 size, 8 rates".into(), noisy(&FOUR[1..2], &wide)),
        ("right form: 2 sizes, 3 rates".into(), noisy(&FOUR[..2], &RATES)),
        ("right form: 3 sizes, 3 rates".into(), noisy(&FOUR[1..], &RATES)),
        ("right form: 4 sizes, 3 rates".into(), noisy(&FOUR, &RATES)),
        ("right form: 6 sizes, 3 rates".into(), noisy(&SIX, &RATES)),
        (
            "right form, base offset: 6 sizes, 3 rates".into(),
            World { base: 0.005, ..noisy(&SIX, &RATES) },
        ),
        ("right form, second truth: 6 sizes, 3 rates".into(), World::second(&SIX, &RATES)),
        (
            "right form, no memory of errors: 6 sizes, 3 rates".into(),
            World { autocorrelation: 0.0, ..noisy(&SIX, &RATES) },
        ),
    ];
    let shifts: [(&str, Bend); 4] = [
        ("0.02B", |n0, rate, tokens| wrong::shifted(n0, rate, tokens, 0.02)),
        ("0.05B", |n0, rate, tokens| wrong::shifted(n0, rate, tokens, 0.05)),
        ("0.1B", |n0, rate, tokens| wrong::shifted(n0, rate, tokens, 0.1)),
        ("0.3B", |n0, rate, tokens| wrong::shifted(n0, rate, tokens, 0.3)),
    ];
    for (name, bend) in shifts {
        worlds.push((
            format!("D shifted by {name}: 6 sizes, 3 rates"),
            World { bend, ..noisy(&SIX, &RATES) },
        ));
    }
    for (name, sizes, rates) in [
        ("4 sizes, 3 rates", &FOUR[..], &RATES[..]),
        ("3 sizes, 3 rates", &FOUR[1..], &RATES),
        ("1 size, 8 rates", &FOUR[1..2], &wide),
    ] {
        worlds.push((
            format!("D shifted by 0.1B: {name}"),
            World { bend: shifts[2].1, ..noisy(sizes, rates) },
        ));
    }
    let bends: [(&str, Bend); 3] = [
        ("beta grows with the rate", wrong::beta_grows_with_the_rate),
        ("beta grows with the size", wrong::beta_grows_with_the_size),
        ("no power of the rate", wrong::no_power_of_the_rate),
    ];
    for (name, bend) in bends {
        worlds.push((format!("{name}: 6 sizes, 3 rates"), World { bend, ..noisy(&SIX, &RATES) }));
    }
    worlds
}
