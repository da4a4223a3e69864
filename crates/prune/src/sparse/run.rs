//! Block by block: look at what a block reads, prune it, write it, and send the text on through
//! what it has become.
//!
//! In memory are one block, the statistics of its inputs, the residual stream of the calibration
//! text and the activations of one batch of it; where a score reads no text, some rows of one
//! weight.

use std::collections::BTreeMap;
use std::path::Path;

use ledger::{Fallback, Params};
use model::backend::Area;
use model::backend::cpu::Cpu;
use model::decoder::Inlet;
use model::folder::{FolderWriter, ModelFolder};
use model::weights;
use rayon::prelude::*;
use shape::config::ModelConfig;
use shape::tensors::{TensorSpec, block_tensors, leading_tensors, trailing_tensors};

use super::plan::SparsePlan;
use super::score::{Linear, Sparsified, Sparsify};
use super::stats::{LinearStats, Statistics};
use crate::calibration::Sequences;
use crate::error::{Error, Result};
use crate::walk::{Read, Seen, Visit, Walker};

/// Numbers of a tensor that are held at a time where no text is read.
const PIECE: usize = 1 << 20;

/// Numbers that one task looks at.
const TASK: usize = 1 << 16;

/// What only running it tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Ran {
    /// ZeroRule that already stood in the weights.
    pub(crate) already_zero: Params,
    /// ZeroRule that stand in them now: at least as many as the pattern asks for.
    pub(crate) zeros: Params,
    /// Where the score could not do what it does.
    pub(crate) fallbacks: Vec<Fallback>,
}

/// Prunes every block in order, each on the inputs that the blocks before it give as they are then,
/// and writes the model.
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
    for layer in 0..config.num_hidden_layers() {
        progress(layer, config.num_hidden_layers());
        let Some(walker) = &mut walker else {
            let mut outcomes = BTreeMap::new();
            for tensor in block_tensors(config, layer) {
                if !plan.has(&tensor) {
                    copy(folder, &[tensor], writer)?;
                    continue;
                }
                let outcome = alone(folder, &tensor, plan, score, writer, &mut ran)?;
                let inlet =
                    Inlet::ALL.into_iter().find(|inlet| inlet.roles().contains(&tensor.role));
                let (whole, names): &mut (Sparsified, Vec<String>) =
                    outcomes.entry(inlet).or_default();
                *whole = worse(std::mem::take(whole), outcome);
                names.push(tensor.name);
            }
            ran.fallbacks.extend(
                outcomes.into_values().filter_map(|(outcome, names)| fallback(outcome, names)),
            );
            continue;
        };
        let mut block = weights::load_block(folder, layer, &backend)?;
        let mut looker = Looker::new(config, plan, score.needs())?;
        walker.pass(&block, layer, false, &mut looker)?;
        let placed = placed(&block_tensors(config, layer));
        for (inlet, stats) in looker.stats {
            let linears: Vec<Linear> = placed
                .iter()
                .filter(|(tensor, _)| plan.has(tensor) && inlet.roles().contains(&tensor.role))
                .map(|(tensor, area)| Linear { name: tensor.name.clone(), area: *area })
                .collect();
            for linear in &linears {
                ran.already_zero.0 += zeros(&block[linear.area.offset..linear.area.end()]);
            }
            let outcome = score.sparsify(&mut block, &linears, stats, plan.zeros())?;
            ran.fallbacks
                .extend(fallback(outcome, linears.into_iter().map(|linear| linear.name).collect()));
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
        if layer + 1 < config.num_hidden_layers() {
            walker.pass(&block, layer, true, &mut |_: &Seen<'_>| Ok(()))?;
        }
    }
    progress(config.num_hidden_layers(), config.num_hidden_layers());
    copy(folder, &trailing_tensors(config), writer)?;
    Ok(ran)
}

/// Prunes a weight by a score that needs to know nothing: it looks at rows one by one, and so no
/// more of them are held.
fn alone(
    folder: &ModelFolder,
    tensor: &TensorSpec,
    plan: &SparsePlan,
    score: &dyn Sparsify,
    writer: &mut FolderWriter,
    ran: &mut Ran,
) -> Result<Sparsified> {
    let mut outcome = Sparsified::default();
    folder.read_rows(tensor, PIECE, &mut |rows| {
        let area = Area::new(0, rows.len() / tensor.columns(), tensor.columns());
        let linear = Linear { name: tensor.name.clone(), area };
        ran.already_zero.0 += zeros(rows);
        let of_rows = score.sparsify(rows, &[linear], LinearStats::default(), plan.zeros())?;
        outcome = worse(std::mem::take(&mut outcome), of_rows);
        ran.zeros.0 += zeros(rows);
        Ok::<(), Error>(writer.write_f32(rows)?)
    })?;
    Ok(outcome)
}

/// What two parts of the same layers have to tell together.
fn worse(one: Sparsified, other: Sparsified) -> Sparsified {
    let damping = match (one.damping, other.damping) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    };
    Sparsified { damping, instead: one.instead.or(other.instead) }
}

fn zeros(values: &[f32]) -> u64 {
    let count = |values: &[f32]| -> u64 {
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

fn fallback(outcome: Sparsified, tensors: Vec<String>) -> Option<Fallback> {
    let Sparsified { damping, instead } = outcome;
    let score = instead.map(str::to_owned);
    (damping.is_some() || score.is_some()).then_some(Fallback { tensors, damping, score })
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
            if inlet.roles().iter().any(|role| plan.linear().contains(role)) {
                let columns = match inlet {
                    Inlet::Attention | Inlet::FeedForward => config.hidden_size(),
                    Inlet::AttentionOutput => config.query_width(),
                    Inlet::Down => config.intermediate_size(),
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
