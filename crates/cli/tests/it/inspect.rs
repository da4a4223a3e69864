//! `regrow inspect`: what a folder says of itself, and whether it is true.

use std::fs;
use std::path::{Path, PathBuf};

use regrow::model::folder::SHARD_LIMIT;
use regrow::shape::tensors::Role;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::workshop::{arg, change_json, copy_folder, done, poke, read_json, regrow, remade};

fn parity(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/parity").join(name)
}

/// Verifies a folder, which must end with `code`; its problems.
fn problems(model: &Path, extra: &[&str], code: i32) -> Vec<String> {
    let ran = regrow(&[&["inspect", arg(model), "--verify", "--json"], extra].concat());
    assert_eq!(ran.code, code, "{} {}", ran.stdout, ran.stderr);
    let report = ran.json();
    let problems = report["problems"].as_array().unwrap();
    assert_eq!(problems.is_empty(), code == 0);
    problems.iter().map(|problem| problem.as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_json_holds_what_is_promised_of_it() {
    let report = done(&["inspect", "llama-3.2-1b", "--json"]).json();
    assert_eq!(
        (&report["format"], &report["family"], &report["layers"]),
        (&json!(1), &json!("llama"), &json!(16))
    );
    let parameters = json!({
        "total": 1_235_814_400, "embedding": 262_668_288, "without_embedding": 973_146_112, "per_block": 60_821_504,
        "attention": 16 * (2 * 2048 * 2048 + 2 * 512 * 2048), "feed_forward": 16 * 3 * 2048 * 8192, "norms": 33 * 2048,
    });
    assert_eq!(report["parameters"], parameters);
    assert_eq!(report["shapes"]["block"]["mlp.down_proj.weight"], json!([2048, 8192]));
    assert_eq!(report["shapes"]["block"].as_object().unwrap().len(), 9);
    assert_eq!(report["shapes"]["outside"]["model.embed_tokens.weight"], json!([128_256, 2048]));
    assert_eq!(report["legal_rates"].as_array().unwrap().len(), 15);
    assert_eq!((&report["sparsity"], &report["problems"]), (&json!({}), &json!([])));
    // A quarter of a billion is written with its digits.
    assert!(report["parameters"]["total"].is_u64());
}

#[test]
fn good_folders_pass_and_every_sparse_tensor_is_counted() {
    let place = TempDir::new().unwrap();
    let model = parity("llama-tied");
    assert!(problems(&model, &[], 0).is_empty());
    let (zeros, short, loose) =
        (place.path().join("zeros"), place.path().join("short"), place.path().join("loose"));
    done(&["prune", arg(&model), "--method", "2:4-magnitude", "--out", arg(&zeros)]);
    done(&[
        "prune",
        arg(&model),
        "--method",
        "unstructured-magnitude",
        "--rate",
        "0.2",
        "--out",
        arg(&loose),
    ]);
    done(&["prune", arg(&model), "--drop", "1", "--out", arg(&short), "--shard-size", "20000"]);
    assert!(short.join("model.safetensors.index.json").is_file());
    for out in [&zeros, &short, &loose] {
        assert!(problems(out, &["--base", arg(&model)], 0).is_empty());
    }
    let report = regrow(&["inspect", arg(&zeros), "--verify", "--json"]).json();
    let record = read_json(&zeros.join("cut.json"));
    let counted: u64 = report["sparsity"]
        .as_object()
        .unwrap()
        .values()
        .map(|tensor| tensor["zeros"].as_u64().unwrap())
        .sum();
    assert_eq!(counted, record["n0"].as_u64().unwrap() - record["parameters"].as_u64().unwrap());
    assert_eq!(report["sparsity"]["model.layers.0.mlp.down_proj.weight"]["pattern"], "2:4");
    assert_eq!(report["hash"].as_str().unwrap().len(), 64);
    // Without reading weights, what is listed is said.
    let listed = done(&["inspect", arg(&zeros), "--json"]).json()["sparsity"].clone();
    assert_eq!(listed["model.layers.0.mlp.down_proj.weight"], json!({"pattern": "2:4"}));
    let text = done(&["inspect", arg(&zeros), "--verify"]);
    assert!(
        text.stdout.contains("sparse tensor") && text.stderr.contains("nothing disagrees"),
        "{text:?}"
    );
}

#[test]
fn every_inconsistency_is_found_and_fails_the_gate() {
    let place = TempDir::new().unwrap();
    let base = parity("llama-tied");
    let zeros = place.path().join("zeros");
    done(&["prune", arg(&base), "--method", "2:4-magnitude", "--out", arg(&zeros)]);
    let down = "model.layers.0.mlp.down_proj.weight";
    type Change = Box<dyn Fn(&Path)>;
    let json_of = |name: &'static str, change: fn(&mut Value)| -> Change {
        Box::new(move |model| change_json(&model.join(name), change))
    };
    let cases: Vec<(&str, Change, &str)> = vec![
        (
            "nan",
            Box::new(move |model| poke(model, down, 5, f32::NAN)),
            "holds 1 numbers that are NaN or infinite, the first at element 5",
        ),
        (
            "filled",
            Box::new(move |model| (0..4).for_each(|element| poke(model, down, element, 1.0))),
            "is listed in `sparsity.json` as 2:4, row 0 has more that is not zero from column 0 on",
        ),
        (
            "unlisted",
            json_of("sparsity.json", |list| {
                list["tensors"]
                    .as_object_mut()
                    .unwrap()
                    .remove("model.layers.0.mlp.down_proj.weight");
            }),
            "is 2:4 sparse",
        ),
        (
            "listed",
            json_of("sparsity.json", |list| {
                list["tensors"]["model.embed_tokens.weight"] = json!({"pattern": "unstructured"});
            }),
            "`model.embed_tokens.weight` is listed in `sparsity.json` as unstructured, it holds no zero",
        ),
        (
            "no such tensor",
            json_of("sparsity.json", |list| {
                list["tensors"]["model.layers.9.mlp.down_proj.weight"] = json!({"pattern": "2:4"});
            }),
            "`model.layers.9.mlp.down_proj.weight` is listed in `sparsity.json`, the model has no such tensor",
        ),
        (
            "another cut",
            json_of("cut.json", |cut| cut["n0"] = json!(12)),
            "cut.json` cannot be read as the record of a cut: `rate` is ",
        ),
        (
            "other zeros",
            Box::new(move |model| poke(model, "model.layers.0.mlp.up_proj.weight", 0, 0.0)),
            "",
        ),
        (
            "another base",
            json_of("cut.json", |cut| cut["base_hash"] = json!("00".repeat(32))),
            "`cut.json` was made from weights of the hash 0000",
        ),
        (
            "no cut",
            Box::new(|model| fs::remove_file(model.join("cut.json")).unwrap()),
            "there is no `cut.json` to hold against the base",
        ),
        (
            "generation",
            Box::new(|model| {
                fs::write(model.join("generation_config.json"), r#"{"eos_token_id":[1,99999]}"#)
                    .unwrap();
            }),
            "`generation_config.json` has 99999 as `eos_token_id`",
        ),
        (
            "dtype",
            json_of("config.json", |config| config["dtype"] = json!("float16")),
            "`config.json` names float16 weights, they are F32",
        ),
        (
            "index beside",
            Box::new(|model| fs::write(model.join("model.safetensors.index.json"), "{}").unwrap()),
            "`model.safetensors.index.json` is ignored",
        ),
    ];
    for (name, change, said) in cases {
        let model = place.path().join(name);
        copy_folder(&zeros, &model);
        change(&model);
        if name == "other zeros" {
            // A weight that was zero already changes nothing; one that was not is one more than the
            // record tells of.
            let before =
                regrow(&["inspect", arg(&zeros), "--verify", "--json"]).json()["sparsity"].clone();
            let after =
                regrow(&["inspect", arg(&model), "--verify", "--json"]).json()["sparsity"].clone();
            if before == after {
                poke(&model, "model.layers.0.mlp.up_proj.weight", 2, 0.0);
                poke(&model, "model.layers.0.mlp.up_proj.weight", 3, 0.0);
                poke(&model, "model.layers.0.mlp.up_proj.weight", 1, 0.0);
            }
            let found = problems(&model, &[], 3);
            assert!(
                found.iter().any(|problem| problem.contains("stand in its tensors")),
                "{found:#?}"
            );
            continue;
        }
        let found = problems(&model, &["--base", arg(&base)], 3);
        assert!(
            found.iter().any(|problem| problem.contains(said)),
            "{name}: no `{said}` in {found:#?}"
        );
    }
    // What another base is, by its weights.
    let found = problems(&zeros, &["--base", arg(&parity("llama-long"))], 3);
    for said in ["parameters before the cut, `", "was made from weights of the hash"] {
        assert!(found.iter().any(|problem| problem.contains(said)), "no `{said}` in {found:#?}");
    }
}

#[test]
fn shards_that_their_index_miscounts_and_a_head_that_is_not_the_embedding_are_found() {
    let place = TempDir::new().unwrap();
    let model = place.path().join("model");
    remade(&parity("llama-untied-scaled"), &model, 20_000, |spec, values| {
        if spec.role == Role::Up && spec.layer == Some(0) {
            values.fill(0.0);
        }
    });
    fs::write(model.join("model-00099-of-00099.safetensors"), "left behind").unwrap();
    change_json(&model.join("model.safetensors.index.json"), |index| {
        index["metadata"]["total_size"] = json!(7);
    });
    let found = problems(&model, &[], 3);
    for said in [
        "says that tensors take 7 bytes, they take ",
        "`model-00099-of-00099.safetensors` is no shard that the index names",
        "`model.layers.0.mlp.up_proj.weight` holds nothing but zeros",
    ] {
        assert!(found.iter().any(|problem| problem.contains(said)), "no `{said}` in {found:#?}");
    }
    // An untied model that is called tied keeps the head that it stores.
    let tied = place.path().join("tied");
    remade(&parity("llama-untied-scaled"), &tied, SHARD_LIMIT, |_, _| ());
    change_json(&tied.join("config.json"), |config| config["tie_word_embeddings"] = json!(true));
    let found = problems(&tied, &[], 3);
    assert!(
        found.iter().any(|problem| problem.contains("and `lm_head.weight` holds another")),
        "{found:#?}"
    );
}

#[test]
fn a_configuration_alone_has_nothing_to_verify() {
    let ran = regrow(&["inspect", "qwen2.5-7b", "--verify"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("`qwen2.5-7b` has no weights to verify"), "{}", ran.stderr);
}
