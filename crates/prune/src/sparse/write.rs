//! The folder of a sparse model.

use model::backend::Backend;
use model::folder::FolderWriter;
use model::safetensors::Planned;
use model::sparsity::{self, Sparsity};
use shape::tensors::{block_tensors, tensors};

use super::run::{Ran, SparseRun};
use crate::destination::Destination;
use crate::error::Result;

/// Prunes and writes the tensors. The caller adds the record and the card, and commits the writer.
pub(crate) fn write<B: Backend + Clone>(
    run: &SparseRun<'_, B>,
    destination: &Destination<'_>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(FolderWriter, Ran)> {
    let &SparseRun { folder, plan, .. } = run;
    let config = folder.config();
    // Shapes and types stay, so the plan of the files is that of the base.
    let mut planned = Vec::new();
    for tensor in tensors(config) {
        planned.push(Planned::new(&tensor, folder.tensor(&tensor)?.dtype));
    }
    // Tensors that were sparse before and are not pruned now stay in the list.
    let mut sparse = Sparsity::of(folder.path())?;
    for layer in 0..config.num_hidden_layers() {
        let pruned = block_tensors(config, layer).into_iter().filter(|tensor| plan.has(tensor));
        sparse.tensors.extend(pruned.map(|tensor| (tensor.name, plan.zeros().pattern())));
    }
    let mut writer = destination.create(folder.raw_config(), planned)?;
    let ran = run.run(&mut writer, progress)?;
    writer.copy_companions(folder.path())?;
    writer.add_file(sparsity::FILE, &sparse.to_json())?;
    Ok((writer, ran))
}
