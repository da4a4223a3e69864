//! What tells one family of models from another.

/// A family of models: its names, and what holds where `config.json` is silent.
#[derive(Debug, PartialEq)]
pub struct Family {
    /// The word used for the series in files and flags, `llama` or `qwen2`.
    pub name: &'static str,
    /// `model_type` of `config.json`.
    pub(crate) model_type: &'static str,
    /// The one entry of `architectures`.
    pub architecture: &'static str,
    /// Whether q, k and v carry biases where `config.json` is silent.
    pub(crate) qkv_bias: bool,
    /// `rope_theta` where `config.json` is silent.
    pub(crate) rope_theta: f64,
    /// `rms_norm_eps` where `config.json` is silent.
    pub(crate) rms_norm_eps: f64,
    /// `tie_word_embeddings` where `config.json` is silent.
    pub(crate) tie_word_embeddings: bool,
    /// Whether stock transformers refuses a hidden size that is no multiple of the query heads
    /// (seen in 5.23.0: Llama does even where `head_dim` is given, Qwen2 does not).
    pub hidden_of_whole_heads: bool,
}
