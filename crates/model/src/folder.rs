//! A model folder as Hugging Face lays it out: `config.json`, weights in one file or in shards, and
//! a tokenizer.
//!
//! Opening a folder reads only headers. Weights are read on request.

mod files;
mod foreign;
mod tied;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use ledger::Sha256Hasher;
use shape::config::{ModelConfig, RawConfig};
use shape::tensors::{self, TensorSpec};

use crate::error::{Error, ModelFault, Result};
use crate::safetensors::{Dtype, SafeTensors, TensorView};
use files::{Files, JSON_LIMIT};
pub use foreign::Foreign;
use tied::{StoredHead, TIED};
pub(crate) use write::CONVERTED;
pub use write::{FolderWriter, SHARD_LIMIT, goes_along};

/// Bytes that are read before their memory is released.
const PIECE: usize = 1 << 22;

/// A model folder whose headers have been checked against its configuration.
#[derive(Debug)]
pub struct ModelFolder {
    path: PathBuf,
    raw: RawConfig,
    config: ModelConfig,
    files: Files,
    dtype: Dtype,
    problems: Vec<String>,
    /// The number of problems, first in the list, after which it is not clear which model this is.
    unclear: usize,
}

impl ModelFolder {
    /// Opens a folder and checks that every tensor of its configuration is there, in its shape.
    ///
    /// A configuration that says tied where another head is stored is read as one that does not:
    /// what is stored was trained.
    ///
    /// # Errors
    ///
    /// If the configuration is refused. If weights are missing or only exist as pickle files. If a
    /// shard is missing, truncated or contradicts itself. If the index names a path outside the
    /// folder, or a tensor that its shard lacks. If a tensor is missing, has a wrong shape, or is
    /// not stored as F32, F16 or BF16.
    pub fn open(path: &Path) -> Result<Self> {
        let mut raw = Self::raw_config_of(path)?;
        let mut config = ModelConfig::from_raw(&raw)?;
        let mut files = Files::open(path)?;
        let head = tied::head(&files, &config)?;
        match head {
            StoredHead::Other => {
                raw.set(TIED, false);
                config = ModelConfig::from_raw(&raw)?;
            }
            StoredHead::Alone => files.also_named(tied::HEAD, tied::EMBEDDING),
            StoredHead::None | StoredHead::Same => {}
        }
        let specs = tensors::tensors(&config);
        let mut elements = BTreeMap::new();
        for spec in &specs {
            let file = files.holding(&spec.name)?;
            let view = file.tensor(files.stored(&spec.name))?;
            if view.shape != spec.shape {
                return Err(Error::from(ModelFault::TensorShape {
                    path: file.path().to_path_buf(),
                    tensor: spec.name.clone(),
                    found: view.shape.to_vec(),
                    expected: spec.shape.clone(),
                }));
            }
            *elements.entry(view.dtype).or_insert(0) += view.len();
        }
        // If types are mixed, the one of most elements counts.
        let (&dtype, _) =
            elements.iter().max_by_key(|&(_, count)| count).expect("a model has tensors");
        let mut problems = extra(&files, &config, &specs);
        problems.extend(files.odd.unclear.iter().cloned());
        let unclear = problems.len();
        problems.extend(files.odd.harmless.iter().cloned());
        problems.extend(other_dtype(&raw, dtype));
        problems.extend(head.remark());
        problems.extend(begin_past(&raw, &config));
        Ok(Self { path: path.to_path_buf(), raw, config, files, dtype, problems, unclear })
    }

    /// The configuration of a folder or of a `config.json`. The folder may lack everything else.
    ///
    /// # Errors
    ///
    /// If it is missing or refused.
    pub fn config_of(path: &Path) -> Result<ModelConfig> {
        Ok(ModelConfig::from_raw(&Self::raw_config_of(path)?)?)
    }

    /// The fields of that configuration, unchecked.
    ///
    /// # Errors
    ///
    /// If it is missing or not a JSON object.
    pub fn raw_config_of(path: &Path) -> Result<RawConfig> {
        let file = if path.is_file() { path.to_path_buf() } else { path.join("config.json") };
        let bytes = match disk::read(&file, JSON_LIMIT) {
            Ok(bytes) => bytes,
            // A folder of another program is named, with the way from it to this one's.
            Err(error) => {
                return Err(foreign::folder(path).filter(|_| error.is_not_found()).map_or_else(
                    || error.into(),
                    |found| ModelFault::Foreign { path: path.to_path_buf(), found }.into(),
                ));
            }
        };
        Ok(RawConfig::from_json(&bytes, &file)?)
    }

    /// The configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// The configuration as it was written.
    pub fn raw_config(&self) -> &RawConfig {
        &self.raw
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name of the folder itself, even if the path ends in `.` or `..`.
    pub fn name(&self) -> String {
        let named = self.path.file_name().map(ToOwned::to_owned);
        let real = || self.path.canonicalize().ok()?.file_name().map(ToOwned::to_owned);
        named
            .or_else(real)
            .map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    /// The type that most elements are stored as.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Problems of the folder that do not make it useless, one sentence each.
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// The problems after which it is not clear which model this is: tensors that no part of the
    /// model reads, or that exist more than once.
    pub fn unclear(&self) -> &[String] {
        &self.problems[..self.unclear]
    }

    /// The tokenizer, if the folder has one.
    pub fn tokenizer_json(&self) -> Option<PathBuf> {
        Some(self.path.join("tokenizer.json")).filter(|path| path.is_file())
    }

    /// A tensor as it is stored.
    ///
    /// # Errors
    ///
    /// If `spec` is not a tensor of this folder.
    pub fn tensor(&self, spec: &TensorSpec) -> Result<TensorView<'_>> {
        self.files.holding(&spec.name)?.tensor(self.files.stored(&spec.name))
    }

    /// Reads a whole tensor as f32, in row order.
    ///
    /// # Errors
    ///
    /// If an element is NaN or infinite.
    ///
    /// # Panics
    ///
    /// If `out` has another length than the tensor.
    pub fn read_f32(&self, spec: &TensorSpec, out: &mut [f32]) -> Result<()> {
        let file = self.files.holding(&spec.name)?;
        file.tensor(self.files.stored(&spec.name))?.to_f32(out).map_err(|index| {
            Error::from(ModelFault::NotFinite {
                path: file.path().to_path_buf(),
                tensor: spec.name.clone(),
                index,
                value: out[index],
            })
        })
    }

    /// Reads a tensor as f32 in pieces of whole rows, in order, about `len` numbers each. The
    /// memory of each piece is released after it is read.
    ///
    /// # Errors
    ///
    /// If an element is NaN or infinite, and the errors of `each`.
    pub fn read_rows<E: From<Error>>(
        &self,
        spec: &TensorSpec,
        len: usize,
        each: &mut dyn FnMut(&mut Vec<f32>) -> Result<(), E>,
    ) -> Result<(), E> {
        let (file, name) = (self.files.holding(&spec.name)?, self.files.stored(&spec.name));
        let view = file.tensor(name)?;
        let size = view.dtype.size();
        let piece = (len / spec.columns()).max(1) * spec.columns();
        let mut values = Vec::with_capacity(piece.min(view.len()));
        for (place, bytes) in view.bytes.chunks(piece * size).enumerate() {
            values.resize(bytes.len() / size, 0.0);
            let range = place * piece * size..place * piece * size + bytes.len();
            // One long read instead of a page fault for every page.
            file.fetch_part(name, range.clone());
            let part = TensorView { dtype: view.dtype, shape: view.shape, bytes };
            part.to_f32(&mut values).map_err(|index| {
                Error::from(ModelFault::NotFinite {
                    path: file.path().to_path_buf(),
                    tensor: spec.name.clone(),
                    index: place * piece + index,
                    value: values[index],
                })
            })?;
            file.release_part(name, range);
            each(&mut values)?;
        }
        Ok(())
    }

    /// Passes on the bytes `range` of a tensor, counted from its start, in pieces of whole `unit`s.
    /// The memory of each piece is released before the next is read.
    ///
    /// # Errors
    ///
    /// If `spec` is not a tensor of this folder, and the errors of `each`.
    pub fn read_bytes<E: From<Error>>(
        &self,
        spec: &TensorSpec,
        range: Range<usize>,
        unit: usize,
        each: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let (file, name) = (self.files.holding(&spec.name)?, self.files.stored(&spec.name));
        let bytes = &file.tensor(name)?.bytes[range.clone()];
        let piece = (PIECE / unit).max(1) * unit;
        for (place, bytes) in bytes.chunks(piece).enumerate() {
            let start = range.start + place * piece;
            file.fetch_part(name, start..start + bytes.len());
            each(bytes)?;
            file.release_part(name, start..start + bytes.len());
        }
        Ok(())
    }

    /// The error for an element that is NaN or infinite.
    fn not_finite(&self, spec: &TensorSpec, index: usize) -> Error {
        let path = self
            .files
            .holding(&spec.name)
            .map_or(self.path.as_path(), SafeTensors::path)
            .to_path_buf();
        let mut value = [0.0];
        if let Ok(view) = self.tensor(spec) {
            let size = view.dtype.size();
            let one = TensorView { bytes: &view.bytes[index * size..][..size], ..view };
            // An error is expected here: it is known that the element is not finite.
            let _ = one.to_f32(&mut value);
        }
        Error::from(ModelFault::NotFinite {
            path,
            tensor: spec.name.clone(),
            index,
            value: value[0],
        })
    }

    /// Releases the memory of some bytes of a tensor, counted from its start.
    pub fn release_part(&self, spec: &TensorSpec, bytes: Range<usize>) {
        if let Ok(file) = self.files.holding(&spec.name) {
            file.release_part(self.files.stored(&spec.name), bytes);
        }
    }

    /// Copies bytes of a tensor, counted from its start, to a folder that is being written, as a
    /// piece of its next tensor.
    ///
    /// # Errors
    ///
    /// If `spec` is not a tensor of this folder, or the other folder cannot be written.
    ///
    /// # Panics
    ///
    /// As [`FolderWriter::write`].
    pub fn copy_bytes(
        &self,
        spec: &TensorSpec,
        range: Range<usize>,
        to: &mut FolderWriter,
    ) -> Result<()> {
        to.write_from(self.files.holding(&spec.name)?, self.files.stored(&spec.name), range)
    }

    /// Releases the memory of a tensor. The next use reads it from the file again.
    pub fn release(&self, spec: &TensorSpec) {
        if let Ok(file) = self.files.holding(&spec.name) {
            file.release(self.files.stored(&spec.name));
        }
    }

    /// SHA-256 of the model's tensors in the order of [`tensors::tensors`]. Each adds its name,
    /// type and shape as `name\0type\0rows,columns\0`, and then its bytes. So a folder has the same
    /// hash however it is divided into shards.
    ///
    /// # Errors
    ///
    /// If an element is NaN or infinite, because a caller that hashes a model is about to use it.
    pub fn weights_hash(&self) -> Result<String> {
        let hash = self.weights_hash_unless(&AtomicBool::new(false))?;
        Ok(hash.expect("nothing stops it"))
    }

    /// As [`ModelFolder::weights_hash`], for a separate thread; `None` once `stop` is set.
    ///
    /// # Errors
    ///
    /// As [`ModelFolder::weights_hash`].
    pub fn weights_hash_unless(&self, stop: &AtomicBool) -> Result<Option<String>> {
        let mut hash = Sha256Hasher::new();
        for spec in tensors::tensors(&self.config) {
            let view = self.tensor(&spec)?;
            hash.update(hash_head(&spec, &view).as_bytes());
            let (size, mut read) = (view.dtype.size(), 0);
            self.read_bytes(&spec, 0..view.bytes.len(), size, &mut |bytes| {
                if stop.load(Ordering::Relaxed) {
                    // The rest is read but skipped: the callback can only stop with an error.
                    return Ok(());
                }
                hash.update(bytes);
                let part = TensorView { bytes, ..view };
                if let Some(index) = part.not_finite() {
                    return Err(self.not_finite(&spec, read / size + index));
                }
                read += bytes.len();
                Ok(())
            })?;
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
        }
        Ok(Some(hash.finish().to_string()))
    }
}

/// The text that precedes the bytes of a tensor in the hash of all weights.
pub(crate) fn hash_head(spec: &TensorSpec, view: &TensorView<'_>) -> String {
    let shape: Vec<String> = view.shape.iter().map(usize::to_string).collect();
    format!("{}\0{}\0{}\0", spec.name, view.dtype.name(), shape.join(","))
}

/// The problem that a configuration names a begin token for which the model has no row.
fn begin_past(raw: &RawConfig, config: &ModelConfig) -> Option<String> {
    let rows = config.vocab_size();
    let named = raw.get("bos_token_id")?.as_u64().filter(|id| *id >= rows as u64)?;
    Some(format!("`config.json` has {named} as `bos_token_id`, the embedding has {rows} rows"))
}

/// The problem that a configuration names another type than most weights have.
fn other_dtype(raw: &RawConfig, dtype: Dtype) -> Option<String> {
    let named = raw.get("dtype").or_else(|| raw.get("torch_dtype"))?.as_str()?;
    let expected = match dtype {
        Dtype::F32 => "float32",
        Dtype::F16 => "float16",
        Dtype::BF16 => "bfloat16",
    };
    let odd = named != expected && named != "auto";
    odd.then(|| {
        format!(
            "`config.json` names {} weights, they are {}",
            crate::safetensors::shown(named),
            dtype.name()
        )
    })
}

/// Tensors that the network does not use, except those that many published folders contain.
fn extra(files: &Files, config: &ModelConfig, specs: &[TensorSpec]) -> Vec<String> {
    let known: BTreeSet<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
    let mut problems = Vec::new();
    for (name, file) in files.tensors() {
        // Some published folders store the head of a tied model, or the rotary table.
        let redundant_head = config.tie_word_embeddings() && name == tied::HEAD;
        if known.contains(name) || redundant_head || name.ends_with(".rotary_emb.inv_freq") {
            continue;
        }
        let name = crate::safetensors::shown(name);
        problems.push(format!(
            "`{name}` in `{}` belongs to no part of the model and is ignored",
            file.display()
        ));
    }
    problems
}
