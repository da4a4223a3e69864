//! The cache that Hugging Face's own programs share: `models--ORG--NAME/{blobs,snapshots,refs}`. A
//! blob is named by its hash, and a snapshot holds links to blobs.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use super::id::HubId;
use super::verify::{hash_like, is_hash};
use crate::error::{Error, ErrorKind, Result, bail};

/// Files up to this size are checked against their hash whenever they are taken from the cache.
/// Other programs write there too, and were not always careful.
const CHECKED: u64 = 64 << 20;

/// The file that every model has.
pub(super) const CONFIG: &str = "config.json";

/// The longest reference that is read.
const REFERENCE: u64 = 1 << 10;

/// The cache.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    path: PathBuf,
}

impl Cache {
    /// The cache in `HF_HOME`, or in the home folder of the user.
    pub(super) fn of_user() -> Result<Self> {
        let home = match (env::var_os("HF_HOME"), env::home_dir()) {
            (Some(path), _) => PathBuf::from(path),
            (None, Some(home)) => home.join(".cache/huggingface"),
            (None, None) => {
                bail!("there is no home folder for the cache of models, expected one or `HF_HOME`")
            }
        };
        Ok(Self { path: home.join("hub") })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The access token that the user has stored beside the cache.
    pub(super) fn token(&self) -> Option<String> {
        disk::read_to_string(&self.path.with_file_name("token"), REFERENCE).ok()
    }

    pub(super) fn of_model(&self, id: &HubId) -> ModelCache {
        // `HubId` allows no `..` and no further slash.
        let name = format!("models--{}", id.model.replace('/', "--"));
        ModelCache { path: self.path.join(name) }
    }
}

/// The cache of one model.
#[derive(Clone, Debug)]
pub(super) struct ModelCache {
    path: PathBuf,
}

impl ModelCache {
    /// The file with a hash.
    pub(super) fn blob(&self, hash: &str) -> PathBuf {
        self.path.join("blobs").join(hash)
    }

    /// The folder of a commit.
    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.path.join("snapshots").join(commit)
    }

    /// The folder of a revision that was fetched whole, without asking the hub.
    pub(super) fn known(&self, revision: &str) -> Option<PathBuf> {
        let named = disk::read_to_string(&self.path.join("refs").join(revision), REFERENCE).ok();
        let commits = named.iter().map(String::as_str).map(str::trim).chain([revision]);
        let mut folders =
            commits.filter(|commit| is_hash(commit)).map(|commit| self.snapshot(commit));
        folders.find(|folder| folder.join(CONFIG).exists())
    }

    /// Says which commit a revision is.
    pub(super) fn refer(&self, revision: &str, commit: &str) -> Result<()> {
        let path = self.path.join("refs").join(revision);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(disk::io_error("create", parent))?;
        }
        Ok(disk::write(&path, commit.as_bytes())?)
    }

    /// The path of a file in a snapshot, if it is there and is what its name says.
    pub(super) fn found(&self, commit: &str, name: &str) -> Result<Option<PathBuf>> {
        let path = self.snapshot(commit).join(name);
        Ok((path.exists() && checked(&path)?.is_none()).then_some(path))
    }

    /// Links a blob into a snapshot.
    pub(super) fn link(&self, hash: &str, commit: &str, name: &str) -> Result<PathBuf> {
        let (folder, blob) = (self.snapshot(commit), self.blob(hash));
        fs::create_dir_all(&folder).map_err(disk::io_error("create", &folder))?;
        let path = folder.join(name);
        // A link to nowhere, or to a blob that is not what its name says.
        if path.symlink_metadata().is_ok_and(|data| data.is_symlink()) {
            fs::remove_file(&path).map_err(disk::io_error("replace", &path))?;
        }
        match link(&Path::new("../../blobs").join(hash), &path) {
            Ok(()) => {}
            // Another process was faster.
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            // Some systems have no links for ordinary users.
            Err(_) => disk::copy(&blob, &path)?,
        }
        Ok(path)
    }
}

#[cfg(unix)]
fn link(to: &Path, at: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(to, at)
}

#[cfg(windows)]
fn link(to: &Path, at: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_file(to, at)
}

/// Checks the small files of a snapshot against the hashes that they are named by.
///
/// # Errors
/// If one is something else.
pub(super) fn check_snapshot(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(disk::io_error("list", folder))? {
        let path = entry.map_err(disk::io_error("list", folder))?.path();
        if let Some((found, expected)) = checked(&path)? {
            let message = format!(
                "`{}` in the cache has the hash {found}, expected {expected}",
                path.display()
            );
            return Err(Error::new(ErrorKind::DamagedCache, message));
        }
    }
    Ok(())
}

/// The hash of a small file and the one that it should have, where they differ.
fn checked(path: &Path) -> Result<Option<(String, String)>> {
    let Ok(blob) = path.canonicalize() else { return Ok(None) };
    let small = blob.metadata().is_ok_and(|data| data.is_file() && data.len() <= CHECKED);
    let Some(name) = blob.file_name().and_then(|name| name.to_str()) else { return Ok(None) };
    if !small || !is_hash(name) {
        return Ok(None);
    }
    let found = hash_like(name, &blob)?;
    Ok((found != name.to_lowercase()).then(|| (found, name.to_owned())))
}
