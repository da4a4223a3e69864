//! JSONL: each line is an object, and one of its fields is the document.

use super::delimited::Delimited;
use super::input::Input;
use super::json_text::text;
use crate::error::{Error, Result, TextFailure};

/// A file of one JSON object per line. Blank lines are skipped.
pub(super) struct Jsonl {
    lines: Delimited,
    line: u64,
}

impl Jsonl {
    pub(super) fn new(input: Input) -> Result<Self> {
        Ok(Self { lines: Delimited::new(input, b"\n", "line")?, line: 0 })
    }

    /// The text of the next line; `None` at the end of the file. After an error of a line, the next
    /// line can be read.
    pub(super) fn next(&mut self, field: &str, longest: u64) -> Result<Option<String>> {
        loop {
            self.line += self.lines.pass_line_ends()?;
            let Some(line) = self.lines.next(longest)? else { return Ok(None) };
            self.line += 1;
            let line = self.lines.text(line).map_err(|error| error.in_line(self.line))?;
            if !line.trim().is_empty() {
                return text(&line, field).map(Some).map_err(|found| {
                    Error::from(TextFailure::BadLine {
                        path: self.lines.path().to_owned(),
                        line: self.line,
                        found,
                        field: field.to_owned(),
                    })
                });
            }
        }
    }

    pub(super) fn read_bytes(&self) -> u64 {
        self.lines.read_bytes()
    }
}
