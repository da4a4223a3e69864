//! The old `.bin` files of the llama2.c family, turned into a model folder.
//!
//! Two layouts of the weights are known: the first, without a version, and version 1, which begins
//! with `ak42`. Both keep rotary channels as neighbours, where Hugging Face keeps the first of
//! every pair in the first half of a head and the second in the second half, so the rows of q and k
//! change places.

mod layout;
mod tokenizer;

use std::path::Path;

use shape::config::ModelConfig;
use shape::tensors::{self, Role, TensorSpec};

use crate::error::{Error, ModelFault, Result};
use crate::folder::{FolderWriter, SHARD_LIMIT};
use crate::safetensors::{Dtype, Planned};
use layout::FileLayout;

/// Converts a model and its tokenizer into a model folder at `out`, with weights in f32.
///
/// # Errors
///
/// Where a file is not what its header says, to the byte; a weight is not finite; the tokenizer
/// does not begin with `<unk>`, `<s>`, `</s>` and the 256 bytes; or `out` exists and is not to be
/// replaced.
pub fn convert(
    model_bin: &Path,
    tokenizer_bin: &Path,
    out: &Path,
    existing: disk::Existing,
) -> Result<ModelConfig> {
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
