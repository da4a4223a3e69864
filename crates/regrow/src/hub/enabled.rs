//! Downloads a model into the cache that Hugging Face's own programs use, and checks every file
//! against its hash.
//!
//! Environment variables: `HF_HOME` is the folder of the cache, `HF_TOKEN` the access token (or the
//! token file beside the cache), and `HF_ENDPOINT` the hub. `HF_HUB_OFFLINE` forbids downloads.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};

use hf_hub::api::Progress;
use hf_hub::api::sync::{Api, ApiBuilder, ApiError};
use hf_hub::{Cache, Repo, RepoType};

use super::id::{HubId, MAIN};
use super::verify::{hash_like, is_hash};
use crate::error::{Error, ErrorKind, Result, bail};
use crate::observer::{Event, Observer};

/// How often a broken connection is retried.
const RETRIES: usize = 5;

/// The largest shard index that is read, in bytes.
const INDEX_LIMIT: u64 = 64 << 20;

const CONFIG: &str = "config.json";
const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// The folder of a model in the cache. Missing files are downloaded.
pub(super) fn fetch(id: &HubId, observer: &mut dyn Observer) -> Result<PathBuf> {
    if env::var_os("HF_HOME").is_none() && env::home_dir().is_none() {
        bail!("there is no home folder for the cache of models, expected one or `HF_HOME`");
    }
    let cache = Cache::from_env();
    if offline() {
        return cached(id, &cache);
    }
    let token = env::var("HF_TOKEN")
        .ok()
        .map(|token| token.trim().to_owned())
        .filter(|token| !token.is_empty());
    let mut builder = ApiBuilder::from_env().with_progress(false).with_retries(RETRIES);
    builder = builder.with_user_agent("regrow", env!("CARGO_PKG_VERSION"));
    if token.is_some() {
        builder = builder.with_token(token);
    }
    let api = builder.build().map_err(|error| refused(id, CONFIG, &error))?;
    let named = repo(id, &id.revision);
    let info =
        api.repo(named.clone()).info().map_err(|error| refused(id, "its list of files", &error))?;
    if !is_hash(&info.sha) {
        bail!("the hub names commit `{}` for `{id}`, expected a hash", info.sha.escape_debug());
    }
    let offered: BTreeSet<&str> =
        info.siblings.iter().map(|file| file.rfilename.as_str()).collect();
    let mut download = Download { id, api: &api, cache: &cache, commit: &info.sha, observer };
    if !offered.contains(CONFIG) {
        bail!("`{id}` has no `{CONFIG}` on the hub");
    }
    download.file(CONFIG)?;
    if offered.contains(SINGLE) {
        download.file(SINGLE)?;
    } else if offered.contains(INDEX) {
        for shard in shards(&download.file(INDEX)?)? {
            if !offered.contains(shard.as_str()) {
                bail!(
                    "`{INDEX}` of `{id}` names the shard `{}`, which is not on the hub",
                    shard.escape_debug()
                );
            }
            download.file(&shard)?;
        }
    } else {
        let message = format!("`{id}` has neither `{SINGLE}` nor `{INDEX}` on the hub");
        return Err(Error::new(ErrorKind::NoSafetensors, message));
    }
    for name in
        offered.iter().filter(|name| model::folder::goes_along(name) || **name == "README.md")
    {
        download.file(name)?;
    }
    // Last: only a complete download gets its branch name, which offline use looks up.
    cache.repo(named).create_ref(&info.sha)?;
    Ok(cache.repo(repo(id, &info.sha)).pointer_path(&info.sha))
}

/// The model's folder in the cache, without a download.
fn cached(id: &HubId, cache: &Cache) -> Result<PathBuf> {
    let named = |revision: &str| cache.repo(repo(id, revision)).get(CONFIG);
    let commit = || {
        Some(cache.repo(repo(id, MAIN)).pointer_path(&id.revision).join(CONFIG))
            .filter(|path| path.exists())
    };
    match named(&id.revision).or_else(commit).as_deref().and_then(Path::parent) {
        Some(folder) => Ok(folder.to_path_buf()),
        None => {
            let message = format!("`{id}` is not in the cache `{}`", cache.path().display());
            Err(Error::new(ErrorKind::NotInCache, message))
        }
    }
}

fn offline() -> bool {
    let value = env::var("HF_HUB_OFFLINE").unwrap_or_default().to_lowercase();
    ["1", "true", "yes", "on"].contains(&value.as_str())
}

fn repo(id: &HubId, revision: &str) -> Repo {
    Repo::with_revision(id.model.clone(), RepoType::Model, revision.to_owned())
}

/// The files that a shard index names. A name with a path in it is an error, because it could write
/// outside the cache.
fn shards(index: &Path) -> Result<BTreeSet<String>> {
    let index: serde_json::Value = serde_json::from_slice(&disk::read(index, INDEX_LIMIT)?)?;
    let names = index["weight_map"].as_object().into_iter().flat_map(|map| map.values());
    names
        .map(|name| match name.as_str() {
            Some(name) if plain(name) => Ok(name.to_owned()),
            _ => bail!("`{INDEX}` names the shard {name}, expected the plain name of a file"),
        })
        .collect()
}

fn plain(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with('.')
        && !name.contains(['/', '\\', '\0', ':', '?', '#', '%'])
}

/// One commit of one model.
struct Download<'a> {
    id: &'a HubId,
    api: &'a Api,
    cache: &'a Cache,
    commit: &'a str,
    observer: &'a mut dyn Observer,
}

impl Download<'_> {
    /// The path of a file in the cache. A missing file is downloaded and checked.
    fn file(&mut self, name: &str) -> Result<PathBuf> {
        if !plain(name) {
            bail!("`{}` on the hub is not the plain name of a file", name.escape_debug());
        }
        let at = repo(self.id, self.commit);
        let path = self.cache.repo(at.clone()).pointer_path(self.commit).join(name);
        // A file in the cache is taken as it is: one that fails its check after the download is
        // removed below.
        if path.exists() {
            return Ok(path);
        }
        let api = self.api.repo(at.clone());
        let metadata =
            self.api.metadata(&api.url(name)).map_err(|error| refused(self.id, name, &error))?;
        // The tag becomes a file name in the cache, so anything but a hash is refused.
        if !is_hash(metadata.etag()) || metadata.commit_hash() != self.commit {
            bail!(
                "the hub tags `{name}` of `{}` as `{}`, expected a hash",
                self.id,
                metadata.etag().escape_debug()
            );
        }
        let blob = self.cache.repo(at).blob_path(metadata.etag());
        if let Some(room) = disk::free_space(&blob)?.filter(|&room| room < metadata.size() as u64) {
            let (needed, path) = (metadata.size(), self.cache.path().display());
            bail!(
                "`{name}` of `{}` takes {needed} bytes, and `{path}` has room for {room}",
                self.id
            );
        }
        let bytes = metadata.size() as u64;
        let detail = format!("fetching `{name}` of `{}`, {bytes} bytes", self.id);
        self.observer.hear(&Event::Detail(&detail));
        self.observer.hear(&Event::Begun { stage: name, total: bytes, unit: "bytes", done: 0 });
        let bar = DownloadProgress { observer: &mut *self.observer, done: 0 };
        let path =
            api.download_with_progress(name, bar).map_err(|error| refused(self.id, name, &error));
        self.observer.hear(&Event::Ended);
        let path = path?;
        let found = hash_like(metadata.etag(), &path)?;
        if found != metadata.etag().to_lowercase() {
            // Remove the damaged file and the link to it, or a later call would take them for the
            // real file.
            for wrong in [&path, &blob] {
                let _ = std::fs::remove_file(wrong);
            }
            let message = format!(
                "`{name}` of `{}` has the hash {found}, expected {}",
                self.id,
                metadata.etag()
            );
            return Err(Error::new(ErrorKind::DamagedDownload, message));
        }
        Ok(path)
    }
}

/// Reports the progress of a download.
struct DownloadProgress<'a> {
    observer: &'a mut dyn Observer,
    done: u64,
}

impl Progress for DownloadProgress<'_> {
    fn init(&mut self, _size: usize, _filename: &str) {
        self.done = 0;
    }

    fn update(&mut self, size: usize) {
        self.done += size as u64;
        self.observer.hear(&Event::Progress { done: self.done, message: "" });
    }

    fn finish(&mut self) {}
}

/// Turns an error of the hub into one of ours.
fn refused(id: &HubId, what: &str, error: &ApiError) -> Error {
    match status(error) {
        Some(401 | 403) => Error::new(
            ErrorKind::HubRefuses,
            format!("the hub refuses `{id}` ({what}) to this token, or to no token"),
        ),
        Some(404) => Error::new(ErrorKind::NotOnHub, format!("`{id}` ({what}) is not on the hub")),
        _ => Error::msg(format!("cannot fetch {what} of `{id}`: {error}")),
    }
}

fn status(error: &ApiError) -> Option<u16> {
    match error {
        ApiError::TooManyRetries(inner) => status(inner),
        // `hf_hub` does not export the error type of its HTTP client, so the status is read from
        // the text `http status: 404`.
        ApiError::RequestError(inner) => inner.to_string().rsplit(' ').next()?.parse().ok(),
        _ => None,
    }
}
