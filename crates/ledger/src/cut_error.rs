//! Why a cut cannot be made, and what no model has.

use std::fmt;

/// Why a cut cannot be made, in a sentence.
#[derive(Clone, PartialEq, Eq)]
pub struct CutError(String);

/// Deeper models do not exist; a file that claims more must not make us allocate for it.
const MOST_BLOCKS: usize = 1 << 16;

impl CutError {
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

/// Whether a model may have so many blocks.
pub(crate) fn check_depth(layers: usize) -> Result<(), CutError> {
    if layers <= MOST_BLOCKS {
        return Ok(());
    }
    let sentence = format!("a model of {layers} layers is claimed, expected at most {MOST_BLOCKS}");
    Err(CutError(sentence))
}

impl fmt::Debug for CutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for CutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CutError {}
