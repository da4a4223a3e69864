//! Pieces of a file between delimiters, read with a bound on their length.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Some editors put it at the beginning of a file; it is no text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A file cut at a delimiter, or whole when the delimiter is empty.
#[derive(Debug)]
pub(super) struct Delimited {
    input: BufReader<File>,
    path: PathBuf,
    delimiter: Vec<u8>,
    what: &'static str,
    offset: u64,
}

impl Delimited {
    /// Opens a file; `what` names a piece in messages: `document` or `line`.
    pub(super) fn open(path: &Path, delimiter: &[u8], what: &'static str) -> Result<Self> {
        let file = File::open(path).map_err(disk::io_error("open", path))?;
        let mut input = BufReader::with_capacity(1 << 16, file);
        let mut offset = 0;
        if input.fill_buf().map_err(disk::io_error("read", path))?.starts_with(BYTE_ORDER_MARK) {
            input.consume(BYTE_ORDER_MARK.len());
            offset = BYTE_ORDER_MARK.len() as u64;
        }
        Ok(Self { input, path: path.to_owned(), delimiter: delimiter.to_owned(), what, offset })
    }

    /// The next piece without its delimiter; `None` at the end of the file.
    pub(super) fn next(&mut self, longest: u64) -> Result<Option<String>> {
        let mut piece = Vec::new();
        let most = longest.saturating_add(self.delimiter.len() as u64);
        while let Some(room) = most.checked_sub(piece.len() as u64) {
            // One byte more than fits tells a piece that is too long from one that just fits.
            let mut input = (&mut self.input).take(room.saturating_add(1));
            let read = match self.delimiter.last() {
                Some(last) => input.read_until(*last, &mut piece),
                None => input.read_to_end(&mut piece),
            };
            let read = read.map_err(disk::io_error("read", &self.path))?;
            if !self.delimiter.is_empty() && piece.ends_with(&self.delimiter) {
                let length = piece.len();
                piece.truncate(length - self.delimiter.len());
                return self.finish(piece, length, longest);
            }
            if read == 0 {
                if piece.is_empty() {
                    return Ok(None);
                }
                let length = piece.len();
                return self.finish(piece, length, longest);
            }
        }
        Err(self.too_long(longest))
    }

    /// Where the next piece begins, in bytes.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn finish(&mut self, piece: Vec<u8>, length: usize, longest: u64) -> Result<Option<String>> {
        if piece.len() as u64 > longest {
            return Err(self.too_long(longest));
        }
        let text = String::from_utf8(piece).map_err(|error| Error::NotUtf8 {
            path: self.path.clone(),
            offset: self.offset + error.utf8_error().valid_up_to() as u64,
        })?;
        self.offset += length as u64;
        Ok(Some(text))
    }

    fn too_long(&self, longest: u64) -> Error {
        Error::TooLong { path: self.path.clone(), what: self.what, offset: self.offset, longest }
    }
}
