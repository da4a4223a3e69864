//! Models by their id on the Hugging Face hub: `org/name` or `org/name@revision`.

#[cfg(not(feature = "hub"))]
mod disabled;
#[cfg(feature = "hub")]
mod enabled;
#[cfg(feature = "hub")]
mod verify;

use std::fmt;
use std::path::{Path, PathBuf};

#[cfg(not(feature = "hub"))]
use disabled::fetch;
#[cfg(feature = "hub")]
use enabled::fetch;

use crate::observer::Observer;

/// The branch that is meant where no revision is named.
const MAIN: &str = "main";

/// A model on the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Id {
    /// `org/name`
    pub model: String,
    /// A branch, tag or commit.
    pub revision: String,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.revision.as_str() {
            MAIN => f.write_str(&self.model),
            revision => write!(f, "{}@{revision}", self.model),
        }
    }
}

/// The folder of a model that is named by its path or its id; a path that exists is a path. What is
/// neither is left as it is, for whoever opens it to refuse.
///
/// # Errors
/// Where the hub does not give the model.
pub fn folder(name: &Path, observer: &mut dyn Observer) -> anyhow::Result<PathBuf> {
    match (name.exists(), name.to_str().and_then(parse)) {
        (false, Some(id)) => fetch(&id, observer),
        _ => Ok(name.to_path_buf()),
    }
}

/// The id of the model whose snapshot in the hub's cache this folder is.
pub fn id_of(folder: &Path) -> Option<String> {
    let snapshots = folder
        .parent()
        .filter(|above| above.file_name().is_some_and(|name| name == "snapshots"))?;
    let name = snapshots.parent()?.file_name()?.to_str()?.strip_prefix("models--")?;
    let (owner, model) = name.split_once("--")?;
    Some(format!("{owner}/{model}"))
}

/// Reads an id; `./a/b`, `/a/b` and `a` are none.
fn parse(text: &str) -> Option<Id> {
    let (model, revision) = text.split_once('@').unwrap_or((text, MAIN));
    let (owner, name) = model.split_once('/')?;
    let word = |word: &str| {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        !word.is_empty()
            && word.len() <= 96
            && word.chars().all(plain)
            && !word.starts_with(['.', '-'])
            && !word.contains("--")
            && !word.contains("..")
    };
    let known = word(owner) && word(name) && !revision.is_empty() && revision.split('/').all(word);
    known.then(|| Id { model: model.to_owned(), revision: revision.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_from_paths() {
        let shown = |text| parse(text).map(|id| (id.model, id.revision));
        let main = |model: &str| Some((model.to_owned(), "main".to_owned()));
        assert_eq!(shown("Qwen/Qwen2.5-0.5B"), main("Qwen/Qwen2.5-0.5B"));
        assert_eq!(shown("a/b@refs/pr/1"), Some(("a/b".to_owned(), "refs/pr/1".to_owned())));
        for path in [
            "model", "./a/b", "../a", "/a/b", "a/b/c", "a/", "/b", "a/b@", "a/../b", "a/.b",
            "a b/c", "a/b@../x", "a/b--c", "a/b@/x", "a\\b/c",
        ] {
            assert_eq!(parse(path), None, "{path}");
        }
    }

    #[test]
    fn a_snapshot_goes_by_the_id_of_its_model() {
        let folder = Path::new("/home/me/hub/models--Qwen--Qwen2.5-0.5B/snapshots/0123");
        assert_eq!(id_of(folder).as_deref(), Some("Qwen/Qwen2.5-0.5B"));
        assert_eq!(id_of(Path::new("/home/me/models--a--b/other/0123")), None);
        assert_eq!(id_of(Path::new("model")), None);
    }
}
