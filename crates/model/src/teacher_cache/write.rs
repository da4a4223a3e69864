//! Writing a cache: file by file, so that it can be interrupted and taken up again.

use std::path::{Path, PathBuf};

use disk::Lock;
use disk::kinds::CACHE;

use super::info::{CacheInfo, FILE, PLAN, PartInfo};
use crate::error::ModelFault;
use crate::{Error, Result};

/// The lock of a cache that is being made.
const LOCK: &str = ".lock";

/// A cache that is being made.
#[derive(Debug)]
pub struct CacheWriter {
    folder: PathBuf,
    info: CacheInfo,
    _lock: Lock,
}

/// Takes the rows of one part, in their order.
#[derive(Debug)]
pub struct PartWriter<'a> {
    folder: &'a Path,
    info: &'a CacheInfo,
    name: &'static str,
    /// Rows of the whole part.
    rows: u64,
    /// Rows that stand in whole files.
    written: u64,
    waiting: Vec<u8>,
}

impl CacheWriter {
    /// Begins a cache in a new folder, or goes on with the one that an interrupted process left
    /// there.
    ///
    /// # Errors
    /// If the folder holds anything else, or the beginning of another cache.
    pub fn begin(folder: &Path, info: CacheInfo) -> Result<Self> {
        let plan = folder.join(PLAN);
        if folder.symlink_metadata().is_err() {
            let new = disk::NewFolder::create(folder, disk::Existing::Refuse, &CACHE)?;
            disk::write(&new.path().join(PLAN), &info.to_json())?;
            new.commit()?;
        }
        let lock = Lock::acquire(&folder.join(LOCK))?;
        let (found, _) = CacheInfo::read(&plan)?;
        if let Some(difference) = info.difference(&found).or_else(|| found.difference(&info)) {
            let reason = format!("`{}` holds another cache: {difference}", folder.display());
            return Err(Error::from(ModelFault::Teach { reason }));
        }
        Ok(Self { folder: folder.to_path_buf(), info, _lock: lock })
    }

    /// The description.
    pub fn info(&self) -> &CacheInfo {
        &self.info
    }

    /// The rows of the training part; `rows` in all.
    ///
    /// # Errors
    /// If files cannot be looked at.
    pub fn train(&self, rows: u64) -> Result<PartWriter<'_>> {
        PartWriter::new(&self.folder, &self.info, "train", rows)
    }

    /// The rows of the held-out part; `rows` in all.
    ///
    /// # Errors
    /// If files cannot be looked at.
    pub fn heldout(&self, rows: u64) -> Result<PartWriter<'_>> {
        PartWriter::new(&self.folder, &self.info, "heldout", rows)
    }

    /// Writes `cache.json`, which makes the cache whole.
    ///
    /// # Errors
    /// If a file is missing or has not the length that it must have.
    pub fn finish(mut self, train: u64, heldout: u64) -> Result<()> {
        let part = |name, rows| PartInfo::hashed(&self.folder, &self.info, name, rows);
        let (train_part, heldout_part) = (part("train", train)?, part("heldout", heldout)?);
        self.info.train_part = Some(train_part);
        self.info.heldout_part = Some(heldout_part);
        disk::write(&self.folder.join(FILE), &self.info.to_json())?;
        let plan = self.folder.join(PLAN);
        std::fs::remove_file(&plan).map_err(disk::io_error("remove", &plan))?;
        Ok(())
    }
}

/// The path of a file of rows.
pub(super) fn path(folder: &Path, name: &str, number: u64) -> PathBuf {
    folder.join(format!("{name}-{number:05}.rows"))
}

/// Rows of the file with this number.
pub(super) fn rows_of_file(info: &CacheInfo, rows: u64, number: u64) -> u64 {
    let before = number.saturating_mul(info.rows_per_file());
    rows.saturating_sub(before).min(info.rows_per_file())
}

/// Checks the length of a file of rows.
pub(super) fn check_length(info: &CacheInfo, path: &Path, found: u64, rows: u64) -> Result<()> {
    let expected = rows.saturating_mul(info.row_bytes() as u64);
    if found == expected {
        return Ok(());
    }
    let (path, cut) = (path.to_path_buf(), found < expected);
    Err(Error::from(ModelFault::CacheLength { path, found, expected, cut }))
}

impl PartInfo {
    fn hashed(folder: &Path, info: &CacheInfo, name: &'static str, rows: u64) -> Result<Self> {
        let mut sha256 = Vec::new();
        for number in 0..rows.div_ceil(info.rows_per_file()) {
            let path = path(folder, name, number);
            let found = std::fs::metadata(&path).map_err(disk::io_error("read", &path))?.len();
            check_length(info, &path, found, rows_of_file(info, rows, number))?;
            sha256.push(disk::sha256(&path)?.to_string());
        }
        Ok(Self { rows, sha256 })
    }
}

impl<'a> PartWriter<'a> {
    fn new(folder: &'a Path, info: &'a CacheInfo, name: &'static str, rows: u64) -> Result<Self> {
        let mut written = 0;
        for number in 0..rows.div_ceil(info.rows_per_file()) {
            // A file has its name only once it is whole.
            let Ok(found) = std::fs::metadata(path(folder, name, number)) else { break };
            let rows = rows_of_file(info, rows, number);
            check_length(info, &path(folder, name, number), found.len(), rows)?;
            written += rows;
        }
        Ok(Self { folder, info, name, rows, written, waiting: Vec::new() })
    }

    /// Rows that stand in files already and need not be computed again.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Whether all rows stand in files.
    pub fn is_whole(&self) -> bool {
        self.written == self.rows
    }

    /// Takes the rows from `first` on, and passes over those that stand in files already.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn push(&mut self, first: u64, rows: &[u8]) -> Result<()> {
        let length = self.info.row_bytes();
        let next = self.written + (self.waiting.len() / length) as u64;
        let known = usize::try_from(next.saturating_sub(first)).unwrap_or(usize::MAX);
        assert!(first <= next, "rows come in their order");
        self.waiting.extend_from_slice(rows.get(known.saturating_mul(length)..).unwrap_or(&[]));
        loop {
            let number = self.written / self.info.rows_per_file();
            let rows = rows_of_file(self.info, self.rows, number);
            let bytes = rows as usize * length;
            if rows == 0 || self.waiting.len() < bytes {
                return Ok(());
            }
            disk::write(&path(self.folder, self.name, number), &self.waiting[..bytes])?;
            self.waiting.drain(..bytes);
            self.written += rows;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two known tokens a row, four rows a file.
    fn info() -> CacheInfo {
        serde_json::from_value(serde_json::json!({
            "format": 1,
            "teacher": "t",
            "tokenizer": "k",
            "corpus": "c",
            "heldout": "h",
            "vocabulary": 9,
            "top": 2,
            "temperatures": [1.0],
            "precision": "f32",
            "context": 4,
            "evaluation": {
                "points": 1, "first": 1, "convention": "packed", "context": 4, "stride": 4, "tokens": 1
            },
            "rows_per_file": 4,
        }))
        .unwrap()
    }

    #[test]
    fn a_part_that_was_interrupted_goes_on_to_the_same_files() {
        let length = info().row_bytes();
        // Ten rows, the last file half full, in pieces that end inside files.
        let rows: Vec<u8> = (0..10 * length).map(|i| (i * 7 % 251) as u8).collect();
        let piece = |from: usize, to: usize| &rows[from * length..to * length];
        let folder = tempfile::tempdir().unwrap();
        let info = info();
        let mut part = PartWriter::new(folder.path(), &info, "train", 10).unwrap();
        part.push(0, piece(0, 3)).unwrap();
        part.push(3, piece(3, 7)).unwrap();
        assert_eq!((part.written(), part.is_whole()), (4, false));
        // What waited for its file is lost, what stands in one is passed over.
        let mut part = PartWriter::new(folder.path(), &info, "train", 10).unwrap();
        assert_eq!(part.written(), 4);
        part.push(0, piece(0, 3)).unwrap();
        part.push(3, piece(3, 6)).unwrap();
        part.push(6, piece(6, 10)).unwrap();
        assert!(part.is_whole());
        let files =
            (0..3).map(|number| std::fs::read(path(folder.path(), "train", number)).unwrap());
        let files: Vec<Vec<u8>> = files.collect();
        assert_eq!(files.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2].map(|n| n * length));
        assert!(files.concat() == rows);
    }
}
