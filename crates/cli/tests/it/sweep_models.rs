//! Sweeps over models that exist, methods of all kinds at once, cases, and recipes that change.

use std::fs;
use std::path::{Path, PathBuf};

use crate::recipes::{BASE, CALIBRATION, TEXT, heal, method, size, small};
use crate::workshop::{arg, done, names, regrow};

/// A base trained from scratch, which the tests prune as a model that exists.
fn bases() -> String {
    let cut = method("depth-block-influence", "blocks = [1]");
    let text = TEXT.replace("context = 32", "context = 32\nseeds = [1]");
    [&text, &small(&[[16, 4, 4, 2, 32]]), BASE, CALIBRATION, &cut, &heal("2_000", 3)].concat()
}

/// Changes of single runs.
const CASES: &str = r#"
[[cases]]
method = ["depth-block-influence", "none"]
base = "first"
seeds = [2]
[[cases]]
cut = "2of4"
base = "first"
tokens = 2_560
[[cases]]
method = "2:4-magnitude"
add = "slow"
learning_rate = 1e-4
[[cases]]
base = "8x4"
method = "width-magnitude"
skip = true
"#;

/// A model that exists, beside a size from scratch, and methods of all kinds.
fn exists() -> String {
    let model = "model = \"MODEL\"\nname = \"first\"\nlearning_rate = 1e-3\n";
    let series = format!(
        "\n[[series]]\nname = \"mine\"\nmodel_type = \"llama\"\n[[series.models]]\n{model}{}",
        size([8, 4, 4, 2, 32])
    );
    let methods = [
        method("depth-block-influence", "blocks = [1, 2]"),
        method("width-magnitude", "as_blocks = [1]"),
        method("2:4-magnitude", ""),
    ];
    // The tokenizer is that of the model.
    let text = TEXT.replace("vocabulary = 300\n", "").replace("seed = 1", "seed = 2");
    let base = BASE.replace("6_000", "3_000");
    [&text, &series, &base, CALIBRATION, &methods.concat(), &heal("2_000", 3), CASES].concat()
}

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    /// A folder in which the bases were trained, and the path of their model.
    fn new() -> (Self, PathBuf) {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        let (recipe, out) = (bench.recipe("bases", &bases()), bench.path("bases"));
        assert_eq!(sweep(&recipe, &out), 3);
        let model = out.join("bases/small-16x4/model");
        (bench, model)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn recipe(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(&format!("{name}.toml"));
        fs::write(&path, text).unwrap();
        path
    }
}

/// Runs a sweep, and gives its exit status: few points of models that are hardly trained cannot
/// tell how many tokens are enough.
fn sweep(recipe: &Path, out: &Path) -> i32 {
    let ran = regrow(&["sweep", arg(recipe), "--out", arg(out), "--jobs", "2", "--quiet"]);
    assert!(ran.code == 3 || ran.code == 0, "{}: {}", ran.code, ran.stderr);
    ran.code
}

/// The jobs that a recipe would run.
fn jobs(recipe: &Path, out: &Path) -> Vec<String> {
    let shown = done(&["sweep", arg(recipe), "--out", arg(out), "--dry-run"]).stdout;
    shown.lines().filter_map(|line| line.strip_prefix("# ")).map(str::to_owned).collect()
}

#[test]
fn a_model_that_exists_is_swept_with_methods_of_all_kinds_beside_a_size_from_scratch() {
    let (bench, model) = Bench::new();
    let recipe = bench.recipe("exists", &exists().replace("MODEL", arg(&model)));
    let out = bench.path("out");
    sweep(&recipe, &out);
    let runs = names(&out.join("runs"));
    let expected = [
        "mine-8x4-2:4-magnitude",
        "mine-8x4-2:4-magnitude-slow",
        "mine-8x4-depth-block-influence-1of4",
        "mine-8x4-depth-block-influence-2of4",
        "mine-8x4-none",
        "mine-first-2:4-magnitude",
        "mine-first-2:4-magnitude-slow",
        "mine-first-depth-block-influence-1of4",
        "mine-first-depth-block-influence-1of4-seed2",
        "mine-first-depth-block-influence-2of4",
        "mine-first-depth-block-influence-2of4-seed2",
        "mine-first-none",
        "mine-first-none-seed2",
        "mine-first-width-magnitude-as1of4",
    ];
    assert_eq!(runs, expected);
    // Cuts are shared by the runs that heal them.
    assert_eq!(names(&out.join("models")).len(), 7);
    let spec = |run: &str| -> toml::Table {
        let text = fs::read_to_string(out.join("runs").join(run).join("spec.toml")).unwrap();
        toml::from_str(&text).unwrap()
    };
    let of = |run: &str, key: &str| spec(run)[key].to_string();
    let rate = |run: &str| spec(run)["optimizer"]["learning_rate"].as_float().unwrap();
    assert_eq!(rate("mine-first-2:4-magnitude"), 1e-3);
    assert_eq!(rate("mine-first-2:4-magnitude-slow"), 1e-4);
    assert_eq!(rate("mine-8x4-2:4-magnitude"), 4e-3);
    for run in
        ["mine-first-depth-block-influence-2of4", "mine-first-depth-block-influence-2of4-seed2"]
    {
        assert_eq!(of(run, "tokens"), "2560");
    }
    // Another kind of run reads the same text in the same order, another seed does not.
    let seed = |run: &str| of(run, "seed");
    assert_eq!(seed("mine-first-2:4-magnitude"), seed("mine-first-2:4-magnitude-slow"));
    assert_ne!(seed("mine-first-none"), seed("mine-first-none-seed2"));
    // One tokenizer for all: that of the model.
    let hash = |path: PathBuf| ledger::Sha256::of(fs::read(path).unwrap()).to_string();
    assert_eq!(hash(out.join("corpus/tokenizer.json")), hash(model.join("tokenizer.json")));
    let table = fs::read_to_string(out.join("points.csv")).unwrap();
    // The ledger knows a sweep by its folder.
    let listed = |flags: &[&str]| -> Vec<String> {
        let runs = done(&[&["runs", arg(&out), "--json"], flags].concat()).json();
        let rows = runs["runs"].as_array().unwrap();
        rows.iter()
            .map(|row| row["run"].as_str().unwrap().rsplit('/').next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(listed(&[]), expected);
    assert_eq!(listed(&["--method", "width-magnitude"]), ["mine-first-width-magnitude-as1of4"]);
    assert_eq!(listed(&["--state", "broken"]), [""; 0]);
    assert!(listed(&["--sort", "tokens"])[13].contains("2of4"));
    let file = bench.path("runs.csv");
    done(&["runs", arg(&out), "--series", "mine", "--csv", arg(&file)]);
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 15);
    let (list, points) = (bench.path("runs.parquet"), bench.path("points.parquet"));
    done(&["runs", arg(&out), "--parquet", arg(&list), "--points", arg(&points)]);
    for file in [&list, &points] {
        let bytes = fs::read(file).unwrap();
        assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    }
    let csv = bench.path("points.csv");
    done(&["runs", arg(&out), "--points", arg(&csv)]);
    assert_eq!(fs::read_to_string(&csv).unwrap(), table);
    // A run that is excluded is in no table, and comes back.
    let bad = out.join("runs/mine-first-none");
    done(&["runs", "exclude", arg(&bad), "--reason", "a test"]);
    let said = done(&["runs", arg(&out)]);
    assert!(said.stderr.contains("mine-first-none` is excluded: a test"), "{}", said.stderr);
    assert_eq!(listed(&["--state", "excluded"]), ["mine-first-none"]);
    let fewer = bench.path("fewer.csv");
    let said = done(&["runs", arg(&out), "--points", arg(&fewer)]).stderr;
    assert!(said.contains("it is excluded: a test"), "{said}");
    assert!(!fs::read_to_string(&fewer).unwrap().contains(",mine-first-none,"));
    done(&["runs", "include", arg(&bad)]);
    assert_eq!(listed(&["--state", "excluded"]), [""; 0]);
    let again = regrow(&["runs", arg(&out), "--csv", arg(&file)]);
    assert!(again.code == 1 && again.stderr.contains("already exists"), "{}", again.stderr);
    // The model that exists was measured once, and all of its runs stand on that.
    assert_eq!(names(&out.join("losses")), ["mine-first"]);
    let kept = out.join("losses/mine-first/loss.json");
    let read = |path: &Path| -> serde_json::Value {
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    };
    let corpus = out.join("corpus");
    let measured =
        done(&["eval", arg(&model), "--corpus", arg(&corpus), "--context", "32", "--json"]).json();
    let loss = read(&kept)["loss"].as_f64().unwrap();
    assert_eq!(measured["loss"].as_f64(), Some(loss));
    for run in expected.iter().filter(|run| run.starts_with("mine-first")) {
        let record = read(&out.join("runs").join(run).join("record.json"));
        assert_eq!(record["loss0"].as_f64(), Some(loss), "{run}");
    }
    // A loss of another text is refused by name.
    let text = fs::read_to_string(&kept).unwrap();
    let tampered = bench.path("loss.json");
    let hash = read(&kept)["text"].as_str().unwrap().to_owned();
    fs::write(&tampered, text.replace(&hash, &hash.replace(char::is_numeric, "a"))).unwrap();
    let run = bench.path("refused");
    let words = ["train", arg(&model), "--corpus", arg(&corpus), "--base-loss", arg(&tampered)];
    let words = [&words[..], &["--context", "32", "--tokens", "256", "--out", arg(&run)]].concat();
    let refused = regrow(&words);
    assert!(refused.stderr.contains("another held-out text"), "{}", refused.stderr);
    assert!(!run.exists());
    for method in ["none", "depth-block-influence", "width-magnitude", "2:4-magnitude"] {
        assert!(table.contains(&format!(",{method},")), "{method}: {table}");
    }
}

#[test]
fn a_changed_recipe_runs_only_what_changed_and_a_recipe_changed_back_runs_nothing() {
    let bench = Bench::new().0;
    let out = bench.path("bases");
    let dates = || -> Vec<(String, std::time::SystemTime)> {
        let date = |folder: &str, name: &str| {
            fs::metadata(out.join(folder).join(name).join("done.json")).unwrap().modified().unwrap()
        };
        let of = |folder: &'static str| {
            names(&out.join(folder))
                .into_iter()
                .map(move |name| (name.clone(), date(folder, &name)))
        };
        of("bases").chain(of("runs")).collect()
    };
    let before = dates();
    // A further cut is all that runs.
    let more = bench.recipe("more", &bases().replace("blocks = [1]", "blocks = [1, 2]"));
    let left = |recipe: &Path| -> Vec<String> {
        jobs(recipe, &out).into_iter().filter(|job| !job.ends_with(", done")).collect()
    };
    assert_eq!(left(&more).len(), 2, "{:?}", left(&more));
    sweep(&more, &out);
    let after = dates();
    assert!(before.iter().all(|run| after.contains(run)), "{before:?} {after:?}");
    assert_eq!(after.len(), before.len() + 1);
    assert!(fs::read_to_string(out.join("recipe.toml")).unwrap().contains("[1, 2]"));
    // Another learning rate for healing leaves bases and cuts alone.
    let other = bench.recipe(
        "other",
        &bases().replace("tokens = 2_000", "tokens = 2_000\nlearning_rate = 1e-3"),
    );
    assert_eq!(left(&other).len(), 2, "{:?}", left(&other));
    let ran = regrow(&["sweep", arg(&other), "--out", arg(&out), "--jobs", "2"]);
    assert!(ran.stderr.contains("is made anew, the recipe has changed"), "{}", ran.stderr);
    let changed = dates();
    let same = |name: &str| {
        changed.iter().find(|run| run.0 == name) == after.iter().find(|run| run.0 == name)
    };
    assert!(same("small-16x4") && !same("small-16x4-none"), "{changed:?}");
    // What was set aside comes back.
    sweep(&more, &out);
    let back = dates();
    assert!(after.iter().all(|run| back.contains(run)), "{after:?} {back:?}");
    assert!(left(&more).is_empty());
}

#[test]
fn models_and_cases_that_make_no_sense_are_refused_before_anything_starts() {
    let (bench, model) = Bench::new();
    for (from, to, said) in [
        ("MODEL", "nowhere-at-all", "`nowhere-at-all` is neither a folder"),
        ("model = \"MODEL\"", "model = \"--force\"", "`model` is `--force`, expected a path"),
        ("name = \"first\"", "name = \"../first\"", "model name `../first`"),
        (
            "heldout_share = 0.03",
            "heldout_share = 0.03\nvocabulary = 300",
            "models that exist have their own",
        ),
        ("context = 32", "context = 33", "expected at most the 32 positions"),
        ("tokens = 2_560", "eval_tokens = 9", "all runs of a sweep are measured alike"),
        ("tokens = 2_560", "", "a case changes nothing"),
        ("skip = true", "skip = true\ntokens = 5", "a case with `skip` has other keys"),
        ("cut = \"2of4\"", "cut = \"3of4\"", "number 2 of `cases` is about no run"),
        ("add = \"slow\"", "add = \"a/b\"", "`add` name `a/b`"),
        ("as_blocks = [1]", "blocks = [1]", "takes no `blocks`"),
        ("as_blocks = [1]", "as_blocks = [4]", "`as_blocks` holds 4, expected 1 to 3"),
        (
            "name = \"2:4-magnitude\"",
            "name = \"2:4-magnitude\"\nrates = [0.5]",
            "its pattern says how much goes",
        ),
        ("[base]\ntokens = 3_000", "[base]\ntoken = 3_000", "did you mean `tokens`?"),
    ] {
        assert!(exists().contains(from), "{from}");
        let text = exists().replacen(from, to, 1).replace("MODEL", arg(&model));
        let (recipe, out) = (bench.recipe("bad", &text), bench.path("out"));
        let ran = regrow(&["sweep", arg(&recipe), "--out", arg(&out)]);
        assert_eq!(ran.code, 1, "{to}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{to}: no `{said}` in {}", ran.stderr);
        assert!(!out.exists(), "{to}");
    }
}
