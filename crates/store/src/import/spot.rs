//! Where a file fails its format.

use std::path::Path;

use super::failure::ImportError;

/// A file that is read as a log of a format.
pub(super) struct Spot<'a> {
    pub(super) path: &'a Path,
    pub(super) format: &'static str,
}

impl Spot<'_> {
    /// The error at a place such as `line 3`; empty for the whole file.
    pub(super) fn damaged(&self, place: &str, why: impl Into<String>) -> crate::Error {
        let place = if place.is_empty() { String::new() } else { format!("{place}: ") };
        ImportError::Damaged {
            path: self.path.to_path_buf(),
            format: self.format,
            place,
            why: why.into(),
        }
        .into()
    }
}
