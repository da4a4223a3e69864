//! A healed model becomes a folder for a hub: what it says is what was measured and foretold.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::workshop::{Ran, Workshop, arg, change_json, done, names, poke, read_json, regrow};

/// A base, pruned by a block and healed for a few steps.
struct Healed {
    bench: Workshop,
    run: PathBuf,
}

impl Healed {
    fn new() -> Self {
        let bench = Workshop::new();
        bench.scratch("base", "4k");
        let (base, cut, run) = (bench.path("base/model"), bench.path("cut"), bench.path("healed"));
        let corpus = bench.path("corpus");
        done(&["prune", arg(&base), "--drop", "2", "--out", arg(&cut)]);
        let train = ["train", arg(&cut), "--corpus", arg(&corpus), "--out", arg(&run)];
        let flags =
            "--tokens 4k --loss0 3.5 --context 48 --batch 4 --eval-points 4 --eval-tokens 1000";
        done(&train.into_iter().chain(flags.split(' ')).collect::<Vec<_>>());
        Self { bench, run }
    }

    fn publish(&self, flags: &[&str]) -> Ran {
        regrow(&[&["publish", arg(&self.run)], flags].concat())
    }

    fn out(&self) -> PathBuf {
        self.bench.path("upload")
    }
}

/// The value of a line `key: value` of a card's head.
fn field<'a>(card: &'a str, key: &str) -> Vec<&'a str> {
    let head = card.strip_prefix("---\n").unwrap().split_once("\n---\n").unwrap().0;
    let value = |line: &'a str| line.trim_start_matches([' ', '-']).strip_prefix(key);
    head.lines().filter_map(value).filter_map(|value| value.strip_prefix(": ")).collect()
}

fn card(out: &Path) -> String {
    fs::read_to_string(out.join("README.md")).unwrap()
}

#[test]
fn a_published_folder_is_the_model_with_what_was_measured() {
    let healed = Healed::new();
    let out = healed.out();
    let hostile = "a\"b: [x]\n---\n# <img>";
    let flags = ["--out", arg(&out), "--license", "mit", "--name", hostile];
    let ran = healed.publish(&flags);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("hf upload ORGANISATION/NAME"), "{}", ran.stderr);
    let model = healed.run.join("model");
    let mut expected = names(&model);
    expected.extend(
        ["README.md", "curve.csv", "curve.svg", "cut.json", "published.json"].map(String::from),
    );
    expected.sort_unstable();
    expected.dedup();
    assert_eq!(names(&out), expected);
    for name in names(&model) {
        assert_eq!(fs::read(out.join(&name)).unwrap(), fs::read(model.join(&name)).unwrap());
    }
    let (card, ended) = (card(&out), read_json(&healed.run.join("done.json")));
    let loss = ended["eval_loss"].as_f64().unwrap();
    let numbers: Vec<f64> =
        field(&card, "value").iter().map(|value| value.parse().unwrap()).collect();
    assert_eq!(numbers, [loss, loss.exp()]);
    let cut = read_json(&healed.run.join("cut.json"));
    assert_eq!(field(&card, "base_model"), [cut["base"].to_string()]);
    assert_eq!(field(&card, "license"), ["\"mit\""]);
    let body = card.split_once("\n---\n").unwrap().1;
    for said in [
        format!("| **this model** | **{loss:.4}** |"),
        format!("| pruned, before training | {:.4} |", ended["loss_pruned"].as_f64().unwrap()),
        "before pruning | 3.5000 |".to_owned(),
        format!("`{}`", ended["weights"].as_str().unwrap()),
    ] {
        assert!(body.contains(&said), "{said}: {body}");
    }
    // A name changes neither the head's lines nor the body's markup.
    assert_eq!(field(&card, "- name").len() + field(&card, "name").len(), 4, "{card}");
    assert!(!body.contains("<img>"), "{body}");
    let published = read_json(&out.join("published.json"));
    assert_eq!((published["format"].as_u64(), published["loss"].as_f64()), (Some(1), Some(loss)));
    let rows = fs::read_to_string(out.join("curve.csv")).unwrap().lines().count();
    assert_eq!(rows, 1 + 4);
    // The model is one that other commands read.
    let corpus = healed.bench.path("corpus");
    done(&["eval", arg(&out), "--corpus", arg(&corpus), "--context", "48", "--tokens", "500"]);

    // Again: refused, then replaced because it is ours; a file of the user's keeps it.
    assert_eq!(healed.publish(&["--out", arg(&out)]).code, 1);
    assert_eq!(healed.publish(&["--out", arg(&out), "--force"]).code, 0);
    fs::write(out.join("notes.txt"), "mine").unwrap();
    let ran = healed.publish(&["--out", arg(&out), "--force"]);
    assert!(ran.code == 1 && ran.stderr.contains("it holds `notes.txt`"), "{}", ran.stderr);
    let ran = healed.publish(&["--out", arg(&healed.run), "--force"]);
    assert!(ran.code == 1 && healed.run.join("done.json").exists(), "{}", ran.stderr);
}

#[test]
fn a_card_says_what_the_law_foretold_and_whether_it_holds() {
    let healed = Healed::new();
    let law = law(&healed);
    let record = read_json(&healed.run.join("record.json"));
    let tokens = read_json(&healed.run.join("done.json"))["tokens"].to_string();
    let [n0, rate] = ["n0", "rate"].map(|name| record[name].to_string());
    let asked = regrow(&[
        "predict",
        arg(&law),
        "--n0",
        &n0,
        "--rate",
        &rate,
        "--loss0",
        "3.5",
        "--tokens",
        &tokens,
        "--json",
    ])
    .json();
    let shown = healed.publish(&["--law", arg(&law), "--dry-run", "--json"]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let shown = shown.json();
    let (foretold, card) = (&shown["foretold"], shown["card"].as_str().unwrap());
    assert_eq!(foretold["loss"], asked["loss"]);
    assert_eq!(foretold["interval"], asked["new_run"]);
    assert_eq!((&foretold["fitted_to_it"], &foretold["base_seen"]), (&false.into(), &false.into()));
    let ends: Vec<f64> =
        foretold["interval"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    let measured = foretold["measured"].as_f64().unwrap();
    let holds = ends[0] <= measured && measured <= ends[1];
    assert_eq!(card.contains("The measured loss lies in the interval."), holds, "{card}");
    assert_eq!(card.contains("lies **outside** the interval"), !holds, "{card}");
    assert!(card.contains(&format!("90 % interval {:.4} to {:.4} |", ends[0], ends[1])), "{card}");
    assert!(!healed.out().exists());

    // A law of another method says nothing of this run.
    change_json(&law, |law| law["groups"][0]["method"] = Value::from("width-magnitude"));
    let ran = healed.publish(&["--law", arg(&law), "--dry-run"]);
    assert!(ran.code == 2 && ran.stderr.contains("holds no method `depth-list`"), "{}", ran.stderr);
}

/// A law of runs like the healed one, from made points.
fn law(healed: &Healed) -> PathBuf {
    let mut table = "series,method,run,n0,rate,loss0,tokens,loss\n".to_owned();
    let series = read_json(&healed.run.join("record.json"))["series"].as_str().unwrap().to_owned();
    for (run, (n0, rate)) in
        [(2e4, 0.1), (2e4, 0.3), (5e4, 0.1), (5e4, 0.3), (1e5, 0.1), (1e5, 0.3)].iter().enumerate()
    {
        for step in 0..8 {
            let tokens = 1000.0 * 2_f64.powi(step);
            let wave = 0.002 * f64::from((7 * step + run as i32) % 5 - 2);
            let excess = rate * (0.4 + 20.0 * tokens.powf(-0.5)) * (n0 / 5e4_f64).powf(-0.1);
            table += &format!(
                "{series},depth-list,r{run},{n0},{rate},3.5,{tokens},{}\n",
                3.5 + excess + wave
            );
        }
    }
    let (points, law) = (healed.bench.path("points.csv"), healed.bench.path("law.json"));
    fs::write(&points, table).unwrap();
    let ran = regrow(&["fit", arg(&points), "--intervals", "jackknife", "--out", arg(&law)]);
    assert!(matches!(ran.code, 0 | 3), "{}", ran.stderr);
    law
}

#[test]
fn only_the_model_that_a_run_ended_with_is_published() {
    let healed = Healed::new();
    let out = healed.out();
    let model = healed.run.join("model");
    let weights = fs::read(model.join("model.safetensors")).unwrap();
    poke(&model, "model.norm.weight", 3, 0.25);
    let ran = healed.publish(&["--out", arg(&out)]);
    let said = format!(
        "expected {}",
        read_json(&healed.run.join("done.json"))["weights"].as_str().unwrap()
    );
    assert!(ran.code == 1 && ran.stderr.contains(&said), "{}", ran.stderr);
    fs::write(model.join("model.safetensors"), weights).unwrap();
    fs::remove_file(healed.run.join("done.json")).unwrap();
    let ran = healed.publish(&["--out", arg(&out)]);
    assert!(ran.code == 1 && ran.stderr.contains("has not ended"), "{}", ran.stderr);
    let ran = healed.publish(&[]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(!out.exists());
}
