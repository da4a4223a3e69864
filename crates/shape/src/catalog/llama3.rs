//! Llama 3, 3.1, 3.2 and 3.3.
//!
//! Shapes are from the published `config.json` files. The totals of 3-8B, 3.1-70B, 3.2-1B and
//! 3.2-3B are those in `our_val_loss_data.json` of the Gemstones study (McLeish et al. 2025).
//! 3.1-8B, 3-70B and 3.3-70B have the same shapes. The model card of 3.1-405B says 405 billion; its
//! shape gives the exact number.

use super::public::PublicModel;
use crate::config::{Llama3Scaling, ModelConfig};
use crate::family::LLAMA;

const EIGHT: ModelConfig = ModelConfig {
    family: &LLAMA,
    hidden_size: 4096,
    intermediate_size: 14336,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 8,
    head_dim: 128,
    // 128,000 pieces and 256 special tokens.
    vocab_size: 128_256,
    tie_word_embeddings: false,
    rms_norm_eps: 1e-5,
    rope_theta: 500_000.0,
    rope_scaling: None,
    max_position_embeddings: 8192,
    qkv_bias: false,
    bos_token_id: Some(128_000),
};
const SEVENTY: ModelConfig = ModelConfig {
    hidden_size: 8192,
    intermediate_size: 28672,
    num_hidden_layers: 80,
    num_attention_heads: 64,
    ..EIGHT
};

/// Since 3.1, rotary positions are stretched beyond the 8192 tokens of the first training.
const fn stretched(config: ModelConfig, factor: f64) -> ModelConfig {
    let scaling = Llama3Scaling {
        factor,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_max_position_embeddings: 8192,
    };
    ModelConfig { rope_scaling: Some(scaling), max_position_embeddings: 131_072, ..config }
}

const fn entry(
    name: &'static str,
    repository: &'static str,
    parameters: u64,
    config: ModelConfig,
) -> PublicModel {
    PublicModel { name, repository, series: "llama-3", parameters, config }
}

pub(super) const MODELS: &[PublicModel] = &[
    entry("llama-3-8b", "meta-llama/Meta-Llama-3-8B", 8_030_261_248, EIGHT),
    entry("llama-3-70b", "meta-llama/Meta-Llama-3-70B", 70_553_706_496, SEVENTY),
    entry("llama-3.1-8b", "meta-llama/Llama-3.1-8B", 8_030_261_248, stretched(EIGHT, 8.0)),
    entry("llama-3.1-70b", "meta-llama/Llama-3.1-70B", 70_553_706_496, stretched(SEVENTY, 8.0)),
    entry(
        "llama-3.1-405b",
        "meta-llama/Llama-3.1-405B",
        405_853_388_800,
        stretched(
            ModelConfig {
                hidden_size: 16384,
                intermediate_size: 53248,
                num_hidden_layers: 126,
                num_attention_heads: 128,
                ..EIGHT
            },
            8.0,
        ),
    ),
    entry(
        "llama-3.2-1b",
        "meta-llama/Llama-3.2-1B",
        1_235_814_400,
        stretched(
            ModelConfig {
                hidden_size: 2048,
                intermediate_size: 8192,
                num_hidden_layers: 16,
                head_dim: 64,
                tie_word_embeddings: true,
                ..EIGHT
            },
            32.0,
        ),
    ),
    entry(
        "llama-3.2-3b",
        "meta-llama/Llama-3.2-3B",
        3_212_749_824,
        stretched(
            ModelConfig {
                hidden_size: 3072,
                intermediate_size: 8192,
                num_hidden_layers: 28,
                num_attention_heads: 24,
                tie_word_embeddings: true,
                ..EIGHT
            },
            32.0,
        ),
    ),
    entry(
        "llama-3.3-70b-instruct",
        "meta-llama/Llama-3.3-70B-Instruct",
        70_553_706_496,
        stretched(SEVENTY, 8.0),
    ),
];
