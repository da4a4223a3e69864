//! Memory grows with the points, and slowly: what a whole law takes beyond its table, by a counting
//! allocator.

use std::time::Instant;

use law::{Row, Settings, Table, TableRow, form};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const RUNS: usize = 18;

fn table(points: usize) -> Table {
    let p2 = form::by_name("p2").expect("p2 is registered");
    let truth = [0.3, 0.25, 0.1, 0.4, 0.5, -1.2, 0.2];
    let row = |i: usize| {
        let (run, point) = (i % RUNS, i / RUNS);
        let (n0, rate) =
            ([0.494, 1.236, 1.544, 3.086, 3.213, 7.616][run % 6], [0.15, 0.25, 0.36][run / 6]);
        let tokens =
            (0.6 + 0.05 * run as f64) * 20.0_f64.powf((point * RUNS) as f64 / points as f64 - 1.0);
        let error = 0.004 * (i as f64 * 12.9898).sin();
        let loss = p2.value(&truth, &Row::new(n0, rate, 2.2, tokens)) + error;
        TableRow {
            tokens: tokens * 1e9,
            loss,
            ..TableRow::run(&run.to_string(), n0 * 1e9, rate, 2.2)
        }
    };
    Table::new((0..points).map(row)).expect("the rows are sound")
}

#[test]
fn a_law_of_a_million_points_takes_less_than_a_hundred_bytes_a_point_beyond_its_table() {
    for points in [10_000, 100_000, 1_000_000] {
        let table = table(points);
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let start = Instant::now();
        let law = law::fit(&table, &Settings::default()).expect("there is a law");
        let seconds = start.elapsed().as_secs_f64();
        let bytes = (MEMORY.peak_usage() - before) as f64 / points as f64;
        eprintln!("{points} points: {bytes:.1} bytes a point beyond the table, {seconds:.2} s");
        assert_eq!((law.groups()[0].points(), law.groups()[0].form_name()), (points, "p2"));
        // Few points carry what does not grow with them: refits, decisions, work space.
        assert!(
            bytes < if points < 1_000_000 { 150.0 } else { 100.0 },
            "{points} points: {bytes} bytes a point"
        );
    }
}
