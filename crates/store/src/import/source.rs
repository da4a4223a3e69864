//! Files of a log: opened once, read from the start, never held whole.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use disk::io_error;

use crate::Result;

/// The longest line that is read, in bytes. Longer ones are cut, which their reader is told.
const LINE: usize = 1 << 20;
/// How much of a file its format is told by.
const HEAD: usize = 64 << 10;
/// The most entries of a folder that are looked at.
const ENTRIES: usize = 100_000;

/// The start of a file, by which its format is told.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) path: PathBuf,
    pub(super) is_folder: bool,
    pub(super) bytes: Vec<u8>,
}

impl Head {
    pub(super) fn read(path: &Path) -> Result<Self> {
        let mut head =
            Self { path: path.to_path_buf(), is_folder: path.is_dir(), bytes: Vec::new() };
        if !head.is_folder {
            open(path)?
                .take(HEAD as u64)
                .read_to_end(&mut head.bytes)
                .map_err(io_error("read", path))?;
            if disk::is_pointer(&head.bytes) {
                return Err(disk::Error::pointer(path).into());
            }
        }
        Ok(head)
    }

    /// The text of the start; what is no UTF-8 is replaced.
    pub(super) fn text(&self) -> String {
        let bytes = self.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.bytes);
        String::from_utf8_lossy(bytes).into_owned()
    }
}

pub(super) fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Opens a regular file.
pub(super) fn open(path: &Path) -> Result<File> {
    // Checked before opening: opening a pipe waits for its writer.
    let data = fs::metadata(path).map_err(io_error("open", path))?;
    if !data.is_file() {
        let odd = io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file");
        return Err(io_error("open", path)(odd).into());
    }
    Ok(File::open(path).map_err(io_error("open", path))?)
}

/// The entries of a folder, sorted by name.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(io_error("list", folder))?.take(ENTRIES) {
        found.push(entry.map_err(io_error("list", folder))?.path());
    }
    found.sort_unstable();
    Ok(found)
}

/// The lines of a file, in bounded memory.
pub(super) struct Lines<'a> {
    path: &'a Path,
    reader: BufReader<File>,
    line: Vec<u8>,
    number: u64,
    is_whole: bool,
}

impl<'a> Lines<'a> {
    pub(super) fn open(path: &'a Path) -> Result<Self> {
        let mut reader = BufReader::with_capacity(HEAD, open(path)?);
        let start = reader.fill_buf().map_err(io_error("read", path))?;
        let mark = if start.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        reader.consume(mark);
        Ok(Self { path, reader, line: Vec::new(), number: 0, is_whole: true })
    }

    /// The number of the line that was read last, counted from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Whether the line that was read last ended with a line break and was not cut.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// The next line, without its line break.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>> {
        self.line.clear();
        let bound = LINE as u64;
        let read = (&mut self.reader).take(bound).read_until(b'\n', &mut self.line);
        let read = read.map_err(io_error("read", self.path))?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.is_whole = self.line.ends_with(b"\n");
        if !self.is_whole && read == LINE {
            self.skip_line()?;
        }
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)))
    }

    /// The next line as text without colours; what is no UTF-8 is replaced.
    pub(super) fn next_text(&mut self) -> Result<Option<String>> {
        Ok(self.next()?.map(|line| without_colours(&String::from_utf8_lossy(line))))
    }

    /// Passes over the rest of a line that is too long.
    fn skip_line(&mut self) -> Result<()> {
        loop {
            let buffer = self.reader.fill_buf().map_err(io_error("read", self.path))?;
            let end = buffer.iter().position(|&byte| byte == b'\n');
            let (length, ended) = (end.map_or(buffer.len(), |end| end + 1), end.is_some());
            let is_empty = buffer.is_empty();
            self.reader.consume(length);
            if ended || is_empty {
                return Ok(());
            }
        }
    }
}

/// A line without the codes that colour a terminal: `ESC [ ... m`.
fn without_colours(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain +=
            part.split_once(|end: char| end.is_ascii_alphabetic()).map_or("", |(_, rest)| rest);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_where_they_are_too_long_and_the_next_begins_afresh() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, format!("\u{feff}a\r\n{}\nb", "x".repeat(3 * LINE))).unwrap();
        let mut lines = Lines::open(&path).unwrap();
        assert_eq!(lines.next().unwrap(), Some(b"a".as_slice()));
        assert_eq!(lines.next().unwrap().map(<[u8]>::len), Some(LINE));
        assert!(!lines.is_whole());
        assert_eq!(lines.next().unwrap(), Some(b"b".as_slice()));
        assert!(!lines.is_whole() && lines.number() == 3);
        assert_eq!(lines.next().unwrap(), None);
    }

    #[test]
    fn colours_are_taken_off() {
        let line = "\u{1b}[31mstep:  5  \u{1b}[38;2;180;60;0mloss: 2.5\u{1b}[39m";
        assert_eq!(without_colours(line), "step:  5  loss: 2.5");
        assert_eq!(without_colours("\u{1b}[31"), "");
    }
}
