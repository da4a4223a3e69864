//! Pilots for a number: the table, the recipe that a sweep takes, and what is refused.

use std::fs;

use crate::recipes::{BASE, CALIBRATION, TEXT, heal, method, small};
use crate::workshop::{arg, done, regrow};

const PUBLIC: [&str; 9] = [
    "design",
    "--models",
    "llama-3.2-1b,llama-3.2-3b,llama-3.1-8b",
    "--rates",
    "0.15,0.25,0.35",
    "--for",
    "llama-3.1-8b@25%",
    "--budget",
    "300gpu-hours",
];

#[test]
fn public_models_get_pilots_within_the_budget_in_order_of_what_they_bring() {
    let flags = [&PUBLIC[..], &["--device-peak", "h100"]].concat();
    let ran = regrow(&[&flags[..], &["--json"]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let said = ran.json();
    let runs = said["runs"].as_array().unwrap();
    assert!(runs.len() > 2);
    // 300 hours of 989e12 operations a second at a share of 0.4.
    let budget = 300.0 * 3600.0 * 989e12 * 0.4;
    let spent = runs[runs.len() - 1]["spent"].as_f64().unwrap();
    let sum: f64 = runs.iter().map(|run| run["cost"].as_f64().unwrap()).sum();
    assert!(spent <= budget * (1.0 + 1e-9) && (sum / spent - 1.0).abs() < 1e-9, "{spent} {sum}");
    let width = |of: &serde_json::Value| of["factor"].as_f64().unwrap();
    assert!(width(&runs[runs.len() - 1]["after"]) < 0.3 * width(&said["before"]));
    // The same seed, the same answer.
    assert_eq!(regrow(&[&flags[..], &["--json"]].concat()).json(), said);
    let text = done(&flags).stdout;
    assert!(
        text.contains("runs narrow the interval from a factor above 100 to a factor of"),
        "{text}"
    );
    assert!(text.contains("llama-3.2-1b") && text.contains("gpu-hours"), "{text}");
}

#[test]
fn a_design_that_is_tried_holds_most_numbers() {
    let flags = [
        "design",
        "--models",
        "1B,3B",
        "--rates",
        "0.2,0.4",
        "--for",
        "3B@0.2",
        "--budget",
        "1e19flop",
        "--loss-at",
        "500M",
        "--check",
        "4",
        "--json",
    ];
    let said = regrow(&flags).json();
    assert_eq!(
        (said["check"]["tables"].as_u64(), said["check"]["answered"].as_u64()),
        (Some(4), Some(4))
    );
    assert!(said["check"]["held"].as_u64().unwrap() >= 2, "{said}");
    assert!(said["check"]["width"]["nats"].as_f64().unwrap() > 0.0);
}

#[test]
fn the_recipe_of_a_design_is_a_sweep_of_its_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let cut = method("depth-block-influence", "blocks = [1]");
    let shapes = small(&[[16, 4, 4, 2, 32], [24, 4, 4, 2, 48]]);
    let bases = [TEXT, &shapes, BASE, CALIBRATION, &cut, &heal("2_000", 3)].concat();
    fs::write(path("bases.toml"), bases).unwrap();
    let out = path("bases");
    let ran =
        regrow(&["sweep", arg(&path("bases.toml")), "--out", arg(&out), "--jobs", "2", "--quiet"]);
    assert!(ran.code == 0 || ran.code == 3, "{ran:?}");
    let mut models: Vec<_> = fs::read_dir(out.join("bases"))
        .unwrap()
        .map(|entry| entry.unwrap().path().join("model"))
        .collect();
    models.sort();
    // Folders of one name would be one name in the sweep.
    let [small, large] = ["small", "large"].map(&path);
    for (from, to) in [(&models[0], &small), (&models[1], &large)] {
        fs::rename(from, to).unwrap();
    }
    let (names, target) =
        (format!("{},{}", small.display(), large.display()), format!("{}@0.36", large.display()));
    let recipe = path("pilots.toml");
    let flags = [
        "design",
        "--models",
        &names,
        "--rates",
        "0.19,0.36",
        "--for",
        &target,
        "--budget",
        "1e11flop",
        "--tokens",
        "20000,80000",
        "--recipe",
        arg(&recipe),
        "--json",
    ];
    let ran = regrow(&flags);
    assert_eq!(ran.code, 0, "{ran:?}");
    let said = ran.json();
    let text = fs::read_to_string(&recipe).unwrap();
    let corpus = out.join("corpus");
    let text = text.replace("inputs = [\"text.jsonl\"]", &format!("folder = {:?}", arg(&corpus)));
    fs::write(path("ready.toml"), text).unwrap();
    let shown = done(&["sweep", arg(&path("ready.toml")), "--out", arg(&path("out")), "--dry-run"]);
    let heals: Vec<&str> =
        shown.stdout.lines().filter(|line| line.starts_with("regrow train ")).collect();
    let runs = said["runs"].as_array().unwrap();
    assert_eq!(heals.len(), runs.len(), "{heals:?} {runs:?}");
    for run in runs {
        let base = std::path::Path::new(run["base"].as_str().unwrap());
        let name = format!("{}-depth", base.file_name().unwrap().to_str().unwrap());
        let tokens = format!("--tokens {} ", run["tokens"].as_f64().unwrap());
        assert!(
            heals.iter().any(|line| line.contains(&name) && line.contains(&tokens)),
            "{run} {heals:?}"
        );
    }
    let again = regrow(&flags);
    assert!(again.code == 1 && again.stderr.contains("pilots.toml"), "{again:?}");
    done(&[&flags[..], &["--force"]].concat());
}

#[test]
fn what_cannot_be_designed_is_said_with_what_to_do() {
    let said = |change: [&str; 2]| {
        let mut flags: Vec<&str> = PUBLIC.to_vec();
        match flags.iter().position(|flag| *flag == change[0]) {
            Some(at) => flags[at + 1] = change[1],
            None => flags.extend(change),
        }
        regrow(&flags)
    };
    let ran = said(["--budget", "300gpu-hours"]);
    assert!(ran.code != 0 && ran.stderr.contains("--device-peak"), "{ran:?}");
    let ran = said(["--budget", "1e9flop"]);
    assert!(ran.stderr.contains("pays for 0 tokens of the wanted model"), "{ran:?}");
    let flags = [&PUBLIC[..7], &["--budget", "1e12flop", "--tokens", "1M"]].concat();
    let ran = regrow(&flags);
    assert!(ran.stderr.contains("the budget pays for no run"), "{ran:?}");
    let ran = said(["--for", "llama-3.1-8b"]);
    assert!(ran.code == 2 && ran.stderr.contains("such as llama-3.1-8b@0.25"), "{ran:?}");
    let ran = said(["--objective", "words"]);
    assert!(ran.code == 2 && ran.stderr.contains("distil"), "{ran:?}");
    let ran = regrow(&[
        "design", "--models", "1B", "--rates", "0.2", "--for", "3B@0.2", "--budget", "1e20flop",
        "--method", "depth",
    ]);
    assert!(ran.code == 1 && ran.stderr.contains("`depth`"), "{ran:?}");
    let ran = said(["--models", "llama-9"]);
    assert!(ran.stderr.contains("`llama-9` is neither"), "{ran:?}");
    let ran = regrow(&[&PUBLIC[..7], &["--budget", "1e21flop", "--gain", "500"]].concat());
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("has no value"), "{ran:?}");
}

#[test]
fn a_law_of_earlier_runs_says_which_come_next() {
    let folder = tempfile::tempdir().unwrap();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let points = root.join("results/2026-11-26-loop-of-habits/seed1.csv");
    let law = folder.path().join("law.json");
    let fitted = regrow(&["fit", arg(&points), "--out", arg(&law)]);
    assert!(fitted.code == 0 || fitted.code == 3, "{fitted:?}");
    // A size that the law has not seen. Evaluations begin before its first tokens.
    let flags = [
        "design",
        "--law",
        arg(&law),
        "--series",
        "llama",
        "--models",
        "27K,66K,250K",
        "--rates",
        "0.17,0.3,0.47",
        "--for",
        "250K@0.3",
        "--budget",
        "1e12flop",
        "--tokens",
        "300K,750K",
        "--json",
    ];
    let ran = regrow(&flags);
    assert_eq!(ran.code, 0, "{ran:?}");
    let said = ran.json();
    let runs = said["runs"].as_array().unwrap();
    let width = |of: &serde_json::Value| of["factor"].as_f64().unwrap();
    let widths: Vec<f64> = std::iter::once(width(&said["before"]))
        .chain(runs.iter().map(|run| width(&run["after"])))
        .collect();
    assert!(widths[runs.len()] < widths[0]);
    // The new size itself tells most of it.
    let gains = widths.windows(2).map(|pair| pair[0] / pair[1]);
    let most = gains.zip(runs).max_by(|(a, _), (b, _)| a.total_cmp(b)).unwrap().1;
    assert_eq!(most["base"], "250K", "{said}");
}
