//! Qwen2 and Qwen2.5: biases on q, k and v.

use super::table::Family;

/// Qwen2 and Qwen2.5.
pub static QWEN2: Family = Family {
    name: "qwen2",
    model_type: "qwen2",
    architecture: "Qwen2ForCausalLM",
    qkv_bias: true,
    rope_theta: 10_000.0,
    rms_norm_eps: 1e-6,
    tie_word_embeddings: false,
    hidden_of_whole_heads: false,
};
