//! The registry of pruning methods, which help, docs and tests read. It stands on top of the lists
//! in `depth`, `width` and `sparse`: it knows every method, and no method knows it.

use std::fmt;

use ledger::Pattern;

use crate::error::{Error, Result};
use crate::select::Select;
use crate::sparse::{SCORES, SparseMethod};
use crate::target::Takes;
use crate::{depth, width};

/// Every method, those of depth first. A sparse score stands here with 2:4; [`method`] knows it
/// with every pattern.
pub static METHODS: &[Method] = &all();

const COUNT: usize = depth::METHODS.len() + width::METHODS.len() + SCORES.len();

/// The lists one after the other, put together as the program is compiled.
const fn all() -> [Method; COUNT] {
    let mut methods = [Method::Select(depth::METHODS[0]); COUNT];
    let mut at = 0;
    while at < COUNT {
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
    /// Parts of the model go: decided first, then applied.
    Select(&'static dyn Select),
    /// Weights become zero: decided block by block, on what the blocks before have become.
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
            Self::Select(select) => select.summary(),
            Self::Sparse(sparse) => sparse.score().summary(),
        }
    }

    /// Where it was published, where it was.
    pub fn paper(&self) -> Option<&'static str> {
        match self {
            Self::Select(select) => select.paper(),
            Self::Sparse(sparse) => sparse.score().paper(),
        }
    }

    /// How it can be told how much goes.
    pub fn takes(&self) -> &'static [Takes] {
        match self {
            Self::Select(select) => select.takes(),
            Self::Sparse(sparse) => sparse.takes(),
        }
    }

    /// Whether it reads calibration text.
    pub fn reads_text(&self) -> bool {
        match self {
            Self::Select(select) => select.reads_text(),
            Self::Sparse(sparse) => sparse.reads_text(),
        }
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Method({})", self.name())
    }
}

/// The method of this name; a sparse one may have any pattern, as in `4:8-wanda` or
/// `unstructured-magnitude`.
///
/// # Errors
/// For an unknown name; the message names the methods that there are.
pub fn method(name: &str) -> Result<Method> {
    if let Some(method) = METHODS.iter().find(|method| method.name() == name) {
        return Ok(*method);
    }
    // A pattern has no dash.
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
