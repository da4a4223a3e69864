//! How long fits take: `cargo bench -p regrow-law --bench fit`.
//!
//! 450 points of 18 runs, the full P2 Law: the search from 64 starts on one core and on two, a
//! whole law with intervals and what was held out, a thousand refits; then the same search on 10^4,
//! 10^5 and 10^6 points.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use law::uncertainty::{Intervals, Noise, refits};
use law::{Row, Run, Settings, Table, TableRow, fit, form};

/// Eighteen runs of a known law, `points` in each at token counts of its own, with errors that look
/// random.
fn table(points: usize) -> Table {
    let p2 = form::by_name("p2").expect("p2 is registered");
    let truth = [0.3, 0.25, 0.1, 0.4, 0.5, -1.2, 0.2];
    let mut rows = Vec::with_capacity(18 * points);
    for run in 0..18 {
        let (n0, rate) =
            ([0.494, 1.236, 1.544, 3.086, 3.213, 7.616][run % 6], [0.15, 0.25, 0.36][run / 6]);
        let last = 0.6 + 0.05 * run as f64;
        for point in 0..points {
            let tokens = last * 20.0_f64.powf((point + 1) as f64 / points as f64 - 1.0);
            let error = 0.004 * ((run * points + point) as f64 * 12.9898).sin();
            let loss = p2.value(&truth, &Row::new(n0, rate, 2.2, tokens)) + error;
            let start = TableRow::run(&run.to_string(), n0 * 1e9, rate, 2.2);
            rows.push(TableRow { tokens: tokens * 1e9, loss, ..start });
        }
    }
    Table::new(rows).expect("the rows are sound")
}

fn runs(table: &Table) -> Vec<&Run> {
    table.groups()[0].runs().iter().collect()
}

fn on<R: Send>(threads: usize, f: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start").install(f)
}

fn small(criterion: &mut Criterion) {
    let p2 = form::by_name("p2").expect("p2 is registered");
    let table = table(25);
    let runs = runs(&table);
    let found = fit::fit_form(p2, &runs, 64);
    let noise = Noise::of(&found, &runs);
    let mut group = criterion.benchmark_group("450 points");
    for threads in [1, 2] {
        let id = |name| BenchmarkId::new(name, format!("{threads} cores"));
        group.bench_function(id("64 starts"), |bencher| {
            on(threads, || bencher.iter(|| black_box(fit::fit_form(p2, &runs, 64))));
        });
        group.bench_function(id("law with jackknife intervals"), |bencher| {
            on(threads, || bencher.iter(|| black_box(law::fit(&table, &Settings::default()))));
        });
        let draws = || refits(&found, &runs, "depth-list", &noise, Intervals::Pairs, 1000, 1);
        group.bench_function(id("1000 warm refits"), |bencher| {
            on(threads, || bencher.iter(|| black_box(draws())));
        });
    }
    group.finish();
}

fn growing(criterion: &mut Criterion) {
    let p2 = form::by_name("p2").expect("p2 is registered");
    let mut group = criterion.benchmark_group("growing");
    group.sample_size(10).warm_up_time(Duration::from_secs(1));
    for points in [10_000, 100_000, 1_000_000] {
        let table = table(points / 18 + 1);
        let runs = runs(&table);
        group.throughput(Throughput::Elements(18 * runs[0].points().len() as u64));
        group.bench_function(BenchmarkId::new("64 starts", points), |bencher| {
            on(2, || bencher.iter(|| black_box(fit::fit_form(p2, &runs, 64))));
        });
        group.bench_function(BenchmarkId::new("law with jackknife intervals", points), |bencher| {
            on(2, || bencher.iter(|| black_box(law::fit(&table, &Settings::default()))));
        });
    }
    group.finish();
}

criterion_group!(benches, small, growing);
criterion_main!(benches);
