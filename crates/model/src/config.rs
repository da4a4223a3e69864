//! One model configuration, read from a Hugging Face `config.json`.

mod raw;
mod read;
mod rope;

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::count::Count;
use crate::error::{Error, Result};
use crate::family::{FAMILIES, Family};
pub use raw::RawConfig;
use read::Reader;

/// Most blocks that a model may have; the deepest public one has 126.
const MAX_LAYERS: usize = 10_000;

/// Largest width or vocabulary; products of two still fit 64 bits.
const MAX_SIZE: usize = 1 << 31;

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

/// `rope_scaling` of type `llama3`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Llama3Scaling {
    /// Long wavelengths are stretched by this.
    pub factor: f64,
    /// Wavelengths above `original / low_freq_factor` are stretched fully.
    pub low_freq_factor: f64,
    /// Wavelengths below `original / high_freq_factor` are left alone.
    pub high_freq_factor: f64,
    /// Context of the first training, in tokens.
    pub original_max_position_embeddings: usize,
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

    /// Reads a `config.json` as transformers 4 or 5 writes it; `path` is named in errors.
    ///
    /// # Errors
    ///
    /// Where it is no JSON object, names an unknown architecture, asks for something that this
    /// engine does not compute (another activation, other biases, sliding windows, other rotary
    /// scalings, quantised weights), or holds a number that is missing or out of bounds.
    pub fn from_json(bytes: &[u8], path: &Path) -> Result<Self> {
        Self::from_raw(&RawConfig::from_json(bytes, path)?)
    }

    /// Reads a configuration from its fields.
    ///
    /// # Errors
    ///
    /// As [`ModelConfig::from_json`].
    pub fn from_raw(raw: &RawConfig) -> Result<Self> {
        let reader = Reader::new(raw);
        let family = family(&reader, raw)?;
        refuse_unsupported(&reader)?;
        let hidden_size = reader.size("hidden_size", MAX_SIZE)?;
        let num_attention_heads = reader.size("num_attention_heads", MAX_SIZE)?;
        let num_hidden_layers = reader.size("num_hidden_layers", MAX_LAYERS)?;
        let vocab_size = reader.size("vocab_size", MAX_SIZE)?;
        let max_position_embeddings = reader.size("max_position_embeddings", MAX_SIZE)?;
        let rope = rope::read(&reader, family)?;
        check_layer_types(&reader, num_hidden_layers)?;
        let config = Self {
            family,
            vocab_size,
            hidden_size,
            intermediate_size: reader.size("intermediate_size", MAX_SIZE)?,
            num_hidden_layers,
            num_attention_heads,
            num_key_value_heads: key_value_heads(&reader, num_attention_heads)?,
            head_dim: head_dim(&reader, hidden_size, num_attention_heads)?,
            rms_norm_eps: reader.positive("rms_norm_eps")?.unwrap_or(family.rms_norm_eps),
            rope_theta: rope.theta,
            rope_scaling: rope.scaling,
            tie_word_embeddings: reader.flag("tie_word_embeddings", family.tie_word_embeddings)?,
            qkv_bias: family.qkv_bias,
            max_position_embeddings,
            bos_token_id: begin_token(&reader, vocab_size)?,
        };
        // Nothing that multiplies these numbers later can overflow once the whole can be counted.
        Count::of(&config)?;
        Ok(config)
    }

    /// A `config.json` for this shape that stock transformers 4 and 5 load, with f32 weights named.
    ///
    /// The rotary fields are those of transformers 4, which 5 translates when it reads them.
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
        if !self.family.qkv_bias {
            set("attention_bias", json!(false));
            set("mlp_bias", json!(false));
        } else {
            set("use_sliding_window", json!(false));
        }
        // Written even where unknown: transformers would otherwise put its own default there.
        set("bos_token_id", json!(self.bos_token_id));
        set("initializer_range", json!(0.02));
        set("torch_dtype", json!("float32"));
        set("use_cache", json!(true));
        RawConfig::from_map(map)
    }
}

fn family(reader: &Reader<'_>, raw: &RawConfig) -> Result<&'static Family> {
    let architecture = match reader.get("architectures") {
        None => None,
        Some(Value::Array(names)) => match names.as_slice() {
            [] => None,
            [Value::String(name)] => Some(name.as_str()),
            _ => return Err(unknown(raw, &read::shown(&Value::Array(names.clone())))),
        },
        Some(found) => return Err(reader.wrong("architectures", found, "a list of one name")),
    };
    let model_type = reader.text("model_type")?;
    let found = |family: &&&'static Family| {
        architecture.is_none_or(|name| name == family.architecture)
            && model_type.is_none_or(|name| name == family.model_type)
    };
    match (architecture, model_type, FAMILIES.iter().find(found)) {
        (None, None, _) => Err(unknown(raw, "(neither `architectures` nor `model_type` is given)")),
        (_, _, Some(family)) => Ok(family),
        (Some(name), Some(kind), None) => Err(unknown(raw, &format!("`{name}` of type `{kind}`"))),
        (Some(name), None, None) | (None, Some(name), None) => {
            Err(unknown(raw, &format!("`{name}`")))
        }
    }
}

fn unknown(raw: &RawConfig, found: &str) -> Error {
    let supported = FAMILIES
        .iter()
        .map(|family| format!("`{}` (`{}`)", family.architecture, family.model_type))
        .collect::<Vec<_>>()
        .join(" and ");
    Error::UnknownArchitecture {
        path: raw.path().to_path_buf(),
        found: found.to_owned(),
        supported,
    }
}

fn refuse_unsupported(reader: &Reader<'_>) -> Result<()> {
    // Llama's `attention_bias` puts a bias on the output projection as well, which is not computed.
    for field in ["attention_bias", "mlp_bias", "use_sliding_window"] {
        reader.must_be_off(field)?;
    }
    if let Some(found) = reader.get("hidden_act").filter(|found| *found != "silu") {
        return Err(reader.unsupported("hidden_act", found, "`silu`"));
    }
    if let Some(found) = reader.get("quantization_config") {
        return Err(reader.unsupported(
            "quantization_config",
            found,
            "weights in f32, f16 or bf16",
        ));
    }
    Ok(())
}

fn key_value_heads(reader: &Reader<'_>, heads: usize) -> Result<usize> {
    let key_value = reader.size_or_silent("num_key_value_heads", MAX_SIZE)?.unwrap_or(heads);
    if heads.is_multiple_of(key_value) {
        return Ok(key_value);
    }
    let expected = format!("a divisor of `num_attention_heads`, {heads}");
    Err(reader.wrong_value("num_key_value_heads", &key_value.to_string(), &expected))
}

fn head_dim(reader: &Reader<'_>, hidden: usize, heads: usize) -> Result<usize> {
    let stated = reader.size_or_silent("head_dim", MAX_SIZE)?;
    if stated.is_none() && !hidden.is_multiple_of(heads) {
        let expected = format!("a multiple of `num_attention_heads`, {heads} (or a `head_dim`)");
        return Err(reader.wrong_value("hidden_size", &hidden.to_string(), &expected));
    }
    let head_dim = stated.unwrap_or(hidden / heads);
    if head_dim.is_multiple_of(2) && head_dim > 0 {
        return Ok(head_dim);
    }
    Err(reader.wrong_value(
        "head_dim",
        &head_dim.to_string(),
        "an even number: rotary channels come in pairs",
    ))
}

fn check_layer_types(reader: &Reader<'_>, layers: usize) -> Result<()> {
    let Some(found) = reader.get("layer_types") else { return Ok(()) };
    match found {
        Value::Array(types) if types.len() == layers => {
            match types.iter().find(|kind| *kind != "full_attention") {
                None => Ok(()),
                Some(kind) => Err(reader.unsupported("layer_types", kind, "`full_attention`")),
            }
        }
        Value::Array(types) => {
            let found = format!("a list of {}", types.len());
            Err(reader.wrong_value(
                "layer_types",
                &found,
                &format!("{layers} entries, one a block"),
            ))
        }
        _ => Err(reader.wrong("layer_types", found, "a list")),
    }
}

fn begin_token(reader: &Reader<'_>, vocab_size: usize) -> Result<Option<u32>> {
    let field = "bos_token_id";
    let first = match reader.get(field) {
        None => return Ok(None),
        Some(Value::Array(tokens)) => match tokens.first() {
            None => return Ok(None),
            Some(first) => first,
        },
        Some(token) => token,
    };
    match first.as_u64().and_then(|token| u32::try_from(token).ok()) {
        Some(token) if (token as usize) < vocab_size => Ok(Some(token)),
        _ => Err(reader.wrong(field, first, &format!("a token below `vocab_size`, {vocab_size}"))),
    }
}
