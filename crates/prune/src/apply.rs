//! Cut + checkpoint -> smaller checkpoint. No other code changes shapes.
//!
//! Tensors are copied one at a time, byte by byte: bf16 stays bf16, to the last bit.

use ledger::{Cut, CutRecord, Part};
use model::folder::{FolderWriter, ModelFolder};
use model::safetensors::Planned;
use model::sparsity::{self, Sparsity};
use shape::config::{ModelConfig, RawConfig};
use shape::count::Count;

use crate::destination::Destination;
use crate::error::{Error, Result};
use crate::tensor_cuts::{TensorCut, tensor_cuts};
use shape::legal::Widths;

/// Writes the tensors of the model that a depth or width cut leaves. The caller adds the record and
/// the card, and commits the writer.
///
/// Blocks are renumbered and `config.json` is updated. Tokenizer, generation settings and licence
/// are copied. A tied model has no `lm_head.weight`, even if its base had one. `progress` gets the
/// tensors written, and of how many.
///
/// # Errors
/// If the cut or the counts in its record do not fit this model, or the disk fails.
pub(crate) fn apply(
    folder: &ModelFolder,
    record: &CutRecord,
    destination: &Destination<'_>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<FolderWriter> {
    check_cut(folder, &record.cut)?;
    let (raw, config) = smaller(folder, &record.cut)?;
    // The record may come from a file, so its count is checked against the cut.
    let left = Count::of(&config).total();
    if record.held.parameters().0 != left {
        return Err(other_count(folder, record, left));
    }
    let tensors = tensor_cuts(folder.config(), &config, &record.cut);
    let mut plan = Vec::with_capacity(tensors.len());
    for TensorCut { from, to, .. } in &tensors {
        // The type of each tensor is kept: a file may mix types.
        plan.push(Planned::new(to, folder.tensor(from)?.dtype));
    }
    let mut writer = destination.create(&raw, plan)?;
    for (done, tensor) in tensors.iter().enumerate() {
        progress(done, tensors.len());
        tensor.copy(folder, &mut writer)?;
    }
    progress(tensors.len(), tensors.len());
    writer.copy_companions(folder.path())?;
    let sparse = still_sparse(folder, &tensors)?;
    if !sparse.tensors.is_empty() {
        writer.add_file(sparsity::FILE, &sparse.to_json())?;
    }
    Ok(writer)
}

/// The error of a record whose count differs from what its cut leaves.
pub(crate) fn other_count(folder: &ModelFolder, record: &CutRecord, left: u64) -> Error {
    Error::other(format!(
        "the cut of `{}` leaves {left} parameters, its record says {}",
        folder.path().display(),
        record.held.parameters().0
    ))
}

/// Checks that the cut fits this model.
pub(crate) fn check_cut(folder: &ModelFolder, cut: &Cut) -> Result<()> {
    cut.validate()?;
    let (found, expected) = (cut.layers(), folder.config().num_hidden_layers());
    if found != expected {
        return Err(Error::other(format!(
            "the cut is for a model of {found} layers, expected {expected} as in `{}`",
            folder.path().display()
        )));
    }
    if let Cut::Width(width) = cut {
        let whole = Widths::of(folder.config());
        for part in Part::ALL {
            if let Some((found, _)) = width.change(part).filter(|&(of, _)| of != whole.size(part)) {
                return Err(Error::other(format!(
                    "the cut is for a model of {found} {part}, expected {} as in `{}`",
                    whole.size(part),
                    folder.path().display()
                )));
            }
        }
    }
    Ok(())
}

/// The configuration of the model that a cut leaves.
fn smaller(folder: &ModelFolder, cut: &Cut) -> Result<(RawConfig, ModelConfig)> {
    let raw = match cut {
        Cut::Depth { .. } => folder.raw_config().with_layers(&cut.kept())?,
        Cut::Sparse { .. } => folder.raw_config().clone(),
        Cut::Width(width) => {
            let config = Widths::of(folder.config()).after(width).apply(folder.config());
            folder.raw_config().with_width(&config)
        }
    };
    let config = ModelConfig::from_raw(&raw)?;
    Ok((raw, config))
}

/// The tensors of a sparse base that stay sparse, under their new names. Removing input columns
/// would break the groups, so only tensors that keep them all count.
fn still_sparse(folder: &ModelFolder, tensors: &[TensorCut]) -> Result<Sparsity> {
    let before = Sparsity::of(folder.path())?;
    let same = tensors.iter().filter(|tensor| tensor.from.columns() == tensor.to.columns());
    let entry = |tensor: &TensorCut| {
        before.tensors.get(&tensor.from.name).map(|&pattern| (tensor.to.name.clone(), pattern))
    };
    Ok(Sparsity { tensors: same.filter_map(entry).collect() })
}
