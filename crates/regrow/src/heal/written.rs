//! The models that a run writes: the final one, the best one, and what they come to as written.

use std::path::Path;

use disk::Existing;
use ledger::Nats;
use model::folder::{FolderWriter, ModelFolder, SHARD_LIMIT};
use model::safetensors::Dtype;
use model::sparsity;
use store::RunWriter;

use super::prepared::PreparedRun;
use super::record;
use crate::error::Result;
use crate::machine::HostWeights;
use crate::measure::require_finite;
use crate::observer::{Event, Observer};

/// The held-out loss of a model that was written in fewer digits than it was trained in. The curve
/// is of the weights in f32.
pub(super) fn written_loss(
    run: &PreparedRun,
    path: &Path,
    observer: &mut dyn Observer,
) -> Result<Option<Nats>> {
    if run.origin().dtype == Dtype::F32 {
        return Ok(None);
    }
    let folder = ModelFolder::open(path)?;
    let weights = model::weights::load(&folder, run.decoder().backend())?;
    let decoder = run.decoder().in_full_precision()?;
    let found = record::measure(&decoder, &weights, run, "the model as written", observer)?;
    require_finite(&found, path)?;
    Ok(Some(found.loss()))
}

/// Writes the checkpoint with the least held-out loss as a model. The answer is whether it could be
/// read, or is there from before the run was extended.
pub(super) fn write_best(
    run: &PreparedRun,
    writer: &RunWriter,
    best: u64,
    observer: &mut dyn Observer,
) -> Result<bool> {
    let before = writer.record().extended_from().last().map_or(0, |was| was.steps);
    if best < before && writer.best_path().is_dir() {
        return Ok(true);
    }
    let of = (run.spec(), writer.record().extended_from());
    match train::checkpoint_weights(&writer.checkpoint_path(best), run.decoder(), of, best) {
        Ok(weights) => {
            write_model(run, &writer.best_path(), &weights)?;
            Ok(true)
        }
        Err(error @ train::Error::Checkpoint { .. }) => {
            observer.hear(&Event::Warning(&format!(
                "the weights with the least held-out loss are lost: {error}"
            )));
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// Writes weights as a model folder, with all that goes along.
pub(super) fn write_model(run: &PreparedRun, path: &Path, weights: &HostWeights) -> Result<()> {
    let (origin, decoder) = (run.origin(), run.decoder());
    let plan = model::weights::plan(&origin.config, origin.dtype);
    let mut writer = FolderWriter::create(path, Existing::Own, &origin.raw, plan, SHARD_LIMIT)?;
    model::weights::save(decoder.layout(), decoder.backend(), weights, &mut writer)?;
    match &origin.folder {
        Some(folder) => writer.copy_companions(folder.path())?,
        // A model from scratch has no companion files to copy, so its tokenizer comes from the
        // corpus.
        None => {
            writer.add_file("tokenizer.json", &origin.corpus.tokenizer()?.to_json())?;
            writer.add_file("tokenizer_config.json", &origin.tokenizer_config())?;
        }
    }
    if !origin.masks.is_empty() {
        writer.add_file(sparsity::FILE, &origin.masks.sparsity().to_json())?;
    }
    if let Some(cut) = &origin.lineage.cut {
        writer.add_file("cut.json", &serde_json::to_vec_pretty(cut)?)?;
    }
    Ok(writer.commit()?)
}
