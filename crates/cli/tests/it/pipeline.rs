//! A tiny model goes round: tokenised, trained, pruned, healed, listed; stopped and taken up again.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::workshop::{Workshop, arg, command, done, names, read_json, regrow};

#[test]
fn a_model_goes_round() {
    let workshop = Workshop::new();
    let path = |name: &str| workshop.path(name);
    let corpus = path("corpus");
    let corpus = arg(&corpus);

    // From scratch, and it learns.
    let trained = workshop.scratch("base", "20k").json();
    assert_eq!((&trained["state"], trained.get("loss0")), (&Value::from("done"), None));
    let base = path("base/model");
    let base = arg(&base);
    let eval = |model: &str| {
        done(&["eval", model, "--corpus", corpus, "--context", "48", "--tokens", "1000", "--json"])
            .json()
    };
    let before = eval(base);
    // The run's last point is this evaluation of this model.
    assert_eq!(before["loss"], trained["eval_loss"]);
    assert_eq!((&before["part"], &before["tokens"]), (&Value::from("heldout"), &Value::from(1000)));
    let first = fs::read_to_string(path("base/metrics.jsonl")).unwrap();
    let first: Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    assert!(
        before["loss"].as_f64().unwrap() < first["eval_loss"].as_f64().unwrap() - 1.0,
        "{first} {before}"
    );

    // A quarter of the blocks goes; a dry run says how much and writes nothing.
    let shape = done(&["inspect", base, "--json"]).json();
    let legal = &shape["legal_rates"][0];
    let rate = format!("{:.3}", legal["rate"].as_f64().unwrap());
    let out = path("pruned");
    let prune = |extra: &[&str]| {
        let base_arguments = [
            "prune",
            base,
            "--rate",
            &rate,
            "--corpus",
            corpus,
            "--samples",
            "8",
            "--length",
            "32",
            "--json",
        ];
        done(&[&base_arguments[..], extra].concat()).json()
    };
    let planned = prune(&["--dry-run"]);
    assert!(!out.exists());
    let cut = prune(&["--out", arg(&out)]);
    assert_eq!(
        (&planned["choices"][0]["rate"], &planned["method"]),
        (&cut["rate"], &cut["method"])
    );
    assert_eq!(planned["choices"][0]["parameters"], cut["parameters"]);
    let written = fs::metadata(out.join("model.safetensors")).unwrap().len();
    let header = written - planned["output_bytes"].as_u64().unwrap();
    assert!(header < 10_000, "{header}");
    assert_eq!(cut["rate"], legal["rate"]);
    assert_eq!((&cut["base"], &cut["method"]), (&"base".into(), &"depth-block-influence".into()));
    assert_eq!(done(&["inspect", arg(&out), "--json"]).json()["layers"], 3);
    let pruned = eval(arg(&out))["loss"].as_f64().unwrap();
    assert!(pruned > before["loss"].as_f64().unwrap());

    // Healed: below the pruned model, and the record knows all that a law needs.
    let recipe = path("recipe.toml");
    fs::write(
        &recipe,
        "format = 1\ntokens = \"10k\"\ncontext = 48\nbatch = 4\nlearning_rate = 1e-3\neval_tokens = 1000\n",
    )
    .unwrap();
    let run = path("healed");
    let heal = [
        "train",
        arg(&out),
        "--corpus",
        corpus,
        "--recipe",
        arg(&recipe),
        "--out",
        arg(&run),
        "--base",
        base,
    ];
    let healed = done(&[&heal[..], &["--json"]].concat()).json();
    assert_eq!((&healed["loss0"], &healed["loss_pruned"]), (&before["loss"], &pruned.into()));
    assert!(healed["eval_loss"].as_f64().unwrap() < pruned);
    assert_eq!(eval(arg(&path("healed/model")))["loss"], healed["eval_loss"]);
    assert_eq!(fs::read(path("healed/recipe.toml")).unwrap(), fs::read(&recipe).unwrap());
    let record = read_json(&path("healed/record.json"));
    for (key, value) in [
        ("method", &cut["method"]),
        ("base", &cut["base"]),
        ("n0", &cut["n0"]),
        ("rate", &cut["rate"]),
        ("loss0", &before["loss"]),
    ] {
        assert_eq!(&record[key], value, "{key}");
    }
    let expected = [
        ".lock",
        "cut.json",
        "done.json",
        "events.out.tfevents.regrow",
        "log.txt",
        "metrics.jsonl",
        "model",
        "recipe.toml",
        "record.json",
        "spec.toml",
        "trainer_state.json",
    ];
    assert_eq!(names(&run), expected);
    assert_eq!(
        fs::read(path("healed/cut.json")).unwrap(),
        fs::read(path("healed/model/cut.json")).unwrap()
    );

    // A done run taken up again says so and changes nothing.
    let again = done(&[&heal[..], &["--resume", "--json"]].concat());
    assert_eq!(again.json(), healed);
    assert!(again.stderr.contains("is already done"), "{}", again.stderr);

    // The control is its own base.
    let control = path("control");
    let control = done(&[
        "train",
        base,
        "--corpus",
        corpus,
        "--recipe",
        arg(&recipe),
        "--tokens",
        "400",
        "--out",
        arg(&control),
        "--json",
    ])
    .json();
    assert_eq!(control["loss0"], before["loss"]);
    assert_eq!(read_json(&path("control/record.json"))["method"], "none");

    let runs = done(&["runs", arg(&path("")), "--json"]).json();
    let listed: Vec<(&str, &str)> = runs["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| {
            (
                run["run"].as_str().unwrap().rsplit('/').next().unwrap(),
                run["state"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(listed, [("base", "done"), ("control", "done"), ("healed", "done")]);
    let table = done(&["runs", arg(&path(""))]).stdout;
    assert!(table.starts_with("run ") && table.lines().count() == 4, "{table}");

    // It speaks, the same every time, and it speaks its own language.
    let speak = || {
        done(&["generate", arg(&path("healed/model")), "--prompt", "Ada", "--tokens", "20"]).stdout
    };
    assert!(speak().starts_with("Ada ") && speak() == speak(), "{}", speak());
}

#[test]
fn a_run_that_is_stopped_ends_with_the_weights_of_the_run_left_alone() {
    let workshop = Workshop::new();
    let (whole, stopped) = (workshop.path("whole"), workshop.path("stopped"));
    let train = |out: &std::path::Path, extra: &[&str]| -> Vec<String> {
        let all = [
            "--tokens",
            "60k",
            "--context",
            "48",
            "--batch",
            "4",
            "--eval-points",
            "4",
            "--eval-tokens",
            "500",
            "--save-every",
            "2000",
            "--json",
            "--out",
            arg(out),
        ];
        workshop.scratch_words(&[&all[..], extra].concat())
    };
    let run =
        |arguments: &[String]| regrow(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let expected = run(&train(&whole, &[])).json();

    // A polite signal, then five rude ones, then none.
    let signals = std::iter::once(("TERM", Some(75))).chain([("KILL", None); 5]);
    for (signal, code) in signals {
        let lines = || {
            fs::read_to_string(stopped.join("metrics.jsonl")).map_or(0, |text| text.lines().count())
        };
        let (before, begin) = (lines(), Instant::now());
        let arguments = train(&stopped, &["--resume"]);
        let mut child = command(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        while lines() < before + 12 {
            assert!(begin.elapsed() < Duration::from_secs(60), "no progress");
            assert!(child.try_wait().unwrap().is_none(), "it ended before it could be stopped");
            sleep(Duration::from_millis(1));
        }
        let killed = std::process::Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(child.id().to_string())
            .status();
        assert!(killed.unwrap().success());
        assert_eq!(child.wait().unwrap().code(), code, "{signal}");
        let listed = done(&["runs", arg(&stopped), "--json"]).json();
        assert_eq!(listed["runs"][0]["state"], "resumable");
    }
    // The newest checkpoint is damaged: the one before it serves.
    let mut steps: Vec<u64> = names(&stopped)
        .iter()
        .filter_map(|name| name.strip_prefix("checkpoint-")?.parse().ok())
        .collect();
    steps.sort_unstable();
    // The last two, the best so far, and what was about to be removed.
    let [.., before, last] = steps[..] else { panic!("{steps:?}") };
    assert!(steps.len() <= 4, "{steps:?}");
    let moments = stopped.join(format!("checkpoint-{last}/first_moments.safetensors"));
    let mut bytes = fs::read(&moments).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&moments, bytes).unwrap();
    let resumed = run(&train(&stopped, &["--resume"]));
    let said = &resumed.stderr;
    assert!(said.contains(&format!("checkpoint-{last}` is passed over: ")), "{said}");
    assert!(said.contains(&format!("resuming after step {before} ")), "{said}");
    let mut found = resumed.json();
    for key in ["run", "model"] {
        found[key] = expected[key].clone();
    }
    assert_eq!(found, expected);
    let weights = |out: &std::path::Path| fs::read(out.join("model/model.safetensors")).unwrap();
    assert!(weights(&whole) == weights(&stopped), "the weights differ");
    let curve = |out: &std::path::Path| -> Vec<Value> {
        let text = fs::read_to_string(out.join("metrics.jsonl")).unwrap();
        let without_speed = |line: &str| {
            let mut point: Value = serde_json::from_str(line).unwrap();
            point.as_object_mut().unwrap().remove("tokens_per_second");
            point
        };
        text.lines().map(without_speed).collect()
    };
    assert_eq!(curve(&whole), curve(&stopped));
}

#[test]
fn a_plan_says_what_would_be_run_and_writes_nothing() {
    let workshop = Workshop::new();
    let init = workshop.path("tiny.json");
    let before = names(&workshop.path(""));
    let words = workshop.scratch_words(&["--tokens", "1e4", "--context", "50", "--dry-run"]);
    let plan: Vec<&str> = words.iter().map(String::as_str).collect();
    let report = done(&[&plan[..], &["--json"]].concat()).json();
    // Eight sequences of fifty tokens: twenty-five steps.
    assert_eq!((&report["steps"], &report["spec"]["batch"]), (&25.into(), &8.into()));
    assert_eq!(report["evaluation_steps"].as_array().unwrap().last().unwrap(), 25);
    let parameters =
        done(&["inspect", arg(&init), "--json"]).json()["parameters"]["total"].as_u64().unwrap();
    assert_eq!(report["memory"]["weights_and_optimizer"], parameters * 16);
    let text = done(&plan).stdout;
    assert!(text.starts_with("format = 1\n") && text.contains("learning_rate = 0.0003"), "{text}");
    assert_eq!(names(&workshop.path("")), before);
}

#[test]
fn a_second_signal_ends_a_run_at_once() {
    let workshop = Workshop::new();
    let (init, corpus, out) =
        (workshop.path("tiny.json"), workshop.path("corpus"), workshop.path("run"));
    // One step of many sequences, which takes far longer than this test waits.
    let mut child = command(&[
        "train",
        "--init",
        arg(&init),
        "--corpus",
        arg(&corpus),
        "--tokens",
        "10M",
        "--context",
        "48",
        "--batch",
        "200000",
        "--micro-batch",
        "8",
        "--eval-tokens",
        "100",
        "--out",
        arg(&out),
    ])
    .stderr(std::process::Stdio::null())
    .spawn()
    .unwrap();
    let begin = Instant::now();
    while !fs::read_to_string(out.join("metrics.jsonl")).is_ok_and(|text| text.ends_with('\n')) {
        assert!(begin.elapsed() < Duration::from_secs(60), "no progress");
        sleep(Duration::from_millis(5));
    }
    let interrupt = || {
        let killed =
            std::process::Command::new("kill").arg("-INT").arg(child.id().to_string()).status();
        assert!(killed.unwrap().success());
        sleep(Duration::from_millis(100));
    };
    interrupt();
    interrupt();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(begin.elapsed() < Duration::from_secs(60));
}

#[test]
fn the_largest_logit_of_some_tokens_is_what_follows_them() {
    let workshop = Workshop::new();
    workshop.scratch("base", "10k");
    let (model, file) = (workshop.path("base/model"), workshop.path("logits.json"));
    let tokenizer = regrow::text::Tokenizer::load(&model).unwrap();
    let ids = [vec![tokenizer.begin_token().unwrap().id], tokenizer.encode("Ada found").unwrap()]
        .concat();
    let listed = ids.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    done(&["generate", arg(&model), "--token-ids", &listed, "--logits", arg(&file)]);
    let report = read_json(&file);
    assert_eq!(report["tokens"], serde_json::json!(ids));
    let rows = report["logits"].as_array().unwrap();
    assert!(rows.len() == ids.len() && rows.iter().all(|row| row.as_array().unwrap().len() == 280));
    let last: Vec<f64> =
        rows.last().unwrap().as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    let largest = (0..280).max_by(|&a, &b| last[a].total_cmp(&last[b])).unwrap() as u32;
    let expected = tokenizer.decode(&[&ids[1..], &[largest]].concat()).unwrap();
    let spoken = done(&["generate", arg(&model), "--prompt", "Ada found", "--tokens", "1"]).stdout;
    assert_eq!(spoken.strip_suffix('\n').unwrap(), expected);
}
