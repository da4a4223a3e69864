//! Downloads a model into the cache that Hugging Face's own programs use, and checks every file
//! against its hash.
//!
//! Environment variables: `HF_HOME` is the folder of the cache, `HF_TOKEN` the access token (or the
//! token file beside the cache), and `HF_ENDPOINT` the hub. `HF_HUB_OFFLINE` forbids downloads.
//! `HF_HUB_ETAG_TIMEOUT` and `HF_HUB_DOWNLOAD_TIMEOUT` are the seconds until an answer begins and
//! until more of it comes.

use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::address::Address;
use super::cache::{CONFIG, Cache, check_snapshot};
use super::client::{Client, Follow, Patience, Token};
use super::download::{Commit, refuse};
use super::id::HubId;
use super::verify::is_hash;
use crate::error::{Error, ErrorKind, Result, bail};
use crate::observer::{Event, Observer};

/// The largest list of files that is read, in bytes.
const LIST_LIMIT: u64 = 16 << 20;
/// The largest shard index that is read, in bytes.
const INDEX_LIMIT: u64 = 64 << 20;

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

/// Seconds that the hub may take where the user says nothing, as in Hugging Face's own programs.
const SECONDS: f64 = 10.0;

/// What the hub says of a commit.
#[derive(Deserialize)]
struct Listing {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

/// The folder of a model in the cache. Missing files are downloaded.
pub(super) fn fetch(id: &HubId, observer: &mut dyn Observer) -> Result<PathBuf> {
    let cache = Cache::of_user()?;
    if offline() {
        return cached(id, &cache);
    }
    let client = client(&cache)?;
    if client.keeps_token_back() {
        observer.hear(&Event::Warning(&format!(
            "the access token is not sent to `{}`: what is sent there is not encrypted",
            client.hub()
        )));
    }
    let listing = list(id, &client)?;
    let commit = listing.sha.as_str();
    if !is_hash(commit) {
        bail!("the hub names commit `{}` for `{id}`, expected a hash", commit.escape_debug());
    }
    let offered: BTreeSet<&str> =
        listing.siblings.iter().map(|file| file.rfilename.as_str()).collect();
    let mut download =
        Commit { id, client: &client, cache: &cache, hash: commit, observer: &mut *observer };
    let mut file = |name: &str| match plain(name) {
        true => download.file(name),
        false => bail!("`{}` on the hub is not the plain name of a file", name.escape_debug()),
    };
    if !offered.contains(CONFIG) {
        bail!("`{id}` has no `{CONFIG}` on the hub");
    }
    file(CONFIG)?;
    if offered.contains(SINGLE) {
        file(SINGLE)?;
    } else if offered.contains(INDEX) {
        for shard in shards(&file(INDEX)?)? {
            if !offered.contains(shard.as_str()) {
                bail!(
                    "`{INDEX}` of `{id}` names the shard `{}`, which is not on the hub",
                    shard.escape_debug()
                );
            }
            file(&shard)?;
        }
    } else {
        let message = format!("`{id}` has neither `{SINGLE}` nor `{INDEX}` on the hub");
        return Err(Error::new(ErrorKind::NoSafetensors, message));
    }
    for name in
        offered.iter().filter(|name| model::folder::goes_along(name) || **name == "README.md")
    {
        file(name)?;
    }
    // Last: only a complete download gets its branch name, which offline use looks up.
    let model = cache.of_model(id);
    model.refer(&id.revision, commit)?;
    Ok(model.snapshot(commit))
}

/// The folder of a model that is in the cache whole.
pub(super) fn in_cache(id: &HubId) -> Option<PathBuf> {
    cached(id, &Cache::of_user().ok()?).ok()
}

/// The client for the hub that the environment names.
fn client(cache: &Cache) -> Result<Client> {
    let endpoint = env::var("HF_ENDPOINT").ok().filter(|endpoint| !endpoint.trim().is_empty());
    let hub = match &endpoint {
        Some(endpoint) => Address::parse(endpoint.trim(), "`HF_ENDPOINT`")?,
        None => Address::parse("https://huggingface.co", "the hub")?,
    };
    let set = env::var("HF_TOKEN").ok().filter(|token| !token.trim().is_empty());
    let token = match set.or_else(|| cache.token()).filter(|token| !token.trim().is_empty()) {
        Some(text) => match Token::new(&text) {
            Some(token) => Some(token),
            // Never shown, not even where it is wrong.
            None => bail!("the access token holds a character that no token has"),
        },
        None => None,
    };
    let seconds = |name: &str| {
        let told = env::var(name).ok().and_then(|text| text.trim().parse::<f64>().ok());
        let told = told.filter(|seconds| (0.001..1e6).contains(seconds));
        Duration::from_secs_f64(told.unwrap_or(SECONDS))
    };
    let patience = Patience {
        first: seconds("HF_HUB_ETAG_TIMEOUT"),
        more: seconds("HF_HUB_DOWNLOAD_TIMEOUT"),
    };
    Ok(Client::new(hub, token, patience))
}

fn list(id: &HubId, client: &Client) -> Result<Listing> {
    let what = "its list of files";
    let cannot = |error: Error| {
        let message = format!("cannot fetch {what} of `{id}`: {error}");
        Error::new(error.kind().clone(), message)
    };
    let revision = id.revision.replace('/', "%2F");
    let page = client.hub().join(&format!("api/models/{}/revision/{revision}", id.model));
    let answer = client.get(&page, None, Follow::ToTheEnd).map_err(cannot)?;
    refuse(id, what, &answer)?;
    let bytes = answer.read(LIST_LIMIT, what).map_err(cannot)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| cannot(Error::msg(format!("it cannot be understood: {error}"))))
}

/// The model's folder in the cache, without a download.
fn cached(id: &HubId, cache: &Cache) -> Result<PathBuf> {
    let Some(folder) = cache.of_model(id).known(&id.revision) else {
        let message = format!("`{id}` is not in the cache `{}`", cache.path().display());
        return Err(Error::new(ErrorKind::NotInCache, message));
    };
    check_snapshot(&folder)?;
    Ok(folder)
}

fn offline() -> bool {
    let value = env::var("HF_HUB_OFFLINE").unwrap_or_default().to_lowercase();
    ["1", "true", "yes", "on"].contains(&value.as_str())
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
        && !name.chars().any(char::is_control)
}
