//! Tables of text: rows of cells between commas, tabs or semicolons, in bounded memory.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use disk::io_error;

use super::failure::{ImportError, clipped};
use super::source::open;
use super::spot::Spot;
use crate::Result;

/// The longest row in bytes, and the most cells of one.
const ROW: usize = 1 << 20;
const CELLS: usize = 4096;

/// A table that is read row by row.
pub(super) struct Table<'a> {
    path: &'a Path,
    format: &'static str,
    reader: BufReader<File>,
    parser: Reader,
    heads: Vec<String>,
    text: Vec<u8>,
    ends: Vec<usize>,
    cells: usize,
    row: u64,
}

impl<'a> Table<'a> {
    /// Opens a table and reads its first row: the names of its columns.
    pub(super) fn open(path: &'a Path, format: &'static str) -> Result<Self> {
        let mut reader = BufReader::with_capacity(64 << 10, open(path)?);
        let start = reader.fill_buf().map_err(io_error("read", path))?;
        let mark = if start.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let first = start.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let delimiter = delimiter(first);
        reader.consume(mark);
        let mut table = Self {
            path,
            format,
            reader,
            parser: ReaderBuilder::new().delimiter(delimiter).build(),
            heads: Vec::new(),
            text: vec![0; ROW],
            ends: vec![0; CELLS],
            cells: 0,
            row: 0,
        };
        if table.next_record()? {
            table.heads = (0..table.cells).map(|at| table.cell(at).trim().to_owned()).collect();
        }
        for (at, head) in table.heads.iter().enumerate() {
            if !head.is_empty() && table.heads[..at].contains(head) {
                let why = format!("two columns are named `{}`", clipped(head));
                return Err(Spot { path, format }.damaged("", why));
            }
        }
        Ok(table)
    }

    /// The names of the columns.
    pub(super) fn heads(&self) -> &[String] {
        &self.heads
    }

    /// Goes on to the next row. Gives false at the end.
    pub(super) fn next(&mut self) -> Result<bool> {
        if !self.next_record()? {
            return Ok(false);
        }
        self.row += 1;
        if self.cells != self.heads.len() {
            let (cells, heads) = (self.cells, self.heads.len());
            let why = format!("it has {cells} cells, the first row has {heads}");
            return Err(Spot { path: self.path, format: self.format }
                .damaged(&format!("row {}", self.row), why));
        }
        Ok(true)
    }

    /// The text of a cell of this row.
    pub(super) fn text(&self, column: usize) -> &str {
        self.cell(column).trim()
    }

    /// The number of a cell of this row; `None` where it is empty.
    ///
    /// # Errors
    /// Where it holds something else.
    pub(super) fn number(&self, column: usize) -> Result<Option<f64>> {
        let text = self.text(column);
        if text.is_empty() {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| {
            ImportError::NotANumber {
                path: self.path.to_path_buf(),
                place: format!("row {}", self.row),
                name: clipped(&self.heads[column]),
                found: clipped(text),
                expected: match text.strip_suffix('%').map(str::trim) {
                    Some(number) if number.parse::<f64>().is_ok() => "a number and no percentage",
                    _ => "a number",
                },
            }
            .into()
        })
    }

    /// The number of this row, counted from 1 without the first.
    pub(super) fn row(&self) -> u64 {
        self.row
    }

    fn cell(&self, at: usize) -> &str {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        let bytes = self.ends.get(at).and_then(|&end| self.text.get(start..end));
        // A cell that is no UTF-8 is no number and no name.
        std::str::from_utf8(bytes.unwrap_or_default()).unwrap_or("\u{fffd}")
    }

    fn next_record(&mut self) -> Result<bool> {
        let (mut out, mut cells) = (0, 0);
        loop {
            let input = self.reader.fill_buf().map_err(io_error("read", self.path))?;
            let (result, read, written, ended) =
                self.parser.read_record(input, &mut self.text[out..], &mut self.ends[cells..]);
            self.reader.consume(read);
            (out, cells) = (out + written, cells + ended);
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::Record => {
                    self.cells = cells;
                    return Ok(true);
                }
                ReadRecordResult::End => return Ok(false),
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    let place = format!("row {}", self.row + 1);
                    let why = format!("it is longer than {ROW} bytes or {CELLS} cells");
                    return Err(Spot { path: self.path, format: self.format }.damaged(&place, why));
                }
            }
        }
    }
}

/// What stands between the cells of a line: what it holds most of outside of quotes.
pub(super) fn delimiter(line: &[u8]) -> u8 {
    let bare: Vec<u8> = line.split(|&byte| byte == b'"').step_by(2).flatten().copied().collect();
    let count = |mark: u8| bare.iter().filter(|&&byte| byte == mark).count();
    // The last of equals: a comma.
    [b'\t', b';', b','].into_iter().max_by_key(|&mark| count(mark)).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn with<T>(text: &str, read: impl Fn(Result<Table<'_>>) -> T) -> T {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        read(Table::open(file.path(), "csv"))
    }

    #[test]
    fn rows_are_read_with_their_quotes_marks_and_empty_cells() {
        for text in ["\u{feff}a,\"b, c\"\n1, 2.5\n,nan\n", "a\t\"b, c\"\r\n1\t2.5\r\n\tNaN"] {
            with(text, |table| {
                let mut table = table.unwrap();
                assert_eq!(table.heads(), ["a", "b, c"]);
                assert!(table.next().unwrap());
                assert_eq!(
                    (table.number(0).unwrap(), table.number(1).unwrap()),
                    (Some(1.0), Some(2.5))
                );
                assert!(table.next().unwrap());
                assert_eq!(table.number(0).unwrap(), None);
                assert!(table.number(1).unwrap().unwrap().is_nan() && table.row() == 2);
                assert!(!table.next().unwrap());
            });
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let said = |text: &str| {
            with(text, |table| {
                let read = table.and_then(|mut table| {
                    while table.next()? {
                        table.number(1)?;
                    }
                    Ok(())
                });
                read.unwrap_err().to_string()
            })
        };
        assert!(said("a,b\n1,2\n3\n").ends_with("row 2: it has 1 cells, the first row has 2"));
        assert!(said("a,a\n").ends_with("two columns are named `a`"));
        assert!(
            said("a,b\n1,85 %\n")
                .ends_with("row 1: `b` is `85 %`, expected a number and no percentage")
        );
        assert!(said("a,b\n1,many\n").ends_with("`b` is `many`, expected a number"));
        assert!(said(&format!("a,b\n1,\"{}", "x".repeat(ROW + 1))).contains("row 1: it is longer"));
    }
}
