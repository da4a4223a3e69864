//! Llama 2, 3, 3.1, 3.2: no biases.

use super::table::Family;

/// Llama 2 to 3.3.
pub static LLAMA: Family = Family {
    name: "llama",
    model_type: "llama",
    architecture: "LlamaForCausalLM",
    qkv_bias: false,
    rope_theta: 10_000.0,
    rms_norm_eps: 1e-6,
    tie_word_embeddings: false,
    hidden_of_whole_heads: true,
};
