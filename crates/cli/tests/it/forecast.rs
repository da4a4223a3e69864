//! Forecasts of runs: from tables and logs, with and without a law, and while a run grows.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::law::loss;
use crate::workshop::{arg, command, done, regrow};

/// A held-out loss that falls as a power of tokens; no code of ours makes it.
fn truth(tokens: f64) -> f64 {
    1.9 + 25.0 * tokens.powf(-0.28)
}

/// A log of a made run: steps of a million tokens, with a small wobble that has no period.
fn log(path: &Path, steps: std::ops::RangeInclusive<u32>, of: impl Fn(f64) -> f64) {
    let mut text = "step,tokens,eval_loss,learning_rate\n".to_owned();
    for step in steps {
        let tokens = 1e6 * f64::from(step);
        let wobble = 0.003 * (1.7 * f64::from(step).powi(2)).sin();
        writeln!(text, "{step},{tokens},{},0.001", of(tokens) + wobble).unwrap();
    }
    fs::write(path, text).unwrap();
}

fn interval(estimate: &Value) -> [f64; 2] {
    [0, 1].map(|end| estimate["interval"][end].as_f64().unwrap())
}

#[test]
fn a_run_is_told_to_go_on_and_its_end_lies_in_the_interval() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.csv");
    log(&path, 4..=20, truth);
    let (svg, html) = (folder.path().join("a.svg"), folder.path().join("a.html"));
    let ran = regrow(&["forecast", arg(&path), "--until", "60M", "--json", "--out", arg(&svg)]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let said = &ran.json()["runs"][0];
    assert_eq!(said["advice"], "go-on");
    let [low, high] = interval(&said["expected"]["measured"]);
    assert!(low < truth(60e6) && truth(60e6) < high && high - low < 0.08, "{low} {high}");
    // What the formula itself gains from 20M to 40M.
    let [low, high] = interval(&said["expected"]["next_doubling"]);
    let gains = truth(20e6) - truth(40e6);
    assert!(low < gains && gains < high, "{low} {gains} {high}");
    assert!(fs::read_to_string(&svg).unwrap().starts_with("<svg class=\"plot\""));
    let again = ["forecast", arg(&path), "--until", "60M", "--out", arg(&html)];
    assert!(done(&again).stdout.starts_with("go on: "));
    assert!(fs::read_to_string(&html).unwrap().contains("What remains uncertain"));
    let refused = regrow(&again);
    assert_eq!(refused.code, 1, "{refused:?}");
    done(&[&again[..], &["--force"]].concat());
    // A target in between is reached, one below the floor is not.
    let target = |loss: &str| {
        regrow(&["forecast", arg(&path), "--until", "60M", "--target", loss, "--json"]).json()
            ["runs"][0]["advice"]
            .clone()
    };
    assert_eq!((target("2.1"), target("1.5")), ("go-on".into(), "stop-now".into()));
}

#[test]
fn a_flat_run_is_told_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.csv");
    log(&path, 4..=40, |tokens| 2.0 + 1e7 * tokens.powf(-1.2));
    let ran = regrow(&["forecast", arg(&path)]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.starts_with("stop now: "), "{}", ran.stdout);
}

#[test]
fn too_few_points_and_a_cooling_rate_cannot_tell() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.csv");
    log(&path, 4..=5, truth);
    let ran = regrow(&["forecast", arg(&path)]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stdout.starts_with("cannot tell yet: there are 2 held-out points"), "{ran:?}");
    log(&path, 4..=12, truth);
    let cooled = fs::read_to_string(&path).unwrap() + "13,13000000,2.1,0.0005\n";
    fs::write(&path, cooled).unwrap();
    let ran = regrow(&["forecast", arg(&path)]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stdout.contains("the learning rate falls since 13.0M tokens"), "{}", ran.stdout);
}

#[test]
fn held_out_loss_that_rises_while_training_loss_falls_is_an_alarm() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.jsonl");
    let mut text = String::new();
    for step in 1..=12 {
        let x = f64::from(step);
        let (held_out, training) = (2.5 + 0.02 * (x - 7.0).powi(2), 3.0 - 0.15 * x);
        writeln!(
            text,
            "{{\"step\":{step},\"tokens\":{step}000000,\"loss\":{training},\"eval_loss\":{held_out}}}"
        )
        .unwrap();
    }
    fs::write(&path, text).unwrap();
    let ran = regrow(&["forecast", arg(&path), "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let said = &ran.json()["runs"][0];
    assert_eq!(said["alarms"][0]["kind"], "over-fitting");
    assert_eq!(said["advice"], "stop-now");
}

#[test]
fn a_law_makes_a_short_run_surer() {
    let folder = tempfile::tempdir().unwrap();
    let (table, law) = (folder.path().join("points.csv"), folder.path().join("law.json"));
    let mut text = "series,method,run,n0,rate,loss0,tokens,loss\n".to_owned();
    for (size, rate) in [(0.5, 0.15), (0.5, 0.25), (1.2, 0.15), (1.2, 0.25), (3.1, 0.2)] {
        for i in 1..=8 {
            let tokens = 0.12 * f64::from(i);
            let wobble = 0.001 * f64::from(i * 5 % 7 - 3);
            let loss = loss(size, rate, tokens) + wobble;
            let (n0, tokens) = (size * 1e9, tokens * 1e9);
            writeln!(text, "s,depth-list,{size} {rate},{n0},{rate},2.2,{tokens},{loss}").unwrap();
        }
    }
    fs::write(&table, text).unwrap();
    done(&["fit", arg(&table), "--out", arg(&law)]);
    let run = folder.path().join("new.csv");
    let mut text = "step,tokens,eval_loss\n".to_owned();
    for step in 1..=4 {
        let loss = loss(3.1, 0.25, 0.05 * f64::from(step));
        writeln!(text, "{step},{},{loss}", 5e7 * f64::from(step)).unwrap();
    }
    fs::write(&run, text).unwrap();
    let until = ["--until", "1B", "--json"];
    let alone = regrow(&[&["forecast", arg(&run)], &until[..]].concat());
    let facts = ["--law", arg(&law), "--n0", "3.1B", "--rate", "0.25", "--loss0", "2.2"];
    let with = regrow(&[&["forecast", arg(&run)], &facts[..], &until[..]].concat());
    let of = |value: &Value| interval(&value["runs"][0]["expected"]["loss"]);
    let ([a, b], [low, high]) = (of(&alone.json()), of(&with.json()));
    let truth = loss(3.1, 0.25, 1.0);
    assert!(high - low < 0.85 * (b - a), "{low} {high}, alone {a} {b}");
    assert!(low < truth && truth < high && a < truth && truth < b, "{a} {low} {truth} {high} {b}");
    // What the law asks for must be known.
    let missing = regrow(&["forecast", arg(&run), "--law", arg(&law), "--n0", "3.1B"]);
    assert_eq!(missing.code, 1);
    assert!(missing.stderr.contains("give `--rate`, `--loss0`"), "{}", missing.stderr);
}

#[test]
fn a_run_is_followed_until_it_is_told_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.csv");
    let flat = |tokens: f64| 2.0 + 1e7 * tokens.powf(-1.2);
    log(&path, 4..=9, flat);
    let mut child = command(&["forecast", arg(&path), "--watch"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // It must not have ended by itself before the run is flat.
    std::thread::sleep(Duration::from_secs(3));
    let early = child.try_wait().unwrap();
    log(&path, 4..=60, flat);
    let output = child.wait_with_output().unwrap();
    assert_eq!((early, output.status.code()), (None, Some(0)));
    let lines = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    assert!(lines[0].starts_with("6 points, 9.00M tokens: "), "{lines:?}");
    assert!(lines[lines.len() - 1].starts_with("57 points, 60.0M tokens: stop now"), "{lines:?}");
}
