//! The errors of a model. Every message says what was found, what was expected, and where.

use std::error::Error as StdError;
use std::path::{Path, PathBuf};

use crate::folder::Foreign;

/// Results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<ModelFault>);

impl Error {
    /// A weight is NaN or infinite. `path` is the file or folder that holds it.
    pub fn not_finite(path: &Path, tensor: &str, index: usize, value: f32) -> Self {
        let (path, tensor) = (path.to_path_buf(), tensor.to_owned());
        ModelFault::NotFinite { path, tensor, index, value }.into()
    }

    /// A weight is not finite, or too large for the type to store it as.
    pub fn cannot_store(tensor: &str, index: usize, value: f32, dtype: &'static str) -> Self {
        ModelFault::NotStorable { tensor: tensor.to_owned(), index, value, dtype }.into()
    }

    /// The tensor and the value that could not be stored, if that is the error.
    pub fn not_storable(&self) -> Option<(&str, f32)> {
        match &*self.0 {
            ModelFault::NotStorable { tensor, value, .. } => Some((tensor, *value)),
            _ => None,
        }
    }

    /// Whether a folder holds no weights at all.
    pub fn is_no_weights(&self) -> bool {
        matches!(*self.0, ModelFault::NoWeights { .. })
    }

    /// Whether a folder holds its weights only as pickle files.
    pub fn is_pickle(&self) -> bool {
        matches!(*self.0, ModelFault::PickleWeights { .. })
    }

    /// What a folder holds that belongs to another program.
    pub fn foreign(&self) -> Option<Foreign> {
        match *self.0 {
            ModelFault::Foreign { found, .. } => Some(found),
            _ => None,
        }
    }

    /// Whether a configuration is of quantised weights.
    pub fn is_quantised(&self) -> bool {
        matches!(&*self.0, ModelFault::Shape(error) if error.is_quantised())
    }

    /// Whether a file is shorter than its header says.
    pub fn is_truncated(&self) -> bool {
        matches!(*self.0, ModelFault::FileLength { found, expected, .. } if found < expected)
    }

    /// Whether the index names a missing shard.
    pub fn is_missing_shard(&self) -> bool {
        matches!(*self.0, ModelFault::MissingShard { .. })
    }

    /// The error of another crate that this error wraps without a message of its own.
    pub fn passed_on(&self) -> Option<&(dyn StdError + 'static)> {
        match &*self.0 {
            ModelFault::Disk(error) => Some(error),
            ModelFault::Text(error) => Some(error),
            ModelFault::Shape(error) => Some(error),
            _ => None,
        }
    }
}

impl From<ModelFault> for Error {
    fn from(fault: ModelFault) -> Self {
        Self(Box::new(fault))
    }
}

impl From<disk::Error> for Error {
    fn from(error: disk::Error) -> Self {
        ModelFault::Disk(error).into()
    }
}

impl From<text::Error> for Error {
    fn from(error: text::Error) -> Self {
        ModelFault::Text(error).into()
    }
}

impl From<shape::Error> for Error {
    fn from(error: shape::Error) -> Self {
        ModelFault::Shape(error).into()
    }
}

/// All errors.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModelFault {
    /// A file could not be read, written or mapped.
    #[error(transparent)]
    Disk(disk::Error),

    /// A JSON file is not valid.
    #[error("`{path}` cannot be read as {what}: {reason}")]
    Json { path: PathBuf, what: &'static str, reason: String },

    /// A configuration cannot be used.
    #[error(transparent)]
    Shape(shape::Error),

    /// A folder holds no weights at all.
    #[error("`{path}` holds neither `model.safetensors` nor `model.safetensors.index.json`")]
    NoWeights { path: PathBuf },

    /// A folder holds its weights only as pickle files, which run code when they are read.
    #[error("`{path}` holds its weights only as `{file}`, a pickle file, which is not read")]
    PickleWeights { path: PathBuf, file: String },

    /// A folder is of another program.
    #[error("`{path}` holds {}", found.words())]
    Foreign { path: PathBuf, found: Foreign },

    /// The index names a missing shard.
    #[error("`{path}` names the shard `{shard}`, which is missing")]
    MissingShard { path: PathBuf, shard: String },

    /// The index places a tensor in a shard that does not have it.
    #[error("`{path}` places `{tensor}` in `{shard}`, which does not hold it")]
    NotInShard { path: PathBuf, tensor: String, shard: PathBuf },

    /// A safetensors file is shorter or longer than its header says.
    #[error("`{path}` has {found} bytes, expected {expected} by its header{}", truncated(*found, *expected))]
    FileLength { path: PathBuf, found: u64, expected: u64 },

    /// The stated length of a safetensors header is impossible.
    #[error("`{path}` says its header has {found} bytes, expected 2 to {limit}")]
    HeaderLength { path: PathBuf, found: u64, limit: u64 },

    /// The offsets of a tensor contradict the file or another tensor.
    #[error("`{tensor}` lies at bytes {start}..{end} of the data in `{path}`, {reason}")]
    Offsets { path: PathBuf, tensor: String, start: u64, end: u64, reason: String },

    /// A tensor of the configuration is missing.
    #[error("`{tensor}` is missing in `{path}`")]
    MissingTensor { path: PathBuf, tensor: String },

    /// A tensor does not have the shape that the configuration gives.
    #[error("`{tensor}` is {found:?} in `{path}`, expected {expected:?} by the configuration")]
    TensorShape { path: PathBuf, tensor: String, found: Vec<usize>, expected: Vec<usize> },

    /// A tensor is stored as something other than floats of 16 or 32 bits.
    #[error("`{tensor}` is stored as {found} in `{path}`, expected F32, F16 or BF16")]
    Dtype { path: PathBuf, tensor: String, found: String },

    /// A weight is NaN or infinite.
    #[error("`{tensor}` holds {value} at element {index} in `{path}`, expected a finite number")]
    NotFinite { path: PathBuf, tensor: String, index: usize, value: f32 },

    /// A weight is not finite, or too large for the type to store it as.
    #[error("`{tensor}` holds {value} at element {index}, which cannot be stored as {dtype}")]
    NotStorable { tensor: String, index: usize, value: f32, dtype: &'static str },

    /// A model or tokenizer file of the llama2.c family is not valid.
    #[error("`{path}` is not a llama2.c {what}: {reason}")]
    Llama2c { path: PathBuf, what: &'static str, reason: String },

    /// There is not enough memory.
    #[error("no memory for a buffer of {bytes} bytes")]
    Memory { bytes: usize },

    /// A token is not in the vocabulary.
    #[error("token id {found} at position {position} is out of range, expected below {vocabulary}")]
    TokenOutOfRange { found: u32, position: usize, vocabulary: usize },

    /// A sequence is longer than the rotary table, or a batch is inconsistent.
    #[error("a batch is malformed: {reason}")]
    Batch { reason: String },

    /// A corpus cannot be read.
    #[error(transparent)]
    Text(text::Error),

    /// A teacher does not fit the model or the batch.
    #[error("the teacher gives {found}, expected {expected}")]
    Teacher { found: String, expected: String },

    /// A teacher's cache cannot be made or used.
    #[error("{reason}")]
    Teach { reason: String },

    /// A file of a teacher's cache has the wrong length.
    #[error("`{path}` has {found} bytes, expected {expected} as in `cache.json`{}", if *cut { ": it is cut" } else { "" })]
    CacheLength { path: PathBuf, found: u64, expected: u64, cut: bool },

    /// A file of a teacher's cache does not hold what was written.
    #[error("`{path}` has SHA-256 {found}, expected {expected} as in `cache.json`")]
    CacheHash { path: PathBuf, found: String, expected: String },

    /// There is nothing to evaluate.
    #[error("`{part}` has no token to predict")]
    NothingToEvaluate { part: String },
}

fn truncated(found: u64, expected: u64) -> &'static str {
    if found < expected { ": it is truncated" } else { ": it has trailing bytes" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_user_can_do_something_about_is_told_apart() {
        let pickle =
            ModelFault::PickleWeights { path: "m".into(), file: "pytorch_model.bin".into() };
        assert!(Error::from(pickle).is_pickle());
        let length =
            |found| Error::from(ModelFault::FileLength { path: "m".into(), found, expected: 9 });
        assert!(length(8).is_truncated() && !length(10).is_truncated());
        let missing = ModelFault::MissingShard { path: "m".into(), shard: "s".into() };
        assert!(Error::from(missing).is_missing_shard());
    }
}
