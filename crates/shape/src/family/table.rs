//! The differences between families of models.

/// A family of models: its names, and the defaults for fields that `config.json` lacks.
#[derive(Debug, PartialEq)]
pub struct Family {
    /// The name of the series in files and flags, `llama` or `qwen2`.
    pub name: &'static str,
    /// `model_type` of `config.json`.
    pub(crate) model_type: &'static str,
    /// The one entry of `architectures`.
    pub architecture: &'static str,
    /// Whether q, k and v have biases.
    pub(crate) qkv_bias: bool,
    /// Default of `rope_theta`.
    pub(crate) rope_theta: f64,
    /// Default of `rms_norm_eps`.
    pub(crate) rms_norm_eps: f64,
    /// Default of `tie_word_embeddings`.
    pub(crate) tie_word_embeddings: bool,
    /// Whether stock transformers refuses a hidden size that is not a multiple of the query heads.
    /// In 5.23.0 Llama does so even if `head_dim` is given; Qwen2 does not.
    pub hidden_of_whole_heads: bool,
}
