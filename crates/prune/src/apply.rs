//! Cut + checkpoint -> smaller checkpoint: the only code that changes shapes.
//!
//! Tensors are copied one at a time, byte by byte: what was bf16 stays bf16, to the last bit.

use std::path::Path;

use disk::Existing;
use ledger::{Cut, CutRecord, Part};
use model::folder::{FolderWriter, ModelFolder};
use model::safetensors::Planned;
use model::sparsity::{self, Sparsity};
use shape::config::{ModelConfig, RawConfig};
use shape::count::Count;

use crate::card;
use crate::error::{Error, Result};
use crate::moves::{Move, moves};
use crate::width::shape::Shape;

/// The file beside the smaller model that says what was cut.
pub const RECORD: &str = "cut.json";

/// Longest `cut.json` that is read, in bytes.
const RECORD_LIMIT: u64 = 64 << 20;

/// Writes the model that a cut leaves, with the cut's record as `cut.json` and a model card as
/// `README.md`.
///
/// Layers are renumbered and `config.json` mended; tokenizer, generation settings and licence go
/// along; a tied model has no `lm_head.weight`, whatever its base held. Files hold at most
/// `shard_limit` bytes of tensors. `progress` hears of tensors written, and of how many. The folder
/// appears only when it is whole.
///
/// # Errors
/// Where the cut or the counts in its record are not this model's, the target is taken or is the
/// model itself, or the disk fails.
pub fn apply(
    folder: &ModelFolder,
    record: &CutRecord,
    out: &Path,
    existing: Existing,
    shard_limit: u64,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<()> {
    let finish = || Ok(record.clone());
    apply_then(folder, record, out, existing, shard_limit, progress, finish)?;
    Ok(())
}

/// As [`apply`], with the record as `finish` has it once all tensors are written; returns that.
pub(crate) fn apply_then(
    folder: &ModelFolder,
    record: &CutRecord,
    out: &Path,
    existing: Existing,
    shard_limit: u64,
    progress: &mut dyn FnMut(usize, usize),
    finish: impl FnOnce() -> Result<CutRecord>,
) -> Result<CutRecord> {
    check_target(folder, out, existing)?;
    check_cut(folder, &record.cut)?;
    let (raw, config) = smaller(folder, &record.cut)?;
    let expected = Count::of(&config).total;
    if record.parameters.0 != expected {
        let (path, found) = (folder.path().to_path_buf(), record.parameters.0);
        return Err(Error::OtherCount { path, found, expected });
    }
    let moves = moves(folder.config(), &config, &record.cut);
    let mut plan = Vec::with_capacity(moves.len());
    for Move { from, to, .. } in &moves {
        plan.push(Planned::new(to, folder.tensor(from)?.dtype));
    }
    let mut writer = FolderWriter::create(out, existing, &raw, plan, shard_limit)?;
    for (done, step) in moves.iter().enumerate() {
        progress(done, moves.len());
        step.copy(folder, &mut writer)?;
    }
    progress(moves.len(), moves.len());
    writer.copy_companions(folder.path())?;
    let sparse = still_sparse(folder, &moves)?;
    if !sparse.tensors.is_empty() {
        writer.add_file(sparsity::FILE, &sparse.to_json())?;
    }
    let record = finish()?;
    writer.add_file(RECORD, &record_json(&record))?;
    writer.add_file("README.md", card::card(folder, &record).as_bytes())?;
    writer.commit()?;
    Ok(record)
}

/// The record of a pruned model folder, or that in a file; none where a folder has no `cut.json`.
///
/// # Errors
/// Where it cannot be read, is of another format or tells of a cut that cannot be.
pub fn record_of(place: &Path) -> Result<Option<CutRecord>> {
    let path = if place.is_file() { place.to_path_buf() } else { place.join(RECORD) };
    let bytes = match disk::read(&path, RECORD_LIMIT) {
        Err(error) if error.is_not_found() => return Ok(None),
        bytes => bytes?,
    };
    let record = serde_json::from_slice(&bytes);
    record.map(Some).map_err(|error| Error::Record { path, reason: error.to_string() })
}

/// Refuses a target that is taken, and one whose replacement would take the model away, before
/// hours are spent.
pub(crate) fn check_target(folder: &ModelFolder, out: &Path, existing: Existing) -> Result<()> {
    if matches!(existing, Existing::Refuse) && out.symlink_metadata().is_ok() {
        return Err(disk::Error::exists(out).into());
    }
    // Only what exists has a real path; a link at the target is replaced itself, not what it points
    // to.
    let is_link = out.symlink_metadata().is_ok_and(|data| data.is_symlink());
    match (folder.path().canonicalize(), out.canonicalize()) {
        (Ok(base), Ok(target)) if !is_link && base.starts_with(&target) => {
            Err(Error::OntoBase { path: out.to_path_buf() })
        }
        _ => Ok(()),
    }
}

/// Refuses a folder that leaves open which model it is: what is written of it would lack something.
pub(crate) fn check_clear(folder: &ModelFolder) -> Result<()> {
    match folder.unclear().first() {
        Some(problem) => {
            let (path, problem) = (folder.path().to_path_buf(), problem.clone());
            Err(Error::Unclear { path, problem, others: folder.unclear().len() - 1 })
        }
        None => Ok(()),
    }
}

/// Refuses a disk that is too small before hours are spent.
pub(crate) fn check_disk(path: &Path, expected: u64, what: &'static str) -> Result<()> {
    match disk::free_space(path)? {
        Some(found) if found < expected => {
            Err(Error::NoRoom { path: path.to_path_buf(), found, expected, what })
        }
        _ => Ok(()),
    }
}

/// Whether the cut is one for this model.
pub(crate) fn check_cut(folder: &ModelFolder, cut: &Cut) -> Result<()> {
    cut.validate()?;
    let (found, expected, path) =
        (cut.layers(), folder.config().num_hidden_layers(), || folder.path().to_path_buf());
    if found != expected {
        return Err(Error::OtherDepth { found, expected, path: path() });
    }
    if let Cut::Width(width) = cut {
        let whole = Shape::of(folder.config());
        for part in Part::ALL {
            if let Some((found, _)) = width.change(part).filter(|&(of, _)| of != whole.size(part)) {
                return Err(Error::OtherWidth {
                    part,
                    found,
                    expected: whole.size(part),
                    path: path(),
                });
            }
        }
    }
    Ok(())
}

/// The configuration of what a cut leaves.
fn smaller(folder: &ModelFolder, cut: &Cut) -> Result<(RawConfig, ModelConfig)> {
    let raw = match cut {
        Cut::Depth { .. } => folder.raw_config().with_layers(&cut.kept())?,
        Cut::Sparse { .. } => folder.raw_config().clone(),
        Cut::Width(width) => {
            let config = Shape::of(folder.config()).after(width).apply(folder.config());
            folder.raw_config().with_width(&config)
        }
    };
    let config = ModelConfig::from_raw(&raw)?;
    Ok((raw, config))
}

/// What of a sparse base is sparse still, under its new names: groups of input columns that all
/// stayed.
fn still_sparse(folder: &ModelFolder, moves: &[Move]) -> Result<Sparsity> {
    let before = Sparsity::of(folder.path())?;
    let same = moves.iter().filter(|step| step.from.columns() == step.to.columns());
    let entry = |step: &Move| {
        before.tensors.get(&step.from.name).map(|&pattern| (step.to.name.clone(), pattern))
    };
    Ok(Sparsity { tensors: same.filter_map(entry).collect() })
}

pub(crate) fn record_json(record: &CutRecord) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(record)
        .expect("counts, names and finite numbers are always JSON");
    text.push(b'\n');
    text
}
