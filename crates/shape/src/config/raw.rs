//! A `config.json` with all of its fields, so that fields that this crate does not read are kept.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::read::{FieldReader, MAX_BLOCKS};
use crate::{Error, Result};

/// The fields of a `config.json` in their order, and the path of the file for messages.
#[derive(Debug, Clone, PartialEq)]
pub struct RawConfig {
    path: PathBuf,
    map: Map<String, Value>,
}

impl RawConfig {
    /// Parses the bytes of a `config.json`. Errors name `path`.
    ///
    /// # Errors
    ///
    /// If the bytes are not a JSON object.
    pub fn from_json(bytes: &[u8], path: &Path) -> Result<Self> {
        let map = serde_json::from_slice(bytes).map_err(|error| Error::json(path, error))?;
        Ok(Self { path: path.to_path_buf(), map })
    }

    /// A configuration that was not read from a file.
    pub fn from_map(map: Map<String, Value>) -> Self {
        Self { path: "config.json".into(), map }
    }

    /// The file that errors name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every field.
    pub fn map(&self) -> &Map<String, Value> {
        &self.map
    }

    /// A field, unless it is missing or null.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.map.get(field).filter(|value| !value.is_null())
    }

    /// Sets a field. An existing field keeps its place; a new one goes to the end.
    pub fn set(&mut self, field: &str, value: impl Into<Value>) {
        self.map.insert(field.to_owned(), value.into());
    }

    /// The same configuration for a model that keeps only the blocks `kept`, in ascending order.
    ///
    /// `num_hidden_layers` becomes their number. Lists with one entry per block (`layer_types`)
    /// keep the entries of those blocks. `max_window_layers` is limited to that number. All other
    /// fields stay.
    ///
    /// # Errors
    ///
    /// If `num_hidden_layers` cannot be read, or `kept` is empty, not ascending, or names a block
    /// that the model lacks.
    pub fn with_layers(&self, kept: &[usize]) -> Result<Self> {
        let layers =
            FieldReader::new(&self.path, &self.map).size("num_hidden_layers", MAX_BLOCKS)?;
        let rises = kept.windows(2).all(|pair| pair[0] < pair[1]);
        if !rises || kept.last().is_none_or(|&last| last >= layers) {
            return Err(Error::kept_blocks(layers, kept));
        }
        let mut changed = self.clone();
        changed.set("num_hidden_layers", kept.len());
        for (field, value) in &mut changed.map {
            match value {
                // Only lists with `layer` in their name: `eos_token_id` may happen to have the same
                // length.
                Value::Array(entries) if field.contains("layer") && entries.len() == layers => {
                    *entries = kept.iter().map(|&layer| entries[layer].clone()).collect();
                }
                // This field of Qwen2 must not exceed the number of blocks.
                Value::Number(last)
                    if field == "max_window_layers"
                        && last.as_u64().is_some_and(|last| last > kept.len() as u64) =>
                {
                    *value = kept.len().into();
                }
                _ => {}
            }
        }
        Ok(changed)
    }

    /// Sets the number type of the weights. The key is the one that the file already uses: `dtype`
    /// since transformers 5, `torch_dtype` before. Both versions read the latter.
    pub fn set_dtype(&mut self, name: &str) {
        let field = if self.map.contains_key("dtype") { "dtype" } else { "torch_dtype" };
        self.set(field, name);
        if field == "dtype" && self.map.contains_key("torch_dtype") {
            self.set("torch_dtype", name);
        }
    }

    /// The text of the file, indented by two spaces as Hugging Face does, with a final line break.
    pub fn to_json(&self) -> Vec<u8> {
        let mut text =
            serde_json::to_vec_pretty(&self.map).expect("a map of JSON values is always JSON");
        text.push(b'\n');
        text
    }
}
