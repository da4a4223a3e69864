//! Nobody sees a whole model: scoring and pruning hold about one block. A process of its own, since
//! it reads its own peak.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

use std::fs;
use std::path::Path;

use disk::Existing;
use model::backend::cpu::Cpu;
use model::folder::{FolderWriter, ModelFolder, SHARD_LIMIT};
use model::safetensors::Dtype;
use model::weights;
use prune::{CalibrationSettings, Destination, PruningTarget, Request, Source, TOLERANCE};
use serde_json::json;
use shape::config::{ModelConfig, RawConfig};

const LAYERS: usize = 40;

/// A model of 40 blocks of 4.2 MB, written without being held.
fn write(folder: &Path) -> ModelConfig {
    let raw = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 256, "intermediate_size": 1024,
        "num_hidden_layers": LAYERS, "num_attention_heads": 4, "vocab_size": 64, "max_position_embeddings": 64,
        "tie_word_embeddings": true, "hidden_act": "silu",
    });
    let raw = RawConfig::from_json(raw.to_string().as_bytes(), Path::new("config.json")).unwrap();
    let config = ModelConfig::from_raw(&raw).unwrap();
    let plan = weights::plan(&config, Dtype::F32);
    let mut writer =
        FolderWriter::create(folder, Existing::Refuse, &raw, plan, SHARD_LIMIT).unwrap();
    while let Some(tensor) = writer.expected() {
        let len = tensor.shape.iter().product();
        let value = if tensor.shape.len() == 1 { 1.0 } else { 0.001 };
        writer.write_f32(&vec![value; len]).unwrap();
    }
    writer.commit().unwrap();
    config
}

/// A line of `/proc/self/status`, in bytes.
fn memory(line: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let found = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
    found.trim_matches([':', ' ', '\t']).trim_end_matches(" kB").trim().parse::<u64>().unwrap()
        * 1024
}

/// What a method is asked for.
fn target(method: &str) -> PruningTarget {
    match method.split_once(':') {
        Some(_) => PruningTarget::Pattern,
        None => PruningTarget::Rate { rate: 0.25, tolerance: TOLERANCE },
    }
}

#[test]
fn pruning_holds_one_block_not_the_model() {
    let place = tempfile::tempdir().unwrap();
    let config = write(&place.path().join("base"));
    let block = 4 * (4 * 256 * 256 + 3 * 256 * 1024 + 2 * 256) as u64;
    let model = LAYERS as u64 * block;
    assert!(model > 150 << 20);
    assert_eq!(config.num_hidden_layers(), LAYERS);
    let tokens: Vec<u32> = (0..512).map(|at| at % 64).collect();
    for method in [
        "depth-block-influence",
        "width-activation",
        "width-magnitude",
        "2:4-wanda",
        "2:4-sparsegpt",
    ] {
        // Sets the peak back to what is held now.
        if fs::write("/proc/self/clear_refs", "5").is_err() {
            eprintln!(
                "skipped: pruning_holds_one_block_not_the_model: the peak of memory cannot be set back"
            );
            return;
        }
        let before = memory("VmRSS");
        let folder = ModelFolder::open(&place.path().join("base")).unwrap();
        let settings = CalibrationSettings { sequences: 8, length: Some(64), seed: 0 };
        let request = Request {
            calibration: Some((Source::Tokens(&tokens), settings)),
            ..Request::new(prune::method(method).unwrap(), target(method), "0.1.0")
        };
        let out = place.path().join("out");
        let destination = Destination::new(&out, Existing::Replace);
        prune::prune(&Cpu::<f32>::new(), &folder, &request, &destination, &mut |_| ()).unwrap();
        let grown = memory("VmHWM").saturating_sub(before);
        eprintln!("{method}: {:.1} MiB", grown as f64 / f64::from(1 << 20));
        // The activations of 512 tokens (10 MB), two blocks, what is summed of one's inputs (at
        // most 1024 x 1024), the program's own pages.
        assert!(
            grown < 50 << 20,
            "{method}: {} MiB for a model of {} MiB",
            grown >> 20,
            model >> 20
        );
    }
}
