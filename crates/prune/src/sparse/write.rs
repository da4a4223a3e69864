//! The folder of a sparse model.

use std::path::Path;

use disk::Existing;
use ledger::CutRecord;
use model::family::{block_tensors, tensors};
use model::folder::{FolderWriter, ModelFolder};
use model::safetensors::Planned;
use model::sparsity::{self, Sparsity};

use super::{SparsePlan, Sparsify, run};
use crate::apply::{RECORD, record_json};
use crate::calibration::Sequences;
use crate::card;
use crate::error::Result;

/// What is to be written, and how.
pub(crate) struct Writing<'a> {
    pub(crate) plan: &'a SparsePlan,
    pub(crate) score: &'a dyn Sparsify,
    pub(crate) sequences: Option<&'a Sequences>,
    pub(crate) spill: Option<&'a Path>,
    pub(crate) out: &'a Path,
    pub(crate) existing: Existing,
    /// Most bytes of tensors in one file.
    pub(crate) shard_limit: u64,
}

/// Prunes and writes; returns the record with what only running it tells. The folder appears only when it is whole.
pub(crate) fn write(
    folder: &ModelFolder,
    record: CutRecord,
    writing: &Writing<'_>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<CutRecord> {
    let &Writing { plan, score, sequences, spill, out, existing, shard_limit } = writing;
    let config = folder.config();
    let mut planned = Vec::new();
    for tensor in tensors(config) {
        planned.push(Planned::new(&tensor, folder.tensor(&tensor)?.dtype));
    }
    // What was sparse before and is not touched now stays so.
    let mut sparse = Sparsity::of(folder.path())?;
    for layer in 0..config.num_hidden_layers {
        let pruned = block_tensors(config, layer).into_iter().filter(|tensor| plan.has(tensor));
        sparse.tensors.extend(pruned.map(|tensor| (tensor.name, plan.zeros.pattern())));
    }
    let mut writer = FolderWriter::create(out, existing, folder.raw_config(), planned, shard_limit)?;
    let ran = run(folder, plan, score, sequences, spill, &mut writer, progress)?;
    let already_zero = (ran.already_zero.0 > 0).then_some(ran.already_zero);
    let record = CutRecord { already_zero, fallbacks: ran.fallbacks, ..record };
    writer.copy_companions(folder.path())?;
    writer.add_file(sparsity::FILE, &sparse.to_json())?;
    writer.add_file(RECORD, &record_json(&record))?;
    writer.add_file("README.md", card::card(folder, &record).as_bytes())?;
    writer.commit()?;
    Ok(record)
}
