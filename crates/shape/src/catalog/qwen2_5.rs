//! Qwen2.5, base models.
//!
//! Shapes are from the published `config.json` files. The totals of 0.5B to 32B are those in
//! `our_val_loss_data.json` of the Gemstones study (McLeish et al. 2025). The model card of 72B
//! says 72.7 billion; its shape gives the exact number.

use super::public::PublicModel;
use crate::config::ModelConfig;
use crate::family::QWEN2;

const SEVEN: ModelConfig = ModelConfig {
    family: &QWEN2,
    hidden_size: 3584,
    intermediate_size: 18944,
    num_hidden_layers: 28,
    num_attention_heads: 28,
    num_key_value_heads: 4,
    head_dim: 128,
    vocab_size: 152_064,
    tie_word_embeddings: false,
    rms_norm_eps: 1e-6,
    rope_theta: 1_000_000.0,
    rope_scaling: None,
    max_position_embeddings: 131_072,
    qkv_bias: true,
    bos_token_id: Some(151_643),
};
/// Up to 3B, the embedding is tied and has fewer spare rows.
const SMALL: ModelConfig =
    ModelConfig { num_key_value_heads: 2, vocab_size: 151_936, tie_word_embeddings: true, ..SEVEN };
/// From 14B on, the norms use a larger epsilon.
const LARGE: ModelConfig = ModelConfig {
    hidden_size: 5120,
    num_attention_heads: 40,
    num_key_value_heads: 8,
    rms_norm_eps: 1e-5,
    ..SEVEN
};

const fn entry(
    name: &'static str,
    repository: &'static str,
    parameters: u64,
    config: ModelConfig,
) -> PublicModel {
    PublicModel { name, repository, series: "qwen-2.5", parameters, config }
}

pub(super) const MODELS: &[PublicModel] = &[
    entry(
        "qwen2.5-0.5b",
        "Qwen/Qwen2.5-0.5B",
        494_032_768,
        ModelConfig {
            hidden_size: 896,
            intermediate_size: 4864,
            num_hidden_layers: 24,
            num_attention_heads: 14,
            head_dim: 64,
            max_position_embeddings: 32_768,
            ..SMALL
        },
    ),
    entry(
        "qwen2.5-1.5b",
        "Qwen/Qwen2.5-1.5B",
        1_543_714_304,
        ModelConfig {
            hidden_size: 1536,
            intermediate_size: 8960,
            num_hidden_layers: 28,
            num_attention_heads: 12,
            ..SMALL
        },
    ),
    entry(
        "qwen2.5-3b",
        "Qwen/Qwen2.5-3B",
        3_085_938_688,
        ModelConfig {
            hidden_size: 2048,
            intermediate_size: 11008,
            num_hidden_layers: 36,
            num_attention_heads: 16,
            max_position_embeddings: 32_768,
            ..SMALL
        },
    ),
    entry("qwen2.5-7b", "Qwen/Qwen2.5-7B", 7_615_616_512, SEVEN),
    entry(
        "qwen2.5-14b",
        "Qwen/Qwen2.5-14B",
        14_770_033_664,
        ModelConfig { intermediate_size: 13824, num_hidden_layers: 48, ..LARGE },
    ),
    entry(
        "qwen2.5-32b",
        "Qwen/Qwen2.5-32B",
        32_763_876_352,
        ModelConfig { intermediate_size: 27648, num_hidden_layers: 64, ..LARGE },
    ),
    entry(
        "qwen2.5-72b",
        "Qwen/Qwen2.5-72B",
        72_706_203_648,
        ModelConfig {
            hidden_size: 8192,
            intermediate_size: 29568,
            num_hidden_layers: 80,
            num_attention_heads: 64,
            ..LARGE
        },
    ),
];
