//! Memory for activations, allocated once and reused.

use shape::config::ModelConfig;

use crate::Result;
use crate::activations::{Activations, logit_rows};
use crate::backend::Backend;

/// The buffers of a pass over a batch. They grow to the largest batch seen.
pub struct Workspace<B: Backend> {
    /// One slot per block, or one that all blocks use in turn.
    pub(crate) slots: Vec<Slot<B>>,
    /// The input streams of the blocks, `[tokens, hidden]` each, if everything else is recomputed.
    pub(crate) inputs: Vec<B::Buffer>,
    /// The output stream of the last block, `[tokens, hidden]`.
    pub(crate) output: B::Buffer,
    pub(crate) scratch: Scratch<B>,
    recompute: bool,
    rows: usize,
    head: bool,
    training: bool,
}

/// Activations of one block that its backward pass needs.
pub(crate) struct Slot<B: Backend> {
    /// Residual stream at the input of the block, `[tokens, hidden]`.
    pub(crate) input: B::Buffer,
    /// Rotated queries and keys, and values, `[tokens, query + 2 key_value]`.
    pub(crate) qkv: B::Buffer,
    /// Output of attention, `[tokens, query]`.
    pub(crate) mixed: B::Buffer,
    /// Log-sum-exp of each row of scores, `[tokens, heads]`.
    pub(crate) log_sums: B::Buffer,
    /// Residual stream between attention and feed-forward, `[tokens, hidden]`.
    pub(crate) middle: B::Buffer,
    /// Gate and up, `[tokens, 2 inner]`.
    pub(crate) gate_up: B::Buffer,
}

/// Buffers that every block overwrites.
pub(crate) struct Scratch<B: Backend> {
    pub(crate) normed: B::Buffer,
    pub(crate) inverse_rms: B::Buffer,
    pub(crate) inner: B::Buffer,
    pub(crate) logits: B::Buffer,
    /// Loss of every token.
    pub(crate) losses: B::Losses,
    pub(crate) gradients: Gradients<B>,
}

/// Gradients of activations; empty until the first training pass.
pub(crate) struct Gradients<B: Backend> {
    pub(crate) stream: B::Buffer,
    pub(crate) normed: B::Buffer,
    pub(crate) mixed: B::Buffer,
    pub(crate) qkv: B::Buffer,
}

impl<B: Backend> Workspace<B> {
    /// An empty workspace for this backend. With `recompute`, it keeps only the input stream of
    /// every block.
    pub(crate) fn new(backend: &B, recompute: bool) -> Result<Self> {
        let empty = || backend.allocate(0);
        let scratch = Scratch {
            normed: empty()?,
            inverse_rms: empty()?,
            inner: empty()?,
            logits: empty()?,
            losses: backend.allocate_losses(0)?,
            gradients: Gradients {
                stream: empty()?,
                normed: empty()?,
                mixed: empty()?,
                qkv: empty()?,
            },
        };
        Ok(Workspace {
            slots: Vec::new(),
            inputs: Vec::new(),
            output: empty()?,
            scratch,
            recompute,
            rows: 0,
            head: false,
            training: false,
        })
    }

    /// Whether blocks are recomputed in the backward pass.
    pub fn recomputes(&self) -> bool {
        self.recompute
    }

    /// Allocates room for `rows` tokens and the activations of `blocks` blocks, for gradients if
    /// `training`, and for logits if `head`.
    pub(crate) fn reserve(
        &mut self,
        backend: &B,
        config: &ModelConfig,
        rows: usize,
        blocks: usize,
        head: bool,
        training: bool,
    ) -> Result<()> {
        let allocate = |len| backend.allocate(len);
        if rows > self.rows {
            // Nothing is kept between passes, so the smaller buffers are freed before the larger
            // ones are allocated.
            *self = Workspace::new(backend, self.recompute)?;
            let shape = Activations::new(config, rows);
            self.output = allocate(shape.stream.end())?;
            self.scratch.normed = allocate(shape.stream.end())?;
            self.scratch.inverse_rms = allocate(rows)?;
            self.scratch.inner = allocate(shape.inner.end())?;
            self.rows = rows;
            self.head = false;
        }
        if head && !self.head {
            let vocabulary = config.vocab_size();
            self.scratch.losses = backend.allocate_losses(self.rows)?;
            self.scratch.logits = allocate(logit_rows(vocabulary).min(self.rows) * vocabulary)?;
            self.head = true;
        }
        let shape = Activations::new(config, self.rows);
        let (slots, inputs) = kept(blocks, training && self.recompute);
        while self.inputs.len() < inputs {
            self.inputs.push(allocate(shape.stream.end())?);
        }
        while self.slots.len() < slots {
            self.slots.push(Slot {
                input: allocate(shape.stream.end())?,
                qkv: allocate(shape.qkv.end())?,
                mixed: allocate(shape.mixed.end())?,
                log_sums: allocate(shape.log_sums.end())?,
                middle: allocate(shape.stream.end())?,
                gate_up: allocate(shape.gate_up.end())?,
            });
        }
        if training && !self.training {
            self.scratch.gradients = Gradients {
                stream: allocate(shape.stream.end())?,
                normed: allocate(shape.stream.end())?,
                mixed: allocate(shape.mixed.end())?,
                qkv: allocate(shape.qkv.end())?,
            };
            self.training = true;
        }
        Ok(())
    }
}

/// Number of slots, and of kept input streams, for a pass over `blocks` blocks.
fn kept(blocks: usize, recompute: bool) -> (usize, usize) {
    if recompute { (blocks.min(1), blocks) } else { (blocks, 0) }
}

/// Numbers that a training pass over `rows` tokens holds in a workspace: as many as `reserve`
/// allocates.
pub fn training_numbers(config: &ModelConfig, rows: usize, recompute: bool) -> u64 {
    let shape = Activations::new(config, rows);
    // Twice the stream: its own gradient and that of the normed stream.
    let gradients = 2 * wide(shape.stream.end()) + wide(shape.mixed.end()) + wide(shape.qkv.end());
    let (slots, inputs) = kept(config.num_hidden_layers(), recompute);
    numbers(config, rows, slots)
        .saturating_add(wide(shape.stream.end()).saturating_mul(wide(inputs)))
        .saturating_add(gradients)
}

/// Numbers that a pass without gradients over `rows` tokens holds in a workspace.
pub fn inference_numbers(config: &ModelConfig, rows: usize) -> u64 {
    numbers(config, rows, 1)
}

fn numbers(config: &ModelConfig, rows: usize, slots: usize) -> u64 {
    let shape = Activations::new(config, rows);
    let (stream, inner) = (wide(shape.stream.end()), wide(shape.inner.end()));
    // Twice the stream: at the input and in the middle of the block.
    let slot = 2 * stream
        + wide(shape.qkv.end())
        + wide(shape.mixed.end())
        + wide(shape.log_sums.end())
        + wide(shape.gate_up.end());
    let logits =
        wide(logit_rows(config.vocab_size()).min(rows)).saturating_mul(wide(config.vocab_size()));
    // Twice the stream: the output and the normed stream.
    let shared = 2 * stream + wide(rows) + inner;
    slot.saturating_mul(wide(slots)).saturating_add(shared).saturating_add(logits)
}

fn wide(number: usize) -> u64 {
    number as u64
}
