//! Plain text. A document is a file, a block between blank lines, or the text between separators.

use std::path::Path;

use super::delimited::Delimited;
use super::reading::Documents;
use crate::error::{Result, TextFailure};

/// A file of plain text.
pub(super) struct Txt {
    pieces: Delimited,
    blocks: bool,
}

impl Txt {
    pub(super) fn open(path: &Path, documents: &Documents) -> Result<Self> {
        let (delimiter, what) = match documents {
            Documents::File => ("", "document"),
            Documents::BlankLine => ("\n", "line"),
            Documents::Separator(text) => (text.as_str(), "document"),
        };
        let pieces = Delimited::open(path, delimiter.as_bytes(), what)?;
        Ok(Self { pieces, blocks: *documents == Documents::BlankLine })
    }

    /// The next document; `None` at the end of the file.
    pub(super) fn next(&mut self, longest: u64) -> Result<Option<String>> {
        if self.blocks { self.block(longest) } else { self.piece(longest) }
    }

    pub(super) fn read_bytes(&self) -> u64 {
        self.pieces.read_bytes()
    }

    fn piece(&mut self, longest: u64) -> Result<Option<String>> {
        self.pieces.next(longest)?.map(|piece| self.pieces.text(piece)).transpose()
    }

    fn block(&mut self, longest: u64) -> Result<Option<String>> {
        let mut block = String::new();
        let mut begins = self.pieces.offset();
        while let Some(line) = self.piece(longest)? {
            if !line.trim().is_empty() {
                block.push_str(&line);
                block.push('\n');
            } else if block.is_empty() {
                begins = self.pieces.offset();
            } else {
                break;
            }
            if block.len() as u64 > longest.saturating_add(1) {
                let path = self.pieces.path().to_owned();
                return Err(TextFailure::TooLong {
                    path,
                    what: "document",
                    offset: begins,
                    longest,
                }
                .into());
            }
        }
        Ok((!block.is_empty()).then_some(block))
    }
}
