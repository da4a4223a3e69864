//! The content and the packing of a file, by its name.

use std::path::Path;

/// Extensions of files that would be misread as plain text.
const REFUSED: [&str; 11] =
    ["zip", "tar", "tgz", "xz", "bz2", "lz4", "parquet", "arrow", "json", "bin", "feather"];

/// How the bytes of a file are packed, by the last extension of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    None,
    Gzip,
    Zstd,
}

/// The content of a file, by its extension without that of the packing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
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

impl FileKind {
    /// `None` if the name has another extension, or none.
    pub(super) fn known(path: &Path) -> Option<Self> {
        let packed = Packing::of(path) != Packing::None;
        let inner = if packed { path.with_extension("") } else { path.to_owned() };
        if has_extension(&inner, "txt") {
            Some(Self::Txt)
        } else if has_extension(&inner, "jsonl") {
            Some(Self::Jsonl)
        } else if has_extension(&inner, "parquet") && !packed {
            // Not if packed: reading begins at the footer, and pages are packed already.
            Some(Self::Parquet)
        } else {
            None
        }
    }

    /// How a named file is read, if it is not [`refused`].
    pub(super) fn of(path: &Path) -> Self {
        Self::known(path).unwrap_or(Self::Txt)
    }
}

/// The extension for which a file is not read, if there is one.
pub(super) fn refused(path: &Path) -> Option<String> {
    if FileKind::known(path).is_some() {
        return None;
    }
    let inner =
        if Packing::of(path) == Packing::None { path.to_owned() } else { path.with_extension("") };
    let found = REFUSED.iter().find(|known| has_extension(&inner, known))?;
    let packing = if inner == *path { "" } else { path.extension()?.to_str()? };
    Some(if packing.is_empty() { (*found).to_owned() } else { format!("{found}.{packing}") })
}

fn has_extension(path: &Path, wanted: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(wanted))
}
