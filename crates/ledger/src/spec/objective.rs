//! What training minimises.

use serde::{Deserialize, Serialize};

use crate::finite;

/// What training minimises, by the mean over tokens.
///
/// With `p` the teacher's and `q` the student's next-token distribution at the temperature T, the
/// divergence is the forward one, KL(p ‖ q) = sum of p (ln p - ln q), times T² (Hinton et al.
/// 2015).
/// Held-out loss is next-token loss whatever the objective, so that curves can be compared.
///
/// ```
/// use ledger::Objective;
/// let mix = Objective::Mix { teacher: "aa".into(), cache: None, temperature: 1.0, weight: 0.5 };
/// assert_eq!((mix.name(), mix.weight(), mix.teacher()), ("mix", 0.5, Some("aa")));
/// assert_eq!(Objective::Lm.weight(), 0.0);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Objective {
    /// The next-token loss on the text.
    #[default]
    Lm,
    /// The divergence from a teacher.
    Distil {
        /// SHA-256 of the teacher's weights.
        teacher: String,
        /// SHA-256 of the cache that the teacher's distributions are read from; `None` if the
        /// teacher itself runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cache: Option<String>,
        /// Divides the logits of both before the softmax; above 0.
        #[serde(with = "finite")]
        temperature: f64,
    },
    /// `weight` times the divergence, and `1 - weight` times the next-token loss.
    Mix {
        /// As in [`Objective::Distil`].
        teacher: String,
        /// As in [`Objective::Distil`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cache: Option<String>,
        /// As in [`Objective::Distil`]. The next-token loss is always taken at 1.
        #[serde(with = "finite")]
        temperature: f64,
        /// The share of the divergence, 0 to 1.
        #[serde(with = "finite")]
        weight: f64,
    },
}

impl Objective {
    /// The names, in the order in which they are listed.
    pub const NAMES: [&str; 3] = [Self::LM, "distil", "mix"];

    /// The name of the objective without a teacher.
    pub const LM: &str = "lm";

    /// Whether the objective of this name needs a teacher's forward pass for every token.
    pub fn has_teacher(name: &str) -> bool {
        ["distil", "mix"].contains(&name)
    }

    /// The name in files and flags, also the group key of a law.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Lm => Self::LM,
            Self::Distil { .. } => "distil",
            Self::Mix { .. } => "mix",
        }
    }

    /// SHA-256 of the teacher's weights.
    pub fn teacher(&self) -> Option<&str> {
        match self {
            Self::Lm => None,
            Self::Distil { teacher, .. } | Self::Mix { teacher, .. } => Some(teacher),
        }
    }

    /// SHA-256 of the cache that stands for the teacher.
    pub fn cache(&self) -> Option<&str> {
        match self {
            Self::Lm => None,
            Self::Distil { cache, .. } | Self::Mix { cache, .. } => cache.as_deref(),
        }
    }

    /// The temperature of the divergence; 1 without a teacher.
    pub fn temperature(&self) -> f64 {
        match self {
            Self::Lm => 1.0,
            Self::Distil { temperature, .. } | Self::Mix { temperature, .. } => *temperature,
        }
    }

    /// The share of the divergence: 0 without a teacher, 1 for `distil`.
    pub fn weight(&self) -> f64 {
        match self {
            Self::Lm => 0.0,
            Self::Distil { .. } => 1.0,
            Self::Mix { weight, .. } => *weight,
        }
    }

    /// Whether it is the text alone, which a spec leaves out.
    pub(super) fn is_lm(&self) -> bool {
        *self == Self::Lm
    }

    /// The text that goes into the id of a run. It must not change: ids on disk depend on it.
    pub(super) fn text(&self) -> String {
        let Some(teacher) = self.teacher() else { return self.name().to_owned() };
        let mut text =
            format!("{} teacher {teacher} temperature {:?}", self.name(), self.temperature());
        if let Self::Mix { weight, .. } = self {
            text.push_str(&format!(" weight {weight:?}"));
        }
        if let Some(cache) = self.cache() {
            text.push_str(&format!(" cache {cache}"));
        }
        text
    }
}
