//! How files are read into documents.

use serde::{Deserialize, Serialize};

/// Where one document ends and the next begins in plain text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Documents {
    /// A file is a document.
    #[default]
    File,
    /// Blank lines, or lines of white space, separate documents.
    BlankLine,
    /// A text such as `<|endoftext|>` separates documents.
    Separator(String),
}

/// How files are read into documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The rule for plain text; in JSONL a line is a document, in Parquet a row.
    pub documents: Documents,
    /// The field of JSONL, or the column of Parquet, that holds the text.
    pub field: String,
    /// The longest document, JSONL line or page of Parquet, in bytes. A longer one is refused.
    pub longest: u64,
    /// Whether lines of JSONL and rows of Parquet without text are skipped and counted, instead of
    /// refused.
    pub skip_broken: bool,
}

impl Default for Reading {
    /// A file is a document, the field is `text`, nothing is longer than 256 MiB or broken.
    fn default() -> Self {
        Self {
            documents: Documents::default(),
            field: "text".to_owned(),
            longest: 256 << 20,
            skip_broken: false,
        }
    }
}
