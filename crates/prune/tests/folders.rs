//! From folder to folder: what is kept is kept to the last bit, and nothing else is there.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use disk::Existing;
use ledger::CutRecord;
use model::backend::Backend;
use model::backend::cpu::Cpu;
use model::batch::Batch;
use model::decoder::Decoder;
use model::folder::{FolderWriter, ModelFolder, SHARD_LIMIT};
use model::safetensors::{Dtype, Planned, SafeTensors};
use model::weights;
use prune::walk::{Seen, walk};
use prune::{
    CalibrationSettings, Destination, PruningProgress, PruningTarget, Request, Sequences, Source,
    TOLERANCE, method, record_of,
};
use serde_json::{Value, json};
use shape::config::{ModelConfig, RawConfig};
use shape::count::Count;
use shape::tensors;
use tempfile::TempDir;

/// A kind of folder that comes in.
#[derive(Clone, Copy, Debug)]
struct Kind {
    qwen: bool,
    tied: bool,
    dtype: Dtype,
    /// Most bytes in a file.
    shards: u64,
    /// `lm_head.weight` in a tied model.
    redundant_head: bool,
}

const KINDS: [Kind; 4] = [
    Kind { qwen: false, tied: false, dtype: Dtype::BF16, shards: 6_000, redundant_head: false },
    Kind { qwen: false, tied: true, dtype: Dtype::F32, shards: SHARD_LIMIT, redundant_head: true },
    Kind { qwen: true, tied: true, dtype: Dtype::BF16, shards: SHARD_LIMIT, redundant_head: false },
    Kind { qwen: true, tied: false, dtype: Dtype::F16, shards: 9_000, redundant_head: false },
];

const LAYERS: usize = 5;

fn raw(kind: Kind) -> RawConfig {
    let mut raw = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 12, "intermediate_size": 20,
        "num_hidden_layers": LAYERS, "num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 6,
        "vocab_size": 31, "max_position_embeddings": 64, "tie_word_embeddings": kind.tied, "hidden_act": "silu",
        "rms_norm_eps": 1e-5, "torch_dtype": kind.dtype.torch_name(), "eos_token_id": [1, 2, 3, 4, 5],
        "something_new": {"kept": true},
    });
    if kind.qwen {
        raw["architectures"] = json!(["Qwen2ForCausalLM"]);
        raw["model_type"] = json!("qwen2");
        raw["use_sliding_window"] = json!(false);
        raw["max_window_layers"] = json!(LAYERS);
        raw["layer_types"] = json!(vec!["full_attention"; LAYERS]);
    } else {
        raw["rope_theta"] = json!(500_000.0);
        raw["rope_scaling"] = json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 16});
    }
    RawConfig::from_json(raw.to_string().as_bytes(), Path::new("config.json")).unwrap()
}

/// Random weights that change the residual stream, each block more than the one before.
fn values(config: &ModelConfig) -> Vec<Vec<f32>> {
    let flat = weights::initial(config, 7);
    let mut at = 0;
    let mut all = Vec::new();
    for spec in tensors::tensors(config) {
        let gain = 4.0 + 3.0 * spec.layer.unwrap_or(0) as f32;
        let matrix = spec.shape.len() == 2;
        all.push(
            flat[at..at + spec.len()]
                .iter()
                .map(|value| if matrix { value * gain } else { *value })
                .collect(),
        );
        at += spec.len();
    }
    all
}

fn base(place: &Path, kind: Kind) -> ModelFolder {
    let folder = place.join("Tiny-5L");
    let raw = raw(kind);
    let config = ModelConfig::from_raw(&raw).unwrap();
    let mut plan = weights::plan(&config, kind.dtype);
    let mut values = values(&config);
    if kind.redundant_head {
        let shape = vec![config.vocab_size(), config.hidden_size()];
        plan.push(Planned { name: "lm_head.weight".into(), dtype: kind.dtype, shape });
        values.push(values[0].clone());
    }
    let mut writer =
        FolderWriter::create(&folder, Existing::Refuse, &raw, plan, kind.shards).unwrap();
    for tensor in &values {
        writer.write_f32(tensor).unwrap();
    }
    for (name, text) in [
        ("tokenizer.json", "{\"tokens\": 1}"),
        ("generation_config.json", "{}"),
        ("LICENSE", "terms"),
        ("NOTICE", "notice"),
        ("USE_POLICY.md", "policy"),
        ("tokenizer_config.json", "{}"),
        ("chat_template.jinja", "{{ messages }}"),
        ("notes.txt", "of its owner"),
        ("cut.json", "of another model"),
        (
            "README.md",
            "---\nlicense: llama3.2\nlicense_link: https://example.org/terms\ntags: [a]\n---\nold card",
        ),
    ] {
        writer.add_file(name, text.as_bytes()).unwrap();
    }
    writer.commit().unwrap();
    ModelFolder::open(&folder).unwrap()
}

fn text() -> Vec<u32> {
    (0..600_u32).map(|at| (at * at * 7 + at * 3 + at / 11) % 31).collect()
}

fn by_list(layers: &[usize]) -> Request<'static> {
    Request::new(method("depth-list").unwrap(), PruningTarget::Blocks(layers.to_vec()), "0.1.0")
}

fn by_influence(tokens: &[u32], rate: f64) -> Request<'_> {
    let settings = CalibrationSettings { sequences: 6, length: Some(32), seed: 3 };
    let target = PruningTarget::Rate { rate, tolerance: TOLERANCE };
    let calibration = Some((Source::Tokens(tokens), settings));
    Request {
        calibration,
        ..Request::new(method("depth-block-influence").unwrap(), target, "0.1.0")
    }
}

fn prune(folder: &ModelFolder, request: &Request<'_>, out: &Path) -> prune::Result<prune::Pruned> {
    prune_to(folder, request, &Destination::new(out, Existing::Refuse))
}

fn prune_to(
    folder: &ModelFolder,
    request: &Request<'_>,
    destination: &Destination<'_>,
) -> prune::Result<prune::Pruned> {
    prune::prune(&Cpu::<f32>::new(), folder, request, destination, &mut |_| ())
}

fn replay(folder: &ModelFolder, record: &CutRecord, out: &Path) -> prune::Result<()> {
    let destination = Destination::new(out, Existing::Refuse);
    prune::replay(&Cpu::<f32>::new(), folder, record, None, &destination, &mut |_, _| ())
}

/// Every file of a folder with its bytes.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect()
}

/// Every tensor of every weight file, with its bytes.
fn tensors(folder: &Path) -> BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)> {
    let mut all = BTreeMap::new();
    for name in contents(folder).into_keys().filter(|name| name.ends_with(".safetensors")) {
        let file = SafeTensors::open(&folder.join(name)).unwrap();
        for name in file.names() {
            let view = file.tensor(name).unwrap();
            let tensor = (view.dtype, view.shape.to_vec(), view.bytes.to_vec());
            assert!(all.insert(name.to_owned(), tensor).is_none());
        }
    }
    all
}

fn logits(folder: &ModelFolder, weights: &Vec<f32>, tokens: &[u32]) -> Vec<f32> {
    let decoder = Decoder::new(Cpu::<f32>::new(), folder.config(), tokens.len()).unwrap();
    let mut batch = Batch::new();
    batch.push(tokens, tokens);
    let mut space = decoder.workspace().unwrap();
    decoder.logits(weights, &batch, 0..tokens.len(), &mut space).unwrap()
}

#[test]
fn kept_layers_are_renumbered_and_every_byte_of_them_kept() {
    for kind in KINDS {
        let place = TempDir::new().unwrap();
        let folder = base(place.path(), kind);
        let out = place.path().join("out");
        let destination = Destination::new(&out, Existing::Refuse).with_shard_limit(kind.shards);
        let pruned = prune_to(&folder, &by_list(&[1, 3]), &destination).unwrap();
        let cut = &pruned.record().cut;
        assert_eq!((cut.kept().as_slice(), cut.dropped()), (&[0, 2, 4][..], &[1, 3][..]));

        let (old, new) = (tensors(folder.path()), tensors(&out));
        let mut expected = BTreeMap::new();
        for (name, tensor) in old {
            let numbered = name.strip_prefix("model.layers.").and_then(|rest| rest.split_once('.'));
            match numbered {
                Some((layer @ ("0" | "2" | "4"), part)) => {
                    let layer = layer.parse::<usize>().unwrap() / 2;
                    expected.insert(format!("model.layers.{layer}.{part}"), tensor);
                }
                Some(_) => {}
                None if kind.tied && name == "lm_head.weight" => {}
                None => {
                    expected.insert(name, tensor);
                }
            }
        }
        assert_eq!(new.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{kind:?}");
        assert!(new == expected, "{kind:?}: bytes of tensors changed");
        assert!(new.values().all(|(dtype, ..)| *dtype == kind.dtype));
        let files = contents(&out).keys().filter(|name| name.ends_with(".safetensors")).count();
        assert_eq!(files > 1, kind.shards < SHARD_LIMIT, "{kind:?}: {files} files");
    }
}

#[test]
fn config_is_mended_and_the_rest_of_it_stays() {
    for kind in KINDS {
        let place = TempDir::new().unwrap();
        let folder = base(place.path(), kind);
        let out = place.path().join("out");
        prune(&folder, &by_list(&[0, 4]), &out).unwrap();
        let read =
            |path: PathBuf| serde_json::from_slice::<Value>(&fs::read(path).unwrap()).unwrap();
        let mut expected = read(folder.path().join("config.json"));
        expected["num_hidden_layers"] = json!(3);
        if kind.qwen {
            expected["layer_types"] = json!(vec!["full_attention"; 3]);
            expected["max_window_layers"] = json!(3);
        }
        assert_eq!(read(out.join("config.json")), expected, "{kind:?}");
        let config = ModelFolder::open(&out).unwrap().config().clone();
        assert_eq!(config, folder.config().with_blocks(3));
    }
}

#[test]
fn the_smaller_model_computes_what_the_kept_blocks_compute_in_order() {
    for kind in KINDS {
        let place = TempDir::new().unwrap();
        let folder = base(place.path(), kind);
        let out = place.path().join("out");
        prune(&folder, &by_list(&[0, 3]), &out).unwrap();
        let smaller = ModelFolder::open(&out).unwrap();
        assert!(smaller.problems().is_empty(), "{:?}", smaller.problems());

        // The blocks 1, 2 and 4 of the whole model, one after the other, where they lie.
        let tokens = &text()[..30];
        let backend = Cpu::<f32>::new();
        let whole = weights::load(&folder, &backend).unwrap();
        let decoder = Decoder::new(backend, folder.config(), tokens.len()).unwrap();
        let mut batch = Batch::new();
        batch.push(tokens, tokens);
        let mut space = decoder.workspace().unwrap();
        let mut stream = backend.allocate(tokens.len() * folder.config().hidden_size()).unwrap();
        decoder.embed(&whole, &batch, &mut stream).unwrap();
        for layer in [1, 2, 4] {
            let base = decoder.layout().blocks()[layer];
            decoder.run_block(&whole, base, &batch, &mut stream, &mut space).unwrap();
        }
        let settings = CalibrationSettings { sequences: 1, length: Some(tokens.len()), seed: 0 };
        let sequences =
            Sequences::draw(Source::Tokens(tokens), &settings, smaller.config()).unwrap();
        let mut last = Vec::new();
        let mut visitor = |seen: &Seen<'_>| {
            last = seen.after().to_vec();
            Ok(())
        };
        walk(backend, &smaller, &sequences, None, &mut visitor, &mut |_, _| ()).unwrap();
        assert_eq!(last, stream, "{kind:?}");

        // And its logits are those of the whole model without the weights that went.
        let layout = decoder.layout();
        let mut cut = whole[..layout.blocks()[0]].to_vec();
        for layer in [1, 2, 4] {
            cut.extend_from_slice(&whole[layout.blocks()[layer]..][..layout.block().len]);
        }
        cut.extend_from_slice(&whole[layout.final_norm()..]);
        let loaded = weights::load(&smaller, &backend).unwrap();
        assert_eq!(logits(&smaller, &loaded, tokens), logits(&smaller, &cut, tokens), "{kind:?}");
        assert_ne!(logits(&smaller, &loaded, tokens), logits(&folder, &whole, tokens), "{kind:?}");
    }
}

#[test]
fn the_record_says_what_was_asked_and_what_came_of_it() {
    for kind in KINDS {
        let place = TempDir::new().unwrap();
        let folder = base(place.path(), kind);
        let out = place.path().join("out");
        let tokens = text();
        let legal = shape::legal::legal_rates(folder.config())[1];
        let asked = legal.held().rate().get() + 0.01;
        let pruned = prune(&folder, &by_influence(&tokens, asked), &out).unwrap();
        let record = record_of(&out).unwrap().unwrap();
        assert_eq!(record, *pruned.record());
        assert_eq!(fs::read(out.join("cut.json")).unwrap().last(), Some(&b'\n'));

        let after = ModelFolder::open(&out).unwrap();
        let (before, after) = (Count::of(folder.config()), Count::of(after.config()));
        assert_eq!(
            (record.held.n0().0, record.held.n0_without_embedding().0),
            (before.total(), before.without_embedding())
        );
        assert_eq!(
            (record.held.parameters().0, record.held.parameters_without_embedding().0),
            (after.total(), after.without_embedding())
        );
        assert_eq!(
            record.held.rate().get(),
            (before.total() - after.total()) as f64 / before.total() as f64
        );
        assert_eq!((record.asked_rate, record.held.rate()), (Some(asked), legal.held().rate()));
        assert_eq!(record.held.rate_without_embedding(), legal.held().rate_without_embedding());
        assert_eq!(record.method, "depth-block-influence");
        assert_eq!(record.series, if kind.qwen { "qwen2" } else { "llama" });
        assert_eq!(record.base, "Tiny-5L");
        assert_eq!(record.base_hash, folder.weights_hash().unwrap());
        let calibration = record.calibration.unwrap();
        assert_eq!((calibration.sequences(), calibration.length(), calibration.seed()), (6, 32, 3));
        assert_eq!(calibration.tokens().0, 6 * 32);

        // The two lowest scores went.
        let scores = record.scores.unwrap();
        let highest =
            record.cut.dropped().iter().map(|&layer| scores[layer]).fold(f64::MIN, f64::max);
        assert!(record.cut.kept().iter().all(|&layer| scores[layer] > highest), "{scores:?}");
        assert!(
            scores.iter().all(|&score| score > 1e-4),
            "{scores:?}: the blocks do too little to be told apart"
        );
        assert_eq!(record.cut.dropped().len(), 2);
    }
}

#[test]
fn a_cut_made_twice_or_from_its_record_gives_the_same_bytes() {
    let tokens = text();
    for kind in KINDS {
        let place = TempDir::new().unwrap();
        let folder = base(place.path(), kind);
        let at = |name: &str| place.path().join(name);
        let request = by_influence(&tokens, 0.35);
        prune(&folder, &request, &at("once")).unwrap();
        prune(&folder, &request, &at("twice")).unwrap();
        let record = record_of(&at("once")).unwrap().unwrap();
        replay(&folder, &record, &at("replayed")).unwrap();
        assert!(contents(&at("once")) == contents(&at("twice")), "{kind:?}");
        assert!(contents(&at("once")) == contents(&at("replayed")), "{kind:?}");
    }
}

#[test]
fn what_goes_along_goes_along_and_the_card_is_ours() {
    let place = TempDir::new().unwrap();
    let folder = base(place.path(), KINDS[0]);
    let out = place.path().join("out");
    let tokens = text();
    let request = Request {
        base: Some("some-lab/Tiny-5L".into()),
        series: Some("tiny".into()),
        loss0: Some(ledger::Nats(2.25)),
        ..by_influence(&tokens, 0.35)
    };
    let pruned = prune(&folder, &request, &out).unwrap();
    assert_eq!(
        (pruned.record().base.as_str(), pruned.record().series.as_str()),
        ("some-lab/Tiny-5L", "tiny")
    );
    let files = contents(&out);
    let expected = [
        "LICENSE",
        "NOTICE",
        "README.md",
        "USE_POLICY.md",
        "chat_template.jinja",
        "config.json",
        "cut.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ];
    assert_eq!(files.keys().collect::<Vec<_>>(), expected);
    assert_eq!(
        (files["LICENSE"].as_slice(), files["USE_POLICY.md"].as_slice()),
        (&b"terms"[..], &b"policy"[..])
    );
    let card = String::from_utf8(files["README.md"].clone()).unwrap();
    let front = "---\nlicense: \"llama3.2\"\nlicense_link: \"https://example.org/terms\"\n\
                 base_model: \"some-lab/Tiny-5L\"\nlibrary_name: transformers\n";
    assert!(card.starts_with(front), "{card}");
    let record = pruned.record();
    for part in [
        format!("- method: `{}`", record.method),
        format!(
            "| realised rate | {} | {} |",
            record.held.rate(),
            record.held.rate_without_embedding()
        ),
        "| asked rate | 0.35 |".into(),
        "- held-out loss before (L0): 2.2500 nats per token\n- method: ".into(),
        format!("SHA-256 of the tokens `{}`", record.calibration.as_ref().unwrap().hash()),
        format!("`{}`", record.base_hash),
        "## Healing".into(),
    ] {
        assert!(card.contains(&part), "{part} in\n{card}");
    }
    assert!(!card.contains("old card"));
}

#[test]
fn a_pruned_model_is_a_base_like_any_other() {
    let place = TempDir::new().unwrap();
    let folder = base(place.path(), KINDS[2]);
    let at = |name: &str| place.path().join(name);
    let first = prune(&folder, &by_list(&[1]), &at("first")).unwrap();
    let again =
        prune(&ModelFolder::open(&at("first")).unwrap(), &by_list(&[3]), &at("second")).unwrap();
    assert_eq!(
        (again.record().base.as_str(), again.record().held.n0()),
        ("first", first.record().held.parameters())
    );
    prune(&folder, &by_list(&[1, 4]), &at("at once")).unwrap();
    assert!(tensors(&at("second")) == tensors(&at("at once")));
}

#[test]
fn progress_counts_to_the_end_of_every_stage() {
    let place = TempDir::new().unwrap();
    let folder = base(place.path(), KINDS[1]);
    let tokens = text();
    let mut heard = Vec::new();
    let out = place.path().join("out");
    let (machine, request) = (Cpu::<f32>::new(), by_influence(&tokens, 0.35));
    let destination = Destination::new(&out, Existing::Refuse);
    prune::prune(&machine, &folder, &request, &destination, &mut |now| heard.push(now)).unwrap();
    assert_eq!(heard.first(), Some(&PruningProgress::Scoring { done: 0, of: LAYERS }));
    assert!(heard.contains(&PruningProgress::Scoring { done: LAYERS, of: LAYERS }));
    assert!(heard.contains(&PruningProgress::Hashing));
    let of = tensors(&out).len();
    assert_eq!(heard.last(), Some(&PruningProgress::Writing { done: of, of }));
}

/// A record that fits `folder`.
fn record(folder: &ModelFolder) -> CutRecord {
    prune::decide(&Cpu::<f32>::new(), folder, &by_list(&[1]), &mut |_| ()).unwrap().into_record()
}

#[test]
fn bad_requests_get_an_error_and_leave_nothing() {
    let place = TempDir::new().unwrap();
    let folder = base(place.path(), KINDS[0]);
    let out = place.path().join("out");
    let tokens = text();
    let high: Vec<u32> = tokens.iter().map(|token| token + 1).collect();
    let with = |tokens, length| {
        let settings = CalibrationSettings { length, ..CalibrationSettings::default() };
        Request { calibration: Some((Source::Tokens(tokens), settings)), ..by_influence(&[], 0.35) }
    };
    let rate = |rate| by_influence(&tokens, rate);
    let cases = [
        ("rate of 0, 1, NaN or above", rate(0.0), "rate is 0, expected above 0 and below 1"),
        ("rate of 0, 1, NaN or above", rate(1.0), "rate is 1, expected above 0 and below 1"),
        ("rate of 0, 1, NaN or above", rate(f64::NAN), "rate is NaN, expected above 0 and below 1"),
        ("rate of 0, 1, NaN or above", rate(7.0), "rate is 7, expected above 0 and below 1"),
        (
            "a rate that no whole layer comes near (with the nearest)",
            rate(0.93),
            "no whole number of layers comes within 0.05 of rate 0.93: the nearest is 0.7178 (4 layers) below",
        ),
        (
            "corpus shorter than one context",
            with(&tokens[..31], Some(32)),
            "calibration text has 31 tokens, expected at least 32, one context",
        ),
        (
            "corpus shorter than one context",
            with(&tokens[..1], None),
            "calibration text has 1 tokens, expected at least 2, one context",
        ),
        (
            "a length beyond the model",
            with(&tokens, Some(65)),
            "calibration length is 65 tokens, expected at most 64, the model's longest context",
        ),
        (
            "token id out of range",
            with(&high, None),
            "token id 31 at position 91 of the calibration text is out of range, expected below 31",
        ),
        (
            "no text",
            Request { calibration: None, ..rate(0.35) },
            "`depth-block-influence` scores on calibration text, found none",
        ),
        (
            "a list for a rate",
            Request { method: method("depth-list").unwrap(), ..rate(0.35) },
            "`depth-list` got a rate, expected a list of layers",
        ),
    ];
    let unknown = method("width-magic").unwrap_err().to_string();
    assert_eq!(
        unknown,
        "unknown method `width-magic`, expected `depth-block-influence`, `depth-angular`, `depth-list`, \
         `width-activation`, `width-magnitude`, `2:4-magnitude`, `2:4-wanda`, `2:4-sparsegpt`, another `N:M-SCORE` or `unstructured-SCORE`",
    );
    for (name, request, expected) in cases {
        let found = prune(&folder, &request, &out).unwrap_err();
        assert_eq!(found.to_string(), expected, "{name}");
        let left: Vec<_> =
            fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["Tiny-5L"], "{name}");
    }
}

#[test]
fn an_output_folder_that_exists_is_refused_before_anything_is_computed() {
    let place = TempDir::new().unwrap();
    let folder = base(place.path(), KINDS[0]);
    let out = place.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("mine"), "kept").unwrap();
    let tokens = text();
    let request = by_influence(&tokens, 0.35);
    let mut stages = 0;
    let (machine, destination) = (Cpu::<f32>::new(), Destination::new(&out, Existing::Refuse));
    let refused =
        prune::prune(&machine, &folder, &request, &destination, &mut |_| stages += 1).unwrap_err();
    assert_eq!(refused.to_string(), format!("`{}` already exists", out.display()));
    assert_eq!(stages, 0);
    assert_eq!(fs::read_to_string(out.join("mine")).unwrap(), "kept");
    // Not even a forced replacement deletes what somebody else made.
    let replacing = Destination::new(&out, Existing::Replace);
    let refused = prune_to(&folder, &request, &replacing).unwrap_err().to_string();
    assert!(refused.contains("is not a model made by regrow"), "{refused}");
    assert_eq!(fs::read_to_string(out.join("mine")).unwrap(), "kept");
    fs::remove_file(out.join("mine")).unwrap();
    prune_to(&folder, &request, &replacing).unwrap();
    fs::write(out.join("mine"), "kept").unwrap();
    let refused = prune_to(&folder, &request, &replacing).unwrap_err().to_string();
    assert!(refused.ends_with("it holds `mine`"), "{refused}");
    fs::remove_file(out.join("mine")).unwrap();
    prune_to(&folder, &request, &replacing).unwrap();

    // Its own base, or a folder above it, is not replaced even then.
    for target in [folder.path(), place.path()] {
        let destination = Destination::new(target, Existing::Replace);
        let refused = prune_to(&folder, &by_list(&[1]), &destination).unwrap_err();
        assert!(refused.to_string().contains("`, which is read"), "{refused}");
    }
    ModelFolder::open(folder.path()).unwrap();
}

/// What a record of one parameter says.
fn all_but_one_gone(record: &CutRecord) -> ledger::Held {
    let before = (record.held.n0(), record.held.n0_without_embedding());
    ledger::Held::of(before, (ledger::Params(1), ledger::Params(1))).unwrap()
}

#[test]
fn a_record_of_another_model_is_not_replayed() {
    let place = TempDir::new().unwrap();
    let folder = base(place.path(), KINDS[0]);
    let out = place.path().join("out");
    let record = record(&folder);
    let cases = [
        ("weights", CutRecord { base_hash: "00".repeat(32), ..record.clone() }, "have the hash"),
        (
            "depth",
            CutRecord { cut: ledger::Cut::Depth { layers: 6, drop: vec![1] }, ..record.clone() },
            "the cut is for a model of 6 layers, expected 5",
        ),
        (
            "count",
            CutRecord { held: all_but_one_gone(&record), ..record.clone() },
            "its record says 1",
        ),
        (
            "cut",
            CutRecord { cut: ledger::Cut::Depth { layers: 5, drop: vec![2, 1] }, ..record.clone() },
            "layer 1 stands after layer 2",
        ),
    ];
    for (name, record, expected) in cases {
        let said = replay(&folder, &record, &out).unwrap_err();
        assert!(said.to_string().contains(expected), "{name}: {said}");
        assert!(!out.exists(), "{name}");
    }
    replay(&folder, &record, &out).unwrap();
}

#[test]
fn a_damaged_record_is_named() {
    let place = TempDir::new().unwrap();
    assert_eq!(record_of(place.path()).unwrap(), None);
    let folder = base(place.path(), KINDS[0]);
    let good = serde_json::to_string(&record(&folder)).unwrap();
    for (damaged, expected) in [
        (good.replace("\"format\":1", "\"format\":2"), "format is 2, expected 1"),
        (good.replace("\"drop\":[1]", "\"drop\":[9]"), "layer 9 cannot be dropped"),
        (good[..good.len() / 2].to_owned(), "EOF"),
    ] {
        fs::write(place.path().join("cut.json"), damaged).unwrap();
        let said = record_of(place.path()).unwrap_err().to_string();
        assert!(said.contains("cut.json` cannot be read as the record of a cut: "), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}
