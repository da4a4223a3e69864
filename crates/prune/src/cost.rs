//! What measuring costs in memory and operations, computed from the configuration alone.

use shape::config::ModelConfig;
use shape::count::Count;
use shape::tensors::{TensorSpec, leading_tensors, tensors, trailing_tensors};

use crate::error::Result;
use crate::walk::BATCH;

/// The size of the calibration text, and whether its activations are kept on disk.
#[derive(Clone, Copy, Debug)]
pub struct TextSize {
    /// Sequences.
    pub sequences: usize,
    /// Tokens a sequence.
    pub length: usize,
    /// Whether its activations are kept on disk instead of in memory.
    pub spilled: bool,
}

/// What a method needs while it measures, in bytes unless another unit is named.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MeasuringCost {
    /// One block in f32; 0 if weights are read row by row.
    pub(crate) block: u64,
    /// The statistics that are collected while the block runs.
    pub(crate) statistics: u64,
    /// The residual stream of the calibration text, and copies of it that a method keeps.
    pub(crate) streams: u64,
    /// The activations of one batch inside a block.
    pub(crate) batch: u64,
    /// Parameters that are read for scoring.
    pub(crate) parameters_read: u64,
    /// Floating-point operations.
    pub(crate) flops: f64,
}

impl TextSize {
    /// Tokens in all.
    pub fn tokens(self) -> u64 {
        self.sequences as u64 * self.length as u64
    }
}

impl MeasuringCost {
    /// Nothing is measured.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// The cost of reading all weights row by row, without text.
    pub fn reading_weights(config: &ModelConfig) -> Result<Self> {
        Ok(Self { parameters_read: Count::of(config).total(), ..Self::default() })
    }

    /// The cost of one pass of the text through all blocks.
    pub fn walk(config: &ModelConfig, text: TextSize) -> Result<Self> {
        let (count, tokens) = (Count::of(config), text.tokens());
        Ok(Self {
            // Four bytes a number: blocks are computed in f32.
            block: count.per_block() * 4,
            statistics: 0,
            streams: tokens.saturating_mul(config.hidden_size() as u64 * 4),
            batch: batch_bytes(config, text.length, tokens),
            parameters_read: count.total(),
            flops: flops(config, tokens, text.length),
        })
    }
}

/// Bytes of the activations of one batch inside a block.
fn batch_bytes(config: &ModelConfig, length: usize, tokens: u64) -> u64 {
    // As in the walker: whole sequences, at least one.
    let rows = ((BATCH / length.max(1)).max(1) * length) as u64;
    let (hidden, inner) = (config.hidden_size() as u64, config.intermediate_size() as u64);
    let (query, key_value) = (config.query_width() as u64, config.key_value_width() as u64);
    // Seven copies of the stream: entering, in the middle, leaving, after a norm, two on the host
    // and one in transfer. Then the inputs and outputs of the parts.
    let columns = 7 * hidden + 2 * query + 2 * key_value + 3 * inner + inner.max(query).max(hidden);
    rows.min(tokens) * columns * 4
}

/// Per token: two operations for each weight of the blocks, and attention. Attention scores and
/// mixes over half the sequence on average, since it is causal.
fn flops(config: &ModelConfig, tokens: u64, length: usize) -> f64 {
    let outside = [leading_tensors(config), trailing_tensors(config)].concat();
    let count =
        |tensors: &[TensorSpec]| tensors.iter().map(|tensor| tensor.len() as f64).sum::<f64>();
    let weights = count(&tensors(config)) - count(&outside);
    let attention =
        2.0 * config.query_width() as f64 * length as f64 * config.num_hidden_layers() as f64;
    tokens as f64 * (2.0 * weights + attention)
}
