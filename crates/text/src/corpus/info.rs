//! `corpus.json`: what a corpus is made of.

use std::path::Path;

use ledger::{Format, FormatHeader};
use serde::{Deserialize, Serialize};

use crate::error::{Result, TextFailure};
use crate::reader::Documents;
use crate::tokenizer::BeginToken;

/// The format written here.
pub(super) const FORMAT: Format<1> = Format;
/// The largest `corpus.json` that is read, in bytes; names of many source files make it long.
const LARGEST_FILE: u64 = 256 << 20;

/// What `corpus.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CorpusInfo {
    /// Number of the format, 1.
    pub(super) format: Format<1>,
    /// SHA-256 of `tokenizer.json`, in hexadecimal.
    pub(super) tokenizer: String,
    /// Size of the vocabulary; every stored token is below it.
    pub(super) vocabulary: usize,
    /// The token before each document.
    pub(super) begin: BeginToken,
    /// How held-out documents were chosen.
    pub(super) split: HeldOutSplit,
    /// The training part.
    pub(super) train: PartInfo,
    /// The held-out part.
    pub(super) heldout: PartInfo,
    /// Documents dropped because they held no text, or none that the tokenizer has tokens for.
    pub(super) empty: u64,
    /// Lines of JSONL and rows of Parquet left out because they were broken.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) broken: u64,
    /// The first of them, in words, for the caller of the build. It is not stored.
    #[serde(skip)]
    pub(super) first_broken: Option<String>,
    /// Files of folders that are no text, for the caller of the build. It is not stored.
    #[serde(skip)]
    pub(super) ignored: usize,
    /// Names of the source files, without their folders.
    pub(super) sources: Vec<String>,
    /// Where documents end in plain text.
    pub(super) documents: Documents,
    /// The field of JSONL, or the column of Parquet, that held the text.
    pub(super) field: String,
}

impl CorpusInfo {
    /// SHA-256 of `tokenizer.json`, in hexadecimal.
    pub fn tokenizer(&self) -> &str {
        &self.tokenizer
    }

    /// Size of the vocabulary; every stored token is below it.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// The token before each document; its id is below the vocabulary.
    pub fn begin(&self) -> &BeginToken {
        &self.begin
    }

    /// The share of documents asked for the held-out part, above 0 and below 1.
    pub fn share(&self) -> f64 {
        self.split.share
    }

    /// The training part.
    pub fn train(&self) -> &PartInfo {
        &self.train
    }

    /// The held-out part.
    pub fn heldout(&self) -> &PartInfo {
        &self.heldout
    }

    /// Documents dropped because they held no text, or none that the tokenizer has tokens for.
    pub fn empty(&self) -> u64 {
        self.empty
    }

    /// Lines of JSONL and rows of Parquet left out because they were broken.
    pub fn broken(&self) -> u64 {
        self.broken
    }

    /// The first of them, in words, right after the corpus was built; it is not stored.
    pub fn first_broken(&self) -> Option<&str> {
        self.first_broken.as_deref()
    }

    /// How many files of the folders were passed over as no text; not stored either.
    pub fn ignored(&self) -> usize {
        self.ignored
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde wants")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// How held-out documents were chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct HeldOutSplit {
    /// The rule in words.
    pub(super) rule: String,
    pub(super) share: f64,
}

/// One part of a corpus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartInfo {
    pub(crate) documents: u64,
    pub(crate) tokens: u64,
    pub(crate) bytes: u64,
    pub(crate) text: String,
    pub(crate) hash: String,
}

impl PartInfo {
    /// Number of documents.
    pub fn documents(&self) -> u64 {
        self.documents
    }

    /// Number of tokens, begin tokens included.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// Length of the text in bytes of UTF-8, to compute the loss per byte.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// SHA-256 over the SHA-256 of each document in order. It identifies the text, whatever the
    /// tokenizer.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the `.bin` file.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

/// Reads and checks a `corpus.json`.
pub(super) fn read(path: &Path) -> Result<CorpusInfo> {
    let wrong = |what: &str, found: String, expected: String| {
        Err(TextFailure::BadCorpus {
            path: path.to_owned(),
            what: what.to_owned(),
            found,
            expected,
        }
        .into())
    };
    let bytes = disk::read(path, LARGEST_FILE)?;
    // The format number is checked first: a later format may differ in everything else.
    match serde_json::from_slice::<FormatHeader>(&bytes).map(|header| header.require(FORMAT)) {
        Ok(Ok(())) => {}
        Ok(Err(other)) => {
            return wrong("format", other.found().to_string(), other.expected().to_string());
        }
        Err(error) => {
            return wrong(
                "content",
                format!("unreadable ({error})"),
                "an object with `format`".into(),
            );
        }
    }
    let info: CorpusInfo = match serde_json::from_slice(&bytes) {
        Ok(info) => info,
        Err(error) => {
            return wrong(
                "content",
                format!("unreadable ({error})"),
                "a description of a corpus".into(),
            );
        }
    };
    if info.vocabulary == 0 || info.vocabulary > i32::MAX as usize {
        return wrong("vocabulary", info.vocabulary.to_string(), "from 1 to 2147483647".into());
    }
    if info.begin.id as usize >= info.vocabulary {
        let expected = format!("below the vocabulary of {}", info.vocabulary);
        return wrong("id of the begin token", info.begin.id.to_string(), expected);
    }
    Ok(info)
}

/// The bytes of a `corpus.json`.
pub(super) fn to_bytes(info: &CorpusInfo) -> Vec<u8> {
    let mut bytes =
        serde_json::to_vec_pretty(info).expect("numbers and texts always have a JSON form");
    bytes.push(b'\n');
    bytes
}
