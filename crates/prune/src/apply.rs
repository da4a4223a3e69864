//! Cut + checkpoint -> smaller checkpoint: the only code that changes shapes.
//!
//! Tensors are copied one at a time, byte by byte: what was bf16 stays bf16, to the last bit.

use std::path::Path;

use disk::Existing;
use ledger::{Cut, CutRecord};
use model::config::ModelConfig;
use model::count::Count;
use model::family::{TensorSpec, block_tensors, leading_tensors, trailing_tensors};
use model::folder::{FolderWriter, ModelFolder};
use model::safetensors::Planned;

use crate::card;
use crate::error::{Error, Result};

/// The file beside the smaller model that says what was cut.
pub const RECORD: &str = "cut.json";

/// Longest `cut.json` that is read, in bytes.
const RECORD_LIMIT: u64 = 16 << 20;

/// Writes the model that a cut leaves, with the cut's record as `cut.json` and a model card as `README.md`.
///
/// Layers are renumbered and `config.json` mended; tokenizer, generation settings and licence go along; a tied model has
/// no `lm_head.weight`, whatever its base held. Files hold at most `shard_limit` bytes of tensors. `progress` hears of
/// tensors written, and of how many. The folder appears only when it is whole.
///
/// # Errors
/// Where the cut or the counts in its record are not this model's, the target is taken or is the model itself, or the
/// disk fails.
pub fn apply(
    folder: &ModelFolder,
    record: &CutRecord,
    out: &Path,
    existing: Existing,
    shard_limit: u64,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<()> {
    check_target(folder, out, existing)?;
    let kept = kept(folder, &record.cut)?;
    let raw = folder.raw_config().with_layers(&kept)?;
    let config = ModelConfig::from_raw(&raw)?;
    let expected = Count::of(&config)?.total;
    if record.parameters.0 != expected {
        let (path, found) = (folder.path().to_path_buf(), record.parameters.0);
        return Err(Error::OtherCount { path, found, expected });
    }
    let moves = moves(folder.config(), &config, &kept);
    let mut plan = Vec::with_capacity(moves.len());
    for (from, to) in &moves {
        plan.push(Planned::new(to, folder.tensor(from)?.dtype));
    }
    let mut writer = FolderWriter::create(out, existing, &raw, plan, shard_limit)?;
    for (done, (from, _)) in moves.iter().enumerate() {
        progress(done, moves.len());
        writer.write(folder.tensor(from)?.bytes)?;
        folder.release(from);
    }
    progress(moves.len(), moves.len());
    writer.copy_companions(folder.path())?;
    writer.add_file(RECORD, &record_json(record))?;
    writer.add_file("README.md", card::card(folder, record).as_bytes())?;
    writer.commit()?;
    Ok(())
}

/// Makes a cut again from its record: the same bytes, if `folder` is the model that it was decided on.
///
/// # Errors
/// [`Error::OtherBase`] where its weights have another hash; and those of [`apply`].
pub fn replay(
    folder: &ModelFolder,
    record: &CutRecord,
    out: &Path,
    existing: Existing,
    shard_limit: u64,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<()> {
    check_target(folder, out, existing)?;
    kept(folder, &record.cut)?;
    let found = folder.weights_hash()?;
    if found != record.base_hash {
        let (path, expected) = (folder.path().to_path_buf(), record.base_hash.clone());
        return Err(Error::OtherBase { path, found, expected });
    }
    apply(folder, record, out, existing, shard_limit, progress)
}

/// The record of a pruned model folder; none where it has no `cut.json`.
///
/// # Errors
/// Where it cannot be read, is of another format or tells of a cut that cannot be.
pub fn record_of(folder: &Path) -> Result<Option<CutRecord>> {
    let path = folder.join(RECORD);
    let bytes = match disk::read(&path, RECORD_LIMIT) {
        Err(error) if error.is_not_found() => return Ok(None),
        bytes => bytes?,
    };
    let record = serde_json::from_slice(&bytes);
    record.map(Some).map_err(|error| Error::Record { path, reason: error.to_string() })
}

/// Refuses a target that is taken, and one whose replacement would take the model away, before hours are spent.
pub(crate) fn check_target(folder: &ModelFolder, out: &Path, existing: Existing) -> Result<()> {
    if matches!(existing, Existing::Refuse) && out.symlink_metadata().is_ok() {
        return Err(disk::Error::Exists { path: out.to_path_buf() }.into());
    }
    // Only what exists has a real path; a link at the target is replaced itself, not what it points to.
    let is_link = out.symlink_metadata().is_ok_and(|data| data.is_symlink());
    match (folder.path().canonicalize(), out.canonicalize()) {
        (Ok(base), Ok(target)) if !is_link && base.starts_with(&target) => {
            Err(Error::OntoBase { path: out.to_path_buf() })
        }
        _ => Ok(()),
    }
}

/// The layers that stay, if the cut is one for this model.
fn kept(folder: &ModelFolder, cut: &Cut) -> Result<Vec<usize>> {
    cut.validate()?;
    let (Cut::Depth { layers, .. }, expected) = (cut, folder.config().num_hidden_layers);
    if *layers != expected {
        return Err(Error::OtherDepth { found: *layers, expected, path: folder.path().to_path_buf() });
    }
    Ok(cut.kept())
}

/// Every tensor of the smaller model in its order: what it is in the old one, and in the new.
fn moves(old: &ModelConfig, new: &ModelConfig, kept: &[usize]) -> Vec<(TensorSpec, TensorSpec)> {
    let mut moves: Vec<_> = leading_tensors(old).into_iter().zip(leading_tensors(new)).collect();
    for (place, &layer) in kept.iter().enumerate() {
        moves.extend(block_tensors(old, layer).into_iter().zip(block_tensors(new, place)));
    }
    moves.extend(trailing_tensors(old).into_iter().zip(trailing_tensors(new)));
    assert!(moves.iter().all(|(from, to)| from.shape == to.shape), "depth pruning keeps every shape");
    moves
}

fn record_json(record: &CutRecord) -> Vec<u8> {
    let mut text =
        serde_json::to_vec_pretty(record).expect("counts, names and finite numbers are always JSON");
    text.push(b'\n');
    text
}
