//! A number carries its proof: what a result stands on is checked before it is believed, and
//! weights that are stored are never dropped in silence.

use std::fs;
use std::path::{Path, PathBuf};

use regrow::model::folder::SHARD_LIMIT;
use regrow::shape::tensors::Role;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::workshop::{
    Ran, Workshop, arg, change_json, copy_folder, done, poke, read_json, regrow, remade,
};

/// A workshop with a trained model, and that model.
fn trained() -> (Workshop, PathBuf) {
    let workshop = Workshop::new();
    workshop.scratch("base", "2000");
    let model = workshop.path("base/model");
    (workshop, model)
}

fn eval(model: &Path, corpus: &Path) -> Ran {
    regrow(&["eval", arg(model), "--corpus", arg(corpus), "--json"])
}

fn refused(arguments: &[&str], said: &[&str]) {
    let ran = regrow(arguments);
    assert_eq!(ran.code, 1, "{arguments:?}: {} {}", ran.stdout, ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    for said in said {
        assert!(ran.stderr.contains(said), "no `{said}` in {}", ran.stderr);
    }
}

#[test]
fn a_text_with_another_hash_gives_no_loss_and_no_cut() {
    let (workshop, model) = trained();
    let corpus = workshop.path("other");
    copy_folder(&workshop.path("corpus"), &corpus);
    assert_eq!(eval(&model, &corpus).code, 0);
    for part in ["heldout", "train"] {
        let path = corpus.join(format!("{part}.bin"));
        let whole = fs::read(&path).unwrap();
        for at in [0, whole.len() / 2, whole.len() - 1] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&path, bytes).unwrap();
            let file = format!("{part}.bin`: hash is ");
            let said = [file.as_str(), "as in `corpus.json`"];
            refused(&["eval", arg(&model), "--corpus", arg(&corpus), "--part", part], &said);
        }
        if part == "train" {
            let out = workshop.path("pruned");
            let cut = ["prune", arg(&model), "--method", "2:4-wanda"];
            let rest = ["--corpus", arg(&corpus), "--out", arg(&out)];
            refused(&[&cut[..], &rest].concat(), &["train.bin`: hash is "]);
            assert!(!out.exists());
        }
        fs::write(&path, whole).unwrap();
    }
}

#[test]
fn sizes_and_rates_of_a_cut_are_held_against_each_other_the_model_and_the_base() {
    let (workshop, model) = trained();
    let pruned = workshop.path("pruned");
    done(&["prune", arg(&model), "--drop", "1", "--out", arg(&pruned)]);
    let record = read_json(&pruned.join("cut.json"));
    let (n0, left) = (record["n0"].as_u64().unwrap(), record["parameters"].as_u64().unwrap());
    let without = record["n0_without_embedding"].as_u64().unwrap();
    type Change = Box<dyn Fn(&mut Value)>;
    let cases: Vec<(Change, &str)> = vec![
        (Box::new(|cut| cut["rate"] = json!(0.5)), "`rate` is 0.5, expected "),
        (
            Box::new(|cut| cut["rate_without_embedding"] = json!(0.5)),
            "`rate_without_embedding` is 0.5, expected ",
        ),
        (Box::new(|cut| cut["parameters"] = json!(12)), "`rate` is "),
        // All numbers follow from each other, and none is true.
        (
            Box::new(move |cut| {
                cut["n0"] = json!(n0 + 1000);
                cut["rate"] = json!((n0 + 1000 - left) as f64 / (n0 + 1000) as f64);
            }),
            "before the cut, what it removed and what is left make ",
        ),
        (
            Box::new(move |cut| {
                let parts = cut["parameters_without_embedding"].as_u64().unwrap();
                cut["n0_without_embedding"] = json!(without + 8);
                let rate = (without + 8 - parts) as f64 / (without + 8) as f64;
                cut["rate_without_embedding"] = json!(rate);
            }),
            "parameters without the embedding before the cut",
        ),
        (Box::new(|cut| cut["cut"]["layers"] = json!(5)), "it tells of another model"),
    ];
    // Zeros: a size before the cut that is less than what became zero.
    let zeros = workshop.path("zeros");
    done(&["prune", arg(&model), "--method", "2:4-magnitude", "--out", arg(&zeros)]);
    change_json(&zeros.join("cut.json"), |cut| {
        for (field, value) in [("n0", 4), ("parameters", 2)] {
            cut[field] = json!(value);
            cut[format!("{field}_without_embedding")] = json!(value);
        }
        cut["rate"] = json!(0.5);
        cut["rate_without_embedding"] = json!(0.5);
    });
    let out = workshop.path("out");
    let again = ["prune", arg(&model), "--cut", arg(&zeros), "--out", arg(&out)];
    refused(&again, &["`n0` is 4 in the record of the cut, expected "]);
    for (number, (change, said)) in cases.iter().enumerate() {
        let odd = workshop.path(&format!("odd-{number}"));
        copy_folder(&pruned, &odd);
        change_json(&odd.join("cut.json"), |cut| change(cut));
        let ran = regrow(&["inspect", arg(&odd), "--verify", "--json"]);
        assert_eq!(ran.code, 3, "{number}: {} {}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains(said), "{number}: no `{said}` in {}", ran.stdout);
        let (corpus, out) = (workshop.path("corpus"), workshop.path("out"));
        let train = ["train", arg(&odd), "--corpus", arg(&corpus), "--tokens", "1000"];
        refused(&[&train[..], &["--context", "48", "--out", arg(&out)]].concat(), &[said]);
        let again = ["prune", arg(&model), "--cut", arg(&odd), "--out", arg(&out)];
        assert_eq!(regrow(&again).code, 1, "{number}");
        assert!(!out.exists(), "{number}");
    }
}

#[test]
fn a_curve_that_changed_after_its_end_is_not_fitted() {
    let (workshop, _) = trained();
    let run = workshop.path("base");
    let path = run.join("metrics.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let at = text.rfind("\"eval_loss\":").unwrap() + 12;
    let digit = text[at..].find('.').unwrap() + at + 1;
    let mut bytes = text.into_bytes();
    bytes[digit] = if bytes[digit] == b'1' { b'2' } else { b'1' };
    fs::write(&path, bytes).unwrap();
    refused(&["fit", arg(&run)], &["metrics.jsonl`: its SHA-256 is ", "as in `done.json`"]);
}

#[test]
fn a_model_whose_loss_is_no_number_is_refused() {
    let (workshop, model) = trained();
    let odd = workshop.path("odd");
    copy_folder(&model, &odd);
    for channel in 0..32 {
        poke(&odd, "model.norm.weight", channel, if channel % 2 == 0 { 3e38 } else { -3e38 });
    }
    let corpus = workshop.path("corpus");
    let said = ["the loss of `", ", expected a finite number"];
    refused(&["eval", arg(&odd), "--corpus", arg(&corpus), "--json"], &said);
    refused(&["generate", arg(&odd), "--prompt", "a"], &["as a logit after token "]);
}

#[test]
fn a_run_that_diverges_is_stopped_by_name_and_keeps_the_best_model() {
    let (workshop, model) = trained();
    let (corpus, out) = (workshop.path("corpus"), workshop.path("wild"));
    let train = ["train", arg(&model), "--corpus", arg(&corpus), "--tokens", "20K", "--context"];
    let rest = ["48", "--learning-rate", "3", "--warmup", "0", "--out", arg(&out)];
    refused(
        &[&train[..], &rest].concat(),
        &[
            "error: training has diverged: held-out loss ",
            "the least held-out loss was ",
            "hint: train again with a lower `--learning-rate`",
        ],
    );
    assert!(!out.join("done.json").exists());
    let log = fs::read_to_string(out.join("log.txt")).unwrap();
    assert!(log.contains("failed: training has diverged"), "{log}");
}

#[test]
fn the_loss_of_a_model_that_is_written_in_fewer_digits_is_of_what_is_written() {
    let (workshop, model) = trained();
    let (half, out) = (workshop.path("half"), workshop.path("healed"));
    remade_in_bf16(&model, &half);
    let corpus = workshop.path("corpus");
    let train = ["train", arg(&half), "--corpus", arg(&corpus), "--tokens", "2000", "--context"];
    let report = done(&[&train[..], &["48", "--out", arg(&out), "--json"]].concat()).json();
    let written = report["written_loss"].as_f64().unwrap();
    let healed = out.join("model");
    let eval = ["eval", arg(&healed), "--corpus", arg(&corpus), "--context", "48", "--json"];
    let measured = done(&eval).json()["loss"].as_f64().unwrap();
    assert_ne!(report["eval_loss"].as_f64().unwrap(), written);
    assert_eq!(written, measured);
}

/// Copies a model with its weights rounded to bf16.
fn remade_in_bf16(from: &Path, to: &Path) {
    use regrow::model::folder::{FolderWriter, ModelFolder};
    use regrow::model::safetensors::Dtype;
    let folder = ModelFolder::open(from).unwrap();
    let mut raw = folder.raw_config().clone();
    raw.set_dtype("bfloat16");
    let plan = regrow::model::weights::plan(folder.config(), Dtype::BF16);
    let mut writer =
        FolderWriter::create(to, disk::Existing::Refuse, &raw, plan, SHARD_LIMIT).unwrap();
    for spec in regrow::shape::tensors::tensors(folder.config()) {
        let mut values = vec![0.0; spec.len()];
        folder.read_f32(&spec, &mut values).unwrap();
        writer.write_f32(&values).unwrap();
    }
    writer.copy_companions(from).unwrap();
    writer.commit().unwrap();
}

#[test]
fn a_head_that_is_stored_is_used_whatever_the_configuration_says() {
    let (workshop, model) = trained();
    let (own, tied) = (workshop.path("own"), workshop.path("tied"));
    // An own head: the embedding, changed.
    own_head(&model, &own);
    copy_folder(&own, &tied);
    change_json(&tied.join("config.json"), |config| config["tie_word_embeddings"] = json!(true));
    let corpus = workshop.path("corpus");
    let (real, found) = (eval(&own, &corpus), eval(&tied, &corpus));
    assert_eq!(real.json()["loss"], found.json()["loss"]);
    let said = "and `lm_head.weight` holds another: it is read as it is stored";
    assert!(found.stderr.contains(said), "{}", found.stderr);
    let out = workshop.path("pruned");
    let ran = done(&["prune", arg(&tied), "--drop", "1", "--out", arg(&out)]);
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    assert_eq!(read_json(&out.join("config.json"))["tie_word_embeddings"], json!(false));
    done(&["inspect", arg(&out), "--verify"]);
}

/// Copies a model whose head is no longer its embedding.
fn own_head(from: &Path, to: &Path) {
    let base = TempDir::new().unwrap();
    let untied = base.path().join("untied");
    let init = base.path().join("config.json");
    fs::copy(from.join("config.json"), &init).unwrap();
    change_json(&init, |config| config["tie_word_embeddings"] = json!(false));
    let workshop = Workshop::new();
    let (corpus, run) = (workshop.path("corpus"), workshop.path("run"));
    let train = ["train", "--init", arg(&init), "--corpus", arg(&corpus), "--tokens", "500"];
    done(&[&train[..], &["--context", "48", "--out", arg(&run)]].concat());
    copy_folder(&run.join("model"), &untied);
    remade(&untied, to, SHARD_LIMIT, |spec, values| {
        if spec.role == Role::Head {
            values[0] += 0.5;
        }
    });
}

#[test]
fn text_and_its_order_are_part_of_the_plan() {
    let workshop = Workshop::new();
    let (init, corpus) = (workshop.path("tiny.json"), workshop.path("corpus"));
    let text = |context: &str| {
        let train = ["train", "--init", arg(&init), "--corpus", arg(&corpus), "--tokens", "1000"];
        let rest = ["--context", context, "--dry-run", "--json"];
        done(&[&train[..], &rest].concat()).json()["memory"]["text"].as_u64().unwrap()
    };
    let length = |name: &str| fs::metadata(corpus.join(name)).unwrap().len();
    let kept = ["train.bin", "train.idx", "heldout.bin", "heldout.idx"].map(length);
    let tokens = read_json(&corpus.join("corpus.json"))["train"]["tokens"].as_u64().unwrap();
    for context in [4, 48] {
        let expected = kept.iter().sum::<u64>() + 4 * (tokens / context);
        assert_eq!(text(&context.to_string()), expected);
    }
}

#[test]
fn a_card_names_the_version_that_reads_its_heads() {
    let (workshop, model) = trained();
    for (shape, named) in [("heads=2", true), ("heads=2,hidden=16", false), ("ffn=40", false)] {
        let out = workshop.path(&format!("narrow-{}", shape.len()));
        let cut = ["prune", arg(&model), "--shape", shape, "--method", "width-magnitude"];
        done(&[&cut[..], &["--out", arg(&out)]].concat());
        let card = fs::read_to_string(out.join("README.md")).unwrap();
        assert_eq!(card.contains("It needs transformers 4.48 or newer"), named, "{shape}: {card}");
    }
}
