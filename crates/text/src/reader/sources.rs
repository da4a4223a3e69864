//! Which files are read: those that are named, and the `.txt`, `.jsonl` and `.parquet` files of
//! folders.

use std::path::{Path, PathBuf};

use super::{Reader, Reading};
use crate::error::{Error, Result};

/// Extensions that would only be misread as plain text.
const REFUSED: [&str; 11] =
    ["zip", "tar", "tgz", "xz", "bz2", "lz4", "parquet", "arrow", "json", "bin", "feather"];

/// How the bytes of a file are packed, by the last extension of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    None,
    Gzip,
    Zstd,
}

/// What a file holds, by its extension, that of its packing apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Txt,
    Jsonl,
    Parquet,
}

impl Packing {
    pub(super) fn of(path: &Path) -> Self {
        if has_extension(path, "gz") {
            Self::Gzip
        } else if has_extension(path, "zst") {
            Self::Zstd
        } else {
            Self::None
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::None => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

impl Kind {
    /// `None` where the name says that it is something else, or says nothing.
    fn known(path: &Path) -> Option<Self> {
        let packed = Packing::of(path) != Packing::None;
        let inner = if packed { path.with_extension("") } else { path.to_owned() };
        if has_extension(&inner, "txt") {
            Some(Self::Txt)
        } else if has_extension(&inner, "jsonl") {
            Some(Self::Jsonl)
        } else if has_extension(&inner, "parquet") && !packed {
            // A packed Parquet file is not read: its pages are packed already.
            Some(Self::Parquet)
        } else {
            None
        }
    }

    /// What a file is read as that is named and not [`refused`].
    pub(super) fn of(path: &Path) -> Self {
        Self::known(path).unwrap_or(Self::Txt)
    }
}

/// The extension for which a file is not read, if there is one.
fn refused(path: &Path) -> Option<String> {
    if Kind::known(path).is_some() {
        return None;
    }
    let inner =
        if Packing::of(path) == Packing::None { path.to_owned() } else { path.with_extension("") };
    let found = REFUSED.iter().find(|known| has_extension(&inner, known))?;
    let packing = if inner == *path { "" } else { path.extension()?.to_str()? };
    Some(if packing.is_empty() { (*found).to_owned() } else { format!("{found}.{packing}") })
}

/// The files behind some inputs, in the order in which they are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// The files.
    pub files: Vec<PathBuf>,
    /// How many other files and linked folders were passed over in folders.
    pub ignored: usize,
}

impl Sources {
    /// Files as named; folders with their sub-folders, sorted by name, only `.txt`, `.jsonl` and
    /// `.parquet`.
    ///
    /// Hidden files and links to folders are passed over.
    ///
    /// # Errors
    /// [`Error::InputKind`] for a named file of a kind that is not read, [`Error::NoInput`] when
    /// nothing is left.
    pub fn find(inputs: &[PathBuf]) -> Result<Self> {
        let mut sources = Self { files: Vec::new(), ignored: 0 };
        for input in inputs {
            let kind = std::fs::metadata(input).map_err(disk::io_error("read", input))?;
            if kind.is_dir() {
                sources.walk(input)?;
            } else if let Some(found) = refused(input) {
                return Err(Error::InputKind { path: input.clone(), found });
            } else {
                sources.files.push(input.clone());
            }
        }
        if sources.files.is_empty() {
            let inputs: Vec<_> =
                inputs.iter().map(|path| format!("`{}`", path.display())).collect();
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
        let name =
            |path: &PathBuf| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.files.iter().map(name).collect()
    }

    /// The documents of the files.
    ///
    /// # Errors
    /// [`Error::EmptySeparator`].
    pub fn read(&self, reading: &Reading) -> Result<Reader> {
        Reader::new(self.files.clone(), reading.clone())
    }

    /// Opens every file, and looks at as much of it as tells a wrong one: what packs it, the footer
    /// and the column of Parquet, the first line of JSONL. An error in the last of many files
    /// then comes before the first is read. A pipe is left alone: what is read of it is gone.
    ///
    /// # Errors
    /// What reading the file would find.
    pub fn check(&self, reading: &Reading) -> Result<()> {
        let mut files = self.files.iter().filter(|path| path.is_file());
        files.try_for_each(|path| super::Open::check(path, reading))
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
            let hidden =
                path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if kind.is_dir() && !hidden {
                self.walk(&path)?;
            } else if !hidden && Kind::known(&path).is_some() && path.is_file() {
                self.files.push(path);
            } else {
                self.ignored += 1;
            }
        }
        Ok(())
    }
}

fn has_extension(path: &Path, wanted: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(wanted))
}
