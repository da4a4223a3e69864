//! The guides say what the program says: every command shown in them is run, and every line shown
//! must come out.

use std::fs;
use std::path::{Path, PathBuf};

use crate::workshop::{Workshop, command};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Commands of a guide, each with the lines that are shown of its output.
fn shown(guide: &str) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    let mut open = false;
    for line in fs::read_to_string(root().join("docs/guide").join(guide)).unwrap().lines() {
        match line.strip_prefix("    ") {
            Some(line) => match line.strip_prefix("$ ") {
                Some(command) => {
                    open = command.starts_with("regrow ");
                    if open {
                        found.push((command.to_owned(), Vec::new()));
                    }
                }
                None if open && line != "..." => {
                    found.last_mut().unwrap().1.push(line.trim_end().to_owned());
                }
                None => {}
            },
            // Paragraphs of one output are parted by empty lines.
            None => open &= line.is_empty(),
        }
    }
    found
}

/// Runs a guide's commands one after the other in `folder`.
fn holds(guide: &str, folder: &Path) {
    agrees(guide, folder, |said, shown| said == shown);
}

/// As [`holds`], where numbers come from draws. Draws depend on the last digits of the machine's
/// mathematical functions, and two sets of draws agree to some per cent.
fn holds_as_draws_do(guide: &str, folder: &Path) {
    agrees(guide, folder, |said, shown| {
        let (said, shown): (Vec<&str>, Vec<&str>) =
            (said.split_whitespace().collect(), shown.split_whitespace().collect());
        let near = |(said, shown): (&&str, &&str)| {
            let (found, expected) = (number(said), number(shown));
            let both = found.zip(expected);
            said == shown || both.is_some_and(|(a, b)| (a / b - 1.0).abs() < OF_DRAWS)
        };
        said.len() == shown.len() && said.iter().zip(&shown).all(near)
    });
}

/// By how much numbers of two sets of draws may differ: ends of intervals by the most.
const OF_DRAWS: f64 = 0.1;

/// A number as tables show it: `395K`, `0.1331`, `3.15.` at the end of a sentence.
fn number(word: &str) -> Option<f64> {
    let word = word.trim_end_matches([',', '.', ';']);
    let units = [("K", 1e3), ("M", 1e6), ("B", 1e9), ("T", 1e12)];
    let unit = units.iter().find_map(|(name, unit)| Some((word.strip_suffix(name)?, *unit)));
    let (digits, unit) = unit.unwrap_or((word, 1.0));
    digits.parse::<f64>().ok().map(|number| number * unit)
}

fn agrees(guide: &str, folder: &Path, same: impl Fn(&str, &str) -> bool) {
    let shown = shown(guide);
    assert!(shown.len() >= 2, "`{guide}` shows {} commands", shown.len());
    for (line, expected) in shown {
        assert!(!expected.is_empty(), "`{line}` shows no output");
        let arguments: Vec<&str> = line.split_whitespace().skip(1).collect();
        let output = command(&arguments).current_dir(folder).output().unwrap();
        let said =
            [output.stderr, output.stdout].map(|text| String::from_utf8(text).unwrap()).concat();
        for line_shown in expected {
            assert!(
                said.lines().any(|said| same(said.trim_end(), &line_shown)),
                "`{line}` in `{guide}` does not say\n{line_shown}\nbut\n{said}"
            );
        }
    }
}

#[test]
fn the_guide_to_deciding_shows_what_the_program_says() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(root().join("results/2026-11-24-loop/points.csv"), folder.path().join("points.csv"))
        .unwrap();
    holds("deciding.md", folder.path());
}

#[test]
fn the_readme_shows_what_the_program_says() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("quickstart")).unwrap();
    // The points of the quickstart; it trains for minutes.
    let points = root().join("results/2026-11-26-loop-of-habits/seed1.csv");
    let arguments = ["fit", points.to_str().unwrap(), "--out", "quickstart/law.json"];
    let fitted = command(&arguments).current_dir(folder.path()).output().unwrap();
    assert!(matches!(fitted.status.code(), Some(0 | 3)), "{fitted:?}");
    holds_as_draws_do("../../README.md", folder.path());
}

#[test]
fn the_guide_to_schedules_shows_what_the_program_says() {
    let data = root().join("../shared/data/multi_power_law/loss_curve_repo/csv_100");
    if !data.is_dir() {
        eprintln!(
            "skipped: the_guide_to_schedules_shows_what_the_program_says: {} is not there",
            data.display()
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (name, file) in [("cosine", "cosine_24000"), ("wsd", "wsd_20000_24000")] {
        let mut table = "series,method,run,n0,rate,loss0,tokens,loss,learning_rate\n".to_owned();
        for line in fs::read_to_string(data.join(format!("{file}.csv"))).unwrap().lines().skip(1) {
            let cells: Vec<&str> = line.split(',').collect();
            table += &format!(
                "100M,as-trained,{name},100000000,0.5,0,{},{},{}\n",
                cells[0], cells[2], cells[1]
            );
        }
        fs::write(folder.path().join(format!("{name}.csv")), table).unwrap();
    }
    holds("schedules.md", folder.path());
}

#[test]
fn the_guide_to_importing_shows_what_the_program_says() {
    let folder = tempfile::tempdir().unwrap();
    let logs = root().join("crates/store/tests/fixtures/import");
    for name in ["trainer_state.json", "trainer_state_wikitext.json", "megatron.log"] {
        fs::copy(logs.join(name), folder.path().join(name)).unwrap();
    }
    holds("import.md", folder.path());
}

#[test]
fn the_guide_to_forecasts_shows_what_the_program_says() {
    let folder = tempfile::tempdir().unwrap();
    let from = root().join("crates/store/tests/fixtures/import/trainer_state.json");
    fs::copy(from, folder.path().join("trainer_state.json")).unwrap();
    let table = fs::read_to_string(root().join("results/2026-11-26-loop/seed1.csv")).unwrap();
    let name = "llama-20x6-seed1-depth-block-influence-2of6,";
    let of_run = |line: &&str| line.starts_with("series,") || line.contains(name);
    let one: Vec<&str> = table.lines().filter(of_run).collect();
    fs::write(folder.path().join("run.csv"), one.join("\n")).unwrap();
    holds("forecast.md", folder.path());
}

#[test]
fn the_guide_to_designing_shows_what_the_program_says() {
    holds_as_draws_do("design.md", tempfile::tempdir().unwrap().path());
}

#[test]
fn numbers_of_a_table_are_told_from_words() {
    let read = ["395K", "0.1331", "3.15.", "708K,"].map(number);
    assert_eq!(read, [Some(395e3), Some(0.1331), Some(3.15), Some(708e3)]);
    assert!(["K", "llama-3.1-8b", "90gpu-hours", "to"].iter().all(|word| number(word).is_none()));
}

#[test]
fn the_guide_to_the_planner_shows_what_the_program_says() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(root().join("results/2026-11-24-loop/law.json"), folder.path().join("law.json"))
        .unwrap();
    if let Some(why) = crate::planner::left_out() {
        eprintln!("skipped: the_guide_to_the_planner_shows_what_the_program_says: {why}");
        return;
    }
    holds("planner.md", folder.path());
}

#[test]
fn the_guide_to_never_losing_shows_what_the_program_says() {
    let workshop = Workshop::new();
    holds("never-lost.md", &workshop.path(""));
}
