//! Sweeps that heal each cut on the text and against the model that was pruned.

use std::fs;
use std::path::Path;

use crate::recipes::{BASE, CALIBRATION, TEXT, heal, method, small};
use crate::workshop::{arg, done, names, regrow};

/// One base, one cut, and a control.
fn tiny(keys: &str, healing: &str, rest: &str) -> String {
    let text = TEXT.replace("context = 32", &format!("context = 32\n{keys}"));
    let (sizes, cut) =
        (small(&[[16, 4, 4, 2, 32]]), method("depth-block-influence", "blocks = [1]"));
    let heal = heal("2_000", 3) + healing + "\n";
    [&text, &sizes, BASE, CALIBRATION, &cut, &heal, rest].concat()
}

/// The jobs of a recipe by name, each with its command line, and the table before them.
fn listed(recipe: &str) -> (Vec<(String, String)>, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("recipe.toml");
    fs::write(&path, recipe).unwrap();
    let shown = done(&["sweep", arg(&path), "--out", "OUT", "--dry-run"]).stdout;
    let (table, listing) = shown.split_once("\n\n# ").unwrap();
    let lines: Vec<&str> = listing.lines().collect();
    let pair = |pair: &[&str]| (pair[0].trim_start_matches("# ").to_owned(), pair[1].to_owned());
    (lines.chunks(2).map(pair).collect(), table.to_owned())
}

fn words_of<'a>(jobs: &'a [(String, String)], name: &str) -> &'a str {
    let is_it = |found: &&(String, String)| found.0.split(' ').next() == Some(name);
    &jobs.iter().find(is_it).unwrap_or_else(|| panic!("no {name} in {jobs:?}")).1
}

/// The value after a flag.
fn value<'a>(words: &'a str, flag: &str) -> Option<&'a str> {
    let mut words = words.split(' ');
    words.find(|word| *word == flag).and_then(|_| words.next())
}

/// A column of the table's row of a job, as a number.
fn number(table: &str, job: &str, column: usize) -> f64 {
    let row = table.lines().find(|row| row.split_whitespace().next() == Some(job)).unwrap();
    row.split_whitespace().nth(column).unwrap().replace(',', "").parse().unwrap()
}

const CUT: &str = "small-16x4-depth-block-influence-1of4";

#[test]
fn every_cut_is_healed_once_for_each_objective_and_a_control_once() {
    let settings = "distil_weight = 0.25\ntemperature = 2.0";
    let (jobs, table) = listed(&tiny("objectives = [\"lm\", \"distil\", \"mix\"]", settings, ""));
    let (plain, distil, mix) = (
        words_of(&jobs, &format!("run-{CUT}")),
        words_of(&jobs, &format!("run-{CUT}-distil")),
        words_of(&jobs, &format!("run-{CUT}-mix")),
    );
    for flag in ["--objective", "--teacher", "--temperature", "--distil-weight"] {
        assert_eq!(value(plain, flag), None, "{plain}");
        assert_eq!(value(words_of(&jobs, "run-small-16x4-none"), flag), None);
    }
    for (words, objective, weight) in [(distil, "distil", None), (mix, "mix", Some("0.25"))] {
        assert_eq!(value(words, "--objective"), Some(objective), "{words}");
        assert_eq!(value(words, "--teacher"), Some("OUT/bases/small-16x4/model"), "{words}");
        assert_eq!(value(words, "--temperature"), Some("2"), "{words}");
        assert_eq!(value(words, "--distil-weight"), weight, "{words}");
        // In the same order of the text.
        assert_eq!(value(words, "--seed"), value(plain, "--seed"));
    }
    assert_eq!(jobs.iter().filter(|(name, _)| name.contains("-none")).count(), 1, "{jobs:?}");
    // The teacher has two operations a token for each of the base's parameters, whose training
    // has six.
    let of = |job: &str, column| number(&table, job, column);
    let (base, tokens) = (of("base-small-16x4", 3) / of("base-small-16x4", 2), 2_000.0);
    let more = of(&format!("run-{CUT}-distil"), 3) - of(&format!("run-{CUT}"), 3);
    assert!((more / (base / 3.0 * tokens) - 1.0).abs() < 0.02, "{more}: {table}");
    let memory = |job: &str| of(job, 4);
    assert!(memory(&format!("run-{CUT}-distil")) >= memory(&format!("run-{CUT}")), "{table}");
}

#[test]
fn a_case_has_objectives_of_its_own() {
    let cases = "[[cases]]\nmethod = \"depth-block-influence\"\nadd = \"slow\"\nlearning_rate = 1e-4\n\
                 objectives = [\"distil\"]\n[[cases]]\nadd = \"taught\"\nobjectives = [\"mix\"]\n";
    let (jobs, _) = listed(&tiny("", "", cases));
    let runs: Vec<&str> = jobs
        .iter()
        .filter_map(|(name, _)| name.split(' ').next()?.strip_prefix("run-small-16x4-"))
        .collect();
    let mut runs = runs;
    runs.sort_unstable();
    let cut = |end: &str| format!("depth-block-influence-1of4{end}");
    // Beside the control there is none for another objective: it learns from the text alone.
    assert_eq!(runs, [cut(""), cut("-distil-slow"), cut("-mix-taught"), "none".into()]);
    let only = "[[cases]]\nmethod = \"depth-block-influence\"\nobjectives = [\"distil\"]\n";
    let (jobs, _) = listed(&tiny("", "", only));
    assert!(jobs.iter().all(|(name, _)| !name.starts_with(&format!("run-{CUT} "))), "{jobs:?}");
    words_of(&jobs, &format!("run-{CUT}-distil"));
}

#[test]
fn what_no_run_reads_and_unknown_objectives_are_refused() {
    for (keys, healing, rest, said) in [
        ("objectives = [\"distill\"]", "", "", "did you mean `distil`?"),
        ("objectives = []", "", "", "`objectives` is empty"),
        ("objectives = [\"lm\", \"lm\"]", "", "", "`objectives` holds `lm` twice"),
        ("", "temperature = 2.0", "", "`temperature` is given, and no run reads it"),
        ("objectives = [\"distil\"]", "distil_weight = 0.1", "", "`mix` in `objectives`"),
        ("objectives = [\"distil\"]", "temperature = 0.0", "", "`temperature` is 0"),
        ("objectives = [\"mix\"]", "distil_weight = 1.5", "", "`distil_weight` is 1.5"),
        ("", "objective = \"distil\"", "", "expected `objectives = "),
        ("teach = { top = 8 }", "", "", "no run reads its cache"),
        ("objectives = [\"distil\"]\nteach = { top = 0 }", "", "", "`top` of `teach` is 0"),
        ("objectives = [\"mix\"]", "teacher = \"nowhere\"", "", "`teacher` is `nowhere`"),
        ("", "", "[[cases]]\nobjectives = [\"mixed\"]\n", "did you mean `mix`?"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recipe.toml");
        fs::write(&path, tiny(keys, healing, rest)).unwrap();
        let ran = regrow(&["sweep", arg(&path), "--out", "OUT", "--dry-run"]);
        assert_eq!(ran.code, 1, "{keys} {healing} {rest}");
        assert!(ran.stderr.contains(said), "{keys} {healing}: no `{said}` in {}", ran.stderr);
    }
}

#[test]
fn a_sweep_heals_on_the_text_and_from_a_cache_of_its_base() {
    let keys = "controls = false\nobjectives = [\"lm\", \"distil\"]\nteach = { top = 16 }";
    let folder = tempfile::tempdir().unwrap();
    let (path, out) = (folder.path().join("recipe.toml"), folder.path().join("out"));
    fs::write(&path, tiny(keys, "temperature = 2.0", "")).unwrap();
    let ran = regrow(&["sweep", arg(&path), "--out", arg(&out), "--quiet"]);
    assert!(!ran.stderr.contains("` failed: "), "{}", ran.stderr);
    let runs = [CUT.to_owned(), format!("{CUT}-distil")];
    assert_eq!(names(&out.join("runs")), runs, "{}", ran.stderr);
    let spec = |run: &str| -> toml::Table {
        let text = fs::read_to_string(out.join("runs").join(run).join("spec.toml")).unwrap();
        toml::from_str(&text).unwrap()
    };
    assert!(!spec(&runs[0]).contains_key("objective"));
    let taught = &spec(&runs[1])["objective"];
    assert_eq!(taught["kind"].as_str(), Some("distil"));
    // The base that was pruned, by the hash in the record of the cut, and its cache by its own.
    let cut: serde_json::Value = json(&out.join("models").join(CUT).join("cut.json"));
    assert_eq!(taught["teacher"].as_str(), cut["base_hash"].as_str(), "{cut}");
    let cache = out.join("caches/small-16x4/cache.json");
    let hash = ledger::Sha256::of(fs::read(&cache).unwrap()).to_string();
    assert_eq!(taught["cache"].as_str(), Some(&*hash));
    let curve = fs::read_to_string(out.join("runs").join(&runs[1]).join("metrics.jsonl")).unwrap();
    assert!(curve.contains("\"eval_kl\""), "{curve}");
    // One group for each objective.
    let points = fs::read_to_string(out.join("points.csv")).unwrap();
    let at =
        points.lines().next().unwrap().split(',').position(|name| name == "objective").unwrap();
    let mut found: Vec<&str> =
        points.lines().skip(1).map(|line| line.split(',').nth(at).unwrap()).collect();
    found.dedup();
    // Text alone leaves the cell empty.
    assert_eq!(found, ["", "distil"], "{points}");
}

fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}
