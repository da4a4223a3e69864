//! Runs of other programs, read from their logs.
//!
//! A format is told by content. Every number has a name and a step; what a name means stands in
//! `words.rs`. Tokens are stated by the log, derived from what it states, or given. Held-out and
//! training losses are kept apart. Memory does not grow with a log.

mod asked;
mod curve;
mod failure;
mod folder;
mod format;
mod gathered;
mod json;
mod reader;
mod source;
mod spot;
mod table;
mod tokens;
mod words;

use std::fs;
use std::path::Path;

use disk::io_error;
use ledger::{LogFile, LossKind, Point};

pub use self::asked::{Asked, Batches};
pub use self::failure::ImportError;
pub use self::folder::ImportedRun;
pub(crate) use self::folder::is_imported;
use self::format::IMPORTS;
use self::gathered::Gathered;
use self::reader::Import;
use self::source::{Head, entries};
pub use self::words::{Unit, Word};
use crate::Result;

/// A log that was read: the points of one run, and what has to be said about them.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    format: &'static str,
    files: Vec<LogFile>,
    points: Vec<Point>,
    loss: LossKind,
    tokens: String,
    remarks: Vec<String>,
}

/// The formats: the name of each, and who writes it.
pub fn formats() -> impl Iterator<Item = (&'static str, &'static str)> {
    IMPORTS.iter().map(|import| (import.name(), import.what()))
}

/// Reads the log of one run, from one or more files or folders of one format.
///
/// # Errors
/// Where a file fails, the format is unknown, or the log is damaged, unclear or contradicts itself:
/// see [`crate::Error::import`].
pub fn read_log(paths: &[&Path], asked: &Asked) -> Result<Log> {
    let mut gathered = Gathered::new(asked.names.clone());
    let mut first: Option<(&Path, &dyn Import)> = None;
    let mut files = Vec::new();
    for path in paths {
        let import = format_of(path, asked)?;
        match first {
            None => first = Some((path, import)),
            Some((before, other)) if other.name() != import.name() => {
                return Err(ImportError::Mixed {
                    first_path: before.to_path_buf(),
                    first: other.name(),
                    second_path: path.to_path_buf(),
                    second: import.name(),
                }
                .into());
            }
            Some(_) => {}
        }
        import.read(path, asked, &mut gathered)?;
        files.push(log_file(path)?);
    }
    // Rows of several files are put together by their steps.
    if gathered.is_numbered() && paths.len() > 1 {
        return Err(ImportError::NoSteps { found: gathered.found(true) }.into());
    }
    if gathered.is_empty() {
        return Err(ImportError::NoLoss { found: gathered.found(true) }.into());
    }
    let format = first.map_or("", |(_, import)| import.name());
    let curve = curve::of(gathered, asked)?;
    Ok(Log {
        format,
        files,
        points: curve.points,
        loss: curve.loss,
        tokens: curve.tokens,
        remarks: curve.remarks,
    })
}

/// The format of a file: the one that is asked for, or the first that knows it.
fn format_of(path: &Path, asked: &Asked) -> Result<&'static dyn Import> {
    let names = || IMPORTS.iter().map(|import| import.name()).collect();
    let unknown = |why: &str| {
        let (path, why) = (path.to_path_buf(), why.to_owned());
        crate::Error::from(ImportError::Unknown { path, why, formats: names() })
    };
    let head = Head::read(path)?;
    if let Some(asked) = &asked.format {
        let named = IMPORTS.iter().find(|import| import.name() == asked);
        return named.copied().ok_or_else(|| unknown(&format!("no format is named `{asked}`")));
    }
    if let Some(import) = IMPORTS.iter().find(|import| import.recognises(&head)) {
        return Ok(*import);
    }
    // What a program prints may begin with megabytes of something else.
    if let Some(import) = later(path, &head)? {
        return Ok(import);
    }
    Err(unknown(match &head.bytes[..] {
        _ if head.is_folder => "the folder holds no log that is known",
        [] => "it is empty",
        [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] | [b'P', b'K', 3, 4, ..] => {
            "it is packed, unpack it first"
        }
        [b'P', b'A', b'R', b'1', ..] => "it is a Parquet file",
        bytes if bytes.contains(&0) => "it is no text and no file of a known program",
        [b'{' | b'[', ..] => "it is JSON, but no `trainer_state.json` and no lines of objects",
        _ => "it holds no line, table or object that is known",
    }))
}

/// The format that a piece further on in a text is told by.
fn later(path: &Path, head: &Head) -> Result<Option<&'static dyn Import>> {
    use std::io::Read;
    const PIECES: usize = 4096;
    if head.is_folder || head.bytes.contains(&0) {
        return Ok(None);
    }
    let mut file = source::open(path)?;
    let mut bytes = vec![0; head.bytes.len().max(1)];
    // Half a piece is looked at twice, so that no line is cut in both.
    let half = bytes.len() / 2;
    for _ in 0..PIECES {
        bytes.copy_within(half.., 0);
        let start = bytes.len() - half;
        let read = file.read(&mut bytes[start..]).map_err(io_error("read", path))?;
        if read == 0 {
            break;
        }
        let piece = Head {
            path: path.to_path_buf(),
            is_folder: false,
            bytes: bytes[..start + read].to_vec(),
        };
        let mut printed = IMPORTS.iter().filter(|import| import.is_printed());
        if let Some(import) = printed.find(|import| import.recognises(&piece)) {
            return Ok(Some(*import));
        }
    }
    Ok(None)
}

/// The name and length of what was read; a folder has the length of its files.
fn log_file(path: &Path) -> Result<LogFile> {
    let length = |path: &Path| fs::metadata(path).map_or(0, |data| data.len());
    let bytes = match path.is_dir() {
        true => entries(path)?.iter().filter(|path| path.is_file()).map(|path| length(path)).sum(),
        false => length(path),
    };
    let name = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    Ok(LogFile::of(source::name_of(&name), bytes))
}

impl Log {
    /// The name of its format.
    pub fn format(&self) -> &'static str {
        self.format
    }

    /// The files and folders that were read.
    pub fn files(&self) -> &[LogFile] {
        &self.files
    }

    /// The points, in the order of their steps. `eval_loss` is held out, `loss` of training.
    pub fn points(&self) -> &[Point] {
        &self.points
    }

    /// Which loss is compared with others, and its name in the log.
    pub fn loss(&self) -> &LossKind {
        &self.loss
    }

    /// Where tokens come from, for a person.
    pub fn tokens(&self) -> &str {
        &self.tokens
    }

    /// What has to be said aloud.
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }
}
