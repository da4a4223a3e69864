//! What can go wrong with a model: every message says what was found, what was expected, and where.

use std::path::PathBuf;

/// Results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read, written or mapped.
    #[error(transparent)]
    Disk(#[from] disk::Error),

    /// A JSON file is not what it should be.
    #[error("`{path}` cannot be read as {what}: {reason}")]
    Json {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// Why it does not.
        reason: String,
    },

    /// A configuration cannot be used.
    #[error(transparent)]
    Shape(#[from] shape::Error),

    /// A folder holds no weights at all.
    #[error("`{path}` holds neither `model.safetensors` nor `model.safetensors.index.json`")]
    NoWeights {
        /// The folder.
        path: PathBuf,
    },

    /// A folder holds its weights only as pickle files, which run code when they are read.
    #[error("`{path}` holds its weights only as `{file}`, a pickle file, which is not read")]
    PickleWeights {
        /// The folder.
        path: PathBuf,
        /// The file.
        file: String,
    },

    /// The index names a shard that is not there.
    #[error("`{path}` names the shard `{shard}`, which is missing")]
    MissingShard {
        /// The index.
        path: PathBuf,
        /// The file that it names.
        shard: String,
    },

    /// The index places a tensor in a shard that does not have it.
    #[error("`{path}` places `{tensor}` in `{shard}`, which does not hold it")]
    NotInShard {
        /// The index.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The shard.
        shard: PathBuf,
    },

    /// A safetensors file is shorter or longer than its header says.
    #[error("`{path}` has {found} bytes, expected {expected} by its header{}", truncated(*found, *expected))]
    FileLength {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        found: u64,
        /// What the header adds up to.
        expected: u64,
    },

    /// The length of a safetensors header cannot be true.
    #[error("`{path}` says its header has {found} bytes, expected 2 to {limit}")]
    HeaderLength {
        /// The file.
        path: PathBuf,
        /// The length that it states.
        found: u64,
        /// The most that it could be.
        limit: u64,
    },

    /// The offsets of a tensor contradict the file or another tensor.
    #[error("`{tensor}` lies at bytes {start}..{end} of the data in `{path}`, {reason}")]
    Offsets {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// First byte, counted from the end of the header.
        start: u64,
        /// The byte after the last.
        end: u64,
        /// What is wrong with that.
        reason: String,
    },

    /// A tensor that the configuration asks for is nowhere.
    #[error("`{tensor}` is missing in `{path}`")]
    MissingTensor {
        /// The file or folder.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },

    /// A tensor has another shape than the configuration gives it.
    #[error("`{tensor}` is {found:?} in `{path}`, expected {expected:?} by the configuration")]
    TensorShape {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
        /// The shape by the configuration.
        expected: Vec<usize>,
    },

    /// A tensor is stored as something else than floats of 16 or 32 bits.
    #[error("`{tensor}` is stored as {found} in `{path}`, expected F32, F16 or BF16")]
    Dtype {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its type.
        found: String,
    },

    /// A weight is NaN or infinite.
    #[error("`{tensor}` holds {value} at element {index} in `{path}`, expected a finite number")]
    NotFinite {
        /// The file or folder.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// The element, counted from 0 in row order.
        index: usize,
        /// What stands there.
        value: f32,
    },

    /// A weight is not finite, or too large for the type that it is to be stored as.
    #[error("`{tensor}` holds {value} at element {index}, which cannot be stored as {dtype}")]
    NotStorable {
        /// The tensor.
        tensor: String,
        /// The element, counted from 0 in row order.
        index: usize,
        /// The value.
        value: f32,
        /// The type.
        dtype: &'static str,
    },

    /// A model or tokenizer file of the llama2.c family is not what it should be.
    #[error("`{path}` is not a llama2.c {what}: {reason}")]
    Llama2c {
        /// The file.
        path: PathBuf,
        /// `model` or `tokenizer`.
        what: &'static str,
        /// Why.
        reason: String,
    },

    /// The machine has not enough memory.
    #[error("no memory for a buffer of {bytes} bytes")]
    Memory {
        /// What was asked for.
        bytes: usize,
    },

    /// A token that the model does not have.
    #[error("token id {found} at position {position} is out of range, expected below {vocabulary}")]
    TokenOutOfRange {
        /// The id.
        found: u32,
        /// Where in the batch, counted from 0.
        position: usize,
        /// Rows of the embedding.
        vocabulary: usize,
    },

    /// A sequence longer than the rotary table, or a batch that does not fit together.
    #[error("a batch is malformed: {reason}")]
    Batch {
        /// What is wrong.
        reason: String,
    },

    /// A corpus cannot be read.
    #[error(transparent)]
    Text(#[from] text::Error),

    /// There is nothing to evaluate.
    #[error("`{part}` has no token to predict")]
    NothingToEvaluate {
        /// What was to be evaluated.
        part: String,
    },
}

impl Error {
    /// What the user can do about it, where there is one thing to do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::PickleWeights { .. } => Some(
                "pickle files can run code; convert them to safetensors where you trust them, for example with \
                 `AutoModelForCausalLM.from_pretrained(OLD).save_pretrained(NEW, safe_serialization=True)`",
            ),
            Self::FileLength { found, expected, .. } if found < expected => {
                Some("the download or copy was probably cut short; fetch the file again")
            }
            Self::MissingShard { .. } => Some("fetch every file that the index names"),
            _ => None,
        }
    }
}

fn truncated(found: u64, expected: u64) -> &'static str {
    if found < expected { ": it is truncated" } else { ": it has trailing bytes" }
}
