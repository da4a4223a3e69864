//! Nobody sees a whole model: scoring and pruning hold about one block. A process of its own, since it reads its own peak.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

use std::fs;
use std::path::Path;

use disk::Existing;
use model::config::{ModelConfig, RawConfig};
use model::folder::{FolderWriter, ModelFolder, SHARD_LIMIT};
use model::safetensors::Dtype;
use model::weights;
use prune::plan::{Text, plan};
use prune::{Calibration, METHODS, Request, Source, TOLERANCE, Takes, Target, method};
use serde_json::json;

const LAYERS: usize = 40;

/// A model of 40 blocks of 4.2 MB and an embedding of 34 MB, written without being held.
fn write(folder: &Path) -> ModelConfig {
    let raw = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 256, "intermediate_size": 1024,
        "num_hidden_layers": LAYERS, "num_attention_heads": 4, "vocab_size": 32_768, "max_position_embeddings": 64,
        "tie_word_embeddings": true, "hidden_act": "silu",
    });
    let raw = RawConfig::from_json(raw.to_string().as_bytes(), Path::new("config.json")).unwrap();
    let config = ModelConfig::from_raw(&raw).unwrap();
    let plan = weights::plan(&config, Dtype::F32);
    let mut writer = FolderWriter::create(folder, Existing::Refuse, &raw, plan, SHARD_LIMIT).unwrap();
    while let Some(tensor) = writer.expected() {
        let len: usize = tensor.shape.iter().product();
        let matrix = tensor.shape.len() == 2;
        // Neither constant nor regular: every score has something to choose from.
        let value =
            |at: usize| if matrix { ((at * at + 3 * at / 7) % 101) as f32 / 2e4 - 0.0025 } else { 1.0 };
        writer.write_f32(&(0..len).map(value).collect::<Vec<_>>()).unwrap();
    }
    writer.commit().unwrap();
    config
}

/// A line of `/proc/self/status`, in bytes.
fn memory(line: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let found = status.lines().find_map(|text| text.strip_prefix(line)).unwrap();
    found.trim_matches([':', ' ', '\t']).trim_end_matches(" kB").trim().parse::<u64>().unwrap() * 1024
}

#[test]
fn pruning_holds_one_block_not_the_model() {
    let place = tempfile::tempdir().unwrap();
    let config = write(&place.path().join("base"));
    let tokens: Vec<u32> = (0..1024).map(|at| at * 37 % 32_768).collect();
    let (settings, length) = (Calibration { sequences: 16, length: Some(64), seed: 0 }, 64);
    let other = ["4:8-sparsegpt", "unstructured-wanda", "unstructured-magnitude"].map(str::to_owned);
    for name in METHODS.iter().map(|method| method.name()).chain(other) {
        for spilled in [false, true] {
            // Sets the peak back to what is held now.
            if fs::write("/proc/self/clear_refs", "5").is_err() {
                eprintln!(
                    "skipped: pruning_holds_one_block_not_the_model: the peak of memory cannot be set back"
                );
                return;
            }
            let before = memory("VmRSS");
            let folder = ModelFolder::open(&place.path().join("base")).unwrap();
            let method = method(&name).unwrap();
            let target = match method.takes() {
                takes if takes.contains(&Takes::Rate) => Target::Rate { rate: 0.25, tolerance: TOLERANCE },
                [Takes::Layers] => Target::Layers(vec![3, 17, 30]),
                _ => Target::Pattern,
            };
            let request = Request {
                calibration: Some((Source::Tokens(&tokens), settings)),
                spill: spilled.then(|| place.path().to_path_buf()),
                ..Request::new(&name, target.clone())
            };
            let out = place.path().join("out");
            prune::prune(&folder, &request, &out, Existing::Refuse, &mut |_| ()).unwrap();
            let grown = memory("VmHWM").saturating_sub(before);
            fs::remove_dir_all(&out).unwrap();

            let text = Text { sequences: settings.sequences, length, spilled };
            let planned = plan(&config, method, &target, &request.options, text, 4).unwrap().memory;
            // What stands beside the blocks of any model: pieces of files on their way, the products' own space, pages.
            let program = 48 << 20;
            let limit = planned.block + planned.statistics + planned.activations + planned.batch + program;
            let mib = |bytes: u64| bytes >> 20;
            eprintln!("{name}, spilled {spilled}: {} MiB grown, at most {}", mib(grown), mib(limit));
            assert!(grown <= limit, "{name}: {} MiB, expected at most {}", mib(grown), mib(limit));
            let blocks = 4 * LAYERS as u64 * (4 * 256 * 256 + 3 * 256 * 1024 + 2 * 256);
            assert!(limit < blocks, "a limit that a whole model would break");
        }
    }
}
