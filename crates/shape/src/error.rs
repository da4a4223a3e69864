//! The errors of a configuration. A message says what was found, what was expected, and where.

use std::path::{Path, PathBuf};

/// Results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A configuration that cannot be used, and why.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<ConfigProblem>);

#[derive(Debug, thiserror::Error)]
enum ConfigProblem {
    #[error("`{path}` cannot be read as a model configuration: {reason}")]
    Json { path: PathBuf, reason: serde_json::Error },

    #[error("`{path}` lacks `{field}`")]
    Missing { path: PathBuf, field: String },

    #[error("`{field}` is {found} in `{path}`, expected {expected}")]
    Value { path: PathBuf, field: String, found: String, expected: String },

    #[error("`{field}` is {found} in `{path}`, which is not supported (supported: {supported})")]
    Unsupported { path: PathBuf, field: String, found: String, supported: String },

    #[error("unknown architecture {found} in `{path}`, supported are {supported}")]
    UnknownArchitecture { path: PathBuf, found: String, supported: String },

    #[error("a model of this shape has more parameters than can be addressed: {shape}")]
    TooLarge { shape: String },

    #[error("the blocks to keep must rise and lie below {blocks}, found {found:?}")]
    KeptBlocks { blocks: usize, found: Vec<usize> },
}

impl Error {
    fn new(problem: ConfigProblem) -> Self {
        Self(Box::new(problem))
    }

    /// Whether the configuration is of quantised weights.
    pub fn is_quantised(&self) -> bool {
        matches!(&*self.0, ConfigProblem::Unsupported { field, .. } if field == "quantization_config")
    }

    /// The file is not a JSON object.
    pub(crate) fn json(path: &Path, reason: serde_json::Error) -> Self {
        Self::new(ConfigProblem::Json { path: path.to_owned(), reason })
    }

    /// A required field is missing.
    pub(crate) fn missing(path: &Path, field: String) -> Self {
        Self::new(ConfigProblem::Missing { path: path.to_owned(), field })
    }

    /// A field has an invalid value.
    pub(crate) fn value(path: &Path, field: String, found: &str, expected: &str) -> Self {
        let (found, expected) = (found.to_owned(), expected.to_owned());
        Self::new(ConfigProblem::Value { path: path.to_owned(), field, found, expected })
    }

    /// A field asks for something that this engine does not compute.
    pub(crate) fn unsupported(path: &Path, field: String, found: String, supported: &str) -> Self {
        let supported = supported.to_owned();
        Self::new(ConfigProblem::Unsupported { path: path.to_owned(), field, found, supported })
    }

    /// The model belongs to a family that is not supported.
    pub(crate) fn unknown_architecture(path: &Path, found: &str, supported: String) -> Self {
        let found = found.to_owned();
        Self::new(ConfigProblem::UnknownArchitecture { path: path.to_owned(), found, supported })
    }

    /// The parameters cannot be counted or addressed.
    pub(crate) fn too_large(shape: String) -> Self {
        Self::new(ConfigProblem::TooLarge { shape })
    }

    /// A list of blocks to keep does not fit the model.
    pub(crate) fn kept_blocks(blocks: usize, found: &[usize]) -> Self {
        Self::new(ConfigProblem::KeptBlocks { blocks, found: found.to_vec() })
    }
}
