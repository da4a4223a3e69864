//! One open file of any kind.

use std::path::Path;

use super::file_kind::{FileKind, Named};
use super::input::Input;
use super::jsonl::Jsonl;
use super::parquet::Parquet;
use super::reading::Reading;
use super::txt::Txt;
use crate::error::{Error, ErrorKind, Result};

/// An open file of any supported kind.
pub(super) enum OpenFile {
    Txt(Txt),
    Jsonl(Jsonl),
    Parquet(Box<Parquet>),
}

impl OpenFile {
    pub(super) fn new(path: &Path, reading: &Reading) -> Result<Self> {
        let input = Input::open(path)?;
        Ok(match input.kind()? {
            FileKind::Txt => Self::Txt(Txt::new(input, &reading.documents)?),
            FileKind::Jsonl => Self::Jsonl(Jsonl::new(input)?),
            FileKind::Parquet => Self::Parquet(Box::new(Parquet::open(path, &reading.field)?)),
        })
    }

    /// Whether a file of a folder is text, by its name, and where the name says JSON by its
    /// content: other files of JSON often stand beside texts.
    pub(super) fn is_text(path: &Path) -> bool {
        let lines = || Input::open(path).is_ok_and(|input| input.is_json_lines());
        match Named::of(path) {
            Named::Txt | Named::Jsonl | Named::Parquet => true,
            Named::Json => lines(),
            Named::Other => false,
        }
    }

    /// Checks the beginning of a file.
    pub(super) fn check(path: &Path, reading: &Reading) -> Result<()> {
        let mut open = Self::new(path, reading)?;
        match open {
            // Opening has already unpacked the first bytes, or checked the footer.
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

    pub(super) fn next(&mut self, reading: &Reading) -> Result<Option<String>> {
        match self {
            Self::Txt(file) => file.next(reading.longest),
            Self::Jsonl(file) => file.next(&reading.field, reading.longest),
            Self::Parquet(file) => file.next(reading.longest),
        }
    }

    /// Whether an error concerns one line or row only, so that the next can be read.
    pub(super) fn goes_on_after(&self, error: &Error) -> bool {
        match self {
            Self::Txt(_) => false,
            Self::Jsonl(_) => {
                matches!(error.kind(), ErrorKind::BrokenRow | ErrorKind::NotUtf8)
            }
            Self::Parquet(_) => error.kind() == ErrorKind::BrokenRow,
        }
    }

    /// Bytes of the file that have been read.
    pub(super) fn read_bytes(&self) -> u64 {
        match self {
            Self::Txt(file) => file.read_bytes(),
            Self::Jsonl(file) => file.read_bytes(),
            Self::Parquet(file) => file.read_bytes(),
        }
    }
}
