//! The replication of Hoffmann et al. 2022 by Besiroglu et al. 2024 (arXiv 2404.10102), on the
//! points that they read off the published figure: the same objective, and an optimum at least as
//! low as theirs.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

use std::path::Path;

use law::fit::{Loss, fit_with};
use law::{Place, Point, Run, Scale, form};

/// Size, operations and loss of every point of the figure, from `svg_extracted_data.csv`.
fn points(path: &Path) -> Vec<[f64; 3]> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let places = ["Model Size", "Training FLOP", "loss"]
        .map(|name| header.iter().position(|h| *h == name).unwrap());
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        places.map(|place| cells[place].parse().unwrap())
    };
    lines.map(row).collect()
}

/// A run a point: the figure holds ends of training only.
fn runs(points: &[[f64; 3]]) -> Vec<Run> {
    let mut losses: Vec<f64> = points.iter().map(|point| point[2]).collect();
    losses.sort_by(|a, b| b.total_cmp(a));
    let kept = points.iter().filter(|point| point[2] < losses[4]);
    let run = |&[n0, operations, loss]: &[f64; 3]| {
        let point = Point { tokens: operations / (6.0 * n0), loss, weight: 1.0 };
        Run::new("", "", Place { n0, rate: 0.0, loss0: 0.0 }, vec![point])
    };
    kept.map(run).collect()
}

#[test]
fn the_replication_of_chinchilla_ends_at_its_optimum() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/epoch_chinchilla/svg_extracted_data.csv");
    if !path.is_file() {
        eprintln!(
            "skipped: the_replication_of_chinchilla_ends_at_its_optimum: `../shared/data/epoch_chinchilla` is missing"
        );
        return;
    }
    let points = points(&path);
    let runs = runs(&points);
    assert_eq!((points.len(), runs.len()), (245, 240));
    let runs: Vec<&Run> = runs.iter().collect();
    let fit = fit_with(form::by_name("chinchilla").unwrap(), &runs, 64, Loss::LogHuber(1e-3));
    let constants = fit.constants(&Scale::COUNTS);
    eprintln!(
        "objective {:.16}, gradient {:.1e}, {} of {} starts, A B E alpha beta {constants:?}",
        fit.objective(),
        fit.gradient(),
        fit.agreeing(),
        fit.starts()
    );
    assert!(fit.objective() <= 0.001_018_274_019_0, "{}", fit.objective());
    let exact = [477.826, 2143.417, 1.817_218, 0.347_310_5, 0.367_172_4];
    for (found, exact) in constants.iter().zip(exact) {
        assert!((found / exact - 1.0).abs() < 3e-4, "{found}, expected {exact}");
    }
}
