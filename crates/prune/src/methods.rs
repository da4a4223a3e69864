//! The registry of pruning methods, for help, docs and tests. It combines the lists of `depth`,
//! `width` and `sparse`. It knows every method; no method knows it.

use std::fmt;

use ledger::Pattern;

use crate::error::{Error, Result};
use crate::select::Select;
use crate::sparse::{SCORES, SparseMethod};
use crate::target::Takes;
use crate::{depth, width};

/// Every method, depth methods first. Sparse scores are listed with 2:4 only; [`method`] takes them
/// with every pattern.
pub static METHODS: &[Method] = &all();

const COUNT: usize = depth::METHODS.len() + width::METHODS.len() + SCORES.len();

/// Joins the three lists at compile time.
const fn all() -> [Method; COUNT] {
    let mut methods = [Method::Select(depth::METHODS[0]); COUNT];
    let mut at = 0;
    while at < COUNT {
        // Indices into the other lists. They wrap around to huge numbers before their list begins.
        let (in_width, in_sparse) = (
            at.wrapping_sub(depth::METHODS.len()),
            at.wrapping_sub(depth::METHODS.len() + width::METHODS.len()),
        );
        methods[at] = if at < depth::METHODS.len() {
            Method::Select(depth::METHODS[at])
        } else if in_width < width::METHODS.len() {
            Method::Select(width::METHODS[in_width])
        } else {
            Method::Sparse(SparseMethod::new(Pattern::TWO_FOUR, SCORES[in_sparse]))
        };
        at += 1;
    }
    methods
}

/// A way to prune.
#[derive(Clone, Copy)]
pub enum Method {
    /// Removes parts of the model: all is decided first, then applied.
    Select(&'static dyn Select),
    /// Zeroes weights: decided block by block, on the output of the pruned blocks before.
    Sparse(SparseMethod),
}

impl Method {
    /// Its id in files, flags and laws, as in `2:4-wanda`.
    pub fn name(&self) -> String {
        match self {
            Self::Select(select) => select.name().to_owned(),
            Self::Sparse(sparse) => sparse.name(),
        }
    }

    /// What it does, in one line.
    pub fn summary(&self) -> &'static str {
        match self {
            Self::Select(select) => select.about().summary,
            Self::Sparse(sparse) => sparse.score().summary(),
        }
    }

    /// The paper that describes it, if there is one.
    pub fn paper(&self) -> Option<&'static str> {
        match self {
            Self::Select(select) => select.about().paper,
            Self::Sparse(sparse) => sparse.score().paper(),
        }
    }

    /// The kinds of targets that it takes.
    pub fn takes(&self) -> &'static [Takes] {
        match self {
            Self::Select(select) => select.about().takes,
            Self::Sparse(sparse) => sparse.takes(),
        }
    }

    /// Whether it reads calibration text.
    pub fn reads_text(&self) -> bool {
        match self {
            Self::Select(select) => select.about().reads_text,
            Self::Sparse(sparse) => sparse.reads_text(),
        }
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Method({})", self.name())
    }
}

/// The method of this name. A sparse one may have any pattern, as in `4:8-wanda` or
/// `unstructured-magnitude`.
///
/// # Errors
/// If the name is unknown; the message lists the known methods.
pub fn method(name: &str) -> Result<Method> {
    if let Some(method) = METHODS.iter().find(|method| method.name() == name) {
        return Ok(*method);
    }
    // A pattern has no dash, so the first dash ends it.
    if let Some((pattern, score)) = name.split_once('-')
        && let Ok(pattern) = pattern.parse::<Pattern>()
        && let Some(score) = SCORES.iter().find(|known| known.name() == score)
    {
        return Ok(Method::Sparse(SparseMethod::new(pattern, *score)));
    }
    let names: Vec<String> = METHODS.iter().map(|method| format!("`{}`", method.name())).collect();
    Err(Error::other(format!(
        "unknown method `{}`, expected {}, another `N:M-SCORE` or `unstructured-SCORE`",
        name.escape_debug(),
        names.join(", ")
    )))
}
