//! A run ends early by a rule, and a run that is done is extended: both are the run that the same
//! tokens would have given otherwise, also when they are killed on the way.

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::never_lost::{Bench, RECIPE, checkpoints, lines, wait, without_speed};
use crate::workshop::{arg, change_json, copy_folder, names, read_json, regrow};

/// Held-out loss after every step, so that a longer run is evaluated where a shorter one is.
const EACH_STEP: [(&str, &str); 2] =
    [("eval_points = 40\n", "eval_points = 4000\neval_first = 192\n"), ("300\n", "200\n")];

/// A bench whose runs are evaluated after every step.
fn each_step() -> Bench {
    let recipe = EACH_STEP.iter().fold(RECIPE.to_owned(), |all, (from, to)| all.replace(from, to));
    assert_ne!(recipe, RECIPE);
    Bench::with(&recipe)
}

/// The first 50 of 125 steps.
const SHORT: [&str; 2] = ["--tokens", "9600"];

/// A run that ends after [`SHORT`] and keeps its checkpoint.
fn short(bench: &Bench, out: &str) {
    let ran = bench.train(out, &[&SHORT[..], &["--keep-checkpoint"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(checkpoints(&bench.path(out)), [50]);
}

fn points(run: &Path) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    text.lines().map(|line| without_speed(serde_json::from_str(line).unwrap())).collect()
}

/// Names and contents of a folder's files.
fn files(folder: &Path) -> Vec<(String, Option<Vec<u8>>)> {
    let read = |name: String| (name.clone(), fs::read(folder.join(name)).ok());
    names(folder).into_iter().map(read).collect()
}

/// State and planned tokens of a run.
fn state(run: &Path) -> (Value, Value) {
    let mut found = regrow(&["runs", arg(run), "--json"]).json();
    let row = &mut found["runs"][0];
    (row["state"].take(), row["tokens_planned"].take())
}

#[test]
fn an_extended_run_is_the_longer_run_byte_for_byte() {
    let bench = each_step();
    short(&bench, "run");
    let run = bench.path("run");
    let was = read_json(&run.join("record.json"))["id"].clone();
    let ran = bench.train("run", &["--resume"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for said in [
        "run` ended after 9,600 tokens and is extended from 9,600 to 24,000",
        "resuming after step 50 of 125",
    ] {
        assert!(ran.stderr.contains(said), "no `{said}` in: {}", ran.stderr);
    }
    bench.ended_alike("run");
    let (spec, record) = (fs::read(run.join("spec.toml")), read_json(&run.join("record.json")));
    assert_eq!(spec.unwrap(), fs::read(bench.path("whole/spec.toml")).unwrap());
    let earlier = json!([{"id": was, "tokens": 9600, "steps": 50}]);
    assert_eq!(record["extended_from"], earlier);
    assert_eq!(record["id"], read_json(&bench.path("whole/record.json"))["id"]);
    // The same command again finds it done, and so does the old one another run.
    assert!(bench.train("run", &["--resume"]).stderr.contains("run` is already done"));
    let old = bench.train("run", &[&SHORT[..], &["--resume"]].concat());
    assert!(old.code == 1 && old.stderr.contains("`tokens` was 24000, is 9600"), "{}", old.stderr);
}

#[test]
fn an_extended_run_keeps_its_evaluations_and_defaults_and_has_the_weights_of_the_longer_one() {
    let bench = Bench::with(RECIPE);
    // Without `warmup` in the recipe: the default is a fiftieth of the tokens.
    let recipe = RECIPE.replace("warmup = 960\n", "");
    fs::write(bench.path("recipe.toml"), recipe).unwrap();
    short(&bench, "run");
    let first = points(&bench.path("run"));
    let longer = bench.train("run", &["--resume", "--keep-checkpoint"]);
    assert_eq!(longer.code, 0, "{}", longer.stderr);
    let whole = bench.train("same", &["--warmup", "192", "--eval-first", "48"]);
    assert_eq!(whole.code, 0, "{}", whole.stderr);
    let weights = |run: &str| fs::read(bench.path(run).join("model/model.safetensors")).unwrap();
    assert!(weights("run") == weights("same"), "the weights differ");
    let (found, same) = (points(&bench.path("run")), points(&bench.path("same")));
    assert_eq!(found[..first.len()], first);
    let evaluated = |points: &[Value]| -> Vec<u64> {
        let of = |point: &&Value| point.get("eval_loss").is_some();
        points.iter().filter(of).map(|point| point["step"].as_u64().unwrap()).collect()
    };
    let beyond: Vec<u64> = evaluated(&same).into_iter().filter(|step| *step > 50).collect();
    assert_eq!(evaluated(&found), [evaluated(&first), beyond].concat());
    assert_eq!((found.len(), same.len()), (126, 126));
    for (found, same) in found.iter().zip(&same) {
        for field in ["step", "tokens", "loss", "learning_rate", "grad_norm", "epoch", "phase"] {
            assert_eq!(found[field], same[field], "{field}");
        }
        if let (Some(found), Some(same)) = (found.get("eval_loss"), same.get("eval_loss")) {
            assert_eq!(found, same);
        }
    }
    // Again, from the checkpoint of the first extension, with the best model that it had.
    assert_eq!(checkpoints(&bench.path("run")), [125]);
    let again = bench.train("run", &["--resume", "--tokens", "24960"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    let earlier = &read_json(&bench.path("run/record.json"))["extended_from"];
    assert_eq!((&earlier[0]["steps"], &earlier[1]["steps"]), (&50.into(), &125.into()));
    let best = |run: &str| fs::read(bench.path(run).join("best/model.safetensors")).ok();
    let (step, loss) = (&again.json()["best_step"], &again.json()["best_eval_loss"]);
    assert!(step.as_u64() < Some(125) && best("run").is_some(), "{step} {loss}");
    let model = bench.path("run/best");
    let found = crate::workshop::held_out_loss(&model, &bench.path("few"), "300");
    assert_eq!(&found, loss);
}

#[test]
fn a_run_killed_at_any_moment_of_its_extension_ends_as_the_longer_run() {
    let bench = each_step();
    short(&bench, "short");
    let (mut inside, mut begun) = (0, 0);
    for kill in 0..12_u64 {
        let name = format!("killed-{kill}");
        let run = bench.path(&name);
        copy_folder(&bench.path("short"), &run);
        let mut child = bench.begin(&name, &["--resume"]);
        let journal = run.join("extending.json");
        let hidden = || names(&run).iter().any(|name| name.starts_with(".extending.json."));
        let ended = || "it ended before it could be killed";
        match kill % 3 {
            // As soon as its file is written, or just after it has its name.
            0 => wait("the journal", || {
                hidden() || journal.exists() || lines(&run.join("log.txt")) > 60
            }),
            1 => wait("the journal", || journal.exists() || !run.join("done.json").exists()),
            _ => {
                wait("the step", || !run.join("done.json").exists());
                sleep(Duration::from_millis(7 * kill));
            }
        }
        assert!(child.try_wait().unwrap().is_none(), "{}", ended());
        child.kill().unwrap();
        child.wait().unwrap();
        inside += usize::from(journal.exists());
        // The run that was, or the extended one; never anything between.
        let found = state(&run);
        begun += usize::from(found == ("resumable".into(), 24_000.into()));
        let was = ("done".into(), 9600.into());
        assert!(found == was || found == ("resumable".into(), 24_000.into()), "{found:?}");
        let ran = bench.train(&name, &["--resume"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        bench.ended_alike(&name);
        fs::remove_dir_all(&run).unwrap();
    }
    assert!(begun >= 4, "{begun} kills after the step, {inside} within it");
}

#[test]
fn what_cannot_be_extended_is_refused_and_stays_as_it_is() {
    let bench = Bench::with(RECIPE);
    let refused = |run: &str, extra: &[&str], said: &[&str]| {
        let before = files(&bench.path(run));
        let ran = bench.train(run, &[&["--resume"], extra].concat());
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        for part in said {
            assert!(ran.stderr.contains(part), "no `{part}` in: {}", ran.stderr);
        }
        assert!(files(&bench.path(run)) == before, "the run was changed");
    };
    let gone =
        "whole` cannot be extended: the state of its optimiser is gone, it has no `checkpoint-125`";
    refused("whole", &["--tokens", "48000"], &[gone, "\n\nhint: ", "`--keep-checkpoint`"]);
    short(&bench, "short");
    copy_folder(&bench.path("short"), &bench.path("damaged"));
    let moments = bench.path("damaged/checkpoint-50/second_moments.safetensors");
    let mut bytes = fs::read(&moments).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&moments, bytes).unwrap();
    let said = "`checkpoint-50` cannot be used: `second_moments.safetensors` has SHA-256 ";
    refused("damaged", &[], &[said, "\n\nhint: "]);
    refused("short", &["--seed", "3"], &["another recipe: `seed` was 0, is 3; `tokens` was 9600"]);
    refused("short", &["--tokens", "4800"], &["another recipe: `tokens` was 9600, is 4800"]);
    let decay = [&SHORT[..], &["--decay", "1920", "--keep-checkpoint"]].concat();
    assert_eq!(bench.train("decayed", &decay).code, 0);
    let said = "in a run of 9,600 tokens the learning rate falls over the last 1,920";
    refused("decayed", &["--decay", "1920"], &[said, "expected a constant rate after the warm-up"]);
    // What is asked twice is kept as it was.
    assert_eq!(bench.train("short", &[&SHORT[..], &["--resume"]].concat()).code, 0);
    assert_eq!(checkpoints(&bench.path("short")), [50]);
}

/// A rule that ends the runs of [`few_points`] before their tokens are used up.
const RULE: [&str; 2] = ["--stop-when", "doubling-gain<0.3"];
/// One that is never reached: it ends them once their held-out loss rises.
const RISES: [&str; 2] = ["--stop-when", "loss<0.1"];

/// A bench of runs with few held-out points: a rule takes a second at each.
fn few_points() -> Bench {
    let recipe = RECIPE.replace("eval_points = 40\n", "eval_points = 8\neval_first = 5376\n");
    assert_ne!(recipe, RECIPE);
    Bench::with(&recipe)
}

#[test]
fn a_rule_ends_a_run_with_its_reason_and_without_it_the_run_goes_on_as_if_left_alone() {
    let bench = few_points();
    let keep = [&RULE[..], &["--keep-checkpoint"]].concat();
    let ran = bench.train("run", &keep);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let (run, found) = (bench.path("run"), ran.json());
    let done = read_json(&run.join("done.json"));
    let (end, steps) = (&done["ended_early"], done["steps"].as_u64().unwrap());
    assert_eq!((&end["rule"], &end["tokens"]), (&RULE[1].into(), &done["tokens"]));
    assert!(steps < 125 && found["ended_early"] == *end && found["state"] == "done", "{found}");
    let reason = end["reason"].as_str().unwrap();
    let told = format!("`{}` ended the run after ", RULE[1]);
    assert!(ran.stderr.contains(&told) && ran.stderr.contains(reason), "{}", ran.stderr);
    assert!(fs::read_to_string(run.join("log.txt")).unwrap().contains(reason));
    // The same that `regrow forecast` says of these points.
    let forecast = regrow(&["forecast", arg(&run), "--gain", "0.3"]);
    assert!(forecast.stdout.starts_with(&format!("stop now: {reason}\n")), "{}", forecast.stdout);
    // Until then it is the run left alone.
    assert_eq!(points(&run), points(&bench.path("whole"))[..=steps as usize]);
    let listed = regrow(&["runs", arg(&run)]);
    assert!(listed.stderr.contains(&format!("run` was ended by `{}`: {reason}", RULE[1])));
    // With the same rule it is done; without one there is more to do.
    let again = bench.train("run", &[&RULE[..], &["--resume"]].concat());
    assert!(again.stderr.contains("run` is already done"), "{}", again.stderr);
    let rest = bench.train("run", &["--resume"]);
    assert_eq!(rest.code, 0, "{}", rest.stderr);
    assert!(rest.stderr.contains(&format!("resuming after step {steps} of 125")));
    bench.ended_alike("run");
    assert_eq!(fs::read(run.join("spec.toml")).ok(), fs::read(bench.path("whole/spec.toml")).ok());
}

#[test]
fn a_run_killed_and_resumed_with_its_rule_ends_at_the_same_place_with_the_same_bytes() {
    let bench = few_points();
    let ran = bench.train("early", &RISES);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let metrics = bench.path("killed").join("metrics.jsonl");
    let steps = ran.json()["steps"].as_u64().unwrap() as usize;
    let mut kills = 0;
    for at in [steps / 3, steps / 2, steps, steps + 1] {
        let mut child = bench.begin("killed", &[&RISES[..], &["--resume"]].concat());
        wait("a step", || lines(&metrics) >= at || child.try_wait().unwrap().is_some());
        kills += usize::from(child.try_wait().unwrap().is_none());
        let _ = child.kill();
        child.wait().unwrap();
    }
    assert!(kills >= 3, "{kills}");
    let ran = bench.train("killed", &[&RISES[..], &["--resume"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    bench.are_alike("early", "killed");
    let end = |run: &str| {
        let mut done = read_json(&bench.path(run).join("done.json"));
        // Times and speeds differ, and the curve holds speeds.
        for field in ["seconds", "tokens_per_second", "curve"] {
            done.as_object_mut().unwrap().remove(field);
        }
        done
    };
    assert_eq!(end("early"), end("killed"));
}

#[test]
fn a_curve_that_is_cut_and_an_end_without_its_reason_are_not_believed() {
    let bench = few_points();
    let ran = bench.train("run", &RISES);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let run = bench.path("run");
    assert_eq!(state(&run), ("done".into(), 24_000.into()));
    let said = |run: &Path| {
        let found = regrow(&["runs", arg(run), "--json"]).json()["runs"][0].clone();
        assert_eq!(found["state"], "broken", "{found}");
        found["why"].as_str().unwrap().to_owned()
    };
    copy_folder(&run, &bench.path("cut"));
    let curve = bench.path("cut/metrics.jsonl");
    let text = fs::read_to_string(&curve).unwrap();
    let kept: Vec<&str> = text.lines().take(20).collect();
    fs::write(&curve, kept.join("\n") + "\n").unwrap();
    assert!(said(&bench.path("cut")).contains("metrics.jsonl`: its SHA-256 is "));
    change_json(&run.join("done.json"), |done| {
        done.as_object_mut().unwrap().remove("ended_early");
    });
    let why = said(&run);
    assert!(why.contains("expected 24,000 as in its spec, or `ended_early`"), "{why}");
}

#[test]
fn a_rule_that_is_none_and_another_trainer_are_refused_before_anything_is_made() {
    let bench = Bench::with(RECIPE);
    for (extra, said) in [
        (
            &["--stop-when", "gain<1"][..],
            "`--stop-when` is `gain<1`, expected `doubling-gain<NATS` or `loss<NATS`, for example",
        ),
        (
            &["--stop-when", "loss<0"],
            "`--stop-when` is `loss<0`, expected a positive number of nats after `<`",
        ),
        (
            &["--stop-when", "loss<2", "--trainer", "torch"],
            "`--stop-when` is for regrow's own trainer, and PyTorch trains this run",
        ),
        (
            &["--keep-checkpoint", "--trainer", "torch"],
            "`--keep-checkpoint` is for regrow's own trainer",
        ),
    ] {
        let ran = bench.train("none", extra);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        assert!(ran.stderr.contains(said), "no `{said}` in: {}", ran.stderr);
        assert!(!bench.path("none").exists());
    }
}
