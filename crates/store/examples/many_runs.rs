//! Makes many finished runs, then lists them and reads their points, and says how long that takes.
//!
//! `many_runs FOLDER [RUNS] [POINTS]`; by default 10,000 runs of 100 points. Runs that are there
//! already are not made again. `regrow runs FOLDER` lists the same folder.

use std::path::Path;
use std::time::Instant;

use ledger::testing::{provenance, run_spec};
use ledger::{Curve, Done, Nats, Params, Phase, Point, Rate, RunRecord, RunSpec, Tokens};
use store::{Existing, RunFolder};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, rest @ ..] = &words[..] else {
        return Err("expected: many_runs FOLDER [RUNS] [POINTS]".into());
    };
    let number =
        |at: usize, default: u64| rest.get(at).map_or(Ok(default), |word| word.parse::<u64>());
    let (runs, points, folder) = (number(0, 10_000)?, number(1, 100)?, Path::new(folder));
    for run in 0..runs {
        make(&folder.join(format!("run-{run:05}")), run, points)?;
    }
    let begun = Instant::now();
    let listed = store::runs(folder)?;
    let seconds = begun.elapsed().as_secs_f64();
    let read: usize = listed.iter().map(|run| run.curve().points().len()).sum();
    println!("listed {} runs with {read} points in {seconds:.3} s", listed.len());
    let begun = Instant::now();
    let found = store::run_points(folder)?;
    println!(
        "read {} points for a fit in {:.3} s",
        found.rows.len(),
        begun.elapsed().as_secs_f64()
    );
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM: unknown");
    println!("{peak}");
    Ok(())
}

fn make(path: &Path, seed: u64, points: u64) -> Result<(), Box<dyn std::error::Error>> {
    if path.join("done.json").exists() {
        return Ok(());
    }
    let spec = RunSpec { seed, ..run_spec() };
    let rate = Rate::realised(Params(1000), Params(850))?;
    let record = RunRecord::of(&spec, Params(1000), Params(850), provenance())
        .with_rates(rate, rate)
        .with_loss0(Nats(1.25), None);
    let curve: Vec<Point> = (0..=points)
        .map(|step| {
            let loss = 2.0 + 1.0 / (step + 1) as f64 + (seed % 97) as f64 * 1e-4;
            Point {
                loss: (step > 0).then_some(loss),
                eval_loss: Some(loss + 0.5),
                learning_rate: (step > 0).then_some(3e-4),
                grad_norm: (step > 0).then_some(0.75),
                ..Point::new(step, Tokens(step * 10_000), step as f64 / 8.0, Phase::Constant)
            }
        })
        .collect();
    let mut writer = RunFolder::create(path, Existing::Refuse, &spec, "", &record, None)?;
    for point in &curve {
        writer.append(point)?;
    }
    let done = Done::of(
        &record,
        &Curve::from_points(&curve),
        (points, Tokens(points * 10_000)),
        1.0,
        "ee".into(),
    );
    writer.finish(&done.ok_or("a curve")?)?;
    Ok(())
}
