//! Which arrays were submitted, on disk, so that another process finds them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::{Context, Result, bail};

/// The format of the files.
const FORMAT: u32 = 1;

/// The largest file that is read, in bytes.
const LIMIT: u64 = 4 << 20;

/// An array: written before it is submitted, and again with its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ArrayRecord {
    format: u32,
    /// Its name in Slurm.
    pub(super) name: String,
    /// Its number, once Slurm has told it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) number: Option<u64>,
    /// The jobs by their indices.
    pub(super) jobs: Vec<String>,
}

/// The folder of a sweep's arrays.
#[derive(Clone, Debug)]
pub(super) struct Records {
    folder: PathBuf,
}

impl ArrayRecord {
    pub(super) fn new(name: String, jobs: Vec<String>) -> Self {
        Self { format: FORMAT, name, number: None, jobs }
    }
}

impl Records {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The word that begins the names of all its arrays. It is made with the first.
    ///
    /// # Errors
    /// Where it cannot be read or written.
    pub(super) fn word(&self) -> Result<String> {
        let path = self.folder.join("name");
        if let Ok(text) = disk::read_to_string(&path, 64) {
            let word = text.trim();
            if !word.is_empty()
                && word.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
            {
                return Ok(word.to_owned());
            }
            bail!("`{}` is no name of arrays", path.display());
        }
        std::fs::create_dir_all(&self.folder).map_err(disk::io_error("create", &self.folder))?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let seed = format!("{:?} {} {}", now, std::process::id(), self.folder.display());
        let word = format!("regrow-{}", &ledger::Sha256::of(seed).to_string()[..8]);
        disk::write(&path, format!("{word}\n").as_bytes())?;
        Ok(word)
    }

    /// All arrays, in the order of their submission. A file that is something else is passed over.
    ///
    /// # Errors
    /// Where the folder cannot be read.
    pub(super) fn all(&self) -> Result<Vec<ArrayRecord>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(disk::io_error("read", &self.folder)(error).into()),
        };
        let mut names: Vec<PathBuf> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
            .collect();
        names.sort_unstable();
        let mut records = Vec::new();
        for path in names {
            let bytes = disk::read(&path, LIMIT)?;
            let record: ArrayRecord = serde_json::from_slice(&bytes)
                .with_context(|| format!("`{}` is no record of an array", path.display()))?;
            if record.format != FORMAT {
                bail!("`{}` has format {}, expected {FORMAT}", path.display(), record.format);
            }
            records.push(record);
        }
        Ok(records)
    }

    /// Keeps a record, and the script beside it.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub(super) fn keep(&self, at: usize, record: &ArrayRecord, script: &str) -> Result<()> {
        std::fs::create_dir_all(&self.folder).map_err(disk::io_error("create", &self.folder))?;
        let path = |ending: &str| self.folder.join(format!("{at:06}.{ending}"));
        disk::write(&path("sh"), script.as_bytes())?;
        Ok(disk::write(&path("json"), &serde_json::to_vec_pretty(record)?)?)
    }
}
