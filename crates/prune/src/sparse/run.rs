//! Prunes a model block by block: measure what a block reads, prune it, write it, and send the text
//! on through the pruned block.
//!
//! In memory are one block, the statistics of its inputs, the residual stream of the calibration
//! text and the activations of one batch. A score that reads no text needs only some rows of one
//! weight.

use std::collections::BTreeMap;
use std::path::Path;

use ledger::{Fallback, Params};
use model::backend::{Area, Backend};
use model::decoder::Inlet;
use model::folder::{FolderWriter, ModelFolder};
use model::weights;
use rayon::prelude::*;
use shape::config::ModelConfig;
use shape::tensors::{TensorSpec, block_tensors, leading_tensors, trailing_tensors};

use super::bench::MachineBench;
use super::plan::SparsePlan;
use super::score::{Linear, Sparsified, Sparsify};
use super::stats::{LinearStats, Statistics};
use crate::calibration::Sequences;
use crate::error::{Error, Result};
use crate::walk::{Read, Seen, Visit, Walker};

/// Numbers of a tensor in memory at a time when no text is read.
const PIECE: usize = 1 << 20;

/// Numbers in which one thread task counts zeros.
const TASK: usize = 1 << 16;

/// What is known only after pruning.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ran {
    /// Zeros that were in the weights before.
    pub(crate) already_zero: Params,
    /// Zeros that are in the weights now: at least as many as the pattern asks for.
    pub(crate) zeros: Params,
    /// Linear layers that needed more damping or another score.
    pub(crate) fallbacks: Vec<Fallback>,
}

/// What is pruned, by which score, on which text.
pub(crate) struct SparseRun<'a, B> {
    pub(crate) machine: &'a B,
    pub(crate) folder: &'a ModelFolder,
    pub(crate) plan: &'a SparsePlan,
    pub(crate) score: &'a dyn Sparsify,
    pub(crate) sequences: Option<&'a Sequences>,
    pub(crate) spill: Option<&'a Path>,
}

impl<B: Backend + Clone> SparseRun<'_, B> {
    /// Prunes every block in order and writes the model. A block is pruned on the inputs that it
    /// gets from the pruned blocks before it.
    pub(super) fn run(
        &self,
        writer: &mut FolderWriter,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Ran> {
        let (folder, config) = (self.folder, self.folder.config());
        let mut walker = match self.sequences {
            Some(text) => Some(Walker::new(self.machine.clone(), folder, text, self.spill)?),
            None => None,
        };
        // Tensors are written in file order: embedding, blocks, then the final norm and the head.
        let mut ran = Ran::default();
        copy(folder, &leading_tensors(config), writer)?;
        for layer in 0..config.num_hidden_layers() {
            progress(layer, config.num_hidden_layers());
            match &mut walker {
                None => self.block_by_rows(layer, writer, &mut ran)?,
                Some(walker) => self.block_on_text(layer, walker, writer, &mut ran)?,
            }
        }
        progress(config.num_hidden_layers(), config.num_hidden_layers());
        copy(folder, &trailing_tensors(config), writer)?;
        Ok(ran)
    }

    /// Prunes a block by a score that reads no text.
    fn block_by_rows(&self, layer: usize, writer: &mut FolderWriter, ran: &mut Ran) -> Result<()> {
        let mut outcomes = BTreeMap::new();
        for tensor in block_tensors(self.folder.config(), layer) {
            if !self.plan.has(&tensor) {
                copy(self.folder, &[tensor], writer)?;
                continue;
            }
            let outcome = self.by_rows(&tensor, writer, ran)?;
            // Fallbacks are reported once per input, as for scores that read text.
            let inlet = Inlet::ALL.into_iter().find(|inlet| inlet.roles().contains(&tensor.role));
            let (whole, names): &mut (Sparsified, Vec<String>) = outcomes.entry(inlet).or_default();
            *whole = whole.and(outcome);
            names.push(tensor.name);
        }
        ran.fallbacks
            .extend(outcomes.into_values().filter_map(|(outcome, names)| fallback(outcome, names)));
        Ok(())
    }

    /// Prunes a weight by a score that needs no statistics. Such a score treats every row alone, so
    /// only some rows are in memory.
    fn by_rows(
        &self,
        tensor: &TensorSpec,
        writer: &mut FolderWriter,
        ran: &mut Ran,
    ) -> Result<Sparsified> {
        let mut outcome = Sparsified::default();
        let mut bench = MachineBench::new(self.machine);
        let stats = LinearStats::new(&mut bench, Statistics::Nothing, tensor.columns())?;
        self.folder.read_rows(tensor, PIECE, &mut |rows| {
            ran.already_zero.0 += zeros(rows);
            let some = Linear::new(tensor.name.clone(), tensor.columns(), std::mem::take(rows));
            let mut linears = [some];
            let of_rows =
                self.score.sparsify(&mut bench, &mut linears, &stats, self.plan.zeros())?;
            outcome = outcome.and(of_rows);
            let [some] = linears;
            *rows = some.into_weights();
            ran.zeros.0 += zeros(rows);
            Ok::<(), Error>(writer.write_f32(rows)?)
        })?;
        Ok(outcome)
    }

    /// Prunes a block on what its linear layers read, and sends the text on through the pruned
    /// block.
    fn block_on_text(
        &self,
        layer: usize,
        walker: &mut Walker<B>,
        writer: &mut FolderWriter,
        ran: &mut Ran,
    ) -> Result<()> {
        let (folder, config, machine) = (self.folder, self.folder.config(), self.machine);
        let mut block = weights::load_block(folder, layer, machine)?;
        let mut looker = Looker::new(machine, config, self.plan, self.score.needs())?;
        // The first pass only measures: the text stays in front of the block.
        walker.pass(&block, layer, false, &mut looker)?;
        let placed = placed(&block_tensors(config, layer));
        let Looker { mut bench, stats, .. } = looker;
        for (inlet, mut stats) in stats {
            stats.close(&mut bench);
            let mut linears = Vec::new();
            let mut areas = Vec::new();
            for (tensor, area) in &placed {
                if self.plan.has(tensor) && inlet.roles().contains(&tensor.role) {
                    let mut values = vec![0.0; tensor.len()];
                    machine.download_weights(&block, area.offset, &mut values)?;
                    ran.already_zero.0 += zeros(&values);
                    linears.push(Linear::new(tensor.name.clone(), tensor.columns(), values));
                    areas.push((tensor, area));
                }
            }
            let outcome =
                self.score.sparsify(&mut bench, &mut linears, &stats, self.plan.zeros())?;
            stats.free(&mut bench);
            let names = linears.iter().map(|linear| linear.name().to_owned()).collect();
            ran.fallbacks.extend(fallback(outcome, names));
            for (mut linear, (tensor, area)) in linears.into_iter().zip(areas) {
                // Rounded to the stored type: the text must pass the weights that a reader will
                // load.
                round(folder, tensor, linear.weights_mut())?;
                machine.upload_weights(linear.weights(), &mut block, area.offset)?;
            }
        }
        for (tensor, area) in placed {
            if self.plan.has(&tensor) {
                let mut values = vec![0.0; tensor.len()];
                machine.download_weights(&block, area.offset, &mut values)?;
                ran.zeros.0 += zeros(&values);
                writer.write_f32(&values)?;
            } else {
                copy(folder, &[tensor], writer)?;
            }
        }
        // The second pass moves the text on, through the pruned weights. Nothing reads what leaves
        // the last block.
        if layer + 1 < config.num_hidden_layers() {
            walker.pass(&block, layer, true, &mut |_: &Seen<'_>| Ok(()))?;
        }
        Ok(())
    }
}

fn zeros(values: &[f32]) -> u64 {
    let count = |values: &[f32]| -> u64 {
        // 32 bits are enough: a task has `TASK` numbers.
        let zeros = values.iter().fold(0_u32, |sum, &value| sum + u32::from(value == 0.0));
        zeros.into()
    };
    values.par_chunks(TASK).map(count).sum()
}

/// Copies tensors byte by byte.
fn copy(folder: &ModelFolder, tensors: &[TensorSpec], writer: &mut FolderWriter) -> Result<()> {
    for tensor in tensors {
        folder.copy_bytes(tensor, 0..folder.tensor(tensor)?.bytes.len(), writer)?;
    }
    Ok(())
}

/// Rounds to the type in which the tensor is stored.
fn round(folder: &ModelFolder, tensor: &TensorSpec, values: &mut [f32]) -> Result<()> {
    let dtype = folder.tensor(tensor)?.dtype;
    dtype.round(values).map_err(|index| {
        model::Error::cannot_store(&tensor.name, index, values[index], dtype.name()).into()
    })
}

/// The place of each tensor in the buffer of a block.
fn placed(tensors: &[TensorSpec]) -> Vec<(TensorSpec, Area)> {
    let mut offset = 0;
    let place = |tensor: &TensorSpec| {
        let area = Area::new(offset, tensor.rows(), tensor.columns());
        offset = area.end();
        (tensor.clone(), area)
    };
    tensors.iter().map(place).collect()
}

fn fallback(outcome: Sparsified, tensors: Vec<String>) -> Option<Fallback> {
    let (damping, score) = (outcome.damping(), outcome.instead().map(str::to_owned));
    Fallback::of(tensors, damping, score)
}

/// Takes the statistics of one block, for every input of a linear layer that is pruned.
struct Looker<'a, B: Backend> {
    bench: MachineBench<'a, B>,
    needs: Statistics,
    stats: Vec<(Inlet, LinearStats)>,
}

impl<'a, B: Backend> Looker<'a, B> {
    fn new(
        machine: &'a B,
        config: &ModelConfig,
        plan: &SparsePlan,
        needs: Statistics,
    ) -> Result<Self> {
        let mut bench = MachineBench::new(machine);
        let mut stats = Vec::new();
        for inlet in Inlet::ALL {
            if inlet.roles().iter().any(|role| plan.linear().contains(role)) {
                let columns = match inlet {
                    Inlet::Attention | Inlet::FeedForward => config.hidden_size(),
                    Inlet::AttentionOutput => config.query_width(),
                    Inlet::Down => config.intermediate_size(),
                };
                stats.push((inlet, LinearStats::new(&mut bench, needs, columns)?));
            }
        }
        Ok(Self { bench, needs, stats })
    }
}

impl<B: Backend> Visit for Looker<'_, B> {
    fn wants(&self, inlet: Inlet) -> bool {
        self.needs != Statistics::Nothing && self.stats.iter().any(|(wanted, _)| *wanted == inlet)
    }

    fn read(&mut self, read: &Read<'_>) -> Result<()> {
        let found = self.stats.iter_mut().find(|(inlet, _)| *inlet == read.inlet());
        let (_, stats) = found.expect("only what is wanted comes");
        stats.add(&mut self.bench, read.values())
    }

    fn block(&mut self, _: &Seen<'_>) -> Result<()> {
        Ok(())
    }
}
