//! Counts parameters from a configuration alone.

use ledger::{Cut, Params, Part};

use crate::config::ModelConfig;
use crate::{Error, Result};

/// The number of parameters of a model, by part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    pub(crate) total: u64,
    pub(crate) embedding: u64,
    pub(crate) without_embedding: u64,
    pub(crate) per_block: u64,
    pub(crate) looked_up: u64,
}

impl Count {
    /// All parameters; a tied embedding counts once.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The input embedding and, if it is not tied, the output head.
    pub fn embedding(&self) -> u64 {
        self.embedding
    }

    /// `total - embedding`: the blocks and the final norm.
    pub fn without_embedding(&self) -> u64 {
        self.without_embedding
    }

    /// One block.
    pub fn per_block(&self) -> u64 {
        self.per_block
    }

    /// The input embedding of an untied model: it is looked up and never multiplied. For a tied
    /// model 0, because the head multiplies by the same table.
    pub fn looked_up(&self) -> u64 {
        self.looked_up
    }

    /// Counts the parameters of `config`.
    pub fn of(config: &ModelConfig) -> Self {
        checked(config).expect("a configuration is only made where it can be counted")
    }

    /// All parameters, and those without the embedding.
    pub fn both(&self) -> (Params, Params) {
        (Params(self.total), Params(self.without_embedding))
    }

    /// The parameters of the model that a cut was made from, by the configuration that it left.
    /// `None` if a cut from a file claims more than can be counted.
    pub fn before(left: &ModelConfig, cut: &Cut) -> Option<Self> {
        let mut config = left.clone();
        match cut {
            Cut::Depth { layers, .. } => config.num_hidden_layers = *layers,
            Cut::Width(width) => {
                let group = config.num_attention_heads / config.num_key_value_heads;
                let whole = |part| width.change(part).map(|(of, _)| of);
                config.hidden_size = whole(Part::Hidden).unwrap_or(config.hidden_size);
                config.intermediate_size = whole(Part::Ffn).unwrap_or(config.intermediate_size);
                if let Some(groups) = whole(Part::Heads) {
                    config.num_key_value_heads = groups;
                    config.num_attention_heads = group.checked_mul(groups)?;
                }
            }
            // Every shape stays.
            Cut::Sparse { .. } => {}
        }
        checked(&config)
    }

    /// Refuses a model if 8 bytes per parameter could not be addressed with 64 bits. Later products
    /// of these numbers then cannot overflow.
    pub(crate) fn check(config: &ModelConfig) -> Result<()> {
        checked(config).map(|_| ()).ok_or_else(|| {
            Error::too_large(format!(
                "vocabulary {}, hidden {}, intermediate {}, {} blocks of {} and {} heads of {}",
                config.vocab_size,
                config.hidden_size,
                config.intermediate_size,
                config.num_hidden_layers,
                config.num_attention_heads,
                config.num_key_value_heads,
                config.head_dim
            ))
        })
    }
}

fn checked(config: &ModelConfig) -> Option<Count> {
    let wide = |number: usize| u64::try_from(number).ok();
    let hidden = wide(config.hidden_size)?;
    let head = wide(config.head_dim)?;
    let query = wide(config.num_attention_heads)?.checked_mul(head)?;
    let key_value = wide(config.num_key_value_heads)?.checked_mul(head)?;
    // Query, key and value biases; the output projection has none.
    let biases = if config.qkv_bias { query.checked_add(key_value.checked_mul(2)?)? } else { 0 };

    // Parameters of q and o, then k and v; of gate, up and down; of two norms.
    let attention =
        query.checked_mul(2)?.checked_add(key_value.checked_mul(2)?)?.checked_mul(hidden)?;
    let feed_forward = wide(config.intermediate_size)?.checked_mul(3)?.checked_mul(hidden)?;
    let norms = hidden.checked_mul(2)?;
    let per_block = attention.checked_add(biases)?.checked_add(feed_forward)?.checked_add(norms)?;

    let table = wide(config.vocab_size)?.checked_mul(hidden)?;
    let embedding = if config.tie_word_embeddings { table } else { table.checked_mul(2)? };
    let without_embedding =
        // The added `hidden` is the final norm.
        per_block.checked_mul(wide(config.num_hidden_layers)?)?.checked_add(hidden)?;
    let total = embedding.checked_add(without_embedding)?;
    let bytes = total.checked_mul(8)?;
    // Not `isize`: a 32-bit browser may count models that it could not hold.
    i64::try_from(bytes).ok()?;
    let looked_up = if config.tie_word_embeddings { 0 } else { table };
    Some(Count { total, embedding, without_embedding, per_block, looked_up })
}
