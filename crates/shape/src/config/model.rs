//! The configuration of one model.

use super::rope::Llama3Scaling;
use crate::family::Family;

/// The shape and constants of a decoder of a supported family.
///
/// Every value of this type satisfies the following. No size is 0. The key and value heads divide
/// the query heads. A head has an even number of channels. The parameters can be counted.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// The family, from `architectures`/`model_type`.
    pub(crate) family: &'static Family,
    /// Rows of the embedding.
    pub(crate) vocab_size: usize,
    /// Width of the residual stream.
    pub(crate) hidden_size: usize,
    /// Neurons of the feed-forward part.
    pub(crate) intermediate_size: usize,
    /// Number of blocks.
    pub(crate) num_hidden_layers: usize,
    /// Query heads.
    pub(crate) num_attention_heads: usize,
    /// Number of key and value heads; it divides the number of query heads.
    pub(crate) num_key_value_heads: usize,
    /// Channels of one head, an even number. If the file does not say,
    /// `hidden_size / num_attention_heads`.
    pub(crate) head_dim: usize,
    /// Added to the mean square in every norm.
    pub(crate) rms_norm_eps: f64,
    /// Base of the rotary wavelengths.
    pub(crate) rope_theta: f64,
    /// Llama-3's stretching of the long wavelengths, if any.
    pub(crate) rope_scaling: Option<Llama3Scaling>,
    /// Whether the output head is the embedding.
    pub(crate) tie_word_embeddings: bool,
    /// Whether q, k and v have biases (Qwen2).
    pub(crate) qkv_bias: bool,
    /// Longest context that the model was made for, in tokens.
    pub(crate) max_position_embeddings: usize,
    /// The token that a document begins with, if the file names one.
    pub(crate) bos_token_id: Option<u32>,
}

impl ModelConfig {
    /// The family, from `architectures`/`model_type`.
    pub fn family(&self) -> &'static Family {
        self.family
    }

    /// Rows of the embedding.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// Width of the residual stream.
    pub fn hidden_size(&self) -> usize {
        self.hidden_size
    }

    /// Neurons of the feed-forward part.
    pub fn intermediate_size(&self) -> usize {
        self.intermediate_size
    }

    /// Number of blocks.
    pub fn num_hidden_layers(&self) -> usize {
        self.num_hidden_layers
    }

    /// Query heads.
    pub fn num_attention_heads(&self) -> usize {
        self.num_attention_heads
    }

    /// Number of key and value heads; it divides the number of query heads.
    pub fn num_key_value_heads(&self) -> usize {
        self.num_key_value_heads
    }

    /// Channels of one head, an even number. If the file does not say,
    /// `hidden_size / num_attention_heads`.
    pub fn head_dim(&self) -> usize {
        self.head_dim
    }

    /// Added to the mean square in every norm.
    pub fn rms_norm_eps(&self) -> f64 {
        self.rms_norm_eps
    }

    /// Base of the rotary wavelengths.
    pub fn rope_theta(&self) -> f64 {
        self.rope_theta
    }

    /// Llama-3's stretching of the long wavelengths, if any.
    pub fn rope_scaling(&self) -> Option<Llama3Scaling> {
        self.rope_scaling
    }

    /// Whether the output head is the embedding.
    pub fn tie_word_embeddings(&self) -> bool {
        self.tie_word_embeddings
    }

    /// Whether q, k and v have biases (Qwen2).
    pub fn qkv_bias(&self) -> bool {
        self.qkv_bias
    }

    /// Longest context that the model was made for, in tokens.
    pub fn max_position_embeddings(&self) -> usize {
        self.max_position_embeddings
    }

    /// The token that a document begins with, if the file names one.
    pub fn bos_token_id(&self) -> Option<u32> {
        self.bos_token_id
    }

    /// Query channels: heads x channels of a head.
    pub fn query_width(&self) -> usize {
        self.num_attention_heads * self.head_dim
    }

    /// Key (or value) channels.
    pub fn key_value_width(&self) -> usize {
        self.num_key_value_heads * self.head_dim
    }

    /// The same model with only `blocks` of its blocks.
    ///
    /// # Panics
    /// If `blocks` is 0 or larger than the number of blocks.
    pub fn with_blocks(&self, blocks: usize) -> Self {
        assert!((1..=self.num_hidden_layers).contains(&blocks), "{blocks} blocks");
        Self { num_hidden_layers: blocks, ..self.clone() }
    }

    /// The same model made narrower. Heads keep their channels, and every key and value head keeps
    /// its query heads.
    ///
    /// # Panics
    /// If a size is 0 or larger than before.
    pub fn narrowed(&self, hidden: usize, intermediate: usize, key_value_heads: usize) -> Self {
        for (size, whole) in [
            (hidden, self.hidden_size),
            (intermediate, self.intermediate_size),
            (key_value_heads, self.num_key_value_heads),
        ] {
            assert!((1..=whole).contains(&size), "a size of {size}, expected 1 to {whole}");
        }
        let group = self.num_attention_heads / self.num_key_value_heads;
        Self {
            hidden_size: hidden,
            intermediate_size: intermediate,
            num_attention_heads: group * key_value_heads,
            num_key_value_heads: key_value_heads,
            ..self.clone()
        }
    }
}
