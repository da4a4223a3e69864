//! A cut in width: which channels, neurons and groups of heads stay.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cut_error::{CutError, check_depth};
use crate::indices::Indices;

/// No model is this wide. Without a limit, a damaged file could make us allocate huge lists.
const WIDEST: usize = 1 << 31;

/// A part of a model that can be made narrower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Channels of the residual stream.
    Hidden,
    /// Neurons of the feed-forward part.
    Ffn,
    /// Groups of attention heads: one key and value head with the query heads that share it.
    Heads,
}

/// The channels, neurons and heads that stay. A part that is not named stays whole.
///
/// Every layer keeps the same number of neurons and groups, because one `config.json` describes all
/// layers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Width {
    layers: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hidden: Option<Kept>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ffn: Option<KeptByLayer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    heads: Option<KeptByLayer>,
}

/// The kept indices of a part, the same in every layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    of: usize,
    keep: Indices,
}

/// The kept indices of a part, layer by layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptByLayer {
    of: usize,
    keep: Vec<Indices>,
}

impl Part {
    /// Every part, in the order in which they are named.
    pub const ALL: [Self; 3] = [Self::Hidden, Self::Ffn, Self::Heads];

    /// Its name in flags and files: `hidden`, `ffn` or `heads`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hidden => "hidden",
            Self::Ffn => "ffn",
            Self::Heads => "heads",
        }
    }

    fn things(self) -> &'static str {
        match self {
            Self::Hidden => "channels of the residual stream",
            Self::Ffn => "feed-forward neurons",
            Self::Heads => "groups of heads",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.things())
    }
}

impl Kept {
    /// Keeps the indices `keep` of `of`, counted from 0.
    pub fn new(of: usize, keep: Indices) -> Self {
        Self { of, keep }
    }

    /// The kept indices, counted from 0.
    pub fn keep(&self) -> &Indices {
        &self.keep
    }
}

impl KeptByLayer {
    /// Keeps, in each layer, the indices `keep` of `of`, counted from 0.
    pub fn new(of: usize, keep: Vec<Indices>) -> Self {
        Self { of, keep }
    }

    /// The kept indices of each layer, counted from 0; the same number in each.
    pub fn keep(&self) -> &[Indices] {
        &self.keep
    }
}

impl Width {
    /// A cut in width of a model of `layers` layers.
    ///
    /// # Errors
    /// Where indices are out of range, layers keep different numbers, or a part keeps nothing or
    /// everything.
    pub fn new(
        layers: usize,
        hidden: Option<Kept>,
        ffn: Option<KeptByLayer>,
        heads: Option<KeptByLayer>,
    ) -> Result<Self, CutError> {
        let width = Self { layers, hidden, ffn, heads };
        width.validate()?;
        Ok(width)
    }

    /// Layers of the model.
    pub fn layers(&self) -> usize {
        self.layers
    }

    /// Channels of the residual stream that stay. All layers share the stream, so they keep the
    /// same ones.
    pub fn hidden(&self) -> Option<&Kept> {
        self.hidden.as_ref()
    }

    /// Feed-forward neurons that stay in each layer.
    pub fn ffn(&self) -> Option<&KeptByLayer> {
        self.ffn.as_ref()
    }

    /// Groups of heads that stay in each layer, counted as key and value heads.
    pub fn heads(&self) -> Option<&KeptByLayer> {
        self.heads.as_ref()
    }

    /// How many units of a part there were, and how many stay; `None` where the part stays whole.
    pub fn change(&self, part: Part) -> Option<(usize, usize)> {
        let by_layer = |kept: &KeptByLayer| (kept.of, kept.keep.first().map_or(0, Indices::len));
        match part {
            Part::Hidden => self.hidden.as_ref().map(|kept| (kept.of, kept.keep.len())),
            Part::Ffn => self.ffn.as_ref().map(by_layer),
            Part::Heads => self.heads.as_ref().map(by_layer),
        }
    }

    pub(crate) fn validate(&self) -> Result<(), CutError> {
        check_depth(self.layers)?;
        if let Some(Kept { of, keep }) = &self.hidden {
            check(Part::Hidden, None, *of, keep)?;
        }
        for (part, kept) in [(Part::Ffn, &self.ffn), (Part::Heads, &self.heads)] {
            let Some(KeptByLayer { of, keep }) = kept else { continue };
            if keep.len() != self.layers {
                return Err(CutError::new(format!(
                    "there are {} lists of {part} to keep, expected {}, one a layer",
                    keep.len(),
                    self.layers
                )));
            }
            // `config.json` has one width for all layers, so all must keep as many as the first.
            let expected = keep.first().map_or(0, Indices::len);
            for (layer, keep) in keep.iter().enumerate() {
                check(part, Some(layer), *of, keep)?;
                let found = keep.len();
                if found != expected {
                    return Err(CutError::new(format!(
                        "layer {layer} keeps {found} {part}, expected {expected} as in the first"
                    )));
                }
            }
        }
        let parts = Part::ALL.iter().filter_map(|&part| Some((part, self.change(part)?)));
        let mut any = false;
        for (part, (of, kept)) in parts {
            any = true;
            // A part kept whole has two spellings; only leaving it out is allowed, so that equal
            // cuts have equal files.
            if kept == of {
                return Err(CutError::new(format!(
                    "all {part} are kept, expected some to go or the part to be left out"
                )));
            }
        }
        let none = "the cut names no part, expected one of `hidden`, `ffn` and `heads`";
        if any { Ok(()) } else { Err(CutError::new(none)) }
    }
}

fn check(part: Part, layer: Option<usize>, of: usize, keep: &Indices) -> Result<(), CutError> {
    let wrong = |sentence: String| Err(CutError::new(sentence));
    if of > WIDEST {
        return wrong(format!("{of} {part} are claimed, more than any model has"));
    }
    match (keep.last(), layer) {
        // An empty list would make a model without this part.
        (None, None) => wrong(format!("all {part} are removed, expected at least one to stay")),
        (None, Some(layer)) => {
            wrong(format!("all {part} of layer {layer} are removed, expected at least one to stay"))
        }
        (Some(index), _) if index >= of => {
            wrong(format!("{index} cannot be kept of {of} {part}, counted from 0"))
        }
        (Some(_), _) => Ok(()),
    }
}
