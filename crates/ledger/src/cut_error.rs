//! Why a cut cannot be made, and the depth limit that every cut is checked against.

use std::fmt;

/// Why a cut cannot be made, in a sentence.
#[derive(Clone, PartialEq, Eq)]
pub struct CutError(String);

/// No model is this deep. Without a limit, a damaged file could make us allocate huge lists.
const MOST_BLOCKS: usize = 1 << 16;

impl CutError {
    pub(crate) fn new(sentence: impl Into<String>) -> Self {
        Self(sentence.into())
    }
}

/// Refuses a number of blocks that no model has.
pub(crate) fn check_depth(layers: usize) -> Result<(), CutError> {
    if layers <= MOST_BLOCKS {
        return Ok(());
    }
    let sentence = format!("a model of {layers} layers is claimed, expected at most {MOST_BLOCKS}");
    Err(CutError(sentence))
}

// `unwrap` in tests prints this: the sentence alone is easier to read than a quoted struct.
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
