//! `sparsity.json`: the sparse tensors of a folder. The mask of such a tensor is the set of its
//! stored zeros.

use std::collections::BTreeMap;
use std::path::Path;

use ledger::{Format, FormatHeader, Pattern};
use serde::{Deserialize, Serialize};

use crate::error::{Error, ModelFault, Result};

/// The name of the file, next to the weights.
pub const FILE: &str = "sparsity.json";

const FORMAT: Format<1> = Format;

/// Longest file that is read, in bytes.
const LIMIT: u64 = 16 << 20;

/// The sparse tensors of a model, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sparsity {
    /// Each tensor with the pattern of its zeros.
    pub tensors: BTreeMap<String, Pattern>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: Format<1>,
    tensors: BTreeMap<String, SparseTensor>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SparseTensor {
    pattern: Pattern,
}

impl Sparsity {
    /// Reads the file of a model folder; empty if it has none.
    ///
    /// # Errors
    /// If it cannot be read, has another format, or names an unknown pattern.
    pub fn of(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE);
        let bytes = match disk::read(&path, LIMIT) {
            Err(error) if error.is_not_found() => return Ok(Self::default()),
            bytes => bytes?,
        };
        let refuse = |reason: String| {
            Error::from(ModelFault::Json {
                path: path.clone(),
                what: "a list of sparse tensors",
                reason,
            })
        };
        // The format first: a newer file fails with its number, not with an unknown field.
        let header: FormatHeader =
            serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))?;
        header.require(FORMAT).map_err(|error| refuse(error.to_string()))?;
        let written: Written =
            serde_json::from_slice(&bytes).map_err(|error| refuse(error.to_string()))?;
        Ok(Self {
            tensors: written
                .tensors
                .into_iter()
                .map(|(name, entry)| (name, entry.pattern))
                .collect(),
        })
    }

    /// The text of the file.
    pub fn to_json(&self) -> Vec<u8> {
        let entries =
            self.tensors.iter().map(|(name, &pattern)| (name.clone(), SparseTensor { pattern }));
        let written = Written { format: FORMAT, tensors: entries.collect() };
        let mut text =
            serde_json::to_vec_pretty(&written).expect("names and patterns are always JSON");
        text.push(b'\n');
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_it_is_written() {
        let place = tempfile::tempdir().unwrap();
        assert_eq!(Sparsity::of(place.path()).unwrap(), Sparsity::default());
        let tensors = [("b", Pattern::TWO_FOUR), ("a", Pattern::Unstructured)];
        let list =
            Sparsity { tensors: tensors.map(|(name, pattern)| (name.to_owned(), pattern)).into() };
        std::fs::write(place.path().join(FILE), list.to_json()).unwrap();
        assert_eq!(Sparsity::of(place.path()).unwrap(), list);
        let plain: serde_json::Value = serde_json::from_slice(&list.to_json()).unwrap();
        let expected = serde_json::json!({
            "format": 1, "tensors": {"a": {"pattern": "unstructured"}, "b": {"pattern": "2:4"}}
        });
        assert_eq!(plain, expected);
    }

    #[test]
    fn another_format_or_pattern_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let said = |text: &str| {
            std::fs::write(place.path().join(FILE), text).unwrap();
            Sparsity::of(place.path()).unwrap_err().to_string()
        };
        let other = said(r#"{"format":2,"new":[]}"#);
        assert!(other.contains("format is 2, expected 1"), "{other}");
        let four = said(r#"{"format":1,"tensors":{"a":{"pattern":"4:4"}}}"#);
        assert!(four.contains("pattern is `4:4`, expected `N:M`"), "{four}");
        said(r#"{"format":1,"tensors":{"a":{"pattern":"2:4"}},"more":1}"#);
        said("[]");
    }
}
