//! What pruning will make and what it will need, from a configuration alone: a model of any size
//! can be planned anywhere.

use std::hint::black_box;
use std::time::Instant;

use ledger::Params;
use model::backend::cpu::Cpu;
use model::backend::{Area, Backend, View, ViewMut};
use model::decoder::Inlet;
use shape::config::ModelConfig;
use shape::count::Count;
use shape::tensors::{block_tensors, leading_tensors, tensors, trailing_tensors};

use crate::error::{Error, Result};
use crate::methods::{Method, Needs, Select, Takes, Target};
use crate::options::{Options, Positions};
use crate::shapes;
use crate::sparse::{self, SparsePlan, Statistics};
use crate::walk::BATCH;
use crate::width::shape::{Choice, Shape, choices, named};

/// Memory that the program takes before any model: its own pages and threads, and pieces of files
/// on their way.
const PROGRAM: u64 = 128 << 20;

/// What is promised beside two blocks, their statistics and the activations.
const PROMISED: u64 = 1 << 30;

/// How many legal shapes a plan lists.
const LISTED: usize = 6;

/// Bytes a second that a disk is taken to read and write; it is not measured.
pub const DISK_SPEED: f64 = 500e6;

/// What pruning will make and need.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What the target comes to, best first: the first is what pruning makes.
    pub choices: Vec<Choice>,
    /// Largest resident memory, in bytes.
    pub memory: Memory,
    /// Bytes that the smaller model takes on disk.
    pub output: u64,
    /// Bytes of activations that are kept on disk meanwhile.
    pub spilled: u64,
    /// Bytes that are read: the weights for their hash, to score and to copy.
    pub read: u64,
    /// Floating-point operations of the calibration text's way through the blocks.
    pub flops: f64,
}

/// Resident memory, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// One block in f32; none where weights are looked at row by row.
    pub block: u64,
    /// What is counted while the block runs.
    pub statistics: u64,
    /// The residual stream of the calibration text, where it is kept in memory.
    pub activations: u64,
    /// The activations of one batch inside a block.
    pub batch: u64,
    /// The program itself.
    pub program: u64,
}

/// How much calibration text there will be, and where its activations are kept.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// Sequences.
    pub sequences: usize,
    /// Tokens a sequence.
    pub length: usize,
    /// Whether activations are kept on disk.
    pub spilled: bool,
}

impl Memory {
    /// All of it together.
    pub fn peak(&self) -> u64 {
        self.block + self.statistics + self.activations + self.batch + self.program
    }

    /// What is promised: two blocks in f32 and their statistics, the activations, and 1 GiB.
    pub fn bound(&self, config: &ModelConfig) -> u64 {
        let block = Count::of(config).per_block * 4;
        2 * block + self.statistics + self.activations + PROMISED
    }
}

impl Plan {
    /// Seconds, at so many floating-point operations a second, and at [`DISK_SPEED`].
    pub fn seconds(&self, speed: f64) -> f64 {
        self.flops / speed + (self.read + self.output + 2 * self.spilled) as f64 / DISK_SPEED
    }
}

/// Plans a method on a model whose weights take `bytes` each.
///
/// # Errors
/// Where the method does not take the target, or the model cannot meet it.
pub fn plan(
    config: &ModelConfig,
    method: Method,
    target: &Target,
    options: &Options,
    text: Text,
    bytes: usize,
) -> Result<Plan> {
    options.check()?;
    let select = match method {
        Method::Select(select) => select,
        Method::Sparse(_, score) => {
            let zeros = sparse::plan(config, &method, target, &options.linear)?;
            return plan_sparse(config, &zeros, score.needs(), text, bytes);
        }
    };
    if !select.takes().contains(&target.kind()) {
        return Err(Error::target(select, target));
    }
    let choices = outcomes(config, select, target, options)?;
    let dropped = config.num_hidden_layers() - choices[0].layers;
    let whole = Count::of(config);
    let wide = |number: usize| number as u64;
    let tokens = if select.needs().text() { wide(text.sequences) * wide(text.length) } else { 0 };
    let (hidden, inner, layers) = (
        wide(config.hidden_size()),
        wide(config.intermediate_size()),
        wide(config.num_hidden_layers()),
    );
    let copies = match (select.needs(), options.positions) {
        (Needs::AngularDistance, Positions::All) => 1 + wide(dropped),
        _ => 1,
    };
    let stream = tokens.saturating_mul(hidden * 4).saturating_mul(copies);
    let remembered = match (select.needs(), options.positions) {
        (Needs::AngularDistance, Positions::Last) => wide(dropped * text.sequences) * hidden * 4,
        (Needs::Activations | Needs::Weights, _) => {
            layers * (2 * hidden + inner + wide(config.num_key_value_heads())) * 8
        }
        _ => 0,
    };
    let (activations, spilled) = if text.spilled { (0, stream) } else { (stream, 0) };
    let block = if select.needs().text() { whole.per_block * 4 } else { 0 };
    let batch = if tokens == 0 { 0 } else { batch_bytes(config, text.length, tokens) };
    let read = wide(bytes)
        * (whole.total * if select.needs() == Needs::Nothing { 1 } else { 2 }
            + choices[0].parameters.0);
    Ok(Plan {
        memory: Memory { block, statistics: remembered, activations, batch, program: PROGRAM },
        output: choices[0].parameters.0 * wide(bytes),
        spilled,
        read,
        flops: flops(config, tokens, text.length),
        choices,
    })
}

/// What zeros need: one block, whatever is known of its inputs, and the text before it twice.
fn plan_sparse(
    config: &ModelConfig,
    zeros: &SparsePlan,
    needs: Statistics,
    text: Text,
    bytes: usize,
) -> Result<Plan> {
    let whole = Count::of(config);
    let wide = |number: usize| number as u64;
    let tokens =
        if needs == Statistics::Nothing { 0 } else { wide(text.sequences) * wide(text.length) };
    let mut statistics = 0;
    let mut operations = 2.0 * flops(config, tokens, text.length);
    for inlet in Inlet::ALL {
        let tensors = block_tensors(config, 0);
        let readers = tensors
            .iter()
            .filter(|tensor| zeros.has(tensor) && inlet.roles().contains(&tensor.role));
        let (rows, side) =
            readers.fold((0, 0), |(rows, _), tensor| (rows + tensor.rows(), tensor.columns()));
        if needs >= Statistics::SquareSums {
            statistics += wide(side) * 8;
        }
        if needs == Statistics::Gram {
            statistics += wide(side) * wide(side) * 4 + wide(rows.max(side)) * 128 * 8;
            let (tokens, rows, side) = (tokens as f64, rows as f64, side as f64);
            // Half of the Gram matrix, its factor and the inverse of that, and what columns owe to
            // those right of them.
            let once = tokens * side * side + 2.0 / 3.0 * side.powi(3) + rows * side * side;
            operations += config.num_hidden_layers() as f64 * once;
        }
    }
    let stream = tokens.saturating_mul(wide(config.hidden_size()) * 4);
    let (activations, spilled) = if text.spilled { (0, stream) } else { (stream, 0) };
    let batch = if tokens == 0 { 0 } else { batch_bytes(config, text.length, tokens) };
    let block = if needs == Statistics::Nothing { 0 } else { whole.per_block * 4 };
    let choice = Choice {
        layers: config.num_hidden_layers(),
        shape: Shape::of(config),
        rate: zeros.rate,
        rate_without_embedding: zeros.rate_without_embedding,
        parameters: Params(whole.total - zeros.zeroed.0),
        parameters_without_embedding: Params(whole.without_embedding - zeros.zeroed.0),
    };
    Ok(Plan {
        choices: vec![choice],
        memory: Memory { block, statistics, activations, batch, program: PROGRAM },
        output: whole.total * wide(bytes),
        spilled,
        read: 2 * whole.total * wide(bytes),
        flops: operations,
    })
}

/// Floating-point operations a second of a product on this machine, measured in about a tenth of a
/// second.
///
/// # Errors
/// If memory is short.
pub fn speed() -> Result<f64> {
    const SIDE: usize = 512;
    let backend = Cpu::<f32>::new();
    let (a, b) = (vec![0.5; SIDE * SIDE], vec![0.25; SIDE * SIDE]);
    let mut c = backend.allocate(SIDE * SIDE)?;
    let area = Area::new(0, SIDE, SIDE);
    let mut product = || {
        backend.product(View::new(&a, area), View::new(&b, area), ViewMut::new(&mut c, area), false)
    };
    product()?;
    let start = Instant::now();
    let mut done = 0.0;
    while start.elapsed().as_secs_f64() < 0.1 {
        product()?;
        done += 1.0;
    }
    let seconds = start.elapsed().as_secs_f64();
    black_box(&c);
    Ok(done * 2.0 * (SIDE * SIDE * SIDE) as f64 / seconds)
}

/// What the target comes to.
fn outcomes(
    config: &ModelConfig,
    select: &dyn Select,
    target: &Target,
    options: &Options,
) -> Result<Vec<Choice>> {
    let layers = |count| config.with_blocks(count);
    match target {
        &Target::Rate { rate, tolerance } if select.takes().contains(&Takes::Sizes) => {
            choices(config, rate, tolerance, options, LISTED)
        }
        Target::Sizes(sizes) => Ok(vec![named(config, sizes)?]),
        &Target::Rate { rate, tolerance } => {
            let dropped = shapes::nearest(config, rate, tolerance)?.dropped;
            let mut near: Vec<usize> = (1..config.num_hidden_layers())
                .filter(|&other| other.abs_diff(dropped) <= 1)
                .collect();
            near.sort_by_key(|&other| other.abs_diff(dropped));
            near.iter()
                .map(|&dropped| Choice::of(config, &layers(config.num_hidden_layers() - dropped)))
                .collect()
        }
        Target::Layers(_) | Target::Pattern => {
            let cut = select.choose(config, &crate::Scores::None, target, options)?;
            Ok(vec![Choice::of(config, &layers(cut.kept().len()))?])
        }
    }
}

/// What a batch of tokens takes on its way through a block.
fn batch_bytes(config: &ModelConfig, length: usize, tokens: u64) -> u64 {
    let rows = ((BATCH / length.max(1)).max(1) * length) as u64;
    let (hidden, inner) = (config.hidden_size() as u64, config.intermediate_size() as u64);
    let (query, key_value) = (config.query_width() as u64, config.key_value_width() as u64);
    // Stream: entering, in the middle, leaving, normed, two host copies and one on its way; then
    // what parts read.
    let columns = 7 * hidden + 2 * query + 2 * key_value + 3 * inner + inner.max(query).max(hidden);
    rows.min(tokens) * columns * 4
}

/// Twice the weights of the blocks for each token, and attention's scores and mixing over half the
/// sequence.
fn flops(config: &ModelConfig, tokens: u64, length: usize) -> f64 {
    let outside = [leading_tensors(config), trailing_tensors(config)].concat();
    let count = |tensors: &[shape::tensors::TensorSpec]| {
        tensors.iter().map(|tensor| tensor.len() as f64).sum::<f64>()
    };
    let weights = count(&tensors(config)) - count(&outside);
    let attention =
        2.0 * config.query_width() as f64 * length as f64 * config.num_hidden_layers() as f64;
    tokens as f64 * (2.0 * weights + attention)
}
