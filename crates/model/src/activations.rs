//! The areas of the activations of a pass in their buffers.

use shape::config::ModelConfig;

use crate::backend::{Area, Heads};

/// Rows of logits that are computed at once: at most 512, and at most 512 MiB in `f32`, but at
/// least 16. Every chunk reads the whole head and its gradient again, so small chunks would be
/// slow.
pub(crate) fn logit_rows(vocabulary: usize) -> usize {
    // 2^27 numbers of 4 bytes are 512 MiB.
    ((1 << 27) / vocabulary.max(1)).clamp(16, 512)
}

/// The areas of the activations of `rows` tokens.
#[derive(Clone, Copy)]
pub(crate) struct Activations {
    pub(crate) heads: Heads,
    pub(crate) stream: Area,   // [row, hidden]
    pub(crate) single: Area,   // [row, 1]
    pub(crate) qkv: Area,      // [row, query + 2 key_value]
    pub(crate) mixed: Area,    // [row, query]
    pub(crate) log_sums: Area, // [row, head]
    pub(crate) gate_up: Area,  // [row, 2 inner]
    pub(crate) inner: Area,    // [row, inner]
}

impl Activations {
    pub(crate) fn new(config: &ModelConfig, rows: usize) -> Self {
        let heads = Heads {
            query: config.num_attention_heads(),
            key_value: config.num_key_value_heads(),
            dim: config.head_dim(),
        };
        let area = |columns| Area::new(0, rows, columns);
        Activations {
            heads,
            stream: area(config.hidden_size()),
            single: area(1),
            qkv: area(heads.width()),
            mixed: area(config.query_width()),
            log_sums: area(heads.query),
            gate_up: area(2 * config.intermediate_size()),
            inner: area(config.intermediate_size()),
        }
    }
}
