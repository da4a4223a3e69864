//! Reads the pieces of a file between delimiters, up to a limit of length.

use std::io::{BufRead, Read};
use std::path::Path;

use super::content::BYTE_ORDER_MARK;
use super::input::Input;
use crate::error::{Error, Result, TextFailure};

/// A file cut at a delimiter; uncut if the delimiter is empty. Offsets count bytes of the unpacked
/// text.
pub(super) struct Delimited {
    input: Input,
    delimiter: Vec<u8>,
    what: &'static str,
    offset: u64,
    last: u64,
}

impl Delimited {
    /// Cuts a file; `what` names a piece in messages: `document` or `line`.
    pub(super) fn new(mut input: Input, delimiter: &[u8], what: &'static str) -> Result<Self> {
        let mut offset = 0;
        let marked = input.fill_buf().map(|start| start.starts_with(BYTE_ORDER_MARK));
        if marked.map_err(|error| input.failed(error))? {
            input.consume(BYTE_ORDER_MARK.len());
            offset = BYTE_ORDER_MARK.len() as u64;
        }
        Ok(Self { input, delimiter: delimiter.to_owned(), what, offset, last: offset })
    }

    /// The next piece without its delimiter; `None` at the end of the file.
    pub(super) fn next(&mut self, longest: u64) -> Result<Option<Vec<u8>>> {
        let mut piece = Vec::new();
        let most = longest.saturating_add(self.delimiter.len() as u64);
        while let Some(room) = most.checked_sub(piece.len() as u64) {
            // One byte above the limit tells a piece that is too long from one that just fits.
            let mut input = (&mut self.input).take(room.saturating_add(1));
            // Reads up to the last byte of the delimiter. The check for the whole delimiter
            // follows; if it fails, reading goes on.
            let read = match self.delimiter.last() {
                Some(last) => input.read_until(*last, &mut piece),
                None => input.read_to_end(&mut piece),
            };
            let read = read.map_err(|error| self.input.failed(error))?;
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

    /// Passes over line ends, and says how many lines they end. A packed file of some megabytes may
    /// hold billions of them.
    pub(super) fn pass_line_ends(&mut self) -> Result<u64> {
        let mut lines = 0;
        loop {
            let found = self.input.fill_buf().map(|buffer| {
                let other = buffer.iter().position(|byte| *byte != b'\n');
                (other.unwrap_or(buffer.len()), other.is_none() && !buffer.is_empty())
            });
            let (ends, all) = found.map_err(|error| self.input.failed(error))?;
            self.input.consume(ends);
            self.offset += ends as u64;
            lines += ends as u64;
            if !all {
                return Ok(lines);
            }
        }
    }

    /// Converts the piece that was read last to text.
    pub(super) fn text(&self, piece: Vec<u8>) -> Result<String> {
        String::from_utf8(piece).map_err(|error| {
            let at = error.utf8_error().valid_up_to();
            let path = self.path().to_owned();
            Error::from(TextFailure::NotUtf8 {
                path,
                line: None,
                offset: self.last + at as u64,
                found: error.as_bytes()[at],
            })
        })
    }

    /// Offset of the next piece, in bytes.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn path(&self) -> &Path {
        self.input.path()
    }

    /// Bytes read from the file, as they lie on the disk.
    pub(super) fn read_bytes(&self) -> u64 {
        self.input.read_bytes()
    }

    fn finish(&mut self, piece: Vec<u8>, length: usize, longest: u64) -> Result<Option<Vec<u8>>> {
        if piece.len() as u64 > longest {
            return Err(self.too_long(longest));
        }
        self.last = self.offset;
        self.offset += length as u64;
        Ok(Some(piece))
    }

    fn too_long(&self, longest: u64) -> Error {
        Error::from(TextFailure::TooLong {
            path: self.path().to_owned(),
            what: self.what,
            offset: self.offset,
            longest,
        })
    }
}
