//! Plain text. A document is a file, a block between blank lines, or the text between separators.
//!
//! A file is taken as it is. The line end of a block, and white space beside a separator, belong to
//! the layout of the file and to no document.

use super::delimited::Delimited;
use super::input::Input;
use super::reading::Documents;
use crate::error::{Result, TextFailure};

/// A file of plain text.
pub(super) struct Txt {
    pieces: Delimited,
    rule: Rule,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    File,
    Blocks,
    Separated,
}

impl Txt {
    pub(super) fn new(input: Input, documents: &Documents) -> Result<Self> {
        let (delimiter, what, rule) = match documents {
            Documents::File => ("", "document", Rule::File),
            Documents::BlankLine => ("\n", "line", Rule::Blocks),
            Documents::Separator(text) => (text.as_str(), "document", Rule::Separated),
        };
        Ok(Self { pieces: Delimited::new(input, delimiter.as_bytes(), what)?, rule })
    }

    /// The next document; `None` at the end of the file.
    pub(super) fn next(&mut self, longest: u64) -> Result<Option<String>> {
        match self.rule {
            Rule::File => self.piece(longest),
            Rule::Blocks => self.block(longest),
            Rule::Separated => Ok(self.piece(longest)?.map(trimmed)),
        }
    }

    pub(super) fn read_bytes(&self) -> u64 {
        self.pieces.read_bytes()
    }

    fn piece(&mut self, longest: u64) -> Result<Option<String>> {
        self.pieces.next(longest)?.map(|piece| self.pieces.text(piece)).transpose()
    }

    fn block(&mut self, longest: u64) -> Result<Option<String>> {
        let mut block = String::new();
        self.pieces.pass_line_ends()?;
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
        block.truncate(block.trim_end_matches(['\n', '\r']).len());
        Ok((!block.is_empty()).then_some(block))
    }
}

/// Strips white space without a second copy: a document may be large.
fn trimmed(mut document: String) -> String {
    document.truncate(document.trim_end().len());
    let blank = document.len() - document.trim_start().len();
    document.drain(..blank);
    document
}
