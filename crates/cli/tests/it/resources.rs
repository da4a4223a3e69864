//! What a run takes: memory known beforehand, less of it by computing again, a profile of its time,
//! the precision of its products.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::workshop::{Ran, Workshop, arg, done, read_json, regrow};

/// A corpus and a tiny configuration, and the arguments of a short run on them.
fn train(workshop: &Workshop, out: &str, extra: &[&str]) -> Ran {
    let (init, corpus, out) =
        (workshop.path("tiny.json"), workshop.path("corpus"), workshop.path(out));
    let from = ["train", "--init", arg(&init), "--corpus", arg(&corpus), "--out", arg(&out)];
    let how = [
        "--tokens",
        "4000",
        "--context",
        "32",
        "--batch",
        "4",
        "--eval-tokens",
        "200",
        "--eval-points",
        "3",
    ];
    regrow(&[&from[..], &how, extra].concat())
}

/// The held-out losses of a run.
fn losses(run: &Path) -> Vec<f64> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let points = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    points.filter_map(|point| point.get("eval_loss").and_then(Value::as_f64)).collect()
}

#[test]
fn a_run_that_does_not_fit_is_refused_with_what_would() {
    let workshop = Workshop::new();
    let dry = train(&workshop, "none", &["--dry-run", "--json"]);
    assert_eq!(dry.code, 0, "{}", dry.stderr);
    let memory = &dry.json()["memory"];
    let number = |key: &str| memory[key].as_u64().unwrap();
    let parts = ["weights_and_optimizer", "activations", "evaluation", "rest", "text"];
    assert_eq!(parts.iter().map(|part| number(part)).sum::<u64>(), number("total"));

    let few = (number("total") - 1).to_string();
    let ran = train(&workshop, "small", &["--memory", &few]);
    assert_eq!(ran.code, 1);
    for said in [
        "the run takes about",
        "`--memory` allows",
        "micro-batch of 4 sequences",
        "`--micro-batch 3` fits",
    ] {
        assert!(ran.stderr.contains(said), "no `{said}` in {}", ran.stderr);
    }
    assert!(!workshop.path("small").exists());
    let fits = train(&workshop, "small", &["--memory", &few, "--micro-batch", "3"]);
    assert_eq!(fits.code, 0, "{}", fits.stderr);

    let none = train(&workshop, "none", &["--memory", "1000"]);
    assert_eq!(none.code, 1);
    assert!(none.stderr.contains("no micro-batch fits"), "{}", none.stderr);
}

#[test]
fn computing_again_takes_less_memory_and_gives_the_same_run() {
    let workshop = Workshop::new();
    let total = |extra: &[&str]| {
        let dry = train(&workshop, "none", &[&["--dry-run", "--json"], extra].concat());
        dry.json()["memory"]["activations"].as_u64().unwrap()
    };
    assert!(total(&["--recompute"]) < total(&[]));
    for (out, extra) in [("kept", &[][..]), ("again", &["--recompute"])] {
        let ran = train(&workshop, out, extra);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    let weights = |run: &str| fs::read(workshop.path(run).join("model/model.safetensors")).unwrap();
    assert!(weights("kept") == weights("again"));
    assert_eq!(losses(&workshop.path("kept")), losses(&workshop.path("again")));
}

#[test]
fn a_profile_shows_every_kind_of_work_against_its_floor() {
    let workshop = Workshop::new();
    let ran = train(&workshop, "run", &["--profile", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    // Standard output stays one object.
    assert_eq!(ran.json()["state"], "done");
    for said in
        ["products", "attention", "norms", "SwiGLU", "loss", "optimiser", "a step", "at least, ms"]
    {
        assert!(ran.stderr.contains(said), "no `{said}` in {}", ran.stderr);
    }
    assert!(
        fs::read_to_string(workshop.path("run").join("log.txt"))
            .unwrap()
            .contains("where the time went")
    );
}

#[test]
fn a_run_in_bf16_is_another_run_and_its_model_is_evaluated_alike() {
    let workshop = Workshop::new();
    for (out, precision) in [("full", "f32"), ("half", "bf16")] {
        let ran = train(&workshop, out, &["--precision", precision]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    let record = |run: &str| read_json(&workshop.path(run).join("record.json"));
    assert_ne!(record("full")["id"], record("half")["id"]);
    let kernel = record("half")["provenance"]["kernel"].as_str().unwrap().to_owned();
    assert!(kernel.contains("bf16"), "{kernel}");
    let (full, half) = (losses(&workshop.path("full")), losses(&workshop.path("half")));
    assert_eq!(full[0], half[0]);
    assert!(
        full.last() != half.last() && (full.last().unwrap() - half.last().unwrap()).abs() < 0.05
    );

    let (model, corpus) = (workshop.path("half/model"), workshop.path("corpus"));
    let evaluated = done(&[
        "eval",
        arg(&model),
        "--corpus",
        arg(&corpus),
        "--context",
        "32",
        "--tokens",
        "200",
        "--json",
    ]);
    let found = evaluated.json()["loss"].as_f64().unwrap();
    assert!((found - half.last().unwrap()).abs() < 1e-9, "{found} and {half:?}");

    let wrong = train(&workshop, "none", &["--precision", "f16"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.stderr.contains("expected `f32` or `bf16`"), "{}", wrong.stderr);
}
