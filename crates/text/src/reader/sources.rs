//! Which files are read: those that are named, and the `.txt` and `.jsonl` files of folders.

use std::path::{Path, PathBuf};

use super::{Reader, Reading};
use crate::error::{Error, Result};

/// Extensions that would only be misread as plain text.
const REFUSED: [&str; 9] = ["gz", "zst", "zip", "xz", "bz2", "parquet", "arrow", "json", "bin"];

/// The files behind some inputs, in the order in which they are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// The files.
    pub files: Vec<PathBuf>,
    /// How many other files and linked folders were passed over in folders.
    pub ignored: usize,
}

impl Sources {
    /// Files as named; folders with their sub-folders, sorted by name, only `.txt` and `.jsonl`.
    ///
    /// Hidden files and links to folders are passed over.
    ///
    /// # Errors
    /// [`Error::InputKind`] for a named file that is neither text nor JSONL, [`Error::NoInput`] when nothing is left.
    pub fn find(inputs: &[PathBuf]) -> Result<Self> {
        let mut sources = Self { files: Vec::new(), ignored: 0 };
        for input in inputs {
            let kind = std::fs::metadata(input).map_err(disk::io_error("read", input))?;
            if kind.is_dir() {
                sources.walk(input)?;
            } else if let Some(found) = REFUSED.iter().find(|known| has_extension(input, known)) {
                return Err(Error::InputKind { path: input.clone(), found: (*found).to_owned() });
            } else {
                sources.files.push(input.clone());
            }
        }
        if sources.files.is_empty() {
            let inputs: Vec<_> = inputs.iter().map(|path| format!("`{}`", path.display())).collect();
            let inputs = if inputs.is_empty() { "no input".to_owned() } else { inputs.join(", ") };
            return Err(Error::NoInput { inputs, ignored: sources.ignored });
        }
        Ok(sources)
    }

    /// Size of all files together, in bytes.
    ///
    /// # Errors
    /// When a file has gone.
    pub fn bytes(&self) -> Result<u64> {
        self.files.iter().try_fold(0u64, |sum, path| {
            let length = std::fs::metadata(path).map_err(disk::io_error("read", path))?.len();
            Ok(sum.saturating_add(length))
        })
    }

    /// Names of the files without their folders.
    pub fn names(&self) -> Vec<String> {
        let name = |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.files.iter().map(name).collect()
    }

    /// The documents of the files.
    ///
    /// # Errors
    /// [`Error::EmptySeparator`].
    pub fn read(&self, reading: &Reading) -> Result<Reader> {
        Reader::new(self.files.clone(), reading.clone())
    }

    fn walk(&mut self, folder: &Path) -> Result<()> {
        let failed = || disk::io_error("list", folder);
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            entries.push((entry.path(), entry.file_type().map_err(failed())?));
        }
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        for (path, kind) in entries {
            let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if kind.is_dir() && !hidden {
                self.walk(&path)?;
            } else if !hidden && (is_jsonl(&path) || has_extension(&path, "txt")) && path.is_file() {
                self.files.push(path);
            } else {
                self.ignored += 1;
            }
        }
        Ok(())
    }
}

/// Whether a file is read as JSONL.
pub(super) fn is_jsonl(path: &Path) -> bool {
    has_extension(path, "jsonl")
}

fn has_extension(path: &Path, wanted: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(wanted))
}
