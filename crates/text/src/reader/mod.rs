//! Documents from files of plain text and JSONL, one at a time.

mod delimited;
mod jsonl;
mod sources;
mod txt;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use self::sources::Sources;
use crate::error::{Error, Result};

/// Where one document ends and the next begins in plain text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Documents {
    /// A file is a document.
    #[default]
    File,
    /// Lines of white space stand between documents.
    BlankLine,
    /// A text such as `<|endoftext|>` stands between documents.
    Separator(String),
}

/// How files are read into documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The rule for plain text; in JSONL a line is a document.
    pub documents: Documents,
    /// The JSONL field that holds the text.
    pub field: String,
    /// The longest document or JSONL line, in bytes; a longer one is refused.
    pub longest: u64,
}

impl Default for Reading {
    /// A file is a document, the JSONL field is `text`, nothing is longer than 1 GiB.
    fn default() -> Self {
        Self { documents: Documents::default(), field: "text".to_owned(), longest: 1 << 30 }
    }
}

/// What a reader has seen so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Documents handed out.
    pub documents: u64,
    /// Documents of nothing but white space, which are dropped.
    pub empty: u64,
    /// Bytes read from the files.
    pub bytes: u64,
}

/// The documents of some files in their order, white space stripped at both ends, empty ones dropped.
///
/// Holds no more than one document and a buffer. After an error there are no more documents.
#[derive(Debug)]
pub struct Reader {
    files: std::vec::IntoIter<PathBuf>,
    reading: Reading,
    open: Option<Open>,
    counts: Counts,
}

impl Reader {
    /// Begins to read files; their extension says whether they are JSONL or plain text.
    ///
    /// # Errors
    /// [`Error::EmptySeparator`].
    pub fn new(files: Vec<PathBuf>, reading: Reading) -> Result<Self> {
        if matches!(&reading.documents, Documents::Separator(text) if text.is_empty()) {
            return Err(Error::EmptySeparator);
        }
        Ok(Self { files: files.into_iter(), reading, open: None, counts: Counts::default() })
    }

    /// What has been read so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The next document as it stands in the file.
    fn raw(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(open) = &mut self.open {
                let before = open.offset();
                let document = open.next(&self.reading);
                self.counts.bytes += open.offset() - before;
                if let Some(document) = document? {
                    return Ok(Some(document));
                }
            }
            match self.files.next() {
                Some(path) => self.open = Some(Open::new(&path, &self.reading)?),
                None => {
                    self.open = None;
                    return Ok(None);
                }
            }
        }
    }
}

impl Iterator for Reader {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.raw() {
                Ok(Some(document)) if document.trim().is_empty() => self.counts.empty += 1,
                Ok(Some(document)) => {
                    self.counts.documents += 1;
                    let text = document.trim();
                    let text = if text.len() == document.len() { document } else { text.to_owned() };
                    return Some(Ok(text));
                }
                Ok(None) => return None,
                Err(error) => {
                    self.open = None;
                    self.files = Vec::new().into_iter();
                    return Some(Err(error));
                }
            }
        }
    }
}

#[derive(Debug)]
enum Open {
    Txt(txt::Txt),
    Jsonl(jsonl::Jsonl),
}

impl Open {
    fn new(path: &Path, reading: &Reading) -> Result<Self> {
        if sources::is_jsonl(path) {
            Ok(Self::Jsonl(jsonl::Jsonl::open(path)?))
        } else {
            Ok(Self::Txt(txt::Txt::open(path, &reading.documents)?))
        }
    }

    fn next(&mut self, reading: &Reading) -> Result<Option<String>> {
        match self {
            Self::Txt(file) => file.next(reading.longest),
            Self::Jsonl(file) => file.next(&reading.field, reading.longest),
        }
    }

    fn offset(&self) -> u64 {
        match self {
            Self::Txt(file) => file.offset(),
            Self::Jsonl(file) => file.offset(),
        }
    }
}
