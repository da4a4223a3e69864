//! Makes a [`ModelConfig`] from the fields of a Hugging Face `config.json`.

use std::path::Path;

use serde_json::Value;

use super::model::ModelConfig;
use super::raw::RawConfig;
use super::read::{self, FieldReader, MAX_BLOCKS, MAX_SIZE};
use super::rope;
use crate::count::Count;
use crate::family::{FAMILIES, Family};
use crate::{Error, Result};

impl ModelConfig {
    /// Reads a `config.json` as transformers 4 or 5 writes it. Errors name `path`.
    ///
    /// # Errors
    ///
    /// If the bytes are not a JSON object, or name an unknown architecture. If they ask for
    /// something that this engine does not compute: another activation, other biases, sliding
    /// windows, other rotary scalings or quantised weights. If a number is missing or out of
    /// bounds.
    pub fn from_json(bytes: &[u8], path: &Path) -> Result<Self> {
        Self::from_raw(&RawConfig::from_json(bytes, path)?)
    }

    /// Reads a configuration from its fields.
    ///
    /// # Errors
    ///
    /// As [`ModelConfig::from_json`].
    pub fn from_raw(raw: &RawConfig) -> Result<Self> {
        let reader = FieldReader::new(raw.path(), raw.map());
        let family = family(&reader, raw)?;
        refuse_unsupported(&reader)?;
        let hidden_size = reader.size("hidden_size", MAX_SIZE)?;
        let num_attention_heads = reader.size("num_attention_heads", MAX_SIZE)?;
        let num_hidden_layers = reader.size("num_hidden_layers", MAX_BLOCKS)?;
        let vocab_size = reader.size("vocab_size", MAX_SIZE)?;
        let max_position_embeddings = reader.size("max_position_embeddings", MAX_SIZE)?;
        let rope = rope::read(&reader, family)?;
        check_layer_types(&reader, num_hidden_layers)?;
        // The fields above are read first because the ones below are checked against them.
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
            // The family decides: a file with `attention_bias` was refused above.
            qkv_bias: family.qkv_bias,
            max_position_embeddings,
            bos_token_id: begin_token(&reader, vocab_size)?,
        };
        // Each size is within its limit, but their product may still overflow.
        Count::check(&config)?;
        Ok(config)
    }
}

fn family(reader: &FieldReader<'_>, raw: &RawConfig) -> Result<&'static Family> {
    let architecture = match reader.get("architectures") {
        None => None,
        Some(Value::Array(names)) => match names.as_slice() {
            // Some files leave the list empty and give only `model_type`.
            [] => None,
            [Value::String(name)] => Some(name.as_str()),
            _ => return Err(unknown(raw, &read::shown(&Value::Array(names.clone())))),
        },
        Some(found) => return Err(reader.wrong("architectures", found, "a list of one name")),
    };
    let model_type = reader.text("model_type")?;
    // Every given name must match; one of the two may be missing.
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
    Error::unknown_architecture(raw.path(), found, supported)
}

fn refuse_unsupported(reader: &FieldReader<'_>) -> Result<()> {
    // Llama's `attention_bias` also adds a bias to the output projection, which this engine does
    // not compute.
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

fn key_value_heads(reader: &FieldReader<'_>, heads: usize) -> Result<usize> {
    // Files older than grouped-query attention lack the field: every query head has its own keys.
    let key_value = reader.size_or_silent("num_key_value_heads", MAX_SIZE)?.unwrap_or(heads);
    if heads.is_multiple_of(key_value) {
        return Ok(key_value);
    }
    let expected = format!("a divisor of `num_attention_heads`, {heads}");
    Err(reader.wrong_value("num_key_value_heads", &key_value.to_string(), &expected))
}

fn head_dim(reader: &FieldReader<'_>, hidden: usize, heads: usize) -> Result<usize> {
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

fn check_layer_types(reader: &FieldReader<'_>, layers: usize) -> Result<()> {
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

fn begin_token(reader: &FieldReader<'_>, vocab_size: usize) -> Result<Option<u32>> {
    let field = "bos_token_id";
    let first = match reader.get(field) {
        None => return Ok(None),
        // Some files list several tokens. The first one begins a document.
        Some(Value::Array(tokens)) => match tokens.first() {
            None => return Ok(None),
            Some(first) => first,
        },
        Some(token) => token,
    };
    match first.as_u64().and_then(|token| u32::try_from(token).ok()) {
        // An id past the vocabulary is none: no text holds it, and no weight belongs to it.
        Some(token) => Ok(Some(token).filter(|token| (*token as usize) < vocab_size)),
        None => {
            Err(reader.wrong(field, first, &format!("a token below `vocab_size`, {vocab_size}")))
        }
    }
}
