//! Logs of other trainers become run folders that `runs` lists and `fit` fits.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::law::loss;
use crate::workshop::{Ran, Workshop, arg, done, regrow};

const TOKENS: [f64; 8] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0];
/// Sizes in billions and rates of the runs.
const RUNS: [(f64, f64); 12] = [
    (0.5, 0.15),
    (0.5, 0.25),
    (0.5, 0.35),
    (1.2, 0.15),
    (1.2, 0.25),
    (1.2, 0.35),
    (3.1, 0.15),
    (3.1, 0.25),
    (3.1, 0.35),
    (7.6, 0.15),
    (7.6, 0.25),
    (7.6, 0.35),
];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../store/tests/fixtures/import").join(name)
}

fn points_of(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn record_of(run: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(run.join("record.json")).unwrap()).unwrap()
}

/// Imports a log whose facts are all known.
fn import(log: &Path, out: &Path, size: f64, rate: f64, more: &[&str]) -> Ran {
    let (n0, rate) = (format!("{}", size * 1e9), rate.to_string());
    let facts = ["--n0", &n0, "--rate", &rate, "--loss0", "2.2", "--series", "s"];
    let flags = ["import", arg(log), "--out", arg(out), "--method", "depth-list"];
    done(&[&flags[..], &facts[..], more].concat())
}

/// The log of a run by the law of the tests, as three programs write it.
fn log_of(format: &str, size: f64, rate: f64) -> String {
    let mut text = String::new();
    for (at, tokens) in TOKENS.iter().enumerate() {
        let (step, loss) = (at + 1, loss(size, rate, *tokens));
        let seen = tokens * 1e9;
        match format {
            "trainer-state" => {
                let comma = if at > 0 { "," } else { "{\"log_history\": [" };
                write!(
                    text,
                    "{comma}{{\"step\":{step},\"eval_loss\":{loss},\"num_input_tokens_seen\":{seen}}}"
                )
                .unwrap();
            }
            "jsonl" => {
                writeln!(text, "{{\"step\":{step},\"val_loss\":{loss},\"tokens_seen\":{seen}}}")
                    .unwrap();
            }
            _ => {
                let head = if at > 0 { "" } else { "iter,toks,valid\n" };
                writeln!(text, "{head}{step},{seen},{loss}").unwrap();
            }
        }
    }
    if format == "trainer-state" {
        text += "]}";
    }
    text
}

#[test]
fn three_logs_are_imported_and_fitted_beside_others() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // Nine of the runs are a table, three come from logs of three programs.
    let mut table = crate::law::HEAD.to_owned();
    for (at, (size, rate)) in RUNS.iter().enumerate() {
        if at % 4 != 0 {
            for tokens in TOKENS {
                let (n0, seen, loss) = (size * 1e9, tokens * 1e9, loss(*size, *rate, tokens));
                writeln!(table, "s,depth-list,{size}-{rate},{n0},{rate},2.2,{seen},{loss}")
                    .unwrap();
            }
        }
    }
    fs::write(at("points.csv"), table).unwrap();
    let logs = RUNS.iter().step_by(4).zip(["trainer-state", "jsonl", "csv"]);
    for ((size, rate), format) in logs {
        let (log, out) = (at(&format!("log.{format}")), at("imported").join(format));
        fs::write(&log, log_of(format, *size, *rate)).unwrap();
        let map: &[&str] = if format == "csv" { &["--map", "tokens=toks,loss=valid"] } else { &[] };
        let ran = import(&log, &out, *size, *rate, map);
        assert!(ran.stdout.contains(&format!("{format}: ")), "{}", ran.stdout);
        assert_eq!((points_of(&out).len(), &record_of(&out)["log"]), (8, &json!(format)));
    }
    let law = at("law.json");
    let fast = ["--intervals", "jackknife", "--starts", "16", "--out"];
    let flags = ["fit", arg(&at("points.csv")), arg(&at("imported"))].map(str::to_owned);
    let flags: Vec<&str> =
        flags.iter().map(String::as_str).chain(fast).chain([arg(&law)]).collect();
    let ran = done(&flags);
    assert!(ran.stdout.contains("s depth-list: form `p2` on 12 runs, 96 points"), "{}", ran.stdout);
    let said = "tokenizer and evaluation are not known of imported runs, so they were not compared";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    let law: Value = serde_json::from_str(&fs::read_to_string(&law).unwrap()).unwrap();
    let constant = |name: &str| law["groups"][0]["constants"][name]["value"].as_f64().unwrap();
    // The law that all the points were made by.
    assert!((constant("alpha") - 0.4).abs() < 1e-3 && (constant("beta") - 0.5).abs() < 1e-3);

    // `runs` lists them as what they are.
    let listed = done(&["runs", arg(&at("imported")), "--json"]).json();
    let rows = listed["runs"].as_array().unwrap();
    let row = rows.iter().find(|row| row["n0"] == json!(3_100_000_000_u64)).unwrap();
    assert!(
        rows.len() == 3 && rows.iter().all(|row| row["state"] == json!("imported")),
        "{listed}"
    );
    assert!(row.get("id").is_none() && row.get("tokens_planned").is_none(), "{row}");
    assert!(done(&["runs", arg(&at("imported"))]).stdout.contains("imported"));
}

#[test]
fn an_imported_run_says_what_it_knows_and_pretends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let log = fixture("trainer_state.json");
    let ran = done(&["import", arg(&log), "--out", arg(&out)]);
    for said in [
        "trainer-state: trainer_state.json of Hugging Face transformers",
        "3 points, 3.0771 to 2.9457 nats",
        "`num_input_tokens_seen` of the log; 4096 at every step",
        "step 60, 245,760 tokens",
    ] {
        assert!(ran.stdout.contains(said), "{said}: {}", ran.stdout);
    }
    for said in [
        "the held-out loss `eval_loss` is what is compared",
        "leave the run out until `--n0`, `--rate`, `--loss0` are given",
    ] {
        assert!(ran.stderr.contains(said), "{said}: {}", ran.stderr);
    }
    let record = record_of(&out);
    assert_eq!(record["kind"], "imported");
    for unknown in ["id", "n0", "rate", "corpus", "heldout", "tokenizer", "seed", "provenance"] {
        assert!(record.get(unknown).is_none(), "{unknown}: {record}");
    }
    let mut files: Vec<String> = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["metrics.jsonl", "record.json"]);
    // What a law needs is missing, and that is said.
    let ran = regrow(&["fit", arg(&out)]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("it was imported without `n0`, `rate`, `loss0`"), "{}", ran.stderr);
    // Nobody goes on with it, nor changes it unseen.
    let ran = regrow(&["import", arg(&log), "--out", arg(&out)]);
    assert!(ran.stderr.contains("already exists"), "{}", ran.stderr);
    let metrics = out.join("metrics.jsonl");
    let changed =
        fs::read_to_string(&metrics).unwrap().replacen("\"eval_loss\":3", "\"eval_loss\":4", 1);
    fs::write(&metrics, changed).unwrap();
    let listed = done(&["runs", arg(&out)]);
    assert!(listed.stderr.contains("as in `record.json`"), "{}", listed.stderr);
    done(&["import", arg(&log), "--out", arg(&out), "--force"]);
    assert!(!done(&["runs", arg(&out)]).stdout.contains("broken"));
    // A run that regrow trained is never replaced by a log.
    fs::write(out.join("spec.toml"), "format = 1\n").unwrap();
    let ran = regrow(&["import", arg(&log), "--out", arg(&out), "--force"]);
    assert!(ran.stderr.contains("it holds `spec.toml`"), "{}", ran.stderr);
}

#[test]
fn a_pruned_folder_completes_the_record() {
    let workshop = Workshop::new();
    let (run, pruned) = (workshop.path("base"), workshop.path("pruned"));
    let (config, corpus) = (workshop.path("tiny.json"), workshop.path("corpus"));
    let train = ["train", "--init", arg(&config), "--corpus", arg(&corpus), "--out", arg(&run)];
    let short = ["--tokens", "512", "--context", "32", "--batch", "2", "--eval-points", "1"];
    done(&[&train[..], &short].concat());
    done(&["prune", arg(&run.join("model")), "--drop", "1", "--out", arg(&pruned)]);
    let out = workshop.path("imported");
    let log = fixture("megatron.log");
    let cut: Value =
        serde_json::from_str(&fs::read_to_string(pruned.join("cut.json")).unwrap()).unwrap();
    let flags = ["import", arg(&log), "--out", arg(&out), "--model", arg(&pruned), "--json"];
    let given: &[&str] = if cut.get("loss0").is_some() { &[] } else { &["--loss0", "2.5"] };
    let report = done(&[&flags, given].concat()).json();
    assert_eq!((&report["log"], &report["missing"]), (&json!("megatron"), &json!([])));
    let record = record_of(&out);
    for fact in ["series", "method", "base", "n0", "rate"] {
        assert_eq!(record[fact], cut[fact], "{fact}");
    }
    let ran = regrow(&[&flags[..], &["--force", "--n0", "1B"]].concat());
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    if let Some(loss0) = cut.get("loss0").and_then(Value::as_f64) {
        let other = (loss0 + 1.0).to_string();
        let ran = regrow(&[&flags[..], &["--force", "--loss0", &other]].concat());
        assert!(ran.stderr.contains("the `cut.json` of the model says"), "{}", ran.stderr);
    }
}

#[test]
fn an_unclear_log_gets_an_error_with_a_hint_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let training = write("training.csv", "step,tokens,loss\n1,10,3\n2,20,2\n");
    let bits = write("bits.csv", "step,tokens,eval_bits\n1,10,3\n2,20,2\n");
    let one = write("one.csv", "step,tokens,eval_loss\n1,10,3\n2,10,2\n3,10,2\n");
    for (log, said, hint) in [
        (
            fixture("trainer_state_two_sets.json"),
            "2 held-out losses",
            "`--map 'loss=eval_code_loss'`",
        ),
        (fixture("trainer_state_wikitext.json"), "how many tokens", "give `--tokens-per-step`, or"),
        (training, "only the training loss `loss` at 2 steps", "with `--training-loss`; or"),
        (bits, "`eval_bits` is in bits", "`--map 'loss=eval_bits' --unit bits`"),
        (one, "`tokens` is 10 at every step", "`--map step_tokens=tokens`"),
        (folder.path().to_path_buf(), "holds no log that is known", "`--format`"),
    ] {
        let ran = regrow(&["import", arg(&log), "--out", arg(&out)]);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        assert!(ran.stderr.contains(said) && ran.stderr.contains(hint), "{}", ran.stderr);
        assert!(!out.exists());
    }
    // Losses of two kinds are no group.
    let (a, b) = (folder.path().join("runs/a"), folder.path().join("runs/b"));
    import(&fixture("trainer_state.json"), &a, 1.0, 0.25, &[]);
    import(&fixture("megatron.log"), &b, 1.0, 0.25, &["--training-loss"]);
    let ran = regrow(&["fit", arg(&folder.path().join("runs"))]);
    assert!(ran.stderr.contains("have not the same kind of loss"), "{}", ran.stderr);
    // A rate that is none, and a method of a model that was not pruned.
    let log = fixture("trainer_state.json");
    for (flags, said) in [
        (["--rate", "1.5", "--n0", "1B"], "rate is 1.5, expected at least 0 and below 1"),
        (["--rate", "0", "--method", "depth-list"], "expected `none`"),
        (["--loss0", "-1", "--n0", "1B"], "the loss before pruning is -1"),
    ] {
        let ran = regrow(&[&["import", arg(&log), "--out", arg(&out)][..], &flags].concat());
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        assert!(ran.stderr.contains(said) && !out.exists(), "{}", ran.stderr);
    }
}
