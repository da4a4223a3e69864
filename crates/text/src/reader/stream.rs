//! The documents of several files, one after the other.

use std::path::PathBuf;

use super::open_file::OpenFile;
use super::reading::{Documents, Reading};
use crate::error::{Error, Result, TextFailure};

/// What a reader has seen so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Documents handed out.
    pub documents: u64,
    /// Documents of white space only, which are dropped.
    pub empty: u64,
    /// Lines and rows skipped because they are broken.
    pub broken: u64,
    /// Bytes read from the files, as they lie on the disk.
    pub bytes: u64,
}

/// The documents of several files in order, as they are. Documents of white space only are dropped.
///
/// Holds at most one document and some buffers. It yields nothing after an error.
pub struct Reader {
    files: std::vec::IntoIter<PathBuf>,
    reading: Reading,
    open: Option<OpenFile>,
    counts: Counts,
    /// The first error that was skipped.
    broken: Option<Error>,
}

impl Reader {
    /// Begins to read files. The first bytes of a file say whether it is packed and what it
    /// contains; its name decides only where they do not.
    ///
    /// # Errors
    /// When the separator between documents is empty.
    pub fn new(files: Vec<PathBuf>, reading: Reading) -> Result<Self> {
        if matches!(&reading.documents, Documents::Separator(text) if text.is_empty()) {
            return Err(TextFailure::EmptySeparator.into());
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

    /// The first line or row that was skipped, as the error that it would have been.
    pub fn first_broken(&self) -> Option<&Error> {
        self.broken.as_ref()
    }

    /// The next document, also an empty one.
    fn raw(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(open) = &mut self.open {
                let before = open.read_bytes();
                let document = open.next(&self.reading);
                self.counts.bytes += open.read_bytes() - before;
                match document {
                    Ok(Some(document)) => return Ok(Some(document)),
                    Ok(None) => {}
                    // Only an error of one line or row can be skipped: the file can be read on
                    // behind it.
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
                    let open = OpenFile::new(&path, &self.reading)?;
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
                    if document.trim().is_empty() {
                        self.counts.empty += 1;
                        continue;
                    }
                    self.counts.documents += 1;
                    return Some(Ok(document));
                }
                Ok(None) => return None,
                Err(error) => {
                    self.open = None;
                    // The file may be damaged further on, so nothing behind the error is trusted.
                    self.files = Vec::new().into_iter();
                    return Some(Err(error));
                }
            }
        }
    }
}
