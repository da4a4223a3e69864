//! Width from folder to folder: what stays is where it belongs, to the last bit, and computes the
//! same.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

use std::fs;
use std::path::Path;

use disk::Existing;
use ledger::{Cut, CutRecord, Indices, Kept, KeptByLayer, Part, Width};
use model::backend::cpu::Cpu;
use model::batch::Batch;
use model::decoder::Decoder;
use model::folder::{FolderWriter, ModelFolder, SHARD_LIMIT};
use model::safetensors::Dtype;
use model::weights;
use prune::{
    CalibrationSettings, Destination, MethodOptions, PruningTarget, Request, Sizes, Source,
    TOLERANCE, method, record_of,
};
use serde_json::{Value, json};
use shape::config::{ModelConfig, RawConfig};
use shape::count::Count;
use shape::tensors::{self, Role};
use tempfile::TempDir;

const LAYERS: usize = 3;
/// Two groups of two heads.
const HEADS: usize = 4;
const GROUPS: usize = 2;
const HEAD: usize = 6;
const HIDDEN: usize = 24;
const FFN: usize = 20;

fn raw(qwen: bool, tied: bool) -> RawConfig {
    let (architecture, kind) =
        if qwen { ("Qwen2ForCausalLM", "qwen2") } else { ("LlamaForCausalLM", "llama") };
    let raw = json!({
        "architectures": [architecture], "model_type": kind, "hidden_size": HIDDEN, "intermediate_size": FFN,
        "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "num_key_value_heads": GROUPS, "vocab_size": 31,
        "max_position_embeddings": 64, "tie_word_embeddings": tied, "hidden_act": "silu", "something_new": [1],
    });
    RawConfig::from_json(raw.to_string().as_bytes(), Path::new("config.json")).unwrap()
}

/// Weights all different from zero, biases and norms too; `mend` may change a tensor before it is
/// written.
fn base(
    place: &Path,
    qwen: bool,
    tied: bool,
    mend: &dyn Fn(&tensors::TensorSpec, &mut [f32]),
) -> ModelFolder {
    let raw = raw(qwen, tied);
    let config = ModelConfig::from_raw(&raw).unwrap();
    let folder = place.join("base");
    let plan = weights::plan(&config, Dtype::F32);
    let mut writer =
        FolderWriter::create(&folder, Existing::Refuse, &raw, plan, SHARD_LIMIT).unwrap();
    let mut state = 1_u64;
    for spec in tensors::tensors(&config) {
        let mut values: Vec<f32> = (0..spec.len())
            .map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let uniform = (state >> 40) as f32 / (1 << 24) as f32 - 0.5;
                let norm = matches!(
                    spec.role,
                    Role::AttentionNorm | Role::FeedForwardNorm | Role::FinalNorm
                );
                if norm { 1.0 + uniform } else { uniform * 0.8 }
            })
            .collect();
        mend(&spec, &mut values);
        writer.write_f32(&values).unwrap();
    }
    writer.commit().unwrap();
    ModelFolder::open(&folder).unwrap()
}

fn text() -> Vec<u32> {
    (0..640_u32).map(|at| (at * at * 7 + at * 3 + at / 11) % 31).collect()
}

fn activation(tokens: &[u32], target: PruningTarget) -> Request<'_> {
    let settings = CalibrationSettings { sequences: 8, length: Some(40), seed: 3 };
    Request {
        calibration: Some((Source::Tokens(tokens), settings)),
        ..Request::new(method("width-activation").unwrap(), target, "0.1.0")
    }
}

fn sizes(hidden: Option<usize>, ffn: Option<usize>, heads: Option<usize>) -> PruningTarget {
    PruningTarget::Sizes(Sizes { hidden, ffn, heads })
}

fn pruned(
    folder: &ModelFolder,
    request: &Request<'_>,
    out: &Path,
) -> (ModelFolder, ledger::CutRecord) {
    let pruned = prune(folder, request, out).unwrap();
    (ModelFolder::open(out).unwrap(), pruned.into_record())
}

fn prune(folder: &ModelFolder, request: &Request<'_>, out: &Path) -> prune::Result<prune::Pruned> {
    let destination = Destination::new(out, Existing::Refuse);
    prune::prune(&Cpu::<f32>::new(), folder, request, &destination, &mut |_| ())
}

fn replay(folder: &ModelFolder, record: &ledger::CutRecord, out: &Path) -> prune::Result<()> {
    let destination = Destination::new(out, Existing::Refuse);
    prune::replay(&Cpu::<f32>::new(), folder, record, None, &destination, &mut |_, _| ())
}

fn tensor(folder: &ModelFolder, name: &str) -> Vec<f32> {
    let spec =
        tensors::tensors(folder.config()).into_iter().find(|spec| spec.name == name).unwrap();
    let mut values = vec![0.0; spec.len()];
    folder.read_f32(&spec, &mut values).unwrap();
    values
}

fn logits(folder: &ModelFolder, tokens: &[u32]) -> Vec<f32> {
    let backend = Cpu::<f32>::new();
    let weights = weights::load(folder, &backend).unwrap();
    let decoder = Decoder::new(backend, folder.config(), tokens.len()).unwrap();
    let mut batch = Batch::new();
    batch.push(tokens, tokens);
    let mut space = decoder.workspace().unwrap();
    decoder.logits(&weights, &batch, 0..tokens.len(), &mut space).unwrap()
}

/// Which of a part stay in a layer; all where the cut does not name it.
fn kept(cut: &Cut, part: Part, layer: usize, of: usize) -> Vec<usize> {
    let Cut::Width(width) = cut else { panic!("a cut in width") };
    let all = Indices::of(0..of);
    let keep = match part {
        Part::Hidden => width.hidden().map(Kept::keep),
        Part::Ffn => width.ffn().map(|kept| &kept.keep()[layer]),
        Part::Heads => width.heads().map(|kept| &kept.keep()[layer]),
    };
    keep.unwrap_or(&all).iter().collect()
}

#[test]
fn every_weight_that_stays_stands_at_its_row_and_column() {
    for (qwen, tied) in [(false, true), (true, false), (true, true), (false, false)] {
        let place = TempDir::new().unwrap();
        let folder = base(place.path(), qwen, tied, &|_, _| ());
        let tokens = text();
        let request = activation(&tokens, sizes(Some(14), Some(9), Some(2)));
        let (smaller, record) = pruned(&folder, &request, &place.path().join("out"));
        assert_eq!(record.held.parameters().0, Count::of(smaller.config()).total());
        assert!(smaller.problems().is_empty(), "{:?}", smaller.problems());
        for layer in 0..LAYERS {
            let stream = kept(&record.cut, Part::Hidden, layer, HIDDEN);
            let neurons = kept(&record.cut, Part::Ffn, layer, FFN);
            let groups = kept(&record.cut, Part::Heads, layer, GROUPS);
            assert_eq!((stream.len(), neurons.len(), groups.len()), (14, 9, 1));
            let channels = |size: usize| -> Vec<usize> {
                groups.iter().flat_map(|&group| group * size..(group + 1) * size).collect()
            };
            let (queries, keys) = (channels(HEADS / GROUPS * HEAD), channels(HEAD));
            let one = vec![0];
            let mut cases = vec![
                ("self_attn.q_proj.weight", &queries, &stream, HIDDEN),
                ("self_attn.k_proj.weight", &keys, &stream, HIDDEN),
                ("self_attn.v_proj.weight", &keys, &stream, HIDDEN),
                ("self_attn.o_proj.weight", &stream, &queries, HEADS * HEAD),
                ("mlp.gate_proj.weight", &neurons, &stream, HIDDEN),
                ("mlp.up_proj.weight", &neurons, &stream, HIDDEN),
                ("mlp.down_proj.weight", &stream, &neurons, FFN),
                ("input_layernorm.weight", &one, &stream, HIDDEN),
                ("post_attention_layernorm.weight", &one, &stream, HIDDEN),
            ];
            if qwen {
                cases.push(("self_attn.q_proj.bias", &one, &queries, HEADS * HEAD));
                cases.push(("self_attn.k_proj.bias", &one, &keys, GROUPS * HEAD));
                cases.push(("self_attn.v_proj.bias", &one, &keys, GROUPS * HEAD));
            }
            for (part, rows, columns, width) in cases {
                let name = format!("model.layers.{layer}.{part}");
                let old = tensor(&folder, &name);
                let expected: Vec<f32> = rows
                    .iter()
                    .flat_map(|row| columns.iter().map(move |column| (row, column)))
                    .map(|(row, column)| old[row * width + column])
                    .collect();
                assert_eq!(tensor(&smaller, &name), expected, "{name}");
            }
        }
        let stream = kept(&record.cut, Part::Hidden, 0, HIDDEN);
        let mut outside = vec![("model.embed_tokens.weight", 31), ("model.norm.weight", 1)];
        if !tied {
            outside.push(("lm_head.weight", 31));
        }
        for (name, rows) in outside {
            let old = tensor(&folder, name);
            let expected: Vec<f32> = (0..rows)
                .flat_map(|row| stream.iter().map(move |c| (row, c)))
                .map(|(row, c)| old[row * HIDDEN + c])
                .collect();
            assert_eq!(tensor(&smaller, name), expected, "{name}");
        }
    }
}

/// Neurons and groups whose output is never read, and channels that are never written, can go
/// without a trace.
#[test]
fn what_does_nothing_goes_and_the_logits_stay() {
    for (qwen, tied) in [(false, false), (true, true)] {
        let place = TempDir::new().unwrap();
        let dead_neuron = |layer: usize, neuron: usize| (neuron + layer) % 4 == 1;
        let dead_group = |layer: usize| layer % 2;
        let folder = base(place.path(), qwen, tied, &|spec, values| {
            let (layer, width) = (spec.layer.unwrap_or(0), spec.columns());
            for (at, value) in values.iter_mut().enumerate() {
                let column = at % width;
                // Half of a value is what is silent: its neuron fires as much as the others.
                let silent = match spec.role {
                    Role::Up | Role::Gate => dead_neuron(layer, at / width),
                    Role::Value => at / width / HEAD == dead_group(layer),
                    Role::ValueBias => column / HEAD == dead_group(layer),
                    _ => false,
                };
                if silent {
                    *value = 0.0;
                }
            }
        });
        let tokens = text();
        for method in ["width-activation", "width-magnitude"] {
            let request = Request {
                method: prune::method(method).unwrap(),
                ..activation(&tokens, sizes(None, Some(15), Some(2)))
            };
            let (smaller, record) = pruned(&folder, &request, &place.path().join(method));
            for layer in 0..LAYERS {
                let neurons = kept(&record.cut, Part::Ffn, layer, FFN);
                assert!(
                    neurons.iter().all(|&neuron| !dead_neuron(layer, neuron)),
                    "{method} {neurons:?}"
                );
                let groups = kept(&record.cut, Part::Heads, layer, GROUPS);
                assert_eq!(groups, [1 - dead_group(layer)], "{method}");
            }
            let (before, after) = (logits(&folder, &tokens[..40]), logits(&smaller, &tokens[..40]));
            let off = before.iter().zip(&after).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(off < 1e-5, "{method}: {off}");
        }
    }
}

#[test]
fn the_record_replays_to_the_same_bytes_and_the_card_says_what_stayed() {
    let place = TempDir::new().unwrap();
    let folder = base(place.path(), true, false, &|_, _| ());
    let tokens = text();
    let rate = PruningTarget::Rate { rate: 0.4, tolerance: TOLERANCE };
    let out = place.path().join("out");
    let (smaller, record) = pruned(&folder, &activation(&tokens, rate.clone()), &out);
    assert_eq!(record_of(&out).unwrap().unwrap(), record);
    assert_eq!((record.asked_rate, &record.scores), (Some(0.4), &None));
    assert!((record.held.rate().get() - 0.4).abs() < 0.05);
    let told: Vec<_> =
        record.options.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(told, [("over-sequences", "mean-square"), ("over-tokens", "mean-square")]);
    let again = place.path().join("again");
    replay(&folder, &record, &again).unwrap();
    for name in ["config.json", "model.safetensors", "cut.json", "README.md"] {
        assert_eq!(
            fs::read(out.join(name)).unwrap(),
            fs::read(again.join(name)).unwrap(),
            "{name}"
        );
    }
    let config: Value =
        serde_json::from_slice(&fs::read(out.join("config.json")).unwrap()).unwrap();
    assert_eq!((&config["head_dim"], &config["something_new"]), (&json!(HEAD), &json!([1])));
    assert_eq!(config["num_attention_heads"], smaller.config().num_attention_heads());
    let card = fs::read_to_string(out.join("README.md")).unwrap();
    let line = format!(
        "- feed-forward neurons: {} of 20 in every layer",
        smaller.config().intermediate_size()
    );
    assert!(card.contains(&line) && card.contains("- over-tokens: mean-square"), "{card}");

    // A cut for another model.
    let other = TempDir::new().unwrap();
    let other = base(other.path(), true, false, &|spec, values| {
        if spec.role == Role::FinalNorm {
            values[0] += 1.0;
        }
    });
    let said = replay(&other, &record, &place.path().join("no"));
    assert!(said.unwrap_err().to_string().contains("have the hash"));
    let Cut::Width(width) = &record.cut else { panic!() };
    let ffn = KeptByLayer::new(30, width.ffn().unwrap().keep().to_vec());
    let (hidden, heads) = (width.hidden().cloned(), width.heads().cloned());
    let width = Width::new(width.layers(), hidden, Some(ffn), heads).unwrap();
    let wider = CutRecord { cut: Cut::Width(width), ..record.clone() };
    let said = replay(&folder, &wider, &place.path().join("no"));
    assert!(
        said.unwrap_err()
            .to_string()
            .starts_with("the cut is for a model of 30 feed-forward neurons, expected 20")
    );
    assert!(!place.path().join("no").exists());
}

#[test]
fn threads_and_spilled_activations_change_nothing() {
    let place = TempDir::new().unwrap();
    let folder = base(place.path(), true, false, &|_, _| ());
    let tokens: Vec<u32> = text().into_iter().cycle().take(6000).collect();
    for method in ["width-activation", "width-magnitude", "depth-angular"] {
        for positions in prune::Positions::ALL {
            let settings = CalibrationSettings { sequences: 140, length: Some(40), seed: 3 };
            let target = PruningTarget::Rate { rate: 0.3, tolerance: 0.2 };
            let request = Request {
                calibration: Some((Source::Tokens(&tokens), settings)),
                options: MethodOptions { positions, ..MethodOptions::default() },
                ..Request::new(prune::method(method).unwrap(), target, "0.1.0")
            };
            let decide = |threads: usize, spill: Option<&Path>| {
                let request = Request { spill: spill.map(Path::to_path_buf), ..request.clone() };
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| {
                    let machine = Cpu::<f32>::new();
                    prune::decide(&machine, &folder, &request, &mut |_| ()).unwrap().into_record()
                })
            };
            let one = decide(1, None);
            assert_eq!(one, decide(2, None), "{method}");
            assert_eq!(one, decide(3, Some(place.path())), "{method}");
            assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "a spilled file is left");
        }
    }
}

#[test]
fn activations_that_are_no_numbers_are_named() {
    let place = TempDir::new().unwrap();
    // Finite weights whose products are not.
    let folder = base(place.path(), false, true, &|spec, values| {
        if spec.layer == Some(1) && matches!(spec.role, Role::Gate | Role::Up) {
            values.fill(3e38);
        }
    });
    let tokens = text();
    let rate = PruningTarget::Rate { rate: 0.3, tolerance: 0.2 };
    let request =
        Request { method: method("depth-block-influence").unwrap(), ..activation(&tokens, rate) };
    let out = place.path().join("out");
    let said = prune(&folder, &request, &out).unwrap_err().to_string();
    assert!(said.starts_with("the output of `model.layers.1` is "), "{said}");
    assert!(said.contains(" at calibration token 0, channel 0, expected finite numbers"), "{said}");
    let request = activation(&tokens, sizes(None, Some(4), None));
    let said = prune(&folder, &request, &out).unwrap_err().to_string();
    assert!(said.starts_with("the input of `model.layers.1.mlp.down_proj` is "), "{said}");
    assert!(!out.exists());
}

#[test]
fn not_enough_disk_is_said_before_anything_is_measured() {
    let place = TempDir::new().unwrap();
    let folder = place.path().join("vast");
    let raw = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 1 << 20, "intermediate_size": 4,
        "num_hidden_layers": 2, "num_attention_heads": 2, "head_dim": 2, "vocab_size": 1 << 20,
        "max_position_embeddings": 64, "tie_word_embeddings": true, "hidden_act": "silu",
    });
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("config.json"), raw.to_string()).unwrap();
    let config = ModelFolder::config_of(&folder).unwrap();
    let mut header = serde_json::Map::new();
    let mut end = 0;
    for planned in weights::plan(&config, Dtype::BF16) {
        let start = end;
        end += planned.bytes();
        header.insert(
            planned.name.clone(),
            json!({"dtype": "BF16", "shape": planned.shape, "data_offsets": [start, end]}),
        );
    }
    let header = Value::Object(header).to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    let file = folder.join("model.safetensors");
    fs::write(&file, &bytes).unwrap();
    // Two terabytes of nothing, which take no room.
    let long =
        fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(bytes.len() as u64 + end);
    let (Ok(()), Ok(Some(room))) = (long, disk::free_space(place.path())) else {
        eprintln!(
            "skipped: not_enough_disk_is_said_before_anything_is_measured: no sparse files here"
        );
        return;
    };
    if room > end {
        eprintln!(
            "skipped: not_enough_disk_is_said_before_anything_is_measured: the disk is too large"
        );
        return;
    }
    let folder = ModelFolder::open(&folder).unwrap();
    let request =
        Request::new(method("depth-list").unwrap(), PruningTarget::Blocks(vec![1]), "0.1.0");
    let out = place.path().join("out");
    let (machine, destination) = (Cpu::<f32>::new(), Destination::new(&out, Existing::Refuse));
    let mut stages = 0;
    let said =
        prune::prune(&machine, &folder, &request, &destination, &mut |_| stages += 1).unwrap_err();
    assert!(said.to_string().contains("/out` has room for "), "{said}");
    assert!(said.to_string().contains("for the smaller model"), "{said}");
    assert!(stages == 0 && !out.exists());
}
