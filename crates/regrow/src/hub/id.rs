//! The id of a model on the hub.

use std::fmt;

/// The default branch.
pub(super) const MAIN: &str = "main";

/// A model on the hub. Both parts are checked, because they become folder names in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HubId {
    /// `org/name`
    pub(super) model: String,
    /// A branch, tag or commit.
    pub(super) revision: String,
}

impl HubId {
    /// Parses an id. `./a/b`, `/a/b` and `a` are not ids.
    pub(super) fn parse(text: &str) -> Option<Self> {
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
        let legal =
            word(owner) && word(name) && !revision.is_empty() && revision.split('/').all(word);
        legal.then(|| Self { model: model.to_owned(), revision: revision.to_owned() })
    }
}

impl fmt::Display for HubId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.revision.as_str() {
            MAIN => f.write_str(&self.model),
            revision => write!(f, "{}@{revision}", self.model),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_from_paths() {
        let shown = |text| HubId::parse(text).map(|id| (id.model, id.revision));
        let main = |model: &str| Some((model.to_owned(), "main".to_owned()));
        assert_eq!(shown("Qwen/Qwen2.5-0.5B"), main("Qwen/Qwen2.5-0.5B"));
        assert_eq!(shown("a/b@refs/pr/1"), Some(("a/b".to_owned(), "refs/pr/1".to_owned())));
        for path in [
            "model", "./a/b", "../a", "/a/b", "a/b/c", "a/", "/b", "a/b@", "a/../b", "a/.b",
            "a b/c", "a/b@../x", "a/b--c", "a/b@/x", "a\\b/c",
        ] {
            assert_eq!(HubId::parse(path), None, "{path}");
        }
    }
}
