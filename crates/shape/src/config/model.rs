//! One model configuration.

use super::rope::Llama3Scaling;
use crate::family::Family;

/// The shape and constants of a decoder of one of the supported families.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// The family, from `architectures`/`model_type`.
    pub family: &'static Family,
    /// Rows of the embedding.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Neurons of the feed-forward part.
    pub intermediate_size: usize,
    /// Blocks.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key and value heads; divides the query heads.
    pub num_key_value_heads: usize,
    /// Channels of one head; even. `hidden_size / num_attention_heads` where the file is silent.
    pub head_dim: usize,
    /// Added to the mean square in every norm.
    pub rms_norm_eps: f64,
    /// Base of the rotary wavelengths.
    pub rope_theta: f64,
    /// Llama-3's stretching of the long wavelengths, if any.
    pub rope_scaling: Option<Llama3Scaling>,
    /// The output head is the embedding.
    pub tie_word_embeddings: bool,
    /// Biases on q, k and v (Qwen2).
    pub qkv_bias: bool,
    /// Longest context the model was made for, in tokens.
    pub max_position_embeddings: usize,
    /// The token a document begins with, where the file names one.
    pub bos_token_id: Option<u32>,
}

impl ModelConfig {
    /// Query channels: heads x channels of a head.
    pub fn query_width(&self) -> usize {
        self.num_attention_heads * self.head_dim
    }

    /// Key (or value) channels.
    pub fn key_value_width(&self) -> usize {
        self.num_key_value_heads * self.head_dim
    }
}
