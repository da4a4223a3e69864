//! The id of a pruning method, and whether the method removes weights or makes them zero.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::pattern::Pattern;

/// The id of a pruning method: the second group key of a law, after the series.
///
/// Any text is a valid id, because points tables from elsewhere use their own names. Only for
/// regrow's own ids is it known what the method does to weights:
///
/// | id | weights |
/// |---|---|
/// | `none` | all stay |
/// | `depth-<score>`, `width-<score>` | removed |
/// | `N:M-<score>`, `unstructured-<score>` | made zero |
///
/// ```
/// use ledger::{MethodId, MethodKind};
/// assert_eq!(MethodId::from("depth-angular").kind(), Some(MethodKind::Removes));
/// assert_eq!(MethodId::from("2:4-wanda").kind(), Some(MethodKind::Zeroes));
/// // Spelled otherwise, it is a method of somebody else: we do not guess.
/// assert_eq!(MethodId::from("wanda-2:4").kind(), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MethodId(String);

/// What a pruning method does to the weights that it does not keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MethodKind {
    /// They are removed: the model is smaller, and its products cost less.
    Removes,
    /// They become zero: the model keeps its stored size and its cost.
    Zeroes,
}

impl MethodId {
    /// The id of unpruned controls and of training from scratch.
    pub const NONE: &str = "none";

    /// What the method does to weights; `None` where the id is not one of regrow's. The id `none`
    /// counts as removing: an unpruned model has no zeros that take space.
    pub fn kind(&self) -> Option<MethodKind> {
        if self.is_none() {
            return Some(MethodKind::Removes);
        }
        match self.family()? {
            "depth" | "width" => Some(MethodKind::Removes),
            family => family.parse::<Pattern>().ok().map(|_| MethodKind::Zeroes),
        }
    }

    /// The pattern of zeros that the method makes; `None` where it removes weights or is unknown.
    ///
    /// ```
    /// use ledger::{MethodId, Pattern};
    /// assert_eq!(MethodId::from("2:4-wanda").pattern(), Some(Pattern::TWO_FOUR));
    /// assert_eq!(MethodId::from("depth-list").pattern(), None);
    /// ```
    pub fn pattern(&self) -> Option<Pattern> {
        self.family()?.parse().ok()
    }

    /// Whether nothing is pruned.
    pub fn is_none(&self) -> bool {
        self.0 == Self::NONE
    }

    /// The id, as in files.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the score: `depth`, `width`, `2:4` or `unstructured`.
    fn family(&self) -> Option<&str> {
        // The first dash: no family contains one, but a score may, as in `block-influence`.
        let (family, score) = self.0.split_once('-')?;
        // Only the exact spelling counts. A guess from `2:4 Wanda` could put a run into the wrong
        // law.
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_score =
            score.starts_with(|first: char| first.is_ascii_lowercase()) && score.bytes().all(plain);
        is_score.then_some(family)
    }
}

impl From<&str> for MethodId {
    fn from(id: &str) -> Self {
        Self(id.to_owned())
    }
}

impl From<String> for MethodId {
    fn from(id: String) -> Self {
        Self(id)
    }
}

impl fmt::Display for MethodId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_ours_is_known_by_what_it_does_to_weights() {
        use MethodKind::{Removes, Zeroes};
        for (id, kind) in [
            ("none", Removes),
            ("depth-block-influence", Removes),
            ("depth-angular", Removes),
            ("depth-list", Removes),
            ("width-activation", Removes),
            ("width-magnitude", Removes),
            ("2:4-magnitude", Zeroes),
            ("2:4-wanda", Zeroes),
            ("2:4-sparsegpt", Zeroes),
            ("4:8-wanda", Zeroes),
            ("1:4-a-score-to-come", Zeroes),
            ("unstructured-wanda", Zeroes),
        ] {
            assert_eq!(MethodId::from(id).kind(), Some(kind), "{id}");
        }
    }

    #[test]
    fn another_spelling_is_unknown_not_guessed() {
        for id in [
            "",
            "None",
            "unnamed",
            "depth",
            "depth-",
            "Depth-angular",
            "depth_angular",
            "wanda-2:4",
            "sparsegpt 2:4",
            "2:4",
            "2:4 wanda",
            "2:4-Wanda",
            // More weights kept than there are in a group.
            "4:2-wanda",
            "2:4-wanda ",
            "unstructured",
            "sparse-wanda",
        ] {
            let id = MethodId::from(id);
            assert_eq!((id.kind(), id.pattern()), (None, None), "`{id}`");
        }
    }

    #[test]
    fn an_id_is_a_plain_text_in_files() {
        let id: MethodId = serde_json::from_str(r#""sparsegpt 2:4""#).unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), r#""sparsegpt 2:4""#);
        assert_eq!(serde_json::to_string(&MethodKind::Zeroes).unwrap(), r#""zeroes""#);
    }
}
