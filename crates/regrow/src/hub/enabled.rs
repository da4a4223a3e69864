//! Fetches a model into the cache that Hugging Face's own programs share, and checks every file
//! against its hash.
//!
//! `HF_HOME` says where the cache is, `HF_TOKEN` (or the token file beside the cache) who asks,
//! `HF_ENDPOINT` which hub, and `HF_HUB_OFFLINE` that nothing is fetched.

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

/// How often a connection that was cut is taken up again.
const RETRIES: usize = 5;

/// Longest index of shards that is read, in bytes.
const INDEX_LIMIT: u64 = 64 << 20;

const CONFIG: &str = "config.json";
const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// The folder of a model in the cache, fetched where it is not there whole.
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
    cache.repo(named).create_ref(&info.sha)?;
    Ok(cache.repo(repo(id, &info.sha)).pointer_path(&info.sha))
}

/// The model as the cache has it.
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

/// The files that an index of shards names; only plain names.
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
    /// Where a file lies in the cache; fetched and checked where it is not there.
    fn file(&mut self, name: &str) -> Result<PathBuf> {
        if !plain(name) {
            bail!("`{}` on the hub is not the plain name of a file", name.escape_debug());
        }
        let at = repo(self.id, self.commit);
        let path = self.cache.repo(at.clone()).pointer_path(self.commit).join(name);
        if path.exists() {
            return Ok(path);
        }
        let api = self.api.repo(at.clone());
        let metadata =
            self.api.metadata(&api.url(name)).map_err(|error| refused(self.id, name, &error))?;
        // The tag becomes a file's name in the cache.
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
            // Neither the file nor the name that points to it may be taken for the real one later.
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

/// Shows how far a download is.
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

/// What the hub said, in our words.
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
        // The crate does not export the type of its client's errors; its text is `http status:
        // 404`.
        ApiError::RequestError(inner) => inner.to_string().rsplit(' ').next()?.parse().ok(),
        _ => None,
    }
}
