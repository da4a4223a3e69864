//! Writes a model folder, in shards if it is large. The folder is built aside and moved into place
//! when it is complete.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use serde_json::json;
use shape::config::RawConfig;

use crate::error::Result;
use crate::safetensors::{Planned, SafeTensors, Writer};

/// Largest number of bytes of tensors in one file, the default of Hugging Face.
pub const SHARD_LIMIT: u64 = 5_000_000_000;

/// Files that are copied together with the weights.
const COMPANIONS: [&str; 12] = [
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
    "USE_POLICY.md",
    "CITATION.cff",
];

/// Files whose names begin like this, in any case, hold the terms for passing the model on.
const TERMS: [&str; 3] = ["license", "licence", "notice"];

/// The record beside a converted model.
pub(crate) const CONVERTED: &str = "converted.json";

/// A model folder being written.
///
/// The folder appears at its target only on [`FolderWriter::commit`]. Dropping the writer leaves
/// nothing.
#[derive(Debug)]
pub struct FolderWriter {
    folder: disk::NewFolder,
    /// The shards not yet started, the next one last.
    waiting: Vec<(String, Vec<Planned>)>,
    current: Option<Writer>,
}

impl FolderWriter {
    /// Starts a folder with this configuration and these tensors, which must follow in this order.
    ///
    /// A file holds at most `shard_limit` bytes of tensors ([`SHARD_LIMIT`]), or a single larger
    /// tensor.
    ///
    /// # Errors
    ///
    /// If the target exists and must not be replaced, or cannot be written.
    pub fn create(
        target: &Path,
        existing: disk::Existing,
        raw_config: &RawConfig,
        plan: Vec<Planned>,
        shard_limit: u64,
    ) -> Result<Self> {
        let folder = disk::NewFolder::create(target, existing, &disk::kinds::MODEL)?;
        disk::write(&folder.path().join("config.json"), &raw_config.to_json())?;
        let total: u64 = plan.iter().map(Planned::bytes).sum();
        let parameters: u64 =
            plan.iter().map(|tensor| tensor.bytes() / tensor.dtype.size() as u64).sum();
        let shards = split(plan, shard_limit);
        let count = shards.len();
        let name = |number: usize| match count {
            1 => "model.safetensors".to_owned(),
            _ => format!("model-{number:05}-of-{count:05}.safetensors"),
        };
        let mut waiting: Vec<_> =
            shards.into_iter().enumerate().map(|(at, shard)| (name(at + 1), shard)).collect();
        if count > 1 {
            let places: BTreeMap<&str, &str> = waiting
                .iter()
                .flat_map(|(file, shard)| {
                    shard.iter().map(|tensor| (tensor.name.as_str(), file.as_str()))
                })
                .collect();
            let metadata = json!({ "total_size": total, "total_parameters": parameters });
            let index = json!({ "metadata": metadata, "weight_map": places });
            let text =
                serde_json::to_vec_pretty(&index).expect("a map of JSON values is always JSON");
            disk::write(&folder.path().join("model.safetensors.index.json"), &text)?;
        }
        // `pop` takes from the end.
        waiting.reverse();
        let mut writer = Self { folder, waiting, current: None };
        writer.advance()?;
        Ok(writer)
    }

    /// The place of the folder until it is committed.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The tensor that the next piece belongs to; `None` once all are written.
    pub fn expected(&self) -> Option<&Planned> {
        self.current.as_ref()?.expected()
    }

    /// Writes a piece of the next tensor of the plan, as the bytes of the file.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    ///
    /// # Panics
    ///
    /// If the piece is longer than the rest of the tensor, or no tensor is left.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.current.as_mut().expect("every tensor of the plan is already written").write(bytes)?;
        self.advance()
    }

    /// Writes bytes of a tensor of another file as a piece of the next tensor of the plan.
    pub(super) fn write_from(
        &mut self,
        from: &SafeTensors,
        tensor: &str,
        bytes: Range<usize>,
    ) -> Result<()> {
        let current = self.current.as_mut().expect("every tensor of the plan is already written");
        current.write_from(from, tensor, bytes)?;
        self.advance()
    }

    /// Writes a piece of the next tensor of the plan, rounded to its planned type.
    ///
    /// # Errors
    ///
    /// If a value is not finite or too large for the type, or the piece cannot be written.
    ///
    /// # Panics
    ///
    /// As [`FolderWriter::write`].
    pub fn write_f32(&mut self, values: &[f32]) -> Result<()> {
        self.current
            .as_mut()
            .expect("every tensor of the plan is already written")
            .write_f32(values)?;
        self.advance()
    }

    /// Copies companion files from another model folder, if they exist: tokenizer, generation
    /// settings, chat template, licence, notice and use policy.
    ///
    /// # Errors
    ///
    /// If a file cannot be copied.
    pub fn copy_companions(&mut self, from: &Path) -> Result<()> {
        for entry in std::fs::read_dir(from).map_err(disk::io_error("read", from))? {
            let entry = entry.map_err(disk::io_error("read", from))?;
            let name = entry.file_name();
            if name.to_str().is_some_and(goes_along) && entry.path().is_file() {
                disk::copy(&entry.path(), &self.folder.path().join(&name))?;
            }
        }
        Ok(())
    }

    /// Adds a file, or replaces one that was copied.
    ///
    /// # Errors
    ///
    /// If it cannot be written, or `name` leads out of the folder.
    pub fn add_file(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        Ok(disk::write(&disk::inside(self.folder.path(), name)?, bytes)?)
    }

    /// Syncs everything and moves the folder into place.
    ///
    /// # Errors
    ///
    /// If that fails, or something has taken the place in the meantime.
    ///
    /// # Panics
    ///
    /// If a tensor of the plan is not written.
    pub fn commit(self) -> Result<()> {
        if let Some(missing) = self.expected() {
            panic!("`{}` is not written", missing.name);
        }
        Ok(self.folder.commit()?)
    }

    /// Finishes a full shard and starts the next.
    fn advance(&mut self) -> Result<()> {
        while self.current.as_ref().is_none_or(|shard| shard.expected().is_none()) {
            if let Some(full) = self.current.take() {
                full.commit()?;
            }
            let Some((name, plan)) = self.waiting.pop() else { return Ok(()) };
            self.current = Some(Writer::create(&self.folder.path().join(name), plan)?);
        }
        Ok(())
    }
}

/// Divides a plan into files, in order, each as full as the limit allows.
fn split(plan: Vec<Planned>, limit: u64) -> Vec<Vec<Planned>> {
    let mut shards = vec![Vec::new()];
    let mut filled = 0;
    for tensor in plan {
        let bytes = tensor.bytes();
        let shard = shards.last_mut().expect("there is always a last shard");
        if shard.is_empty() || filled + bytes <= limit {
            shard.push(tensor);
            filled += bytes;
        } else {
            shards.push(vec![tensor]);
            filled = bytes;
        }
    }
    shards
}

/// Whether a file is copied together with the weights: tokenizer, generation settings, chat
/// template, licence, notice, use policy.
pub fn goes_along(name: &str) -> bool {
    let lower = name.to_lowercase();
    COMPANIONS.contains(&name) || TERMS.iter().any(|term| lower.starts_with(term))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_along_with_a_model_is_known_as_part_of_one() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("cut.json"), "{\"format\":1}").unwrap();
        for name in COMPANIONS.iter().chain(&["LICENSE.txt", "config.json", "README.md", CONVERTED])
        {
            std::fs::write(place.path().join(name), "{}").unwrap();
        }
        disk::kinds::MODEL.check(place.path(), disk::Existing::Replace, &[]).unwrap();
    }
}
