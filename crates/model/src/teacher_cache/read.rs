//! Reading a cache, in any order of rows.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use disk::Map;

use super::info::{CacheInfo, FILE, PartInfo};
use super::row::decode;
use super::write::{check_length, path, rows_of_file};
use crate::error::ModelFault;
use crate::lesson::TopTokens;
use crate::{Error, Result};

/// A cache of more bytes is not kept in memory: what was read is released.
const KEPT: u64 = 256 << 20;
/// Bytes of such a cache that are touched between two releases.
const TOUCHED: u64 = 64 << 20;
/// Bytes around a read that the system maps besides, at most.
const AROUND: u64 = 128 << 10;

/// A finished cache.
#[derive(Debug)]
pub struct TeacherCache {
    folder: PathBuf,
    info: CacheInfo,
    hash: String,
    train: CachePart,
    heldout: CachePart,
}

/// The rows of one part.
#[derive(Debug)]
struct CachePart {
    rows: u64,
    files: Vec<Map>,
    touched: AtomicU64,
}

impl TeacherCache {
    /// Whether a folder is a cache, finished or not.
    pub fn is_at(folder: &Path) -> bool {
        [FILE, super::PLAN].iter().any(|name| folder.join(name).is_file())
    }

    /// Opens a finished cache and checks the lengths of its files.
    ///
    /// # Errors
    /// If it is not finished, or a file is missing or cut.
    pub fn open(folder: &Path) -> Result<Self> {
        let file = folder.join(FILE);
        if !file.exists() && folder.join(super::PLAN).exists() {
            let reason = format!(
                "`{}` is not finished: `{FILE}` is missing; run the command that makes it again: it resumes",
                folder.display()
            );
            return Err(Error::from(ModelFault::Teach { reason }));
        }
        let (info, json) = CacheInfo::read(&file)?;
        let missing = |what: &str| {
            let (path, what) = (file.clone(), format!("`{what}` is missing"));
            Error::from(ModelFault::Json { path, what: "a teacher's cache", reason: what })
        };
        let train = info.train_part.as_ref().ok_or_else(|| missing("train_part"))?;
        let heldout = info.heldout_part.as_ref().ok_or_else(|| missing("heldout_part"))?;
        let (train, heldout) = (
            CachePart::open(folder, &info, "train", train)?,
            CachePart::open(folder, &info, "heldout", heldout)?,
        );
        let hash = CacheInfo::hash(&json);
        Ok(Self { folder: folder.to_path_buf(), info, hash, train, heldout })
    }

    /// What it was made from.
    pub fn info(&self) -> &CacheInfo {
        &self.info
    }

    /// SHA-256 of `cache.json`, which holds the hashes of all files.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Checks that it is the cache that such a plan would make.
    ///
    /// # Errors
    /// If it was made from anything else.
    pub fn require(&self, plan: &CacheInfo) -> Result<()> {
        let own = self.info.plan();
        match plan.difference(&own) {
            None => Ok(()),
            Some(difference) => {
                let shown = self.folder.display();
                let reason = format!("`{shown}` holds another cache: {difference}");
                Err(Error::from(ModelFault::Teach { reason }))
            }
        }
    }

    /// Rows of the training and of the held-out part.
    pub fn rows(&self) -> (u64, u64) {
        (self.train.rows, self.heldout.rows)
    }

    /// Bytes that stay in memory while it is read, at most.
    pub fn kept_bytes(&self) -> u64 {
        self.train.bytes().min(KEPT) + self.heldout.bytes().min(KEPT)
    }

    /// Reads every file and holds its hash against `cache.json`.
    ///
    /// # Errors
    /// If a file has another hash.
    pub fn verify(&self) -> Result<()> {
        let parts = [("train", &self.info.train_part), ("heldout", &self.info.heldout_part)];
        for (name, part) in parts {
            let hashes = part.as_ref().map_or(&[][..], |part| &part.sha256);
            for (number, expected) in (0..).zip(hashes) {
                let path = path(&self.folder, name, number);
                let found = disk::sha256(&path)?.to_string();
                if found != *expected {
                    let expected = expected.clone();
                    return Err(Error::from(ModelFault::CacheHash { path, found, expected }));
                }
            }
        }
        Ok(())
    }

    /// Adds training rows to `out`, at a temperature of the cache.
    ///
    /// # Errors
    /// If the cache has no such rows, or not this temperature.
    pub fn read_train(
        &self,
        rows: Range<u64>,
        temperature: f64,
        out: &mut TopTokens,
    ) -> Result<()> {
        self.read(&self.train, rows, temperature, out)
    }

    /// Adds held-out rows to `out`, at temperature 1.
    ///
    /// # Errors
    /// If the cache has no such rows.
    pub fn read_heldout(&self, rows: Range<u64>, out: &mut TopTokens) -> Result<()> {
        self.read(&self.heldout, rows, 1.0, out)
    }

    fn read(
        &self,
        part: &CachePart,
        rows: Range<u64>,
        temperature: f64,
        out: &mut TopTokens,
    ) -> Result<()> {
        let known = self.info.temperatures();
        let Some(place) = known.iter().position(|known| *known == temperature) else {
            let reason = format!("the cache holds the temperatures {known:?}, not {temperature}");
            return Err(Error::from(ModelFault::Teach { reason }));
        };
        if rows.end > part.rows || rows.start > rows.end {
            let reason = format!(
                "rows {} to {} of `{}` are asked for, it has {}",
                rows.start,
                rows.end,
                self.folder.display(),
                part.rows
            );
            return Err(Error::from(ModelFault::Teach { reason }));
        }
        let length = self.info.row_bytes();
        for row in rows.clone() {
            let (file, at) = (row / self.info.rows_per_file(), row % self.info.rows_per_file());
            // In range: the lengths of all files were checked when they were opened.
            let start = at as usize * length;
            decode(&self.info, &part.files[file as usize][start..start + length], place, out);
        }
        part.release((rows.end - rows.start) * length as u64);
        Ok(())
    }
}

impl CachePart {
    fn open(folder: &Path, info: &CacheInfo, name: &str, part: &PartInfo) -> Result<Self> {
        let expected = part.rows.div_ceil(info.rows_per_file());
        if part.sha256.len() as u64 != expected {
            let reason = format!(
                "`{name}_part` lists {} files, expected {expected} for {} rows",
                part.sha256.len(),
                part.rows
            );
            let (path, what) = (folder.join(FILE), "a teacher's cache");
            return Err(Error::from(ModelFault::Json { path, what, reason }));
        }
        let mut files = Vec::new();
        for number in 0..expected {
            let path = path(folder, name, number);
            let map = Map::open(&path)?;
            let rows = rows_of_file(info, part.rows, number);
            check_length(info, &path, map.len() as u64, rows)?;
            files.push(map);
        }
        Ok(Self { rows: part.rows, files, touched: AtomicU64::new(0) })
    }

    fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.len() as u64).sum()
    }

    /// Notes a read, and releases a large part once enough of it was touched.
    fn release(&self, read: u64) {
        if self.bytes() <= KEPT {
            return;
        }
        let touched = read + AROUND;
        if self.touched.fetch_add(touched, Ordering::Relaxed) + touched >= TOUCHED {
            self.touched.store(0, Ordering::Relaxed);
            self.files.iter().for_each(|file| file.release(0..file.len()));
        }
    }
}
