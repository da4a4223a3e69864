//! Writes a [`ModelConfig`] as a `config.json` that stock transformers reads.

use serde_json::{Map, Value, json};

use super::model::ModelConfig;
use super::raw::RawConfig;
use super::rope;

impl ModelConfig {
    /// A `config.json` for this shape that stock transformers 4 and 5 load. It names f32 as the
    /// type of the weights.
    ///
    /// The rotary fields are those of transformers 4; transformers 5 converts them.
    pub fn to_raw(&self) -> RawConfig {
        let mut map = Map::new();
        let mut set = |field: &str, value: Value| map.insert(field.to_owned(), value);
        set("architectures", json!([self.family.architecture]));
        set("model_type", json!(self.family.model_type));
        set("vocab_size", json!(self.vocab_size));
        set("hidden_size", json!(self.hidden_size));
        set("intermediate_size", json!(self.intermediate_size));
        set("num_hidden_layers", json!(self.num_hidden_layers));
        set("num_attention_heads", json!(self.num_attention_heads));
        set("num_key_value_heads", json!(self.num_key_value_heads));
        set("head_dim", json!(self.head_dim));
        set("hidden_act", json!("silu"));
        set("max_position_embeddings", json!(self.max_position_embeddings));
        set("rms_norm_eps", json!(self.rms_norm_eps));
        set("rope_theta", json!(self.rope_theta));
        set("rope_scaling", self.rope_scaling.map_or(Value::Null, rope::to_json));
        set("tie_word_embeddings", json!(self.tie_word_embeddings));
        set("attention_dropout", json!(0.0));
        // Llama has switches for biases, Qwen2 one for sliding windows.
        if !self.family.qkv_bias {
            set("attention_bias", json!(false));
            set("mlp_bias", json!(false));
        } else {
            set("use_sliding_window", json!(false));
        }
        // Written even if it is null: without the field, transformers would use its own default.
        set("bos_token_id", json!(self.bos_token_id));
        // Only transformers uses these.
        set("initializer_range", json!(0.02));
        set("torch_dtype", json!("float32"));
        set("use_cache", json!(true));
        RawConfig::from_map(map)
    }
}

impl RawConfig {
    /// The same configuration for a model of another width. Heads keep their channels, so
    /// `head_dim` must now be stated.
    pub fn with_width(&self, config: &ModelConfig) -> Self {
        let mut changed = self.clone();
        changed.set("hidden_size", config.hidden_size);
        changed.set("intermediate_size", config.intermediate_size);
        changed.set("num_attention_heads", config.num_attention_heads);
        changed.set("num_key_value_heads", config.num_key_value_heads);
        changed.set("head_dim", config.head_dim);
        changed
    }
}
