//! The offset of each tensor in the flat buffer that holds a model's weights, gradients or moments.

use std::ops::Range;

use shape::config::ModelConfig;
use shape::tensors::{Role, TensorSpec, block_tensors, leading_tensors, tensors, trailing_tensors};

use crate::backend::Area;

/// Offsets of a whole model, in elements.
#[derive(Debug, Clone)]
pub struct Layout {
    pub(crate) tensors: Vec<(TensorSpec, usize)>,
    /// Offset of the embedding.
    pub(crate) embedding: usize,
    pub(crate) blocks: Vec<usize>,
    pub(crate) block: BlockLayout,
    pub(crate) final_norm: usize,
    /// Offset of the output head; for a tied head, that of the embedding.
    pub(crate) head: usize,
    pub(crate) len: usize,
}

/// Offsets within one block, in elements from its start.
#[derive(Debug, Clone, Copy)]
pub struct BlockLayout {
    attention_norm: usize,
    query_key_value: usize,
    query_key_value_bias: Option<usize>,
    attention_output: usize,
    feed_forward_norm: usize,
    gate_up: usize,
    down: usize,
    hidden: usize,
    inner: usize,
    query: usize,
    key_value: usize,
    /// Elements of one block.
    pub len: usize,
}

impl Layout {
    /// Every tensor with its offset, in memory order.
    pub fn tensors(&self) -> &[(TensorSpec, usize)] {
        &self.tensors
    }

    /// Offset of each block.
    pub fn blocks(&self) -> &[usize] {
        &self.blocks
    }

    /// Offsets within a block.
    pub fn block(&self) -> BlockLayout {
        self.block
    }

    /// Offset of the final norm.
    pub fn final_norm(&self) -> usize {
        self.final_norm
    }

    /// Total number of elements.
    pub fn elements(&self) -> usize {
        self.len
    }

    /// The layout of a model of this configuration.
    pub fn new(config: &ModelConfig) -> Self {
        let block = BlockLayout::new(config);
        let count = |tensors: &[TensorSpec]| tensors.iter().map(TensorSpec::len).sum::<usize>();
        let first = count(&leading_tensors(config));
        let blocks: Vec<usize> =
            (0..config.num_hidden_layers()).map(|layer| first + layer * block.len).collect();
        let trailing = trailing_tensors(config);
        let end = first + config.num_hidden_layers() * block.len;
        let final_norm =
            end + offset(&trailing, Role::FinalNorm).expect("every model has a final norm");
        // A tied model has no head tensor: the embedding, at 0, is the head.
        let head = offset(&trailing, Role::Head).map_or(0, |head| end + head);
        let mut placed = Vec::new();
        let mut at = 0;
        for tensor in tensors(config) {
            let len = tensor.len();
            placed.push((tensor, at));
            at += len;
        }
        Layout { tensors: placed, embedding: 0, blocks, block, final_norm, head, len: at }
    }

    /// Ranges of elements with weight decay, and ranges without it (norms and biases).
    pub fn decayed_and_plain(&self) -> (Vec<Range<usize>>, Vec<Range<usize>>) {
        let (mut decayed, mut plain): (Vec<Range<usize>>, Vec<Range<usize>>) =
            (Vec::new(), Vec::new());
        for (tensor, offset) in &self.tensors {
            let runs = if tensor.shape.len() > 1 { &mut decayed } else { &mut plain };
            match runs.last_mut() {
                // Adjacent tensors form one range, so that the optimiser makes few calls.
                Some(last) if last.end == *offset => last.end += tensor.len(),
                _ => runs.push(*offset..offset + tensor.len()),
            }
        }
        (decayed, plain)
    }
}

impl BlockLayout {
    fn new(config: &ModelConfig) -> Self {
        let tensors = block_tensors(config, 0);
        let at = |role| offset(&tensors, role).expect("every block has this tensor");
        BlockLayout {
            attention_norm: at(Role::AttentionNorm),
            query_key_value: at(Role::Query),
            query_key_value_bias: offset(&tensors, Role::QueryBias),
            attention_output: at(Role::AttentionOutput),
            feed_forward_norm: at(Role::FeedForwardNorm),
            gate_up: at(Role::Gate),
            down: at(Role::Down),
            hidden: config.hidden_size(),
            inner: config.intermediate_size(),
            query: config.query_width(),
            key_value: config.key_value_width(),
            len: tensors.iter().map(TensorSpec::len).sum(),
        }
    }

    /// The matrices and vectors of the block that starts at `base`.
    pub fn at(&self, base: usize) -> BlockAreas {
        let joint = self.query + 2 * self.key_value;
        BlockAreas {
            attention_norm: Area::new(base + self.attention_norm, 1, self.hidden),
            query_key_value: Area::new(base + self.query_key_value, joint, self.hidden),
            query_key_value_bias: self
                .query_key_value_bias
                .map(|bias| Area::new(base + bias, 1, joint)),
            attention_output: Area::new(base + self.attention_output, self.hidden, self.query),
            feed_forward_norm: Area::new(base + self.feed_forward_norm, 1, self.hidden),
            gate_up: Area::new(base + self.gate_up, 2 * self.inner, self.hidden),
            down: Area::new(base + self.down, self.hidden, self.inner),
        }
    }
}

/// The weights of one block, as the engine multiplies by them. Matrices are `[out, in]`.
#[derive(Debug, Clone, Copy)]
pub struct BlockAreas {
    /// `[1, hidden]`
    pub(crate) attention_norm: Area,
    /// Query, key and value as one matrix, `[query + 2 key_value, hidden]`.
    pub(crate) query_key_value: Area,
    /// `[1, query + 2 key_value]`
    pub(crate) query_key_value_bias: Option<Area>,
    /// `[hidden, query]`
    pub(crate) attention_output: Area,
    /// `[1, hidden]`
    pub(crate) feed_forward_norm: Area,
    /// Gate and up as one matrix, `[2 inner, hidden]`.
    pub(crate) gate_up: Area,
    /// `[hidden, inner]`
    pub(crate) down: Area,
}

/// Number of elements before the tensor with this role.
fn offset(tensors: &[TensorSpec], role: Role) -> Option<usize> {
    let index = tensors.iter().position(|tensor| tensor.role == role)?;
    Some(tensors[..index].iter().map(TensorSpec::len).sum())
}
