//! PyTorch as the trainer: what it is told, what is refused, and what is believed. A small program
//! plays its part here; `python/regrow_torch/tests` has the real one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::workshop::{Ran, Workshop, arg, command, done, held_out_loss, names, read_json};

/// A Python that has `regrow_torch`, or seems to. `FAKE` says how it behaves.
const FAKE: &str = r#"#!/usr/bin/env python3
import hashlib, json, os, pathlib, shutil, sys, time
how = os.environ["FAKE"]
if "--versions" in sys.argv:
    if how == "no package":
        sys.exit("No module named regrow_torch")
    found = {"format": 1, "torch": "2.15.0", "transformers": "5.24.0"}
    found.pop(os.environ.get("LACKS", ""), None)
    print(json.dumps(found | {"format": 2} if how == "other format" else found))
    sys.exit()
job = json.load(open(next(word for word in sys.argv if word.endswith("torch.json"))))
run = pathlib.Path(next(word for word in sys.argv if word.endswith("torch.json"))).parent
if how == "fails":
    print("Traceback\nregrow_torch: error: `x` is not what it was\nChildFailedError: y", file=sys.stderr)
    sys.exit(1)
loss, tokens = job["expected"]["loss"], job["spec"]["batch"] * job["spec"]["context"]
points = []
def point(step, **numbers):
    points.append({"step": step, "tokens": step * tokens, **numbers, "epoch": 0.0, "phase": "constant"})
    with open(run / "metrics.jsonl", "a") as file:
        file.write(json.dumps(points[-1]) + "\n")
apart = job["expected"].get("divergence")
point(0, eval_loss=loss + (0.0123 if how == "lies" else 0.0),
      **({} if apart is None else {"eval_kl": apart + (0.01 if how == "other teacher" else 0.0)}))
if how in ("lies", "waits", "other teacher"):
    while os.read(0, 1):
        pass
    (run / "stopped.json").write_text(json.dumps({"format": 1, "step": 0, "why": "signal"}))
    sys.exit(1)
last = loss - (0.5 if how == "lies at the end" else 0.0)
for step in range(1, job["steps"] + 1):
    numbers = {"loss": 1.0, "tokens_per_second": 10.0}
    point(step, **numbers, **({"eval_loss": last} if step in job["evaluation_steps"] else {}))
shutil.copytree(job["model"], run / "model")
record = json.loads((run / "record.json").read_text())
record["versions"] = {"torch": "2.15.0"}
(run / "record.json").write_text(json.dumps(record))
curve = hashlib.sha256((run / "metrics.jsonl").read_bytes()).hexdigest()
weights = job["spec"]["start"]["hash"] if how != "other weights" else "0" * 64
(run / "done.json").write_text(json.dumps({"format": 1, "steps": job["steps"], "tokens": job["steps"] * tokens,
    "eval_loss": last, "best_eval_loss": last, "seconds": 1.0, "tokens_per_second": 1.0, "weights": weights, "curve": curve}))
"#;

struct Torch {
    workshop: Workshop,
}

impl Torch {
    /// A workshop with a small base and the program; `None` where there is no Python.
    fn new(test: &str) -> Option<Self> {
        if !Command::new("python3").arg("--version").output().is_ok_and(|out| out.status.success())
        {
            eprintln!("skipped: {test}: there is no `python3`");
            return None;
        }
        let workshop = Workshop::new();
        workshop.scratch("base", "2k");
        let python = workshop.path("python");
        fs::write(&python, FAKE).unwrap();
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
        Some(Self { workshop })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.workshop.path(name)
    }

    fn words(&self, out: &str, more: &[&str]) -> Vec<String> {
        let [model, corpus, python, out] =
            ["base/model", "corpus", "python", out].map(|name| self.path(name));
        let words = ["train", arg(&model), "--corpus", arg(&corpus), "--trainer", "torch"];
        let words = words.into_iter().chain(["--python", arg(&python), "--out", arg(&out)]);
        let sizes = ["--tokens", "1k", "--context", "48", "--batch", "4", "--eval-points", "2"];
        let words = words.chain(sizes).chain(["--eval-tokens", "1000"]);
        words.chain(more.iter().copied()).map(String::from).collect()
    }

    fn command(&self, how: &str, out: &str, more: &[&str]) -> Command {
        let words = self.words(out, more);
        let mut command = command(&words.iter().map(String::as_str).collect::<Vec<_>>());
        command.env("FAKE", how).env_remove("LACKS").env_remove("OMP_NUM_THREADS");
        command
    }

    fn train(&self, how: &str, out: &str, more: &[&str]) -> Ran {
        ran(&mut self.command(how, out, more))
    }
}

fn ran(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    Ran { code, stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[test]
fn pytorch_is_told_of_the_teacher_and_believed_only_if_it_finds_the_divergence() {
    let Some(torch) =
        Torch::new("pytorch_is_told_of_the_teacher_and_believed_only_if_it_finds_the_divergence")
    else {
        return;
    };
    torch.workshop.scratch("other", "4k");
    let [teacher, corpus, cache] = ["other/model", "corpus", "cache"].map(|name| torch.path(name));
    let taught = ["--objective", "distil", "--temperature", "2", "--teacher", arg(&teacher)];
    let ran = torch.train("no package", "run", &[&["--print"], &taught[..]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let job = read_json(&torch.path("run/torch.json"));
    assert_eq!(job["spec"]["objective"]["kind"], "distil");
    assert_eq!(job["teacher"]["model"], teacher.canonicalize().unwrap().to_str().unwrap());
    assert_eq!(job["teacher"]["config"], read_json(&teacher.join("config.json")));
    let embedding = serde_json::json!(["model.embed_tokens.weight", [280, 32]]);
    assert_eq!(job["teacher"]["tensors"][0], embedding);
    // What our own trainer finds before its first step.
    let own = torch.words("own", &[&["--trainer", "regrow"], &taught[..]].concat());
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    let at = own.iter().position(|word| *word == "--trainer").unwrap();
    let python = own.iter().position(|word| *word == "--python").unwrap();
    let kept = |&(i, _): &(usize, &&str)| ![at, at + 1, python, python + 1].contains(&i);
    let own: Vec<&str> = own.iter().enumerate().filter(kept).map(|(_, word)| *word).collect();
    done(&own);
    let curve = fs::read_to_string(torch.path("own/metrics.jsonl")).unwrap();
    let first: Value = serde_json::from_str(curve.lines().next().unwrap()).unwrap();
    let apart = first["eval_kl"].as_f64().unwrap();
    assert!(apart > 1e-3, "{first}");
    let found = job["expected"]["divergence"].as_f64().unwrap();
    assert!((found - apart).abs() < 1e-9, "{found} {apart}");

    assert_eq!(torch.train("trains", "taught", &taught).code, 0);
    let ran = torch.train("other teacher", "odd", &taught);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("held-out divergence from the teacher is"), "{}", ran.stderr);
    let ran = torch.train("trains", "nemo", &[&["--print=nemo-automodel"], &taught[..]].concat());
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("objective` is distil, expected lm"), "{}", ran.stderr);

    done(&[
        "teach",
        arg(&teacher),
        "--corpus",
        arg(&corpus),
        "--top",
        "8",
        "--context",
        "48",
        "--eval-tokens",
        "1000",
        "--out",
        arg(&cache),
    ]);
    let mixed = ["--print", "--objective", "mix", "--teacher", arg(&cache)];
    let ran = torch.train("no package", "cached", &mixed);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let job = read_json(&torch.path("cached/torch.json"));
    let place = cache.canonicalize().unwrap();
    assert_eq!(job["teacher"], serde_json::json!({ "cache": place.to_str().unwrap() }));
    // What is known of the teacher bounds the divergence from below.
    let kept = job["expected"]["divergence"].as_f64().unwrap();
    assert!(kept > 0.0 && kept < found, "{kept} {found}");
}

#[test]
fn pytorch_is_told_everything_in_one_file_and_the_command_is_shown() {
    let Some(torch) = Torch::new("pytorch_is_told_everything_in_one_file_and_the_command_is_shown")
    else {
        return;
    };
    // A Python is not needed to print: it may be on another machine.
    let ran = torch.train("no package", "run", &["--print", "--processes", "4", "--recompute"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let job = torch.path("run/torch.json");
    let expected = format!(
        "{} -m torch.distributed.run --standalone --nproc-per-node 4 -m regrow_torch {}\n",
        torch.path("python").display(),
        job.display()
    );
    assert_eq!(ran.stdout, expected);
    let job = read_json(&job);
    let model = torch.path("base/model");
    let loss = held_out_loss(&model, &torch.path("corpus"), "1000");
    assert_eq!(job["expected"]["loss"], loss);
    assert_eq!(job["expected"]["tolerance"], 1e-3);
    assert_eq!((&job["spec"]["trainer"], &job["recompute"]), (&"torch".into(), &true.into()));
    assert_eq!((&job["steps"], &job["evaluation_steps"][1]), (&6.into(), &6.into()));
    assert_eq!(job["config"], read_json(&model.join("config.json")));
    assert_eq!(job["tensors"][0], serde_json::json!(["model.embed_tokens.weight", [280, 32]]));
    assert_eq!(job["model"], model.canonicalize().unwrap().to_str().unwrap());
    assert!(job["companions"].as_array().unwrap().contains(&"tokenizer.json".into()));
    let record = read_json(&torch.path("run/record.json"));
    assert_eq!(job["id"], record["id"]);

    // The trainer is part of the run's name: our own gives another id for the same words.
    let own = torch.words("own", &["--dry-run", "--json"]);
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    let id = |words: &[&str]| done(words).json()["id"].clone();
    assert_eq!(id(&own), record["id"]);
    for (form, said) in [
        ("skypilot", "-m regrow_torch "),
        ("nemo-automodel", "NeMoAutoModelForCausalLM.from_pretrained"),
    ] {
        let ran = torch.train("no package", "run", &["--resume", &format!("--print={form}")]);
        assert_eq!(ran.code, 0, "{form}: {}", ran.stderr);
        let first = ran.stdout.lines().next().unwrap();
        assert!(first.ends_with("A template: it was not run by regrow's authors."), "{first}");
        assert!(ran.stdout.contains(said), "{}", ran.stdout);
    }
    let at = own.iter().position(|word| *word == "--trainer").unwrap();
    // `--trainer torch --python PATH`.
    assert_ne!(id(&[&own[..at], &own[at + 4..]].concat()), record["id"]);
}

#[test]
fn a_missing_python_or_package_is_named_before_anything_is_made() {
    let Some(torch) = Torch::new("a_missing_python_or_package_is_named_before_anything_is_made")
    else {
        return;
    };
    let package = "has no package `regrow_torch`";
    let install = "-m pip install ./python/regrow_torch` in regrow's source";
    for (how, lacks, said, hint) in [
        ("no package", "", package, install),
        ("trains", "torch", "has no package `torch`", install),
        ("trains", "transformers", "has no package `transformers`", install),
        ("other format", "", "reads job files of format 2, expected 1", install),
    ] {
        let ran = ran(torch.command(how, "run", &[]).env("LACKS", lacks));
        assert_eq!(ran.code, 1, "{how}: {}", ran.stderr);
        assert!(ran.stderr.contains(said) && ran.stderr.contains(hint), "{how}: {}", ran.stderr);
    }
    let words = torch.words("run", &[]);
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    let at = words.iter().position(|word| *word == "--python").unwrap();
    words.drain(at..at + 2);
    let missing = ran(command(&words).env("REGROW_PYTHON", "/nowhere/python3"));
    assert_eq!(missing.code, 1);
    let said = "error: the Python interpreter `/nowhere/python3` cannot be started: ";
    assert!(missing.stderr.contains(said), "{}", missing.stderr);
    assert!(missing.stderr.contains("install Python 3.10 or newer"), "{}", missing.stderr);

    // Flags that mean nothing, and what PyTorch is not asked to do.
    let at = words.iter().position(|word| *word == "--trainer").unwrap();
    let own = [&words[..at], &words[at + 2..], &["--processes", "2"]].concat();
    let usage = ran(&mut command(&own));
    assert_eq!(usage.code, 2);
    assert!(usage.stderr.contains("are for `--trainer torch`"), "{}", usage.stderr);
    let profiled = torch.train("trains", "run", &["--profile"]);
    assert!(profiled.code == 2, "{}", profiled.stderr);
    assert!(!torch.path("run").exists());
}

#[test]
fn a_trainer_that_says_another_loss_is_refused_and_nothing_of_it_is_kept() {
    let Some(torch) =
        Torch::new("a_trainer_that_says_another_loss_is_refused_and_nothing_of_it_is_kept")
    else {
        return;
    };
    for (how, said) in [
        ("lies", "before the first step the trainer's held-out loss is "),
        ("lies at the end", "after the last step the trainer's held-out loss is "),
        ("other weights", "expected 0000000000"),
    ] {
        let ran = torch.train(how, how, &[]);
        assert_eq!(ran.code, 1, "{how}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{how}: {}", ran.stderr);
        let run = torch.path(how);
        assert!(!run.join("done.json").exists(), "{how}");
        assert_eq!(fs::read(run.join("metrics.jsonl")).unwrap(), b"", "{how}");
        let log = fs::read_to_string(run.join("log.txt")).unwrap();
        assert!(log.lines().any(|line| line.starts_with("refused: ")), "{log}");
        if how == "lies" {
            let far = "they differ by 1.23e-2 nats, at most 0.001 is allowed";
            assert!(ran.stderr.contains(far), "{}", ran.stderr);
        }
    }
    let failed = torch.train("fails", "fails", &[]);
    assert_eq!(failed.code, 1);
    let said = "error: the torch job: `x` is not what it was\n";
    assert!(failed.stderr.contains(said), "{}", failed.stderr);
}

#[test]
fn what_pytorch_trained_is_a_run_like_any_other() {
    let Some(torch) = Torch::new("what_pytorch_trained_is_a_run_like_any_other") else { return };
    // A run that was refused begins anew.
    assert_eq!(torch.train("lies", "runs/a", &[]).code, 1);
    let trained = torch.train("trains", "runs/a", &["--resume", "--json"]);
    assert_eq!(trained.code, 0, "{}", trained.stderr);
    let report = trained.json();
    assert_eq!((&report["state"], &report["steps"]), (&"done".into(), &6.into()));
    let run = torch.path("runs/a");
    let files = names(&run);
    for name in ["done.json", "events.out.tfevents.regrow", "model", "torch.log"] {
        assert!(files.contains(&name.to_owned()), "{files:?}");
    }
    let runs = done(&["runs", arg(&torch.path("runs")), "--json"]).stdout;
    assert!(runs.contains(report["id"].as_str().unwrap()), "{runs}");
    let again = torch.train("fails", "runs/a", &["--resume", "--json"]);
    assert_eq!((again.code, again.json()["state"].clone()), (0, Value::from("done")));
    // With more tokens it would have to be extended, which is for our own trainer.
    let mut words = torch.words("runs/a", &["--resume"]);
    *words.iter_mut().find(|word| *word == "1k").unwrap() = "2k".to_owned();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let more = ran(command(&words).env("FAKE", "trains"));
    let said = "cannot be extended: PyTorch trained it, expected a run of regrow's own trainer";
    assert!(more.code == 1 && more.stderr.contains(said), "{}", more.stderr);
    // It is ours, so it may be replaced.
    assert_eq!(torch.train("trains", "runs/a", &["--force"]).code, 0);
}

#[test]
fn a_signal_is_passed_on_and_the_run_can_be_resumed() {
    let Some(torch) = Torch::new("a_signal_is_passed_on_and_the_run_can_be_resumed") else {
        return;
    };
    for signal in ["-TERM", "-USR1"] {
        let mut child = torch
            .command("waits", "run", &["--resume"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        // The marker of an earlier attempt is gone once this one is at work.
        let at_work = || {
            let curve = fs::metadata(torch.path("run/metrics.jsonl"));
            let stopped = torch.path("run/stopped.json").exists();
            curve.is_ok_and(|data| data.len() > 0) && !stopped
        };
        while !at_work() {
            assert!(begun.elapsed() < Duration::from_secs(120), "nothing begins");
            assert!(child.try_wait().unwrap().is_none(), "it ended");
            sleep(Duration::from_millis(20));
        }
        let id = child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(75));
    }
    assert_eq!(torch.train("trains", "run", &["--force"]).code, 0);
}
