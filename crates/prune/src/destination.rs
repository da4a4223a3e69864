//! The folder of the smaller model, and the checks of it before any work.

use std::path::Path;

use disk::Existing;
use model::folder::{FolderWriter, ModelFolder, SHARD_LIMIT};
use model::safetensors::Planned;
use shape::config::RawConfig;

use crate::error::{Error, Refused, Result};

/// A new model folder. It appears only when it is complete.
#[derive(Clone, Copy, Debug)]
pub struct Destination<'a> {
    path: &'a Path,
    existing: Existing,
    /// Most bytes of tensors in one file.
    shard_limit: u64,
}

impl<'a> Destination<'a> {
    /// The folder `path`, with files of the usual size.
    pub fn new(path: &'a Path, existing: Existing) -> Self {
        Self { path, existing, shard_limit: SHARD_LIMIT }
    }

    /// Limits the bytes of tensors in one file.
    #[must_use]
    pub fn with_shard_limit(self, shard_limit: u64) -> Self {
        Self { shard_limit, ..self }
    }

    /// The folder.
    pub fn path(&self) -> &'a Path {
        self.path
    }

    /// The most bytes of tensors in one file.
    pub fn shard_limit(&self) -> u64 {
        self.shard_limit
    }

    /// Creates the writer of the tensors.
    pub(crate) fn create(&self, raw: &RawConfig, plan: Vec<Planned>) -> Result<FolderWriter> {
        Ok(FolderWriter::create(self.path, self.existing, raw, plan, self.shard_limit)?)
    }

    /// Refuses, before hours of work, a folder that exists and must stay: one that is not a model
    /// made by us, and one that is or holds one of the inputs.
    ///
    /// # Errors
    /// If it must stay.
    pub fn check(&self, inputs: &[&Path]) -> Result<()> {
        Ok(disk::kinds::MODEL.check(self.path, self.existing, inputs)?)
    }
}

/// Refuses a folder that is not clearly one model: a copy of it would lack something.
pub(crate) fn check_clear(folder: &ModelFolder) -> Result<()> {
    let Some(problem) = folder.unclear().first() else { return Ok(()) };
    let more = match folder.unclear().len() - 1 {
        0 => String::new(),
        others => format!(" (and {others} more)"),
    };
    let path = folder.path().display();
    let message = format!("{problem}{more}, so that `{path}` is not clearly one model");
    Err(Error::refused(Refused::Unclear, message))
}

/// Refuses a disk that is too small, before hours of work.
pub(crate) fn check_disk(path: &Path, expected: u64, what: &'static str) -> Result<()> {
    match disk::free_space(path)? {
        Some(found) if found < expected => {
            let path = path.display();
            let message =
                format!("`{path}` has room for {found} bytes, expected {expected} for {what}");
            Err(Error::refused(Refused::NoRoom, message))
        }
        // A system that does not tell its free space is not refused.
        _ => Ok(()),
    }
}
