//! The content and the packing of a file, as its name has them.

use std::path::Path;

/// Extensions of files that are no text, or whose layout is not read.
const REFUSED: [&str; 21] = [
    "zip",
    "tar",
    "tgz",
    "xz",
    "bz2",
    "lz4",
    "7z",
    "arrow",
    "feather",
    "avro",
    "bin",
    "csv",
    "tsv",
    "xls",
    "xlsx",
    "docx",
    "pdf",
    "gguf",
    "safetensors",
    "npy",
    "pkl",
];

/// How the bytes of a file are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    None,
    Gzip,
    Zstd,
}

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileKind {
    Txt,
    Jsonl,
    Parquet,
}

/// What the name of a file says of its content, without the extension of the packing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    Txt,
    /// JSON, one object a line.
    Jsonl,
    /// JSON of any layout.
    Json,
    Parquet,
    /// Nothing that is known here.
    Other,
}

impl Packing {
    /// By the last extension of a name.
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

    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }
}

impl Named {
    pub(super) fn of(path: &Path) -> Self {
        let packed = Packing::of(path) != Packing::None;
        let inner = if packed { path.with_extension("") } else { path.to_owned() };
        let has = |extensions: &[&str]| extensions.iter().any(|known| has_extension(&inner, known));
        if has(&["txt"]) {
            Self::Txt
        } else if has(&["jsonl", "ndjson", "jsonlines"]) {
            Self::Jsonl
        } else if has(&["json"]) {
            Self::Json
        } else if has(&["parquet"]) && !packed {
            Self::Parquet
        } else {
            Self::Other
        }
    }
}

/// The extension for which a file is not read, if there is one.
pub(super) fn refused(path: &Path) -> Option<String> {
    let packed = Packing::of(path) != Packing::None;
    let inner = if packed { path.with_extension("") } else { path.to_owned() };
    let found = REFUSED.iter().find(|known| has_extension(&inner, known)).copied();
    // Parquet is read from its end, so it cannot be packed once more.
    let found = found.or((packed && has_extension(&inner, "parquet")).then_some("parquet"))?;
    let packing = if packed { path.extension()?.to_str()? } else { "" };
    Some(if packing.is_empty() { found.to_owned() } else { format!("{found}.{packing}") })
}

fn has_extension(path: &Path, wanted: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(wanted))
}
