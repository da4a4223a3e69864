//! Documents from files of plain text, JSONL and Parquet, one at a time.

mod delimited;
mod input;
mod jsonl;
mod parquet;
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
    /// The rule for plain text; in JSONL a line is a document, in Parquet a row.
    pub documents: Documents,
    /// The field of JSONL, or the column of Parquet, that holds the text.
    pub field: String,
    /// The longest document, JSONL line or page of Parquet, in bytes; a longer one is refused.
    pub longest: u64,
    /// Whether lines of JSONL and rows of Parquet without text are left out and counted instead of
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

/// What a reader has seen so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Documents handed out.
    pub documents: u64,
    /// Documents of nothing but white space, which are dropped.
    pub empty: u64,
    /// Lines and rows left out because they are broken.
    pub broken: u64,
    /// Bytes read from the files, as they lie on the disk.
    pub bytes: u64,
}

/// The documents of some files in their order, white space stripped at both ends, empty ones
/// dropped.
///
/// Holds no more than one document and some buffers. After an error there are no more documents.
pub struct Reader {
    files: std::vec::IntoIter<PathBuf>,
    reading: Reading,
    open: Option<Open>,
    counts: Counts,
    /// The first thing that was left out.
    broken: Option<Error>,
}

impl Reader {
    /// Begins to read files; their extensions say what they are, and whether they are packed.
    ///
    /// # Errors
    /// [`Error::EmptySeparator`].
    pub fn new(files: Vec<PathBuf>, reading: Reading) -> Result<Self> {
        if matches!(&reading.documents, Documents::Separator(text) if text.is_empty()) {
            return Err(Error::EmptySeparator);
        }
        Ok(Self {
            files: files.into_iter(),
            reading,
            open: None,
            counts: Counts::default(),
            broken: None,
        })
    }

    /// What has been read so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The first line or row that was left out, as the error that it would have been.
    pub fn first_broken(&self) -> Option<&Error> {
        self.broken.as_ref()
    }

    /// The next document as it stands in the file.
    fn raw(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(open) = &mut self.open {
                let before = open.read_bytes();
                let document = open.next(&self.reading);
                self.counts.bytes += open.read_bytes() - before;
                match document {
                    Ok(Some(document)) => return Ok(Some(document)),
                    Ok(None) => {}
                    Err(error) if self.reading.skip_broken && open.goes_on_after(&error) => {
                        self.counts.broken += 1;
                        self.broken.get_or_insert(error);
                        continue;
                    }
                    Err(error) => return Err(error),
                }
            }
            match self.files.next() {
                Some(path) => {
                    let open = Open::new(&path, &self.reading)?;
                    self.counts.bytes += open.read_bytes();
                    self.open = Some(open);
                }
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
                Ok(Some(document)) => {
                    let document = trimmed(document);
                    if document.is_empty() {
                        self.counts.empty += 1;
                        continue;
                    }
                    self.counts.documents += 1;
                    return Some(Ok(document));
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

/// Strips white space without a second copy: a document may be large.
fn trimmed(mut document: String) -> String {
    document.truncate(document.trim_end().len());
    let blank = document.len() - document.trim_start().len();
    document.drain(..blank);
    document
}

enum Open {
    Txt(txt::Txt),
    Jsonl(jsonl::Jsonl),
    Parquet(Box<parquet::Parquet>),
}

impl Open {
    fn new(path: &Path, reading: &Reading) -> Result<Self> {
        Ok(match sources::Kind::of(path) {
            sources::Kind::Txt => Self::Txt(txt::Txt::open(path, &reading.documents)?),
            sources::Kind::Jsonl => Self::Jsonl(jsonl::Jsonl::open(path)?),
            sources::Kind::Parquet => {
                Self::Parquet(Box::new(parquet::Parquet::open(path, &reading.field)?))
            }
        })
    }

    /// What a look at the beginning of a file finds.
    fn check(path: &Path, reading: &Reading) -> Result<()> {
        let mut open = Self::new(path, reading)?;
        match open {
            // Opening unpacks the first bytes, or checks the footer.
            Self::Txt(_) | Self::Parquet(_) => {}
            Self::Jsonl(_) => match open.next(reading) {
                Err(error) if !(reading.skip_broken && open.goes_on_after(&error)) => {
                    return Err(error);
                }
                _ => {}
            },
        }
        Ok(())
    }

    fn next(&mut self, reading: &Reading) -> Result<Option<String>> {
        match self {
            Self::Txt(file) => file.next(reading.longest),
            Self::Jsonl(file) => file.next(&reading.field, reading.longest),
            Self::Parquet(file) => file.next(reading.longest),
        }
    }

    /// Whether an error is of one line or row, so that the next can be read.
    fn goes_on_after(&self, error: &Error) -> bool {
        match self {
            Self::Txt(_) => false,
            Self::Jsonl(_) => matches!(error, Error::BadLine { .. } | Error::NotUtf8 { .. }),
            Self::Parquet(_) => matches!(error, Error::BadRow { .. }),
        }
    }

    /// Bytes of the file that have been read.
    fn read_bytes(&self) -> u64 {
        match self {
            Self::Txt(file) => file.read_bytes(),
            Self::Jsonl(file) => file.read_bytes(),
            Self::Parquet(file) => file.read_bytes(),
        }
    }
}
