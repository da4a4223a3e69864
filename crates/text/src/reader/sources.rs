//! Finds the files to read: those that are named, and the files of text, JSON lines and Parquet in
//! folders.

use std::path::{Path, PathBuf};

use super::file_kind::refused;
use super::open_file::OpenFile;
use super::reading::Reading;
use super::stream::Reader;
use crate::error::{Result, TextFailure};

/// The files of some inputs, in the order in which they are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    files: Vec<PathBuf>,
    ignored: usize,
}

impl Sources {
    /// Named files are taken as they are. Folders are searched with their sub-folders, sorted by
    /// name, for `.txt`, `.jsonl`, `.ndjson`, `.jsonlines` and `.parquet`, and for `.json` that
    /// holds one object a line.
    ///
    /// Hidden files and links to folders are skipped.
    ///
    /// # Errors
    /// If a named file is of an unsupported kind, or no file is found.
    pub fn find(inputs: &[PathBuf]) -> Result<Self> {
        let mut sources = Self { files: Vec::new(), ignored: 0 };
        for input in inputs {
            let kind = std::fs::metadata(input).map_err(disk::io_error("read", input))?;
            if kind.is_dir() {
                sources.walk(input)?;
            } else if let Some(found) = refused(input) {
                return Err(TextFailure::InputKind { path: input.clone(), found }.into());
            } else {
                sources.files.push(input.clone());
            }
        }
        if sources.files.is_empty() {
            let inputs: Vec<_> =
                inputs.iter().map(|path| format!("`{}`", path.display())).collect();
            let inputs = if inputs.is_empty() { "no input".to_owned() } else { inputs.join(", ") };
            return Err(TextFailure::NoInput { inputs, ignored: sources.ignored }.into());
        }
        Ok(sources)
    }

    /// The files.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// How many other files and linked folders were skipped in folders.
    pub fn ignored(&self) -> usize {
        self.ignored
    }

    /// Size of all files together, in bytes.
    ///
    /// # Errors
    /// If a file no longer exists.
    pub fn bytes(&self) -> Result<u64> {
        self.files.iter().try_fold(0u64, |sum, path| {
            let length = std::fs::metadata(path).map_err(disk::io_error("read", path))?.len();
            Ok(sum.saturating_add(length))
        })
    }

    /// Names of the files without their folders.
    pub fn names(&self) -> Vec<String> {
        let name =
            |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.files.iter().map(name).collect()
    }

    /// The documents of the files.
    ///
    /// # Errors
    /// When the separator between documents is empty.
    pub fn read(&self, reading: &Reading) -> Result<Reader> {
        Reader::new(self.files.clone(), reading.clone())
    }

    /// Opens every file and reads enough to find a wrong one: the packing, the footer and the
    /// column of Parquet, the first line of JSONL. So an error in the last of many files is found
    /// before the first is read. Pipes are not checked, since a pipe can be read only once.
    ///
    /// # Errors
    /// The errors of reading the beginning of a file.
    pub fn check(&self, reading: &Reading) -> Result<()> {
        let mut files = self.files.iter().filter(|path| path.is_file());
        files.try_for_each(|path| OpenFile::check(path, reading))
    }

    fn walk(&mut self, folder: &Path) -> Result<()> {
        let failed = || disk::io_error("list", folder);
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            entries.push((entry.path(), entry.file_type().map_err(failed())?));
        }
        // The system lists files in any order. Sorted, the same folder gives the same corpus.
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        for (path, kind) in entries {
            let hidden =
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if kind.is_dir() && !hidden {
                self.walk(&path)?;
            } else if !hidden && path.is_file() && OpenFile::is_text(&path) {
                self.files.push(path);
            } else {
                self.ignored += 1;
            }
        }
        Ok(())
    }
}
