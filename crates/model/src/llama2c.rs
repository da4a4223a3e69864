//! Converts the old `.bin` files of the llama2.c family to a model folder.
//!
//! Two layouts of the weights are known: the first, without a version, and version 1, which begins
//! with `ak42`. Both keep the two rotary channels of a pair next to each other. Hugging Face keeps
//! the first of every pair in the first half of a head, and the second in the second half. So the
//! rows of q and k are reordered.

mod layout;
mod tokenizer;

use std::path::Path;

use serde_json::json;
use shape::config::ModelConfig;
use shape::tensors::{self, Role, TensorSpec};

use crate::error::{Error, ModelFault, Result};
use crate::folder::{CONVERTED, FolderWriter, SHARD_LIMIT};
use crate::safetensors::{Dtype, Planned};
use layout::FileLayout;

/// Converts a model and its tokenizer to a model folder at `out`, with weights in f32.
///
/// # Errors
///
/// If the length of a file does not match its header to the byte. If a weight is not finite. If the
/// tokenizer does not begin with `<unk>`, `<s>`, `</s>` and the 256 bytes. If `out` exists and must
/// not be replaced, or is or holds one of the two.
pub fn convert(
    model_bin: &Path,
    tokenizer_bin: &Path,
    out: &Path,
    existing: disk::Existing,
) -> Result<ModelConfig> {
    disk::kinds::MODEL.check(out, existing, &[model_bin, tokenizer_bin])?;
    let map = disk::Map::open(model_bin)?;
    let layout = FileLayout::read(model_bin, &map)?;
    let config = &layout.config;
    let tokenizer = tokenizer::to_json(tokenizer_bin, config.vocab_size())?;

    let specs = tensors::tensors(config);
    let plan = specs.iter().map(|spec| Planned::new(spec, Dtype::F32)).collect();
    let mut raw = config.to_raw();
    raw.set("eos_token_id", tokenizer::END);
    let mut writer = FolderWriter::create(out, existing, &raw, plan, SHARD_LIMIT)?;
    let mut row = Vec::new();
    for spec in &specs {
        let range = layout.range(spec);
        for at in 0..spec.rows() {
            let source = source_row(config, spec, at);
            read_row(model_bin, spec, &map[range.clone()], source, &mut row)?;
            writer.write_f32(&row)?;
        }
        map.release(range);
    }
    writer.add_file("tokenizer.json", &tokenizer)?;
    writer
        .add_file("tokenizer_config.json", &tokenizer::config(config.max_position_embeddings()))?;
    let record = json!({
        "format": 1,
        "from": "llama2c",
        "weights_sha256": disk::sha256(model_bin)?.to_string(),
        "tokenizer_sha256": disk::sha256(tokenizer_bin)?.to_string(),
    });
    writer.add_file(CONVERTED, format!("{record:#}\n").as_bytes())?;
    writer.commit()?;
    Ok(layout.config)
}

/// The row of the file that becomes row `row` of a tensor.
fn source_row(config: &ModelConfig, spec: &TensorSpec, row: usize) -> usize {
    if !matches!(spec.role, Role::Query | Role::Key) {
        return row;
    }
    let (head, channel) = (row / config.head_dim(), row % config.head_dim());
    let half = config.head_dim() / 2;
    // Channel c of the first half is number 2 c in the file, that of the second half 2 c + 1.
    head * config.head_dim() + 2 * (channel % half) + channel / half
}

fn read_row(
    path: &Path,
    spec: &TensorSpec,
    bytes: &[u8],
    row: usize,
    out: &mut Vec<f32>,
) -> Result<()> {
    let columns = spec.columns();
    let (values, _) = bytes[4 * row * columns..4 * (row + 1) * columns].as_chunks::<4>();
    out.clear();
    out.extend(values.iter().map(|four| f32::from_le_bytes(*four)));
    match out.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(column) => Err(Error::from(ModelFault::NotFinite {
            path: path.to_path_buf(),
            tensor: spec.name.clone(),
            index: row * columns + column,
            value: out[column],
        })),
    }
}
