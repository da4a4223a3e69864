//! Model folders out and in: what is written comes back, and every hostile or damaged folder is
//! refused.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use disk::Existing;
use model::folder::{FolderWriter, ModelFolder, SHARD_LIMIT};
use model::safetensors::{Dtype, Planned, SafeTensors};
use serde_json::{Value, json};
use shape::config::{ModelConfig, RawConfig};
use shape::count::Count;
use shape::tensors;
use tempfile::TempDir;

fn raw(tied: bool) -> RawConfig {
    let config = json!({
        "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 8, "intermediate_size": 12,
        "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 10,
        "max_position_embeddings": 64, "tie_word_embeddings": tied, "hidden_act": "silu",
    });
    RawConfig::from_json(config.to_string().as_bytes(), Path::new("config.json")).unwrap()
}

fn config(tied: bool) -> ModelConfig {
    ModelConfig::from_raw(&raw(tied)).unwrap()
}

/// Element `index` of tensor `at`: exact in bf16 and f16.
fn value(at: usize, index: usize) -> f32 {
    ((at * 16 + index) % 127) as f32 / 4.0 - 16.0
}

fn values(at: usize, length: usize) -> Vec<f32> {
    (0..length).map(|index| value(at, index)).collect()
}

/// A small untied model in `folder`, in one file or, below the limit, in shards.
fn write_model(folder: &Path, dtype: Dtype, limit: u64) {
    let specs = tensors::tensors(&config(false));
    let plan = specs.iter().map(|spec| Planned::new(spec, dtype)).collect();
    let mut writer =
        FolderWriter::create(folder, Existing::Refuse, &raw(false), plan, limit).unwrap();
    for (at, spec) in specs.iter().enumerate() {
        assert_eq!(writer.expected().unwrap().name, spec.name);
        // In two pieces.
        let values = values(at, spec.len());
        writer.write_f32(&values[..3]).unwrap();
        writer.write_f32(&values[3..]).unwrap();
    }
    assert_eq!(writer.expected(), None);
    writer.commit().unwrap();
}

fn model_in(place: &TempDir, limit: u64) -> PathBuf {
    let folder = place.path().join("tiny");
    write_model(&folder, Dtype::F32, limit);
    folder
}

#[test]
fn what_is_written_comes_back_in_every_type() {
    for dtype in [Dtype::F32, Dtype::F16, Dtype::BF16] {
        let place = TempDir::new().unwrap();
        let path = place.path().join("tiny");
        write_model(&path, dtype, SHARD_LIMIT);
        let folder = ModelFolder::open(&path).unwrap();
        assert_eq!((folder.dtype(), folder.name().as_str()), (dtype, "tiny"));
        assert_eq!(folder.config(), &config(false));
        assert!(folder.problems().is_empty());
        for (at, spec) in tensors::tensors(folder.config()).iter().enumerate() {
            let mut out = vec![f32::NAN; spec.len()];
            folder.read_f32(spec, &mut out).unwrap();
            assert_eq!(out, values(at, spec.len()), "{}", spec.name);
            folder.release(spec);
            assert_eq!(folder.tensor(spec).unwrap().shape, spec.shape);
        }
    }
}

#[test]
fn the_safetensors_crate_reads_what_is_written() {
    let place = TempDir::new().unwrap();
    let path = model_in(&place, SHARD_LIMIT).join("model.safetensors");
    let bytes = fs::read(&path).unwrap();
    let (header, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(header % 8, 0);
    assert_eq!(metadata.metadata().as_ref().unwrap()["format"], "pt");
    let theirs = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let ours = SafeTensors::open(&path).unwrap();
    assert_eq!(theirs.len(), ours.names().count());
    for name in ours.names() {
        let (mine, other) = (ours.tensor(name).unwrap(), theirs.tensor(name).unwrap());
        assert_eq!((mine.shape, mine.bytes), (other.shape(), other.data()), "{name}");
        assert_eq!(other.dtype(), safetensors::Dtype::F32);
    }
}

#[test]
fn what_the_safetensors_crate_writes_is_read() {
    let place = TempDir::new().unwrap();
    let path = place.path().join("theirs.safetensors");
    let bytes: Vec<u8> = (0..24).collect();
    let view = |dtype, shape: &[usize]| {
        safetensors::tensor::TensorView::new(dtype, shape.to_vec(), &bytes).unwrap()
    };
    let tensors = BTreeMap::from([
        ("b", view(safetensors::Dtype::BF16, &[3, 4])),
        ("f", view(safetensors::Dtype::F32, &[2, 3])),
        ("i", view(safetensors::Dtype::I64, &[3])),
    ]);
    safetensors::serialize_to_file(&tensors, None, &path).unwrap();
    let ours = SafeTensors::open(&path).unwrap();
    assert_eq!(ours.tensor("b").unwrap().shape, [3, 4]);
    assert_eq!(ours.tensor("f").unwrap().bytes, bytes);
    let error = ours.tensor("i").unwrap_err().to_string();
    assert!(error.starts_with("`i` is stored as I64 in"), "{error}");
}

#[test]
fn shards_hold_at_most_the_limit_and_the_index_finds_every_tensor() {
    let place = TempDir::new().unwrap();
    let path = model_in(&place, 700);
    let index: Value =
        serde_json::from_slice(&fs::read(path.join("model.safetensors.index.json")).unwrap())
            .unwrap();
    let specs = tensors::tensors(&config(false));
    let elements: usize = specs.iter().map(tensors::TensorSpec::len).sum();
    assert_eq!(index["metadata"]["total_size"], json!(4 * elements));
    let places = index["weight_map"].as_object().unwrap();
    assert_eq!(places.len(), specs.len());
    let mut bytes: BTreeMap<&str, u64> = BTreeMap::new();
    for spec in &specs {
        *bytes.entry(places[&spec.name].as_str().unwrap()).or_default() += 4 * spec.len() as u64;
    }
    assert!(bytes.len() > 2);
    assert!(bytes.values().all(|&bytes| bytes <= 700), "{bytes:?}");
    let count = bytes.len();
    for (at, shard) in bytes.keys().enumerate() {
        assert_eq!(*shard, format!("model-{:05}-of-{count:05}.safetensors", at + 1));
    }
    assert!(!path.join("model.safetensors").exists());
    let folder = ModelFolder::open(&path).unwrap();
    let whole = TempDir::new().unwrap();
    let single = ModelFolder::open(&model_in(&whole, SHARD_LIMIT)).unwrap();
    assert_eq!(folder.weights_hash().unwrap(), single.weights_hash().unwrap());
}

#[test]
fn the_hash_of_the_weights_tells_values_types_and_nothing_else() {
    let hash = |dtype, other: Option<usize>| {
        let place = TempDir::new().unwrap();
        let path = place.path().join("tiny");
        write_model(&path, dtype, SHARD_LIMIT);
        if let Some(byte) = other {
            let file = path.join("model.safetensors");
            let mut bytes = fs::read(&file).unwrap();
            let at = bytes.len() - byte;
            bytes[at] ^= 1;
            fs::write(&file, bytes).unwrap();
        }
        ModelFolder::open(&path).unwrap().weights_hash().unwrap()
    };
    let plain = hash(Dtype::F32, None);
    assert_eq!(plain, hash(Dtype::F32, None));
    assert_eq!(plain.len(), 64);
    assert_ne!(plain, hash(Dtype::F32, Some(3)));
    assert_ne!(plain, hash(Dtype::BF16, None));
}

#[test]
fn a_tensor_larger_than_the_limit_stands_alone() {
    let place = TempDir::new().unwrap();
    let path = model_in(&place, 1);
    let count = tensors::tensors(&config(false)).len();
    let shards = fs::read_dir(&path).unwrap().filter(|entry| {
        entry.as_ref().unwrap().file_name().to_str().unwrap().ends_with(".safetensors")
    });
    assert_eq!(shards.count(), count);
    ModelFolder::open(&path).unwrap();
}

#[test]
fn companions_go_along_and_strangers_stay() {
    let place = TempDir::new().unwrap();
    let from = place.path().join("from");
    fs::create_dir(&from).unwrap();
    let along = [
        "tokenizer.json",
        "generation_config.json",
        "LICENSE.txt",
        "Notice",
        "USE_POLICY.md",
        "merges.txt",
    ];
    for name in along.iter().chain(&["README.md", "config.json", "optimizer.pt"]) {
        fs::write(from.join(name), *name).unwrap();
    }
    fs::create_dir(from.join("LICENSES")).unwrap();
    let target = place.path().join("to");
    let mut writer =
        FolderWriter::create(&target, Existing::Refuse, &raw(true), Vec::new(), SHARD_LIMIT)
            .unwrap();
    writer.copy_companions(&from).unwrap();
    writer.add_file("cut.json", b"{}").unwrap();
    writer.add_file("merges.txt", b"replaced").unwrap();
    assert!(writer.add_file("../outside", b"").is_err());
    assert!(!target.exists());
    writer.commit().unwrap();
    let mut found: Vec<_> = fs::read_dir(&target)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    let mut expected: Vec<_> = along.to_vec();
    expected.extend(["config.json", "cut.json", "model.safetensors"]);
    expected.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(fs::read(target.join("merges.txt")).unwrap(), b"replaced");
}

#[test]
fn an_unfinished_folder_leaves_nothing_and_an_existing_one_is_refused() {
    let place = TempDir::new().unwrap();
    let path = model_in(&place, SHARD_LIMIT);
    let before = fs::read(path.join("model.safetensors")).unwrap();
    let create =
        |existing| FolderWriter::create(&path, existing, &raw(false), Vec::new(), SHARD_LIMIT);
    let error = create(Existing::Refuse).unwrap_err();
    assert!(error.to_string().contains("already exists"), "{error}");
    // Only what carries our mark is replaced.
    let error = create(Existing::Replace).unwrap_err().to_string();
    assert!(error.contains("`cut.json`"), "{error}");
    fs::write(path.join("cut.json"), r#"{"format": 2}"#).unwrap();
    drop(create(Existing::Replace).unwrap());
    assert_eq!(fs::read(path.join("model.safetensors")).unwrap(), before);
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    create(Existing::Replace).unwrap().commit().unwrap();
    assert!(fs::read(path.join("model.safetensors")).unwrap().len() < before.len());
}

#[test]
fn weights_that_cannot_be_stored_are_named() {
    let place = TempDir::new().unwrap();
    let plan = || vec![Planned { name: "w".into(), dtype: Dtype::F16, shape: vec![4] }];
    let write = |values: &[f32]| {
        let target = place.path().join("target");
        let mut writer =
            FolderWriter::create(&target, Existing::Refuse, &raw(false), plan(), 100).unwrap();
        writer.write_f32(&[0.5]).unwrap();
        writer.write_f32(values).unwrap_err().to_string()
    };
    assert_eq!(
        write(&[1.0, f32::NAN]),
        "`w` holds NaN at element 2, which cannot be stored as F16"
    );
    assert_eq!(
        write(&[1.0, 2.0, 1e5]),
        "`w` holds 100000 at element 3, which cannot be stored as F16"
    );
}

#[test]
#[should_panic(expected = "a piece of 20 bytes for `w`, which lacks 16")]
fn a_piece_longer_than_its_tensor_is_a_bug() {
    let place = TempDir::new().unwrap();
    let plan = vec![Planned { name: "w".into(), dtype: Dtype::F32, shape: vec![2, 2] }];
    let target = place.path().join("target");
    let mut writer =
        FolderWriter::create(&target, Existing::Refuse, &raw(false), plan, 100).unwrap();
    writer.write_f32(&[0.0; 5]).unwrap();
}

#[test]
#[should_panic(expected = "`w` is not written")]
fn a_tensor_left_out_is_a_bug() {
    let place = TempDir::new().unwrap();
    let plan = vec![Planned { name: "w".into(), dtype: Dtype::F32, shape: vec![2, 2] }];
    let target = place.path().join("target");
    let mut writer =
        FolderWriter::create(&target, Existing::Refuse, &raw(false), plan, 100).unwrap();
    writer.write_f32(&[0.0; 3]).unwrap();
    let _ = writer.commit();
}

/// The bytes of a safetensors file with this header.
fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

#[test]
fn hostile_files_are_refused() {
    let two = |first: &str, second: &str| format!("{{\"a\":{first},\"b\":{second}}}");
    let one = |tensor: &str| format!("{{\"a\":{tensor}}}");
    let good = r#"{"dtype":"F32","shape":[2],"data_offsets":[0,8]}"#;
    #[rustfmt::skip]
    let cases = [
        ("an empty file", Vec::new(), "has 0 bytes, expected 8 by its header: it is truncated"),
        ("a file shorter than a length", vec![1, 2, 3], "has 3 bytes, expected 8 by its header: it is truncated"),
        ("header length that lies", [&u64::MAX.to_le_bytes()[..], b"{}"].concat(),
            "says its header has 18446744073709551615 bytes, expected 2 to 2"),
        ("header length a little past the file", [&3_u64.to_le_bytes()[..], b"{}"].concat(),
            "says its header has 3 bytes, expected 2 to 2"),
        ("header length of nothing", vec![0; 16], "says its header has 0 bytes"),
        ("header length that cuts the header", [&5_u64.to_le_bytes()[..], b"{\"a\":{}}"].concat(),
            "cannot be read as a safetensors header"),
        ("header that is no JSON", file("xx", 0), "cannot be read as a safetensors header"),
        ("header that is a list", file("[]", 0), "expected an object of tensors"),
        ("header with trailing text", file("{}x", 0), "cannot be read as a safetensors header"),
        ("header that is no text", [&2_u64.to_le_bytes()[..], &[0xff, 0xfe]].concat(), "cannot be read as"),
        ("tensor without a type", file(&one(r#"{"shape":[2],"data_offsets":[0,8]}"#), 8), "missing field `dtype`"),
        ("negative offset", file(&one(r#"{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}"#), 8), "invalid value"),
        ("negative dimension", file(&one(r#"{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}"#), 8), "invalid value"),
        ("tensor named twice", file(&format!("{{\"a\":{good},\"a\":{}}}", good.replace("[0,8]", "[8,16]")), 16),
            "it names `a` twice"),
        ("offsets that overlap", file(&two(good, &good.replace("[0,8]", "[4,12]")), 12),
            "`b` lies at bytes 4..12 of the data in `FILE`, which overlap `a` at 0..8"),
        ("two tensors in one place", file(&two(good, good), 8), "which overlap `a` at 0..8"),
        ("offsets that leave the file", file(&two(good, &good.replace("[0,8]", "[1000,1008]")), 16),
            "`b` lies at bytes 1000..1008 of the data in `FILE`, which leave the data of 16 bytes and follow a hole \
             that begins at 8"),
        ("offsets that leave the file with another size", file(&one(&good.replace("[0,8]", "[0,64]")), 8),
            "`a` lies at bytes 0..64 of the data in `FILE`, expected 8 bytes for [2] of F32, and the data has 8 bytes"),
        ("offsets past 64 bits", file(&one(&good.replace("[0,8]", "[0,18446744073709551616]")), 8), "cannot be read"),
        ("offsets at the end of 64 bits", file(&one(&good.replace("[0,8]", "[18446744073709551607,18446744073709551615]")), 8),
            "follow a hole that begins at 0"),
        ("offsets that end before they begin", file(&one(&good.replace("[0,8]", "[8,0]")), 8),
            "`a` lies at bytes 8..0 of the data in `FILE`, which end before they begin"),
        ("a hole before the data", file(&one(&good.replace("[0,8]", "[4,12]")), 12), "follow a hole that begins at 0"),
        ("dimensions past 64 bits", file(&one(&good.replace("[2]", "[4294967296,4294967296]")), 8),
            "but its 2 dimensions multiply past 64 bits"),
        ("dimensions that hide behind a zero", file(&one(&good.replace("[2]", "[4294967296,4294967296,0]")), 8),
            "multiply past 64 bits"),
        ("data that is cut short", file(&one(good), 7), "has 69 bytes, expected 70 by its header: it is truncated"),
        ("data that goes on", file(&one(good), 9), "it has trailing bytes"),
        ("name that moves the cursor", file(&format!("{{\"\\u001b[2J\":{}}}", good.replace("[0,8]", "[8,0]")), 8),
            "`\\u{1b}[2J` lies at"),
    ];
    let place = TempDir::new().unwrap();
    let path = place.path().join("model.safetensors");
    for (case, bytes, expected) in cases {
        fs::write(&path, bytes).unwrap();
        let error = SafeTensors::open(&path).expect_err(case).to_string();
        let error = error.replace(path.to_str().unwrap(), "FILE");
        assert!(error.contains(expected), "{case}: {error}");
    }
    fs::write(&path, file(&one(good), 8)).unwrap();
    assert_eq!(SafeTensors::open(&path).unwrap().tensor("a").unwrap().len(), 2);
    fs::write(&path, file("{}", 0)).unwrap();
    assert_eq!(SafeTensors::open(&path).unwrap().names().count(), 0);
}

proptest::proptest! {
    /// Whatever a byte is changed to, a file is refused or read; a panic or a wild slice would fail
    /// here.
    #[test]
    fn a_file_with_changed_bytes_is_refused_or_read(changes in proptest::collection::vec((0_usize..160, 0_u8..), 1..4)) {
        let header = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"BF16","shape":[2,1],"data_offsets":[8,12]}}"#;
        let mut bytes = file(header, 12);
        let length = bytes.len();
        for (at, byte) in changes {
            bytes[at % length] = byte;
        }
        let place = TempDir::new().unwrap();
        let path = place.path().join("model.safetensors");
        fs::write(&path, bytes).unwrap();
        if let Ok(file) = SafeTensors::open(&path) {
            for name in file.names() {
                if let Ok(view) = file.tensor(name) {
                    let _ = view.to_f32(&mut vec![0.0; view.shape.iter().product()]);
                }
            }
        }
    }
}

/// Rewrites the index of a sharded folder.
fn edit_index(folder: &Path, edit: impl Fn(&mut Value)) {
    let path = folder.join("model.safetensors.index.json");
    let mut index = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    edit(&mut index);
    fs::write(path, index.to_string()).unwrap();
}

fn edit_config(folder: &Path, field: &str, value: Value) {
    let mut raw = ModelFolder::raw_config_of(folder).unwrap();
    raw.set(field, value);
    fs::write(folder.join("config.json"), raw.to_json()).unwrap();
}

fn first_shard(folder: &Path) -> PathBuf {
    let mut shards: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "safetensors"))
        .collect();
    shards.sort();
    shards.remove(0)
}

type Damage = fn(&Path);

#[test]
fn damaged_and_hostile_folders_are_refused() {
    #[rustfmt::skip]
    let cases: &[(&str, u64, Damage, &str)] = &[
        ("missing shard", 700, |folder| fs::remove_file(first_shard(folder)).unwrap(),
            "`DIR/model.safetensors.index.json` names the shard `model-00001-of-000"),
        ("truncated shard", 700, |folder| {
            let bytes = fs::read(first_shard(folder)).unwrap();
            fs::write(first_shard(folder), &bytes[..bytes.len() - 40]).unwrap();
        }, "by its header: it is truncated"),
        ("header length that lies", SHARD_LIMIT, |folder| {
            let mut bytes = fs::read(first_shard(folder)).unwrap();
            bytes[..8].copy_from_slice(&(1_u64 << 40).to_le_bytes());
            fs::write(first_shard(folder), bytes).unwrap();
        }, "`DIR/model.safetensors` says its header has 1099511627776 bytes"),
        ("shape against config", SHARD_LIMIT, |folder| edit_config(folder, "intermediate_size", json!(13)),
            "`model.layers.0.mlp.gate_proj.weight` is [12, 8] in `DIR/model.safetensors`, \
             expected [13, 8] by the configuration"),
        ("transposed by the configuration's heads", SHARD_LIMIT, |folder| edit_config(folder, "head_dim", json!(8)),
            "`model.layers.0.self_attn.q_proj.weight` is [8, 8] in `DIR/model.safetensors`, expected [16, 8]"),
        ("more blocks than weights", SHARD_LIMIT, |folder| edit_config(folder, "num_hidden_layers", json!(3)),
            "`model.layers.2.input_layernorm.weight` is missing in `DIR/model.safetensors`"),
        ("missing tensor in shards", 700, |folder| edit_config(folder, "num_hidden_layers", json!(3)),
            "`model.layers.2.input_layernorm.weight` is missing in `DIR`"),
        ("index that names a path outside its folder", 700, |folder| {
            fs::write(folder.join("../outside.safetensors"), fs::read(first_shard(folder)).unwrap()).unwrap();
            edit_index(folder, |index| index["weight_map"]["lm_head.weight"] = json!("../outside.safetensors"));
        }, "`../outside.safetensors` may not be used inside `DIR`"),
        ("index that names an absolute path", 700, |folder| {
            edit_index(folder, |index| index["weight_map"]["lm_head.weight"] = json!("/etc/passwd"));
        }, "`/etc/passwd` may not be used inside `DIR`: it is absolute"),
        ("index that names nothing", 700, |folder| {
            edit_index(folder, |index| index["weight_map"]["lm_head.weight"] = json!(""));
        }, "it is empty"),
        ("tensor in the index but not in its shard", 700, |folder| {
            let shard = first_shard(folder).file_name().unwrap().to_str().unwrap().to_owned();
            edit_index(folder, |index| index["weight_map"]["lm_head.weight"] = json!(shard));
        }, "places `lm_head.weight` in `DIR/model-00001-of-"),
        ("index without a map", 700, |folder| edit_index(folder, |index| *index = json!({"metadata": {}})),
            "cannot be read as an index of shards: missing field `weight_map`"),
        ("index that places a tensor in a number", 700, |folder| {
            edit_index(folder, |index| index["weight_map"]["lm_head.weight"] = json!(7));
        }, "cannot be read as an index of shards: invalid type"),
        ("unknown architecture", SHARD_LIMIT, |folder| edit_config(folder, "architectures", json!(["GPT2LMHeadModel"])),
            "unknown architecture `GPT2LMHeadModel` of type `qwen2` in `DIR/config.json`"),
        ("pickle weights", SHARD_LIMIT, |folder| {
            fs::rename(first_shard(folder), folder.join("pytorch_model.bin")).unwrap();
            fs::write(folder.join("training_args.bin"), "").unwrap();
        }, "`DIR` holds its weights only as `pytorch_model.bin`, a pickle file, which is not read"),
        ("pickle shards", SHARD_LIMIT, |folder| {
            fs::rename(first_shard(folder), folder.join("pytorch_model.bin.index.json")).unwrap();
        }, "`pytorch_model.bin.index.json`"),
        ("no weights at all", SHARD_LIMIT, |folder| fs::remove_file(first_shard(folder)).unwrap(),
            "`DIR` holds neither `model.safetensors` nor `model.safetensors.index.json`"),
        ("no configuration", SHARD_LIMIT, |folder| fs::remove_file(folder.join("config.json")).unwrap(),
            "`DIR/config.json`"),
        ("weights that are whole numbers", SHARD_LIMIT, |folder| {
            let bytes = fs::read(first_shard(folder)).unwrap();
            let header = String::from_utf8_lossy(&bytes[..2000]).replacen("\"F32\"", "\"I32\"", 1);
            let rest = header.len();
            fs::write(first_shard(folder), [header.as_bytes(), &bytes[rest..]].concat()).unwrap();
        }, "`model.embed_tokens.weight` is stored as I32 in `DIR/model.safetensors`, expected F32, F16 or BF16"),
    ];
    for &(case, limit, damage, expected) in cases {
        let place = TempDir::new().unwrap();
        let folder = model_in(&place, limit);
        ModelFolder::open(&folder).unwrap();
        damage(&folder);
        let error = ModelFolder::open(&folder).expect_err(case).to_string();
        let error = error.replace(folder.to_str().unwrap(), "DIR");
        assert!(error.contains(expected), "{case}: {error}");
    }
}

#[test]
fn a_weight_that_is_not_finite_is_named_with_its_place() {
    let place = TempDir::new().unwrap();
    let path = model_in(&place, SHARD_LIMIT);
    let file = path.join("model.safetensors");
    let mut bytes = fs::read(&file).unwrap();
    let end = bytes.len();
    bytes[end - 8..end - 4].copy_from_slice(&f32::NEG_INFINITY.to_le_bytes());
    fs::write(&file, bytes).unwrap();
    let folder = ModelFolder::open(&path).unwrap();
    let head = tensors::tensors(folder.config()).pop().unwrap();
    let error = folder.read_f32(&head, &mut vec![0.0; head.len()]).unwrap_err().to_string();
    assert!(error.starts_with("`lm_head.weight` holds -inf at element 78 in"), "{error}");
}

#[test]
fn tensors_beside_the_model_are_tolerated_or_reported() {
    let place = TempDir::new().unwrap();
    let path = place.path().join("tiny");
    let mut plan: Vec<_> =
        tensors::tensors(&config(true)).iter().map(|spec| Planned::new(spec, Dtype::F32)).collect();
    for extra in
        ["lm_head.weight", "model.layers.0.self_attn.rotary_emb.inv_freq", "value_head.weight"]
    {
        // A head that is stored once more; one of another shape would be another model.
        let shape = if extra == "lm_head.weight" { plan[0].shape.clone() } else { vec![2] };
        plan.push(Planned { name: extra.into(), dtype: Dtype::F32, shape });
    }
    let bytes: Vec<_> = plan.iter().map(Planned::bytes).collect();
    let mut writer =
        FolderWriter::create(&path, Existing::Refuse, &raw(true), plan, SHARD_LIMIT).unwrap();
    for length in bytes {
        writer.write(&vec![0; length as usize]).unwrap();
    }
    writer.commit().unwrap();
    let folder = ModelFolder::open(&path).unwrap();
    assert_eq!(folder.problems().len(), 1);
    assert!(
        folder.problems()[0].starts_with("`value_head.weight` in `"),
        "{:?}",
        folder.problems()
    );
}

/// A folder of these tensors, filled with numbers by name.
fn folder_of(path: &Path, raw: &RawConfig, tensors: &[(Planned, f32)]) -> ModelFolder {
    let plan: Vec<_> = tensors.iter().map(|(planned, _)| planned.clone()).collect();
    let mut writer = FolderWriter::create(path, Existing::Refuse, raw, plan, SHARD_LIMIT).unwrap();
    for (planned, value) in tensors {
        writer.write_f32(&vec![*value; planned.shape.iter().product()]).unwrap();
    }
    writer.commit().unwrap();
    ModelFolder::open(path).unwrap()
}

#[test]
fn the_head_that_a_tied_folder_stores_decides() {
    let place = TempDir::new().unwrap();
    let tied: Vec<_> = tensors::tensors(&config(true))
        .iter()
        .map(|spec| (Planned::new(spec, Dtype::F32), 0.5))
        .collect();
    let head = |dtype, value| {
        let shape = tied[0].0.shape.clone();
        (Planned { name: "lm_head.weight".into(), dtype, shape }, value)
    };
    let open = |name: &str, tensors: &[(Planned, f32)]| {
        folder_of(&place.path().join(name), &raw(true), tensors)
    };
    for (name, dtype) in [("same", Dtype::F32), ("shorter", Dtype::BF16)] {
        let folder = open(name, &[&tied[..], &[head(dtype, 0.5)]].concat());
        assert!(folder.config().tie_word_embeddings() && folder.problems().is_empty(), "{name}");
    }
    let folder = open("other", &[&tied[..], &[head(Dtype::F32, 0.25)]].concat());
    assert!(!folder.config().tie_word_embeddings());
    assert_eq!(folder.raw_config().get("tie_word_embeddings"), Some(&json!(false)));
    assert!(folder.problems()[0].contains("`lm_head.weight` holds another"));
    assert!(folder.unclear().is_empty(), "what is stored is clear");
    // The tied tensor, under its other name only.
    let folder = open("alone", &[&[head(Dtype::F32, 0.5)][..], &tied[1..]].concat());
    assert!(folder.config().tie_word_embeddings() && folder.problems().is_empty());
    let embedding = tensors::tensors(folder.config()).remove(0);
    let mut values = vec![0.0; embedding.len()];
    folder.read_f32(&embedding, &mut values).unwrap();
    assert!(values.iter().all(|value| *value == 0.5));
    let whole = open("whole", &tied);
    assert_eq!(folder.weights_hash().unwrap(), whole.weights_hash().unwrap());
}

#[test]
fn an_index_without_metadata_or_with_null_is_read() {
    for metadata in [Value::Null, json!({}), json!({"total_size": null})] {
        let place = TempDir::new().unwrap();
        let folder = model_in(&place, 700);
        edit_index(&folder, |index| index["metadata"] = metadata.clone());
        assert!(ModelFolder::open(&folder).unwrap().problems().is_empty(), "{metadata}");
    }
}

#[test]
fn folders_of_other_programs_and_pointers_are_named() {
    let cases: [(&str, &str, &str); 4] = [
        ("adapter_config.json", "{}", "holds an adapter (`adapter_config.json`)"),
        ("consolidated.00.pth", "PK", "holds Meta's original format"),
        ("model-q4.gguf", "GGUF", "holds GGUF, the format of llama.cpp"),
        (
            "config.json",
            "version https://git-lfs.github.com/spec/v1\noid sha256:5a\nsize 1\n",
            "config.json` is a Git LFS pointer",
        ),
    ];
    for (name, content, said) in cases {
        let place = TempDir::new().unwrap();
        fs::write(place.path().join(name), content).unwrap();
        let error = ModelFolder::open(place.path()).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    // With a copy of the model's configuration beside it.
    let place = TempDir::new().unwrap();
    fs::write(place.path().join("config.json"), raw(true).to_json()).unwrap();
    fs::write(place.path().join("adapter_config.json"), "{}").unwrap();
    let error = ModelFolder::open(place.path()).unwrap_err();
    assert!(error.foreign().is_some() && !error.is_no_weights(), "{error}");
}

#[test]
fn a_begin_token_past_the_vocabulary_is_remarked_on_and_used_by_nobody() {
    let place = TempDir::new().unwrap();
    let folder = model_in(&place, SHARD_LIMIT);
    edit_config(&folder, "bos_token_id", json!(99_999));
    let folder = ModelFolder::open(&folder).unwrap();
    assert_eq!(folder.config().bos_token_id(), None);
    assert!(
        folder.problems()[0].contains("has 99999 as `bos_token_id`"),
        "{:?}",
        folder.problems()
    );
}

#[test]
fn a_configuration_is_read_without_weights_or_from_its_own_path() {
    let place = TempDir::new().unwrap();
    fs::write(place.path().join("config.json"), raw(true).to_json()).unwrap();
    assert_eq!(ModelFolder::config_of(place.path()).unwrap(), config(true));
    assert_eq!(ModelFolder::config_of(&place.path().join("config.json")).unwrap(), config(true));
    assert!(matches!(ModelFolder::open(place.path()), Err(error) if error.is_no_weights()));
    assert!(ModelFolder::config_of(&place.path().join("nowhere")).is_err());
}

#[test]
fn folders_written_by_stock_transformers_5_open() {
    let parity = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/parity");
    let mut opened = 0;
    for entry in fs::read_dir(parity).unwrap() {
        let path = entry.unwrap().path();
        if path.join("model.safetensors").exists() {
            let folder = ModelFolder::open(&path).unwrap();
            assert!(folder.problems().is_empty(), "{:?}", folder.problems());
            assert_eq!(folder.dtype(), Dtype::F32);
            let total: usize =
                tensors::tensors(folder.config()).iter().map(tensors::TensorSpec::len).sum();
            assert_eq!(Count::of(folder.config()).total(), total as u64);
            opened += 1;
        }
    }
    assert!(opened >= 5, "{opened}");
}

/// The hub's cache keeps a snapshot as links to files elsewhere.
#[cfg(unix)]
#[test]
fn links_of_the_hub_cache_are_followed() {
    let place = TempDir::new().unwrap();
    let path = model_in(&place, 700);
    let snapshot = place.path().join("snapshot");
    fs::create_dir(&snapshot).unwrap();
    for entry in fs::read_dir(&path).unwrap() {
        let entry = entry.unwrap();
        std::os::unix::fs::symlink(entry.path(), snapshot.join(entry.file_name())).unwrap();
    }
    let hash = |path: &Path| ModelFolder::open(path).unwrap().weights_hash().unwrap();
    assert_eq!(hash(&snapshot), hash(&path));
}
