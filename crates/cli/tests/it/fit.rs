//! The flags of `fit`, `predict`, `plan` and `validate`, run as a user runs them.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::law::{Bench, HEAD, loss};
use crate::workshop::{arg, command, regrow};

const FOUR: [f64; 4] = [0.5, 1.2, 3.1, 7.6];

/// The same points, off by a fixed pattern that stands for noise: runs and points differ by some
/// thousandths.
fn noisy() -> String {
    let mut text = HEAD.to_owned();
    let mut state = 7_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1 << 24) - 0.5
    };
    for size in FOUR {
        for rate in [0.15, 0.25, 0.35] {
            let of_run = 0.006 * noise();
            for tokens in [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0] {
                let loss = loss(size, rate, tokens) + of_run + 0.004 * noise();
                writeln!(
                    text,
                    "s,depth-list,{size}-{rate},{},{rate},2.2,{},{loss}",
                    size * 1e9,
                    tokens * 1e9
                )
                .unwrap();
            }
        }
    }
    text
}

fn constant<'a>(law: &'a Value, name: &str) -> &'a Value {
    &law["groups"][0]["constants"][name]
}

#[test]
fn constants_are_set_and_bounded_by_flags() {
    let bench = Bench::new(&noisy());
    let ran =
        bench.fit(&["--fix", "gamma=-1.2", "--bound", "beta=0.1..1", "--bound", "E=0..", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let law = ran.json();
    assert_eq!(constant(&law, "gamma")["value"], -1.2);
    assert!(constant(&law, "gamma").get("interval").is_none());
    assert!(constant(&law, "beta")["value"].as_f64().unwrap() <= 1.0);
    let group = &law["groups"][0];
    assert_eq!(
        group["bounds"],
        serde_json::json!({"beta": {"low": 0.1, "high": 1.0}, "E": {"low": 0.0}})
    );
    assert_eq!(group["identifiability"]["fixed"]["gamma"], -1.2);
    let shown = bench.fit(&["--fix", "gamma=-1.2", "--force"]).stdout;
    assert!(
        shown.contains("set beforehand") && shown.contains("starts end at this law"),
        "{shown}"
    );
    for (flags, code, said) in [
        (&["--fix", "gamma"][..], 2, "is no NAME=VALUE such as gamma=-1.2"),
        (&["--fix", "gamma=nan"], 2, "is no NAME=VALUE"),
        (&["--bound", "beta=1"], 2, "is no NAME=LOW..HIGH"),
        (&["--bound", "beta=1..0"], 2, "`beta` cannot be held at 1..0"),
        (&["--fix", "betta=1"], 2, "has no constant `betta`; the nearest is `beta`"),
        (&["--fix", "beta=1", "--bound", "beta=0..2"], 2, "`beta` is constrained twice"),
    ] {
        let ran = bench.fit(&[flags, &["--force"]].concat());
        assert!(
            ran.code == code && ran.stderr.contains(said),
            "{flags:?}: {} {}",
            ran.code,
            ran.stderr
        );
    }
}

#[test]
fn units_are_those_asked_for_and_predictions_the_same() {
    let bench = Bench::new(&noisy());
    let predicted = |units: &str| {
        let law = bench.fit(&["--units", units, "--force", "--json"]).json();
        assert_eq!(law["groups"][0]["units"], units);
        let answer = bench.ask("predict", "3.1B", &["--tokens", "7e8", "--json"]).json();
        (constant(&law, "D_C")["value"].as_f64().unwrap(), answer["loss"].as_f64().unwrap())
    };
    let ((billions, x), (counts, y)) = (predicted("billions"), predicted("counts"));
    assert!(counts > 10.0 * billions && (x - y).abs() < 1e-9, "{billions} {counts} {x} {y}");
    assert_eq!(bench.fit(&["--units", "thousands"]).code, 2);
}

#[test]
fn the_seed_and_the_way_of_making_intervals_are_flags() {
    let bench = Bench::new(&noisy());
    let law = |flags: &[&str]| bench.fit(&[flags, &["--force", "--json"]].concat()).json();
    let kinds = |law: &Value| {
        let replicates = law["groups"][0]["replicates"].as_array().unwrap().clone();
        let kind = |replicate: &Value| match &replicate["left_out"] {
            Value::Object(map) => map.keys().next().unwrap().clone(),
            other => other.to_string(),
        };
        let mut kinds: Vec<String> = replicates.iter().map(kind).collect();
        kinds.dedup();
        (kinds, replicates)
    };
    let (jackknife, refits) = kinds(&law(&[]));
    assert_eq!((&jackknife[..], refits.len()), (&["run".to_owned(), "base".to_owned()][..], 16));
    for (intervals, kind) in [("parametric", "simulation"), ("pairs", "draw")] {
        let with = |seed: &str| kinds(&law(&["--intervals", intervals, "--seed", seed]));
        let (kinds, refits) = with("1");
        assert_eq!(kinds, [kind], "{intervals}");
        assert_eq!(refits.len(), 200, "{intervals}");
        assert_eq!(with("1").1, refits, "{intervals}: the same seed");
        assert_ne!(with("2").1, refits, "{intervals}: another seed");
    }
    // Every way holds the true beta here.
    for intervals in ["jackknife", "parametric", "pairs"] {
        let law = law(&["--intervals", intervals]);
        let ends = constant(&law, "beta")["interval"].as_array().unwrap().clone();
        let ends: Vec<f64> = ends.iter().map(|end| end.as_f64().unwrap()).collect();
        assert!(ends[0] < 0.5 && 0.5 < ends[1] && ends[1] - ends[0] < 0.5, "{intervals}: {ends:?}");
    }
    let convergence = |starts: &str| {
        let ran = regrow(&[
            "fit",
            arg(&bench.points()),
            "--starts",
            starts,
            "--intervals",
            "jackknife",
            "--json",
        ]);
        ran.json()["groups"][0]["convergence"].clone()
    };
    assert_eq!(convergence("5")["starts"], 5);
    assert!(convergence("5")["gradient"].as_f64().unwrap() < 1e-6);
    assert_eq!(regrow(&["fit", arg(&bench.points()), "--starts", "0"]).code, 2);
}

#[test]
fn points_are_read_from_standard_input() {
    let bench = Bench::new(&noisy());
    let piped = |arguments: &[&str], text: &str| {
        let mut child = command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that refuses its flags does not read.
        let _ = child.stdin.take().unwrap().write_all(text.as_bytes());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), said)
    };
    let file = bench.fit(&["--json"]);
    let flags = ["fit", "-", "--starts", "16", "--intervals", "jackknife", "--json"];
    let (code, law, said) = piped(&flags, &noisy());
    assert!(code == Some(file.code) && law == file.stdout, "{said}");
    let (code, _, said) = piped(&["fit", "-"], "n0,rate,tokens,loss\n");
    assert!(code == Some(1) && said.contains("`standard input` has no column `loss0`"), "{said}");
    let (code, _, said) = piped(&["validate", "-"], "");
    assert!(code == Some(1) && said.contains("`standard input` has no column `n0`"), "{said}");
}

#[test]
fn the_loss_is_kept_in_the_law() {
    let bench = Bench::new(&noisy());
    for loss in ["least-squares", "huber:0.001", "log-huber:0.001"] {
        let ran = bench.fit(&["--loss", loss, "--force"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let law: Value = serde_json::from_str(&fs::read_to_string(bench.law()).unwrap()).unwrap();
        assert_eq!(law["groups"][0]["loss"], loss);
        assert!(
            loss == "least-squares" || ran.stdout.contains(&format!("the sum of `{loss}`")),
            "{}",
            ran.stdout
        );
    }
    let ran = bench.fit(&["--loss", "huber"]);
    assert!(ran.code == 2 && ran.stderr.contains("`huber:DELTA`"), "{}", ran.stderr);
}

#[test]
fn groups_are_made_of_what_is_asked_for() {
    let two = noisy() + &noisy().replace(HEAD, "").replace(",depth-list,", ",width-activation,");
    let bench = Bench::new(&two);
    let labels = |flags: &[&str]| {
        let law = bench.fit(&[flags, &["--force", "--json"]].concat()).json();
        let groups = law["groups"].as_array().unwrap().clone();
        let label = |group: &Value| {
            let text = |key: &str| group[key].as_str().unwrap().to_owned();
            (text("series"), text("method"), group["runs"].as_u64().unwrap())
        };
        groups.iter().map(label).collect::<Vec<_>>()
    };
    let label =
        |series: &str, method: &str, runs: u64| (series.to_owned(), method.to_owned(), runs);
    assert_eq!(labels(&[]), [label("s", "depth-list", 12), label("s", "width-activation", 12)]);
    assert_eq!(labels(&["--group-by", "series,method"]), labels(&[]));
    assert_eq!(labels(&["--group-by", "series"]), [label("s", "any", 24)]);
    assert_eq!(
        labels(&["--group-by", "method"]),
        [label("any", "depth-list", 12), label("any", "width-activation", 12)]
    );
    assert_eq!(bench.fit(&["--group-by", "size"]).code, 2);
}

/// The points of Hoffmann et al. as Besiroglu et al. read them, through the command: no rate and no
/// loss before pruning.
#[test]
fn a_form_needs_only_the_columns_that_it_names() {
    let mut text = "n0,tokens,loss\n".to_owned();
    for n0 in [1e8_f64, 3e8, 1e9, 3e9] {
        for tokens in [2e9_f64, 8e9, 3e10, 1e11] {
            let loss = 1.7 + 400.0 * n0.powf(-0.34) + 2000.0 * tokens.powf(-0.37);
            writeln!(text, "{n0},{tokens},{loss}").unwrap();
        }
    }
    let bench = Bench::new(&text);
    let ran = bench.fit(&["--form", "chinchilla", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let law = ran.json();
    assert!((constant(&law, "alpha")["value"].as_f64().unwrap() - 0.34).abs() < 1e-4, "{law}");
    let ranges: Vec<&String> = law["groups"][0]["ranges"].as_object().unwrap().keys().collect();
    assert_eq!(ranges, ["loss", "n0", "tokens"]);
    assert!(
        law["groups"][0].get("decisions").is_none()
            && ran.stderr.contains("no column `rate`, `loss0`"),
        "{ran:?}"
    );
    let ran = bench.fit(&["--force"]);
    let said =
        "has no column `rate`, `loss0`, which form `p2` needs; it has `n0`, `tokens`, `loss`";
    assert!(ran.code == 1 && ran.stderr.contains(said), "{}", ran.stderr);
    let ran = regrow(&["validate", arg(&bench.points()), "--form", "chinchilla"]);
    assert!(ran.code == 1 && ran.stderr.contains("has no column"), "{}", ran.stderr);
}

#[test]
fn the_replication_of_chinchilla_runs_from_its_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/epoch_chinchilla/svg_extracted_data.csv");
    if !path.is_file() {
        eprintln!(
            "skipped: the_replication_of_chinchilla_runs_from_its_table: `../shared/data/epoch_chinchilla` is missing"
        );
        return;
    }
    let text = fs::read_to_string(&path).unwrap();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let places = ["Model Size", "Training FLOP", "loss"]
        .map(|name| header.iter().position(|h| *h == name).unwrap());
    let mut rows: Vec<[f64; 3]> = lines
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            places.map(|place| cells[place].parse().unwrap())
        })
        .collect();
    // The five largest losses are left out, as published.
    rows.sort_by(|a, b| b[2].total_cmp(&a[2]));
    let mut table = "n0,tokens,loss\n".to_owned();
    for [n0, flops, loss] in &rows[5..] {
        writeln!(table, "{n0},{},{loss}", flops / (6.0 * n0)).unwrap();
    }
    let bench = Bench::new(&table);
    let flags = ["--form", "chinchilla", "--loss", "log-huber:1e-3", "--units", "counts", "--json"];
    let ran = bench.fit(&flags);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let law = ran.json();
    assert!(
        law["groups"][0]["fit_objective"].as_f64().unwrap() <= 0.001_018_274_019_0,
        "{}",
        law["groups"][0]["fit_objective"]
    );
    for (name, exact) in [
        ("A", 477.826),
        ("B", 2143.417),
        ("E", 1.817_218),
        ("alpha", 0.347_310_5),
        ("beta", 0.367_172_4),
    ] {
        let found = constant(&law, name)["value"].as_f64().unwrap();
        assert!((found / exact - 1.0).abs() < 3e-4, "{name}: {found}, expected {exact}");
    }
}

#[test]
fn plans_and_predictions_draw_a_picture() {
    let bench = Bench::new(&noisy());
    assert_eq!(bench.fit(&[]).code, 0);
    let out = bench.law().with_file_name("picture.svg");
    for (command, more) in [("predict", &["--tokens", "7e8"][..]), ("plan", &[])] {
        let ran = bench.ask(command, "3.1B", &[more, &["--out", arg(&out)]].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let svg = fs::read_to_string(&out).unwrap();
        for word in ["<svg", "unpruned", "class=\"shade\"", "new run", "nats per token"] {
            assert!(svg.contains(word), "{command}: no `{word}` in {svg}");
        }
        let ran = bench.ask(command, "3.1B", &[more, &["--out", arg(&out)]].concat());
        assert!(ran.code == 1 && ran.stderr.contains("`--force`"), "{}", ran.stderr);
        fs::remove_file(&out).unwrap();
    }
    let several = ["--n0", "3.1e9,7.6e9", "--loss0", "2.2,2.0", "--out", arg(&out)];
    let ran = regrow(&[&["plan", arg(&bench.law())], &several[..]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(fs::read_to_string(&out).unwrap().contains("What can be had"));
    let rows = ran
        .stdout
        .split("the front:")
        .nth(1)
        .unwrap()
        .split("\n\n")
        .next()
        .unwrap()
        .lines()
        .count();
    assert!(rows <= 14 && ran.stdout.contains("are in `--json`"), "{rows}: {}", ran.stdout);
}

#[test]
fn every_form_and_baseline_is_judged_in_one_table() {
    let bench = Bench::new(&noisy());
    let out = bench.law().with_file_name("held_out.svg");
    let points = bench.points();
    let fast = ["validate", arg(&points), "--starts", "8", "--intervals", "jackknife"];
    let validate = |more: &[&str]| regrow(&[&fast, more].concat());
    // Five lines and a short table for a hurried reader.
    let ran = validate(&[]);
    for question in ["tokens", "size", "rate", "base", "run"] {
        let line = ran.stdout.lines().find(|line| line.starts_with(question));
        let line = line.unwrap_or_else(|| panic!("no `{question}` in {}", ran.stdout));
        assert!(line.contains("worth it") && line.contains("90 % intervals hold"), "{line}");
    }
    assert!(ran.stdout.lines().count() < 20 && ran.stdout.contains("`--all`"), "{}", ran.stdout);
    let ran = validate(&["--all", "--out", arg(&out)]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for word in [
        "in sample",
        "last-checkpoints",
        "largest-size",
        "highest-rate",
        "leave-one-run-out",
        "leave-one-base-out",
        "constants",
        "excess R2",
        "skill",
        "excess error",
        "MAE",
        "ASD",
        "noise floor",
        "(baseline)",
        "chinchilla",
        "run-power",
        "in their 90 % band",
    ] {
        assert!(ran.stdout.contains(word), "no `{word}` in {}", ran.stdout);
    }
    let svg = fs::read_to_string(&out).unwrap();
    assert!(svg.contains("held out") && svg.contains("lie in their band"), "{svg}");
    let ran = validate(&["--json"]);
    let found = ran.json();
    let entries = found["groups"][0]["entries"].as_array().unwrap();
    let of = |name: &str| entries.iter().find(|entry| entry["name"] == name).unwrap();
    assert_eq!(of("p2")["parameters"], 7);
    let held = &of("p2")["held_out"]["last-checkpoints"];
    for metric in ["excess_r2", "relative_error", "mae", "huber", "asd", "asd_noise_floor", "skill"]
    {
        assert!(held[metric].is_number(), "{metric} in {held}");
    }
    // The law that made the points beats what one would say without it.
    assert!(of("p2")["held_out"]["largest-size"]["skill"].as_f64().unwrap() > 0.3, "{found}");
    assert!(validate(&["--out", arg(&out)]).stderr.contains("`--force`"));
    // What differs in the method alone is judged as one group where that is asked for.
    let ran = validate(&["--group-by", "series", "--json"]);
    assert_eq!(ran.json()["groups"][0]["method"], "any");
}
