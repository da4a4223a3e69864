//! How long fits take: `cargo run --release -p regrow-law --example speed`.

use std::time::Instant;

use law::{Settings, Table, TableRow, fit, form};

fn main() -> law::Result<()> {
    for (runs, points) in [(12, 60), (18, 25), (18, 600), (18, 6000)] {
        let table = Table::new(rows(runs, points))?;
        let group: Vec<&law::Run> = table.groups[0].runs.iter().collect();
        let p2 = form::by_name("p2")?;
        let searched = timed(|| fit::fit_form(p2, &group, 64));
        let whole = timed(|| law::fit(&table, &Settings::default()));
        println!(
            "{runs} runs of {points} points: 64 starts {searched:.1} ms, with intervals and held out {whole:.1} ms"
        );
    }
    Ok(())
}

/// The median of five, in milliseconds.
fn timed<T>(f: impl Fn() -> T) -> f64 {
    let once = |_| {
        let start = Instant::now();
        std::hint::black_box(f());
        start.elapsed().as_secs_f64() * 1e3
    };
    let mut times: Vec<f64> = (0..5).map(once).collect();
    times.sort_by(f64::total_cmp);
    times[2]
}

/// A known law with errors that look random and are the same every time.
fn rows(runs: usize, points: usize) -> Vec<TableRow> {
    let p2 = form::by_name("p2").expect("p2 is registered");
    let truth = [0.3, 0.25, 0.1, 0.4, 0.5, -1.2, 0.2];
    let mut rows = Vec::new();
    for run in 0..runs {
        let (n0, rate) = ([0.494, 1.236, 1.544, 3.086, 3.213, 7.616][run % 6], [0.15, 0.25, 0.36][run / 6]);
        for point in 0..points {
            let tokens = 0.05 * 20.0_f64.powf(point as f64 / points as f64);
            let error = 0.004 * ((run * points + point) as f64 * 12.9898).sin();
            let loss = p2.value(&truth, &law::Row::new(n0, rate, 2.2, tokens)) + error;
            let start = TableRow::run(&run.to_string(), n0 * 1e9, rate, 2.2);
            rows.push(TableRow { tokens: tokens * 1e9, loss, ..start });
        }
    }
    rows
}
