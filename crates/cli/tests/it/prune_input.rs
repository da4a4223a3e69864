//! Bad input to `regrow prune`: a clear error before anything is written, and nothing left.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use regrow::model::folder::SHARD_LIMIT;
use regrow::shape::tensors::Role;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::workshop::{
    Ran, Workshop, arg, change_json, copy_folder, names, ones, poke, read_json, regrow, remade,
};

/// A good model and its corpus, made once for all.
struct Bench {
    workshop: Workshop,
    model: PathBuf,
}

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| {
        let workshop = Workshop::new();
        workshop.scratch("base", "400");
        let model = workshop.path("base/model");
        Bench { workshop, model }
    })
}

/// Every method, with a target that it takes.
const METHODS: [&[&str]; 9] = [
    &["--drop", "1"],
    &["--method", "depth-angular", "--rate", "0.2"],
    &["--rate", "0.2"],
    &["--method", "width-activation", "--shape", "ffn=40"],
    &["--method", "width-magnitude", "--shape", "ffn=40"],
    &["--method", "2:4-magnitude"],
    &["--method", "2:4-wanda"],
    &["--method", "2:4-sparsegpt"],
    &["--method", "unstructured-wanda", "--rate", "0.2"],
];

/// Prunes with the corpus of the bench.
fn prune(model: &Path, out: &Path, extra: &[&str]) -> Ran {
    let corpus = bench().workshop.path("corpus");
    let text = ["--corpus", arg(&corpus), "--samples", "4", "--length", "48"];
    let own: &[&str] = if extra.contains(&"--samples") { &text[..2] } else { &text };
    regrow(&[&["prune", arg(model), "--out", arg(out)], own, extra].concat())
}

/// Pruning must end with status 1, one error that says all of `said`, and nothing written.
fn refused(model: &Path, extra: &[&str], said: &[&str]) {
    let place = TempDir::new().unwrap();
    let ran = prune(model, &place.path().join("out"), extra);
    assert_eq!(ran.code, 1, "{extra:?}: {}", ran.stderr);
    assert!(ran.stdout.is_empty(), "{extra:?}: {}", ran.stdout);
    assert_eq!(ran.stderr.matches("error: ").count(), 1, "{}", ran.stderr);
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    for part in said {
        assert!(ran.stderr.contains(part), "{extra:?}: no `{part}` in: {}", ran.stderr);
    }
    assert_eq!(names(place.path()), Vec::<String>::new(), "{extra:?}");
}

#[test]
fn a_rate_that_no_legal_shape_comes_near() {
    let model = &bench().model;
    let heads = ["--method", "width-activation", "--width", "heads", "--rate", "0.6"];
    let said = [
        "no legal shape comes within 0.05 of rate 0.6: the nearest is ",
        "heads 2 in 1 groups",
        "\n\nhint: ",
    ];
    refused(model, &heads, &said);
    refused(
        model,
        &["--rate", "0.95"],
        &["no whole number of layers comes within 0.05 of rate 0.95: the nearest is "],
    );
    let zeros = ["--method", "unstructured-wanda", "--rate", "0.99"];
    refused(
        model,
        &zeros,
        &["rate 0.99 takes more zeros than the chosen layers have weights, expected below 0."],
    );
}

#[test]
fn heads_that_cannot_be_divided() {
    let model = &bench().model;
    let shape = |shape: &str, said: &str| {
        refused(model, &["--method", "width-magnitude", "--shape", shape], &[said]);
    };
    shape("heads=3", "3 heads are to stay of 4, expected a multiple of 2");
    shape("hidden=31,heads=2", "2 heads do not divide the hidden size 31");
    refused(
        model,
        &["--method", "3:7-magnitude"],
        &["has 32 input columns, expected a multiple of 7 for 3:7"],
    );
}

#[test]
fn all_layers_or_all_neurons_removed() {
    let model = &bench().model;
    refused(
        model,
        &["--drop", "0,1,2,3"],
        &["all 4 layers are dropped, expected at least one to stay"],
    );
    for (shape, said) in [
        ("ffn=0", "0 feed-forward neurons are to stay of 80, expected 1 to 80"),
        ("heads=0", "0 groups of heads are to stay of 4"),
        ("hidden=0", "0 channels of the residual stream are to stay of 32"),
    ] {
        for method in ["width-activation", "width-magnitude"] {
            refused(model, &["--method", method, "--shape", shape], &[said]);
        }
    }
}

#[test]
fn calibration_shorter_than_asked() {
    let model = &bench().model;
    for method in METHODS.iter().filter(|method| !method.contains(&"2:4-magnitude")) {
        if ["--drop", "width-magnitude"].iter().any(|word| method.contains(word)) {
            continue;
        }
        let extra = [*method, &["--samples", "100000", "--length", "96"]].concat();
        let said = [
            "calibration text has ",
            "expected at least 9600000 for 100000 sequences of 96",
            "\n\nhint: ",
        ];
        refused(model, &extra, &said);
        let extra = [*method, &["--samples", "2", "--length", "97"]].concat();
        refused(
            model,
            &extra,
            &["calibration length is 97 tokens, expected at most 96, the model's longest context"],
        );
    }
}

#[test]
fn nan_in_weights_names_the_tensor() {
    let place = TempDir::new().unwrap();
    let model = place.path().join("model");
    copy_folder(&bench().model, &model);
    poke(&model, "model.layers.2.mlp.up_proj.weight", 70, f32::NAN);
    for method in METHODS {
        refused(
            &model,
            method,
            &[
                "`model.layers.2.mlp.up_proj.weight` holds NaN at element 70 in `",
                "expected a finite number",
            ],
        );
    }
    poke(&model, "model.layers.2.mlp.up_proj.weight", 70, 0.5);
    poke(&model, "model.norm.weight", 3, f32::NEG_INFINITY);
    for method in METHODS {
        refused(&model, method, &["`model.norm.weight` holds -inf at element 3 in `"]);
    }
}

#[test]
fn activations_that_are_no_numbers_name_where() {
    let place = TempDir::new().unwrap();
    let model = place.path().join("model");
    remade(&bench().model, &model, SHARD_LIMIT, |spec, values| {
        if spec.layer == Some(1) && matches!(spec.role, Role::Gate | Role::Up) {
            values.fill(3e38);
        }
    });
    for method in METHODS.iter().filter(|method| {
        !["--drop", "width-magnitude", "2:4-magnitude"].iter().any(|word| method.contains(word))
    }) {
        let place = if method.iter().any(|word| {
            ["2:4-wanda", "2:4-sparsegpt", "unstructured-wanda", "width-activation"].contains(word)
        }) {
            "the input of `model.layers.1.mlp.down_proj` is "
        } else {
            "the output of `model.layers.1` is "
        };
        refused(
            &model,
            method,
            &[place, "at calibration token 0, channel 0, expected finite numbers"],
        );
    }
}

#[test]
fn a_tensor_missing_extra_or_misshapen() {
    let place = TempDir::new().unwrap();
    let folder = regrow::model::folder::ModelFolder::open(&bench().model).unwrap();
    let all: Vec<(String, Vec<usize>)> = regrow::shape::tensors::tensors(folder.config())
        .into_iter()
        .map(|spec| (spec.name, spec.shape))
        .collect();
    let model = place.path().join("model");
    copy_folder(&bench().model, &model);
    let up = "model.layers.3.mlp.up_proj.weight";
    let without: Vec<_> = all.iter().filter(|(name, _)| name != up).cloned().collect();
    let mut other = all.clone();
    other.iter_mut().find(|(name, _)| name == up).unwrap().1 = vec![32, 80];
    let mut more = all.clone();
    more.push(("model.layers.0.self_attn.q_norm.weight".into(), vec![8]));
    for (tensors, said) in [
        (without, vec!["`model.layers.3.mlp.up_proj.weight` is missing in `"]),
        (other, vec!["`model.layers.3.mlp.up_proj.weight` is [32, 80] in `", "expected [80, 32]"]),
        (
            more,
            vec![
                "`model.layers.0.self_attn.q_norm.weight` in `",
                "belongs to no part of the model",
                "\n\nhint: ",
            ],
        ),
    ] {
        ones(&model.join("model.safetensors"), &tensors);
        for method in METHODS {
            refused(&model, method, &said);
        }
    }
}

#[test]
fn shards_whose_index_disagrees() {
    let place = TempDir::new().unwrap();
    let whole = place.path().join("whole");
    remade(&bench().model, &whole, 60_000, |_, _| ());
    let index = "model.safetensors.index.json";
    let places = read_json(&whole.join(index))["weight_map"].clone();
    let (first, last) = ("model.embed_tokens.weight", "model.norm.weight");
    assert_ne!(places[first], places[last], "several shards");
    let changed = |name: &str, change: &dyn Fn(&mut Value)| {
        let model = place.path().join(name);
        copy_folder(&whole, &model);
        change_json(&model.join(index), change);
        model
    };
    let other = changed("other", &|index| index["weight_map"][last] = places[first].clone());
    let gone = changed("gone", &|index| {
        index["weight_map"].as_object_mut().unwrap().remove(last);
    });
    let lost = changed("lost", &|index| {
        index["weight_map"][last] = json!("model-00099-of-00002.safetensors");
    });
    // A tensor that the index has in one shard lies in another as well.
    let twice = changed("twice", &|_| ());
    let shard = twice.join("model-00099-of-00099.safetensors");
    ones(&shard, &[(last.into(), vec![32]), ("odd".into(), vec![3])]);
    change_json(&twice.join(index), |index| {
        index["weight_map"]["odd"] = json!("model-00099-of-00099.safetensors");
    });
    for (model, said) in [
        (other, ["places `model.norm.weight` in `", "which does not hold it"]),
        (gone, ["`model.norm.weight` is missing in `", ""]),
        (
            lost,
            ["names the shard `model-00099-of-00002.safetensors`, which is missing", "\n\nhint: "],
        ),
        (twice, ["`model.norm.weight` lies in `", "where the index has it (and "]),
    ] {
        for method in METHODS {
            if said[1].starts_with("where the index") {
                refused(&model, method, &["so that `", "is not clearly one model"]);
            } else {
                refused(&model, method, &said);
            }
        }
    }
}

#[test]
fn an_index_path_that_leaves_the_folder() {
    let place = TempDir::new().unwrap();
    let model = place.path().join("model");
    remade(&bench().model, &model, 60_000, |_, _| ());
    for path in ["../whole/model.safetensors", "/etc/passwd", "a/../../b"] {
        change_json(&model.join("model.safetensors.index.json"), |index| {
            index["weight_map"]["model.norm.weight"] = path.into();
        });
        for method in METHODS {
            refused(&model, method, &[path, "may not be used inside"]);
        }
    }
}

/// A file that may not grow any further fails as one on a full disk does.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_nothing_that_looks_like_a_model() {
    let corpus = bench().workshop.path("corpus");
    for method in METHODS {
        let place = TempDir::new().unwrap();
        let out = place.path().join("out");
        // Blocks of 512 or 1024 bytes: less than any of the weights, more than what comes before
        // them.
        let script = "trap '' XFSZ; ulimit -f 20; exec \"$@\"";
        let text = ["--corpus", arg(&corpus), "--samples", "4", "--length", "48", "--threads", "1"];
        let output = Command::new("sh")
            .args([
                "-c",
                script,
                "sh",
                env!("CARGO_BIN_EXE_regrow"),
                "prune",
                arg(&bench().model),
                "--out",
                arg(&out),
            ])
            .args(text)
            .args(method)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{method:?}: {said}");
        assert!(
            said.contains("error: cannot write `") && said.contains("model.safetensors"),
            "{method:?}: {said}"
        );
        assert_eq!(names(place.path()), Vec::<String>::new(), "{method:?}: {said}");
    }
}

#[test]
fn not_enough_disk_is_said_beforehand() {
    let place = TempDir::new().unwrap();
    let model = place.path().join("model");
    fs::create_dir(&model).unwrap();
    let config = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 1 << 20, "intermediate_size": 4,
        "num_hidden_layers": 2, "num_attention_heads": 2, "head_dim": 2, "vocab_size": 1 << 20,
        "max_position_embeddings": 64, "tie_word_embeddings": true, "hidden_act": "silu",
    });
    fs::write(model.join("config.json"), config.to_string()).unwrap();
    let config = regrow::model::folder::ModelFolder::config_of(&model).unwrap();
    let mut header = serde_json::Map::new();
    let mut end = 0;
    for spec in regrow::shape::tensors::tensors(&config) {
        let start = end;
        end += 2 * spec.len() as u64;
        header.insert(
            spec.name,
            json!({"dtype": "BF16", "shape": spec.shape, "data_offsets": [start, end]}),
        );
    }
    let header = Value::Object(header).to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    let file = model.join("model.safetensors");
    fs::write(&file, &bytes).unwrap();
    // Two terabytes of nothing, which take no room.
    let long =
        fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(bytes.len() as u64 + end);
    let room = regrow::disk::free_space(place.path()).unwrap();
    if long.is_err() || room.is_none_or(|room| room > end) {
        eprintln!(
            "skipped: not_enough_disk_is_said_beforehand: no sparse files here, or a disk of two terabytes"
        );
        return;
    }
    let said = [
        "has room for ",
        " bytes, expected ",
        "for the smaller model",
        "\n\nhint: free some of the disk",
    ];
    refused(&model, &["--drop", "1"], &said);
    refused(&model, &["--method", "2:4-magnitude"], &said);
}

#[test]
fn a_model_already_sparse_is_warned_of_and_counted() {
    let place = TempDir::new().unwrap();
    let (once, twice) = (place.path().join("once"), place.path().join("twice"));
    let first = prune(&bench().model, &once, &["--method", "2:4-magnitude", "--json"]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert!(!first.stderr.contains("sparse before"), "{}", first.stderr);
    let (n0, left) =
        (first.json()["n0"].as_u64().unwrap(), first.json()["parameters"].as_u64().unwrap());
    for json in [&[][..], &["--json"]] {
        let again =
            prune(&once, &twice, &[&["--method", "2:4-wanda", "--force"][..], json].concat());
        assert_eq!(again.code, 0, "{}", again.stderr);
        assert!(
            again.stderr.contains("warning: the model was sparse before: "),
            "{}",
            again.stderr
        );
    }
    let record = read_json(&twice.join("cut.json"));
    assert_eq!(record["already_zero"].as_u64().unwrap(), n0 - left);
    let card = fs::read_to_string(twice.join("README.md")).unwrap();
    assert!(
        card.contains(&format!("zeros that the base had in them already: {}", n0 - left)),
        "{card}"
    );
}

#[test]
fn an_unknown_architecture_names_those_that_are_known() {
    let place = TempDir::new().unwrap();
    let model = place.path().join("model");
    copy_folder(&bench().model, &model);
    change_json(&model.join("config.json"), |config| {
        config["architectures"] = json!(["MambaForCausalLM"]);
    });
    for method in METHODS {
        refused(
            &model,
            method,
            &["unknown architecture `MambaForCausalLM`", "LlamaForCausalLM", "Qwen2ForCausalLM"],
        );
    }
}

#[test]
fn a_cut_for_another_model() {
    let place = TempDir::new().unwrap();
    let other = place.path().join("other");
    remade(&bench().model, &other, SHARD_LIMIT, |spec, values| {
        if spec.role == Role::FinalNorm {
            values[0] += 1.0;
        }
    });
    for (number, method) in METHODS.iter().enumerate() {
        let (out, again) = (
            place.path().join(format!("out-{number}")),
            place.path().join(format!("again-{number}")),
        );
        let made = prune(&bench().model, &out, method);
        assert_eq!(made.code, 0, "{}", made.stderr);
        let cut = out.join("cut.json");
        refused(
            &other,
            &["--cut", arg(&cut)],
            &["the weights of `", "have the hash ", "as in the cut", "\n\nhint: "],
        );
        // For its own model it gives the same bytes, by the file as by the folder.
        let made = prune(&bench().model, &again, &["--cut", arg(&out), "--json"]);
        assert_eq!(made.code, 0, "{}", made.stderr);
        assert_eq!(names(&out), names(&again));
        for name in names(&out) {
            assert!(
                fs::read(out.join(&name)).unwrap() == fs::read(again.join(&name)).unwrap(),
                "{method:?}: {name}"
            );
        }
    }
    refused(&bench().model, &["--cut", arg(&other)], &["holds no `cut.json`"]);
    let config = bench().model.join("config.json");
    refused(&bench().model, &["--cut", arg(&config)], &["cannot be read as the record of a cut: "]);
}

/// Neurons that fire at 1e20 have squares beyond f32: no damping makes such a Hessian one that can
/// be factored.
#[test]
fn a_hessian_that_cannot_be_factored_is_said_aloud() {
    let place = TempDir::new().unwrap();
    let (model, out) = (place.path().join("model"), place.path().join("out"));
    remade(&bench().model, &model, SHARD_LIMIT, |spec, values| {
        let factor = match (spec.layer, spec.role) {
            (Some(2), Role::Up) => 1e20,
            (Some(2), Role::Down) => 1e-20,
            _ => 1.0,
        };
        values.iter_mut().for_each(|value| *value *= factor);
    });
    let down = "model.layers.2.mlp.down_proj.weight";
    let said =
        format!("warning: `{down}`: the Hessian cannot be factored, pruned by `wanda` instead");
    for extra in [&["--json"][..], &["--force", "-q"]] {
        let ran = prune(&model, &out, &[&["--method", "2:4-sparsegpt"], extra].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert_eq!(ran.stderr.matches(&said).count(), 1, "{}", ran.stderr);
    }
    let record = read_json(&out.join("cut.json"));
    assert_eq!(record["fallbacks"], json!([{"tensors": [down], "score": "wanda"}]));
    assert!(
        fs::read_to_string(out.join("README.md")).unwrap().contains("pruned by `wanda` instead")
    );
}
