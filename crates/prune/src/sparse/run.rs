//! Block by block: look at what a block reads, prune it, write it, and send the text on through what it has become.
//!
//! In memory are one block, the statistics of its inputs, the residual stream of the calibration text and the activations
//! of one batch of it.

use std::path::Path;

use ledger::{Fallback, Params};
use model::backend::Area;
use model::backend::cpu::Cpu;
use model::config::ModelConfig;
use model::decoder::Inlet;
use model::family::{TensorSpec, block_tensors, leading_tensors, trailing_tensors};
use model::folder::{FolderWriter, ModelFolder};
use model::weights;

use super::{Linear, LinearStats, Outcome, SparsePlan, Sparsify, Statistics};
use crate::calibration::Sequences;
use crate::error::Result;
use crate::walk::{Read, Seen, Visit, Walker};

/// What only running it tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ran {
    /// Zeros that already stood in the weights.
    pub(crate) already_zero: Params,
    /// Zeros that stand in them now: at least as many as the pattern asks for.
    pub(crate) zeros: Params,
    /// Where the score could not do what it does.
    pub(crate) fallbacks: Vec<Fallback>,
}

/// Prunes every block in order, each on the inputs that the blocks before it give as they are then, and writes the model.
pub(crate) fn run(
    folder: &ModelFolder,
    plan: &SparsePlan,
    score: &dyn Sparsify,
    sequences: Option<&Sequences>,
    spill: Option<&Path>,
    writer: &mut FolderWriter,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Ran> {
    let config = folder.config();
    let backend = Cpu::<f32>::new();
    let walker = sequences.map(|sequences| Walker::new(backend, folder, sequences, spill));
    let mut walker = walker.transpose()?;
    let mut ran = Ran::default();
    copy(folder, &leading_tensors(config), writer)?;
    for layer in 0..config.num_hidden_layers {
        progress(layer, config.num_hidden_layers);
        let tensors = block_tensors(config, layer);
        let mut block = weights::load_block(folder, layer, &backend)?;
        let mut looker = Looker::new(config, plan, score.needs())?;
        if let Some(walker) = &mut walker {
            walker.pass(&block, layer, false, &mut looker)?;
        }
        let placed = placed(&tensors);
        for (inlet, stats) in looker.stats {
            let linears: Vec<Linear> = placed
                .iter()
                .filter(|(tensor, _)| plan.has(tensor) && inlet.roles().contains(&tensor.role))
                .map(|(tensor, area)| Linear { name: tensor.name.clone(), area: *area })
                .collect();
            for linear in &linears {
                ran.already_zero.0 += zeros(&block[linear.area.offset..linear.area.end()]);
            }
            let outcome = score.sparsify(&mut block, &linears, stats, plan.zeros)?;
            ran.fallbacks.extend(fallback(outcome, &linears));
        }
        for (tensor, area) in placed {
            if plan.has(&tensor) {
                // The text goes on through the weights as they will be read.
                round(folder, &tensor, &mut block[area.offset..area.end()])?;
                ran.zeros.0 += zeros(&block[area.offset..area.end()]);
                writer.write_f32(&block[area.offset..area.end()])?;
            } else {
                copy(folder, &[tensor], writer)?;
            }
        }
        if let Some(walker) = walker.as_mut().filter(|_| layer + 1 < config.num_hidden_layers) {
            walker.pass(&block, layer, true, &mut |_: &Seen<'_>| Ok(()))?;
        }
    }
    progress(config.num_hidden_layers, config.num_hidden_layers);
    copy(folder, &trailing_tensors(config), writer)?;
    Ok(ran)
}

fn zeros(values: &[f32]) -> u64 {
    values.iter().filter(|&&value| value == 0.0).count() as u64
}

/// Copies tensors byte by byte.
fn copy(folder: &ModelFolder, tensors: &[TensorSpec], writer: &mut FolderWriter) -> Result<()> {
    for tensor in tensors {
        writer.write(folder.tensor(tensor)?.bytes)?;
        folder.release(tensor);
    }
    Ok(())
}

/// Rounds to what the tensor is stored as.
fn round(folder: &ModelFolder, tensor: &TensorSpec, values: &mut [f32]) -> Result<()> {
    let dtype = folder.tensor(tensor)?.dtype;
    dtype.round(values).map_err(|index| {
        let (tensor, value) = (tensor.name.clone(), values[index]);
        model::Error::NotStorable { tensor, index, value, dtype: dtype.name() }.into()
    })
}

/// Where each tensor of a block lies in its buffer.
fn placed(tensors: &[TensorSpec]) -> Vec<(TensorSpec, Area)> {
    let mut offset = 0;
    let place = |tensor: &TensorSpec| {
        let area = Area::new(offset, tensor.rows(), tensor.columns());
        offset = area.end();
        (tensor.clone(), area)
    };
    tensors.iter().map(place).collect()
}

fn fallback(outcome: Outcome, linears: &[Linear]) -> Option<Fallback> {
    let Outcome { damping, instead } = outcome;
    let tensors = linears.iter().map(|linear| linear.name.clone()).collect();
    (damping.is_some() || instead.is_some()).then(|| Fallback {
        tensors,
        damping,
        score: instead.map(str::to_owned),
    })
}

/// Takes the statistics of one block.
struct Looker {
    needs: Statistics,
    stats: Vec<(Inlet, LinearStats)>,
}

impl Looker {
    fn new(config: &ModelConfig, plan: &SparsePlan, needs: Statistics) -> Result<Self> {
        let mut stats = Vec::new();
        for inlet in Inlet::ALL {
            if inlet.roles().iter().any(|role| plan.linear.contains(role)) {
                let columns = match inlet {
                    Inlet::Attention | Inlet::FeedForward => config.hidden_size,
                    Inlet::AttentionOutput => config.query_width(),
                    Inlet::Down => config.intermediate_size,
                };
                stats.push((inlet, LinearStats::new(needs, columns)?));
            }
        }
        Ok(Self { needs, stats })
    }
}

impl Visit for Looker {
    fn wants(&self, inlet: Inlet) -> bool {
        self.needs != Statistics::Nothing && self.stats.iter().any(|(wanted, _)| *wanted == inlet)
    }

    fn read(&mut self, read: &Read<'_>) -> Result<()> {
        let found = self.stats.iter_mut().find(|(inlet, _)| *inlet == read.inlet);
        let (_, stats) = found.expect("only what is wanted comes");
        stats.add(read.values, read.columns)
    }

    fn block(&mut self, _: &Seen<'_>) -> Result<()> {
        Ok(())
    }
}
