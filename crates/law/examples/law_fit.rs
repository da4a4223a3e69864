//! Our side of the comparison `law_fit` in `benches/peers`: fits tables of a known law from 64
//! starts.
//!
//! `law_fit --tables 5 --threads 1` prints fits a second; `--print` prints the tables, the starts
//! and our constants instead, so that another program can fit the same. `--varied` makes every
//! table another truth, design and noise.

use std::time::Instant;

use law::{Place, Point, Row, Run, Scale, fit, form};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};

const STARTS: usize = 64;

fn main() {
    let (mut tables, mut threads, mut print, mut varied) = (5, 1, false, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || {
            arguments.next().and_then(|text| text.parse().ok()).expect("a number after the flag")
        };
        match argument.as_str() {
            "--tables" => tables = number(),
            "--threads" => threads = number(),
            "--print" => print = true,
            "--varied" => varied = true,
            other => panic!("unknown flag `{other}`"),
        }
    }
    let tables: Vec<Vec<Run>> = (0..tables as u64).map(|seed| made(seed, varied)).collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
    let fitted = |runs: &Vec<Run>| {
        let runs: Vec<&Run> = runs.iter().collect();
        fit::fit_form(form::by_name("p2").expect("p2 is registered"), &runs, STARTS)
    };
    pool.install(|| {
        if print {
            println!(
                "{}",
                tables.iter().map(|runs| described(runs, &fitted(runs))).collect::<Value>()
            );
            return;
        }
        fitted(&tables[0]);
        let start = Instant::now();
        // One fit takes milliseconds: often enough for a steady clock.
        let rounds = 20;
        let objectives: Vec<f64> =
            (0..rounds).flat_map(|_| tables.iter().map(|runs| fitted(runs).objective())).collect();
        let seconds = start.elapsed().as_secs_f64();
        let mean = objectives.iter().sum::<f64>() / objectives.len() as f64;
        println!(
            "{}",
            json!({"fits_per_second": objectives.len() as f64 / seconds, "objective": mean})
        );
    });
}

fn described(runs: &[Run], fit: &fit::Fit) -> Value {
    let runs: Vec<Value> = runs
        .iter()
        .map(|run| {
            let tokens: Vec<f64> = run.points().iter().map(|point| point.tokens).collect();
            let loss: Vec<f64> = run.points().iter().map(|point| point.loss).collect();
            json!({"n0": run.n0(), "rate": run.rate(), "loss0": run.loss0(), "tokens": tokens, "loss": loss})
        })
        .collect();
    let Scale { n0, rate, tokens } = fit.scale();
    json!({
        "runs": runs,
        "scale": {"n0": n0, "rate": rate, "tokens": tokens},
        "starts": fit::starts(fit.form(), STARTS),
        "ours": {"parameters": fit.parameters(), "objective": fit.objective()},
    })
}

/// Runs of a known law with errors of runs and points; every run is measured at token counts of its
/// own.
fn made(seed: u64, varied: bool) -> Vec<Run> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut uniform = |low: f64, high: f64| {
        low + (high - low) * ((random.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    };
    let mut truth = [0.3, 0.25, 0.1, 0.4, 0.5, -1.2, 0.2];
    let (mut sizes, mut rates, mut points, mut noise) = (6, 3, 25, 0.003);
    if varied {
        let alpha = if uniform(0.0, 1.0) < 0.25 { uniform(-0.3, -0.05) } else { uniform(0.1, 1.0) };
        truth = [
            uniform(0.05, 0.8),
            uniform(0.05, 0.8),
            uniform(-0.2, 0.4),
            alpha,
            uniform(0.15, 0.9),
            uniform(-2.0, -0.5),
            uniform(0.05, 0.5) - alpha.min(0.0),
        ];
        (sizes, rates) = (uniform(4.0, 7.0) as usize, uniform(2.0, 5.0) as usize);
        (points, noise) = (uniform(5.0, 40.0) as usize, 0.01 * uniform(0.0, 1.0).powi(2) + 1e-4);
    }
    let p2 = form::by_name("p2").expect("p2 is registered");
    let mut runs = Vec::new();
    for &n0 in &[0.494, 1.236, 1.544, 3.086, 3.213, 7.616][..sizes] {
        for &rate in &[0.15, 0.25, 0.36, 0.5][..rates] {
            let (loss0, last) = (2.2 - 0.2 * f64::ln(n0), uniform(0.5, 1.5));
            let mut normal = || (0..12).map(|_| uniform(0.0, 1.0)).sum::<f64>() - 6.0;
            let of_run = noise * normal();
            let point = |i: usize| {
                let tokens = last * 20.0_f64.powf(i as f64 / (points - 1) as f64 - 1.0);
                let error = of_run + noise * normal();
                let loss = p2.value(&truth, &Row::new(n0, rate, loss0, tokens)) + error;
                Point { tokens: tokens * 1e9, loss, weight: 1.0 }
            };
            let points = (0..points).map(point).collect();
            let (name, base) = (format!("{n0}-{rate}"), n0.to_string());
            runs.push(Run::new(&name, &base, Place { n0: n0 * 1e9, rate, loss0 }, points));
        }
    }
    runs
}
