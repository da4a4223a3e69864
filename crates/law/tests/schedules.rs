//! Curves under three learning-rate schedules, measured by others (the Multi-Power Law, Luo et al.
//! 2503.12811): what may be fitted, what is warned of, and what a plain power of the tokens says of
//! the rest.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

use std::path::{Path, PathBuf};

use law::fit::{Fit, fit_form};
use law::{Run, Settings, Table, TableRow, form};

const SIZES: [&str; 3] = ["25", "100", "400"];

fn data(test: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/multi_power_law/loss_curve_repo");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: {test}: {} is not there", folder.display());
    None
}

/// A curve as a table of one run; steps stand for tokens.
fn rows(folder: &Path, size: &str, schedule: &str) -> Vec<TableRow> {
    let text = std::fs::read_to_string(folder.join(format!("csv_{size}/{schedule}.csv"))).unwrap();
    let row = |line: &str| {
        let cells: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
        TableRow {
            tokens: cells[0],
            learning_rate: Some(cells[1]),
            loss: cells[2],
            ..TableRow::run(schedule, 1e8, 0.5, 0.0)
        }
    };
    text.lines().skip(1).map(row).collect()
}

fn codes(table: &Table) -> Vec<&str> {
    table.groups()[0].warnings().iter().map(|warning| warning.code().id()).collect()
}

#[test]
fn only_points_at_a_constant_rate_are_fitted_and_the_rest_is_warned_of() {
    let Some(folder) = data("only_points_at_a_constant_rate_are_fitted_and_the_rest_is_warned_of")
    else {
        return;
    };
    for size in SIZES {
        let table = |schedule: &str| Table::new(rows(&folder, size, schedule)).unwrap();
        let points = |table: &Table| table.groups()[0].runs()[0].points().len();

        let constant = table("constant_24000");
        assert_eq!((codes(&constant), points(&constant)), (vec![], 171));

        // It falls from the first step on: its end is a loss, its middle is none.
        let cosine = table("cosine_24000");
        assert_eq!((codes(&cosine), points(&cosine)), (vec!["decaying-schedule"], 1));
        let law = law::fit(&cosine, &Settings::default()).unwrap();
        assert!(
            law.groups()[0].decisions().iter().all(|plan| plan.enough().value().is_none()),
            "{law:?}"
        );

        for schedule in ["wsd_20000_24000", "wsdld_20000_24000", "wsdcon_9"] {
            let decayed = table(schedule);
            assert_eq!(codes(&decayed), ["mixed-schedule"], "{schedule}");
            let last = decayed.groups()[0].runs()[0].points().last().unwrap().tokens;
            assert!((7_900.0..=20_000.0).contains(&last), "{schedule}: {last}");
        }
    }
}

#[test]
fn a_power_of_the_tokens_foretells_a_constant_rate_and_not_a_decay() {
    let Some(folder) = data("a_power_of_the_tokens_foretells_a_constant_rate_and_not_a_decay")
    else {
        return;
    };
    for size in SIZES {
        let run = |schedule: &str, share: f64| -> (Run, Vec<law::Point>) {
            let rows = rows(&folder, size, schedule).into_iter();
            let rows: Vec<TableRow> =
                rows.map(|row| TableRow { learning_rate: None, ..row }).collect();
            let run = Table::new(rows).unwrap().groups()[0].runs()[0].clone();
            let (seen, rest) = run.points().split_at((share * run.points().len() as f64) as usize);
            (Run::new(run.name(), run.base(), run.place(), seen.to_vec()), rest.to_vec())
        };
        let fitted = |run: &Run| -> Fit {
            fit_form(form::by_name("p2-one-size-one-rate").unwrap(), &[run], 16)
        };
        let mean_error = |schedule: &str| {
            let (run, rest) = run(schedule, 0.8);
            let fit = fitted(&run);
            rest.iter().map(|point| fit.value(&run.row(point.tokens)) - point.loss).sum::<f64>()
                / rest.len() as f64
        };
        let (constant, decayed) = (mean_error("constant_24000"), mean_error("wsd_20000_24000"));
        assert!(constant.abs() < 0.015 && decayed > 0.05, "{size}M: {constant} {decayed}");

        // What was measured in the middle of a long cosine lies far above a run that ended there.
        let (short, _) = run("cosine_24000", 1.0);
        let (long, _) = run("cosine_72000", 1.0);
        let end = short.points().last().unwrap();
        let there = long
            .points()
            .iter()
            .min_by(|a, b| (a.tokens - end.tokens).abs().total_cmp(&(b.tokens - end.tokens).abs()));
        let above = there.unwrap().loss - end.loss;
        assert!((0.03..0.07).contains(&above), "{size}M: {above}");
    }
}
