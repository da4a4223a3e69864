//! Many runs as one: listed, run, killed, gone on with, and gathered in one table.

use std::fs;
use std::path::{Path, PathBuf};
#[cfg(target_os = "linux")]
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use crate::recipes::size;
use crate::recipes::tiny;
use crate::workshop::{Ran, arg, command, done, names, regrow};

/// A folder with a recipe.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(recipe: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("recipe.toml"), recipe).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn recipe(&self) -> PathBuf {
        self.path("recipe.toml")
    }
}

fn sweep<'a>(recipe: &'a Path, out: &'a Path) -> Vec<&'a str> {
    vec!["sweep", arg(recipe), "--out", arg(out), "--jobs", "2", "--quiet"]
}

/// Runs a sweep to its end. Four points of two sizes, hardly trained, cannot tell how many tokens
/// are enough.
fn swept(arguments: &[&str]) -> Ran {
    let ran = regrow(arguments);
    assert_eq!(ran.code, 3, "{arguments:?}: {}", ran.stderr);
    ran
}

/// Every number in a JSON value.
fn numbers(value: &serde_json::Value, found: &mut Vec<f64>) {
    match value {
        serde_json::Value::Number(number) => found.extend(number.as_f64()),
        serde_json::Value::Array(list) => list.iter().for_each(|value| numbers(value, found)),
        serde_json::Value::Object(map) => map.values().for_each(|value| numbers(value, found)),
        _ => {}
    }
}

#[test]
fn a_sweep_lists_its_command_lines_in_an_order_they_can_be_run_in() {
    let bench = Bench::new(&tiny().replace("blocks = [1, 2]", "rates = [0.17]"));
    let recipe = bench.recipe();
    let shown = done(&["sweep", arg(&recipe), "--out", "OUT", "--dry-run"]).stdout;
    let (table, listing) = shown.split_once("\n\n# text").unwrap();
    let listing = format!("# text{listing}");
    assert!(
        table.contains("10 of 10 jobs are left: 24,000 tokens, 1.10e9 operations\ntraining takes "),
        "{table}"
    );
    let expected = "\
# text
regrow grammar --documents 400 --seed 1 --out OUT/text --threads 1
# corpus after text
regrow tokenize OUT/text/documents.jsonl --vocabulary 300 --heldout-share 0.03 --out OUT/corpus --threads 1
# base-small-16x3 after corpus
regrow train --init OUT/configs/small-16x3.json --corpus OUT/corpus --recipe OUT/recipes/base.toml --tokens 6000 --seed 1 --series small --out OUT/bases/small-16x3 --resume --threads 1
# base-small-8x3 after corpus
regrow train --init OUT/configs/small-8x3.json --corpus OUT/corpus --recipe OUT/recipes/base.toml --tokens 6000 --seed 1 --series small --out OUT/bases/small-8x3 --resume --threads 1
# cut-small-8x3-depth-block-influence-0.17 after base-small-8x3
";
    assert!(listing.starts_with(expected), "{listing}");
    let mut before: Vec<&str> = Vec::new();
    for line in listing.lines().filter_map(|line| line.strip_prefix("# ")) {
        let (id, after) = line.split_once(" after ").unwrap_or((line, ""));
        assert!(
            after.split(", ").all(|needed| needed.is_empty() || before.contains(&needed)),
            "{line}"
        );
        assert!(!before.contains(&id), "{id} twice");
        before.push(id);
    }
    // Text, corpus, two bases, and for each base one cut, one run and one control.
    assert_eq!(before.len(), 4 + 2 * 3);
    assert!(!Path::new("OUT").exists());
}

#[test]
fn a_sweep_may_name_the_blocks_that_go() {
    let named = |drop: &str| {
        tiny()
            .replace("depth-block-influence", "depth-list")
            .replace("blocks = [1, 2]", &format!("drop = {drop}"))
    };
    let bench = Bench::new(&named("[[2, 1], [1]]"));
    let (recipe, out) = (bench.recipe(), bench.path("out"));
    swept(&sweep(&recipe, &out));
    for (cut, dropped) in [("1of3", vec![1]), ("2of3", vec![1, 2])] {
        let path = out.join(format!("models/small-8x3-depth-list-{cut}/cut.json"));
        let cut: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        assert_eq!(cut["cut"]["drop"], serde_json::json!(dropped), "{cut}");
    }
    for (drop, said) in [
        ("[[]]", "holds an empty list"),
        ("[[3]]", "`drop` holds [3], which is no cut of `small-8x3`"),
        ("[[1, 1]]", "`drop` holds [1, 1], which is no cut"),
        ("[[0, 1, 2]]", "which is no cut"),
        ("[[1], [2]]", "both drop 1 of 3 blocks"),
        ("[[1]]\nblocks = [1]", "needs `drop` alone"),
    ] {
        let bench = Bench::new(&named(drop));
        let ran = regrow(&["sweep", arg(&bench.recipe()), "--out", arg(&bench.path("out"))]);
        assert_eq!(ran.code, 1, "{drop}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{drop}: no `{said}` in {}", ran.stderr);
    }
}

#[test]
fn a_size_may_have_several_bases_and_one_control() {
    let jobs = |keys: &str, size: &str| {
        let recipe = tiny().replace("context = 32", &format!("context = 32\n{keys}"));
        let bench =
            Bench::new(&recipe.replace("hidden_size = 16", &format!("hidden_size = 16\n{size}")));
        let recipe = bench.recipe();
        let listing = done(&["sweep", arg(&recipe), "--out", "OUT", "--dry-run"]).stdout;
        let ids = listing.lines().filter_map(|line| line.strip_prefix("# "));
        let id = |line: &str| {
            line.split_once(" after ").map_or(line.to_owned(), |(id, _)| id.to_owned())
        };
        ids.map(id).collect::<Vec<String>>()
    };
    let count = |jobs: &[String], word: &str| jobs.iter().filter(|job| job.contains(word)).count();
    let several = jobs("seeds = [3, 4]\ncontrols = \"one-a-size\"", "");
    assert_eq!((count(&several, "base-"), count(&several, "-none")), (4, 2), "{several:?}");
    assert!(several.iter().any(|job| job == "run-small-8x3-seed3-none"), "{several:?}");
    let alone = jobs("seeds = [3, 4]\ncontrols = false", "seeds = [9]");
    assert_eq!((count(&alone, "base-"), count(&alone, "-none")), (3, 0), "{alone:?}");
    assert!(alone.iter().any(|job| job == "base-small-16x3"), "{alone:?}");
}

#[test]
fn a_sweep_heals_every_cut_and_gathers_the_points() {
    let bench = Bench::new(&tiny());
    let (recipe, out) = (bench.recipe(), bench.path("out"));
    let report = swept(&[&sweep(&recipe, &out)[..], &["--json"]].concat()).json();
    assert_eq!(report["left_out"], serde_json::json!([]));
    let runs = [
        "small-16x3-depth-block-influence-1of3",
        "small-16x3-depth-block-influence-2of3",
        "small-16x3-none",
        "small-8x3-depth-block-influence-1of3",
        "small-8x3-depth-block-influence-2of3",
        "small-8x3-none",
    ];
    assert_eq!(report["runs"], serde_json::json!(runs));
    assert_eq!(names(&out.join("runs")), runs);
    // `fit` takes the sweep for its runs.
    let fitted = regrow(&["fit", arg(&out), "--intervals", "jackknife", "--json"]);
    assert!([0, 3].contains(&fitted.code), "{}", fitted.stderr);
    assert_eq!(fitted.json()["groups"][0]["runs"], 4);
    assert_eq!(fs::read_to_string(out.join("recipe.toml")).unwrap(), tiny());
    let table = fs::read_to_string(out.join("points.csv")).unwrap();
    let mut lines = table.lines();
    let heading = "series,method,run,n0,rate,loss0,tokens,loss,phase,learning_rate,base";
    assert_eq!(lines.next().unwrap(), heading);
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    assert!(
        rows.iter().all(|row| row.len() == 11 && row[0] == "small" && row[9] == "0.004"),
        "{table}"
    );
    for run in runs {
        let own: Vec<_> = rows.iter().filter(|row| row[2] == run).collect();
        assert_eq!(own.len(), 4, "{run}");
        let number = |row: &[&str], column: usize| row[column].parse::<f64>().unwrap();
        let control = run.ends_with("none");
        for row in &own {
            assert_eq!(row[1], if control { "none" } else { "depth-block-influence" });
            assert_eq!(number(row, 4) == 0.0, control, "{row:?}");
            assert!(number(row, 6) > 0.0 && number(row, 5) > 3.0, "{row:?}");
            assert!(run.starts_with(row[10]), "{row:?}");
            // One base, one loss before pruning.
            let base = rows.iter().filter(|other| other[10] == row[10]);
            assert!(base.clone().all(|other| (other[5], other[3]) == (row[5], row[3])), "{table}");
        }
        assert!(own.windows(2).all(|pair| number(pair[0], 6) < number(pair[1], 6)));
        assert!(own.iter().all(|row| ["warmup", "constant"].contains(&row[8])));
    }
    // What is done is not done again.
    let dates = |folder: &Path| fs::metadata(folder.join("done.json")).unwrap().modified().unwrap();
    let before = dates(&out.join("runs").join(runs[0]));
    swept(&sweep(&recipe, &out));
    assert_eq!(before, dates(&out.join("runs").join(runs[0])));
    let listing = done(&["sweep", arg(&recipe), "--out", arg(&out), "--dry-run"]).stdout;
    assert!(
        listing.lines().filter(|line| line.starts_with("# ")).all(|line| line.ends_with(", done")),
        "{listing}"
    );
}

#[test]
fn a_killed_sweep_goes_on_to_the_same_table() {
    let bench = Bench::new(&tiny());
    let (recipe, whole, killed) = (bench.recipe(), bench.path("whole"), bench.path("killed"));
    swept(&sweep(&recipe, &whole));
    // Killed as soon as something new is there: text, corpus, bases, runs.
    for awaited in ["text/grammar.json", "bases", "models", "runs"] {
        let mut child = command(&sweep(&recipe, &killed)).spawn().unwrap();
        let begin = Instant::now();
        while !killed.join(awaited).exists() && child.try_wait().unwrap().is_none() {
            assert!(begin.elapsed() < Duration::from_secs(60), "no `{awaited}`");
            sleep(Duration::from_millis(1));
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    swept(&sweep(&recipe, &killed));
    for name in ["points.csv", "law.json", "validation.json", "report.html", "curves.svg"] {
        let file = |out: &Path| fs::read(out.join(name)).unwrap();
        assert!(file(&whole) == file(&killed), "`{name}` differs");
    }
}

#[test]
fn every_number_on_the_page_stands_in_a_file_of_the_sweep() {
    let bench = Bench::new(&tiny().replace("[heal]", "[settle]\ntokens = 3_000\n\n[heal]"));
    let (recipe, out) = (bench.recipe(), bench.path("out"));
    swept(&sweep(&recipe, &out));
    let mut known = Vec::new();
    let mut file = |path: PathBuf| {
        numbers(&serde_json::from_slice(&fs::read(path).unwrap()).unwrap(), &mut known);
    };
    file(out.join("law.json"));
    file(out.join("validation.json"));
    for folder in ["runs", "bases"] {
        for name in names(&out.join(folder)) {
            file(out.join(folder).join(&name).join("record.json"));
            file(out.join(folder).join(&name).join("done.json"));
        }
    }
    let table = fs::read_to_string(out.join("points.csv")).unwrap();
    known.extend(table.split([',', '\n']).filter_map(|cell| cell.parse::<f64>().ok()));
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    let shown: Vec<f64> = page
        .split("<data value=\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
        .collect();
    assert!(shown.len() > 100, "{}", shown.len());
    for number in shown {
        assert!(known.contains(&number), "{number} stands in no file");
    }
    // The text is our own, so its entropy is known; no loss lies below it.
    let law: serde_json::Value =
        serde_json::from_slice(&fs::read(out.join("law.json")).unwrap()).unwrap();
    let entropy = law["entropy"]["nats"].as_f64().unwrap();
    assert!((0.5..2.5).contains(&entropy), "{entropy}");
    let losses =
        table.lines().skip(1).map(|line| line.split(',').nth(7).unwrap().parse::<f64>().unwrap());
    assert!(losses.fold(f64::INFINITY, f64::min) > entropy);
    assert!(page.contains("The entropy of this text is"));
}

#[test]
fn a_text_too_short_for_the_sizes_is_refused_before_anything_is_trained() {
    for (from, to, said) in [
        ("tokens = 6_000", "tokens = 900_000", "the text is too short for the sizes"),
        (
            "heldout_share = 0.03",
            "heldout_share = 0.012",
            "documents are held out, expected at least 8",
        ),
    ] {
        let bench = Bench::new(&tiny().replace(from, to));
        let (recipe, out) = (bench.recipe(), bench.path("out"));
        let ran = regrow(&sweep(&recipe, &out));
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
        assert!(!out.join("bases").exists() || names(&out.join("bases")).is_empty());
    }
}

#[test]
fn a_job_that_fails_is_named_and_what_needs_it_is_skipped() {
    let bench = Bench::new(&tiny());
    let (recipe, out) = (bench.recipe(), bench.path("out"));
    swept(&sweep(&recipe, &out));
    // One base is lost and cannot be made again, as a file stands in the way.
    for name in
        ["bases/small-8x3", "runs/small-8x3-none", "runs/small-8x3-depth-block-influence-1of3"]
    {
        fs::remove_dir_all(out.join(name)).unwrap();
    }
    fs::write(out.join("bases/small-8x3"), "in the way").unwrap();
    let ran = regrow(&sweep(&recipe, &out));
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("`base-small-8x3` failed: "), "{}", ran.stderr);
    let skipped = "`run-small-8x3-none` was skipped, it needs `base-small-8x3`";
    assert!(ran.stderr.contains(skipped), "{}", ran.stderr);
    let table = fs::read_to_string(out.join("points.csv")).unwrap();
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("Runs left out") && page.contains("base-small-8x3"));
    assert!(
        table.contains("small-8x3-depth-block-influence-2of3") && !table.contains("small-8x3-none")
    );
    // Without a third run there is nothing left to fit.
    fs::remove_dir_all(out.join("runs/small-8x3-depth-block-influence-2of3")).unwrap();
    fs::remove_dir_all(out.join("models")).unwrap();
    let ran = regrow(&sweep(&recipe, &out));
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("2 of 4 runs of series `small`"), "{}", ran.stderr);
}

#[test]
fn a_folder_of_something_else_is_refused() {
    let bench = Bench::new(&tiny());
    let (recipe, out) = (bench.recipe(), bench.path("out"));
    fs::create_dir(&out).unwrap();
    fs::write(out.join("photo"), "a cat").unwrap();
    let ran = regrow(&sweep(&recipe, &out));
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("already exists"), "{}", ran.stderr);
    assert_eq!(names(&out), ["photo"]);
    fs::rename(out.join("photo"), out.join("recipe.toml")).unwrap();
    assert!(regrow(&sweep(&recipe, &out)).stderr.contains("is not a sweep"));
    // Not even one that holds the very recipe: the user's own table in it would be replaced.
    let bench = Bench::new(&tiny());
    fs::write(bench.path("points.csv"), "mine").unwrap();
    let ran = regrow(&sweep(&bench.recipe(), bench.folder.path()));
    assert!(ran.code == 1 && ran.stderr.contains("already exists"), "{}", ran.stderr);
    assert_eq!(names(bench.folder.path()), ["points.csv", "recipe.toml"]);
    assert_eq!(fs::read_to_string(bench.path("points.csv")).unwrap(), "mine");
}

#[test]
fn a_sweep_that_makes_no_sense_says_what_is_wrong() {
    for (from, to, said) in [
        ("format = 1", "format = 2", "`format` is 2, expected 1"),
        ("format = 1", "", "`format = 1` is missing"),
        ("context = 32", "contexts = 32", "unknown field `contexts`"),
        ("context = 32", "contexts = 32", "did you mean `context`?"),
        ("tokens = 3_000", "tokens = 3_000\nlearning-rate = 1", "did you mean `learning_rate`?"),
        ("tokens = 3_000", "tokens = 3_000\ntrainer = \"jax\"", "expected \"regrow\" or \"torch\""),
        ("tokens = 3_000", "tokens = 3_000\nlearning_rate = -1", "`optimizer.learning_rate` is -1"),
        (
            "context = 32",
            "context = 32\ncontrols = \"some\"",
            "expected true, false or \"one-a-size\"",
        ),
        ("context = 32", "context = 32\nseeds = [2, 2]", "`seeds` holds `2` twice"),
        ("hidden_size = 16", "hidden_size = 16\nseeds = []", "`seeds` of small 16x3 is empty"),
        ("context = 32", "context = 1", "`context` is 1, expected 2 to 16777216"),
        ("vocabulary = 300", "vocabulary = 300\nvocabularies = 3", "unknown field `vocabularies`"),
        ("vocabulary = 300", "", "`corpus` has neither `vocabulary` nor `tokenizer`"),
        ("vocabulary = 300", "vocabulary = 300\nfolder = \"a\"", "`corpus` names twice its text"),
        ("heldout_share = 0.03", "", "`heldout_share` is missing"),
        ("grammar = { documents = 400, seed = 1 }", "", "`corpus` names no text"),
        ("grammar = {", "inputs = [\"a\"]\ngrammar = {", "`corpus` names twice its text"),
        ("heldout_share = 0.03", "heldout_share = 1.0", "held-out share of 1"),
        ("name = \"small\"", "name = \"../small\"", "series name `../small`"),
        (
            "model_type = \"llama\"",
            "model_type = \"mamba\"",
            "`mamba`, expected `llama` or `qwen2`",
        ),
        ("hidden_size = 16", "hidden_size = 8", "`sizes` holds `8x3` twice"),
        ("hidden_size = 16", "hidden_size = 15", "hidden_size"),
        ("tokens = 6_000", "steps = 6_000", "unknown field `steps`"),
        ("tokens = 6_000", "", "neither `tokens` nor `tokens_per_parameter`"),
        ("tokens = 6_000", "tokens = 6_000\ntokens_per_parameter = 20", "expected one"),
        ("tokens = 6_000", "tokens_per_parameter = nan", "`tokens_per_parameter` is NaN"),
        ("tokens = 6_000", "tokens = 6_000\nseed = 3", "`seed` is the same for the whole sweep"),
        ("name = \"depth-block-influence\"", "name = \"magic\"", "magic"),
        ("name = \"depth-block-influence\"", "name = \"depth-list\"", "needs `drop` alone"),
        ("blocks = [1, 2]", "drop = [[1]]", "chooses itself what goes"),
        ("blocks = [1, 2]", "blocks = [1, 3]", "`blocks` holds 3, expected 1 to 2"),
        ("blocks = [1, 2]", "blocks = [1, 1]", "both drop 1 of 3 blocks"),
        ("blocks = [1, 2]", "", "needs either `rates` or `blocks`"),
        ("blocks = [1, 2]", "rates = [1.5]", "holds 1.5, expected above 0 and below 1"),
        ("blocks = [1, 2]", "rates = [0.29]", "0.29"),
    ] {
        assert!(tiny().contains(from), "{from}");
        let bench = Bench::new(&tiny().replacen(from, to, 1));
        let (recipe, out) = (bench.recipe(), bench.path("out"));
        let ran = regrow(&["sweep", arg(&recipe), "--out", arg(&out)]);
        assert_eq!(ran.code, 1, "{to}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{to}: no `{said}` in {}", ran.stderr);
        assert!(!out.exists(), "{to}");
    }
}

/// The processes whose arguments hold all of `words`.
#[cfg(target_os = "linux")]
fn processes(words: &[&str]) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let holds = |id: &u32| {
        let line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        let arguments: Vec<&str> = line.split('\0').collect();
        words.iter().all(|word| arguments.contains(word))
    };
    ids.filter(holds).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn a_job_that_is_stopped_from_outside_interrupts_the_sweep_and_is_no_failure() {
    // One base, long enough to be stopped while it trains.
    let bench = Bench::new(&long("tokens = 150_000"));
    let (recipe, out) = (bench.recipe(), bench.path("out"));
    let mut child = command(&sweep(&recipe, &out)).stderr(Stdio::piped()).spawn().unwrap();
    let begin = Instant::now();
    let base = out.join("bases/small-8x3");
    while !base.join("metrics.jsonl").exists() {
        assert!(child.try_wait().unwrap().is_none() && begin.elapsed() < Duration::from_secs(120));
        sleep(Duration::from_millis(1));
    }
    let jobs = processes(&["train", "--out", arg(&base)]);
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    assert!(Command::new("kill").args(["-TERM", &jobs[0].to_string()]).status().unwrap().success());
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(75), "{said}");
    assert!(said.contains("`base-small-8x3` was stopped, and has saved"), "{said}");
    assert!(!said.contains("failed"), "{said}");
    assert!(!base.join("done.json").exists() && !out.join("points.csv").exists());
}

/// A recipe of one base that trains for a moment.
#[cfg(target_os = "linux")]
fn long(tokens: &str) -> String {
    let one = tiny().replace(&size([16, 3, 2, 1, 32]), "");
    one.replace("tokens = 6_000", tokens).replace("= 400,", "= 12_000,")
}

/// Starts a sweep in a folder, and waits until its base trains. The words that find the job.
#[cfg(target_os = "linux")]
fn training(bench: &Bench, mut sweep: Command, out: &str) -> (std::process::Child, Vec<u32>) {
    let mut child = sweep.current_dir(bench.folder.path()).stderr(Stdio::piped()).spawn().unwrap();
    let begin = Instant::now();
    while !bench.path(out).join("bases/small-8x3/metrics.jsonl").exists() {
        assert!(child.try_wait().unwrap().is_none() && begin.elapsed() < Duration::from_secs(120));
        sleep(Duration::from_millis(1));
    }
    let base = format!("{out}/bases/small-8x3");
    let jobs = processes(&["train", "--out", &base]);
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    (child, jobs)
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_sweep_is_taken_up_from_another_folder_while_its_jobs_still_run() {
    let bench = Bench::new(&long("tokens = 60_000"));
    let (recipe, whole) = (bench.recipe(), bench.path("whole"));
    let undisturbed = regrow(&sweep(&recipe, &whole));
    // In the sweep's own folder its paths are short ...
    let (mut child, jobs) =
        training(&bench, command(&sweep("recipe.toml".as_ref(), "killed".as_ref())), "killed");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(Path::new(&format!("/proc/{}", jobs[0])).exists(), "the job ended too soon");
    // ... and here they are long.
    let killed = bench.path("killed");
    let ran = regrow(&sweep(&recipe, &killed));
    assert_eq!(ran.code, undisturbed.code, "{}", ran.stderr);
    assert!(!ran.stderr.contains("failed"), "{}", ran.stderr);
    let table = |out: &Path| fs::read_to_string(out.join("points.csv")).unwrap();
    assert_eq!(table(&killed), table(&whole));
}

#[cfg(target_os = "linux")]
#[test]
fn a_key_that_reaches_every_process_of_a_terminal_lets_the_jobs_save() {
    use std::os::unix::process::CommandExt;
    let bench = Bench::new(&long("tokens = 150_000"));
    let mut sweep = command(&sweep("recipe.toml".as_ref(), "out".as_ref()));
    sweep.process_group(0);
    let (child, _) = training(&bench, sweep, "out");
    let group = format!("-{}", child.id());
    assert!(Command::new("kill").args(["-INT", "--", &group]).status().unwrap().success());
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(75), "{said}");
    assert!(!said.contains("failed"), "{said}");
    let base = names(&bench.path("out/bases/small-8x3"));
    assert!(base.iter().any(|name| name.starts_with("checkpoint-")), "{base:?}");
}

#[test]
fn a_failure_is_told_once() {
    let bench = Bench::new(
        &tiny().replace("grammar = { documents = 400, seed = 1 }", "inputs = [\"none.txt\"]"),
    );
    let (recipe, out) = (bench.recipe(), bench.path("out"));
    let mut words = sweep(&recipe, &out);
    words.retain(|word| *word != "--quiet");
    let ran = regrow(&words);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("none.txt").count(), 1, "{}", ran.stderr);
    // One that the sweep gets over.
    let bench = Bench::new(&tiny());
    let (recipe, out) = (bench.recipe(), bench.path("out"));
    fs::create_dir_all(out.join("bases")).unwrap();
    fs::copy(&recipe, out.join("recipe.toml")).unwrap();
    fs::write(out.join(".lock"), "").unwrap();
    fs::write(out.join("bases/small-8x3"), "in the way").unwrap();
    let mut words = sweep(&recipe, &out);
    words.retain(|word| *word != "--quiet");
    let ran = regrow(&words);
    assert_eq!(ran.stderr.matches("`base-small-8x3` failed: ").count(), 1, "{}", ran.stderr);
}
