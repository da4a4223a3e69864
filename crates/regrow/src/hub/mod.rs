//! Models by their id on the Hugging Face hub: `org/name` or `org/name@revision`.

#[cfg(feature = "hub")]
mod address;
#[cfg(feature = "hub")]
mod cache;
#[cfg(feature = "hub")]
mod client;
#[cfg(not(feature = "hub"))]
mod disabled;
#[cfg(feature = "hub")]
mod download;
#[cfg(feature = "hub")]
mod enabled;
mod id;
#[cfg(feature = "hub")]
mod verify;

use std::path::{Path, PathBuf};

#[cfg(not(feature = "hub"))]
use disabled::{fetch, in_cache};
#[cfg(feature = "hub")]
use enabled::{fetch, in_cache};

use self::id::HubId;
use crate::error::Result;
use crate::observer::Observer;

/// The folder of a model, given by path or hub id. A path that exists is always a path. A name that
/// is neither is returned unchanged; opening it then gives the error.
///
/// # Errors
/// Where the hub does not give the model.
pub fn folder(name: &Path, observer: &mut dyn Observer) -> Result<PathBuf> {
    match (name.exists(), name.to_str().and_then(HubId::parse)) {
        (false, Some(id)) => fetch(&id, observer),
        _ => Ok(name.to_path_buf()),
    }
}

/// The folder of a model in the cache, given by its hub id. `None` for a path that exists, and for
/// a model that was not downloaded whole.
pub fn cached_folder(name: &Path) -> Option<PathBuf> {
    if name.exists() {
        return None;
    }
    in_cache(&name.to_str().and_then(HubId::parse)?)
}

/// The hub id of a model, if this folder is its snapshot in the hub's cache.
pub fn id_of(folder: &Path) -> Option<String> {
    let snapshots = folder
        .parent()
        .filter(|above| above.file_name().is_some_and(|name| name == "snapshots"))?;
    let name = snapshots.parent()?.file_name()?.to_str()?.strip_prefix("models--")?;
    // The cache stores `org/name` as `models--org--name/snapshots/COMMIT`.
    let (owner, model) = name.split_once("--")?;
    Some(format!("{owner}/{model}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_goes_by_the_id_of_its_model() {
        let folder = Path::new("/home/me/hub/models--Qwen--Qwen2.5-0.5B/snapshots/0123");
        assert_eq!(id_of(folder).as_deref(), Some("Qwen/Qwen2.5-0.5B"));
        assert_eq!(id_of(Path::new("/home/me/models--a--b/other/0123")), None);
        assert_eq!(id_of(Path::new("model")), None);
    }
}
