//! The tensors of a model: their Hugging Face names, roles and shapes.

use crate::config::ModelConfig;

/// The role of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Token embedding, `[vocabulary, hidden]`.
    Embedding,
    /// Norm before attention, `[hidden]`.
    AttentionNorm,
    /// Query projection, `[query_width, hidden]`.
    Query,
    /// Key projection, `[key_value_width, hidden]`.
    Key,
    /// Value projection, `[key_value_width, hidden]`.
    Value,
    /// Query bias, `[query_width]`.
    QueryBias,
    /// Key bias, `[key_value_width]`.
    KeyBias,
    /// Value bias, `[key_value_width]`.
    ValueBias,
    /// Output projection of attention, `[hidden, query_width]`.
    AttentionOutput,
    /// Norm before the feed-forward part, `[hidden]`.
    FeedForwardNorm,
    /// Gate projection, `[intermediate, hidden]`.
    Gate,
    /// Up projection, `[intermediate, hidden]`.
    Up,
    /// Down projection, `[hidden, intermediate]`.
    Down,
    /// Norm after the last block, `[hidden]`.
    FinalNorm,
    /// Output head, unless it is tied, `[vocabulary, hidden]`.
    Head,
}

impl Role {
    /// The linear layers of a block, in memory order.
    pub const LINEAR: [Self; 7] = [
        Self::Query,
        Self::Key,
        Self::Value,
        Self::AttentionOutput,
        Self::Gate,
        Self::Up,
        Self::Down,
    ];

    /// The Hugging Face name of a linear layer of a block, such as `q_proj`. `None` for any other
    /// tensor.
    pub fn linear_name(self) -> Option<&'static str> {
        Some(match self {
            Self::Query => "q_proj",
            Self::Key => "k_proj",
            Self::Value => "v_proj",
            Self::AttentionOutput => "o_proj",
            Self::Gate => "gate_proj",
            Self::Up => "up_proj",
            Self::Down => "down_proj",
            _ => return None,
        })
    }
}

/// One tensor of a model, under its Hugging Face name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    /// For example `model.layers.3.mlp.up_proj.weight`.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// The block it belongs to, if any.
    pub layer: Option<usize>,
    /// One dimension (norms, biases) or two (`[out, in]`).
    pub shape: Vec<usize>,
}

impl TensorSpec {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no elements. A configuration that passed its checks has no such tensor.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows of the tensor seen as a matrix; a vector is one row.
    pub fn rows(&self) -> usize {
        if self.shape.len() == 2 { self.shape[0] } else { 1 }
    }

    /// Columns of the tensor seen as a matrix.
    pub fn columns(&self) -> usize {
        self.shape[self.shape.len() - 1]
    }
}

/// The tensors of block `layer`, in memory order.
///
/// Query, key and value are adjacent, and so are their biases, and gate and up. The engine reads
/// each group as one matrix.
pub fn block_tensors(config: &ModelConfig, layer: usize) -> Vec<TensorSpec> {
    let (hidden, inner) = (config.hidden_size, config.intermediate_size);
    let (query, key_value) = (config.query_width(), config.key_value_width());
    let mut tensors = Vec::with_capacity(12);
    let mut add = |role, part: &str, shape: &[usize]| {
        let name = format!("model.layers.{layer}.{part}");
        tensors.push(TensorSpec { name, role, layer: Some(layer), shape: shape.to_vec() });
    };
    add(Role::AttentionNorm, "input_layernorm.weight", &[hidden]);
    add(Role::Query, "self_attn.q_proj.weight", &[query, hidden]);
    add(Role::Key, "self_attn.k_proj.weight", &[key_value, hidden]);
    add(Role::Value, "self_attn.v_proj.weight", &[key_value, hidden]);
    if config.qkv_bias {
        add(Role::QueryBias, "self_attn.q_proj.bias", &[query]);
        add(Role::KeyBias, "self_attn.k_proj.bias", &[key_value]);
        add(Role::ValueBias, "self_attn.v_proj.bias", &[key_value]);
    }
    add(Role::AttentionOutput, "self_attn.o_proj.weight", &[hidden, query]);
    add(Role::FeedForwardNorm, "post_attention_layernorm.weight", &[hidden]);
    add(Role::Gate, "mlp.gate_proj.weight", &[inner, hidden]);
    add(Role::Up, "mlp.up_proj.weight", &[inner, hidden]);
    add(Role::Down, "mlp.down_proj.weight", &[hidden, inner]);
    tensors
}

/// The tensors before the blocks: the embedding.
pub fn leading_tensors(config: &ModelConfig) -> Vec<TensorSpec> {
    vec![TensorSpec {
        name: "model.embed_tokens.weight".into(),
        role: Role::Embedding,
        layer: None,
        shape: vec![config.vocab_size, config.hidden_size],
    }]
}

/// The tensors after the blocks: the final norm and, unless tied, the head.
pub fn trailing_tensors(config: &ModelConfig) -> Vec<TensorSpec> {
    let mut tensors = vec![TensorSpec {
        name: "model.norm.weight".into(),
        role: Role::FinalNorm,
        layer: None,
        shape: vec![config.hidden_size],
    }];
    if !config.tie_word_embeddings {
        tensors.push(TensorSpec {
            name: "lm_head.weight".into(),
            role: Role::Head,
            layer: None,
            shape: vec![config.vocab_size, config.hidden_size],
        });
    }
    tensors
}

/// Every tensor of a model, in memory order.
pub fn tensors(config: &ModelConfig) -> Vec<TensorSpec> {
    let mut all = leading_tensors(config);
    for layer in 0..config.num_hidden_layers {
        all.extend(block_tensors(config, layer));
    }
    all.extend(trailing_tensors(config));
    all
}
