//! A cut in width: which channels, neurons and groups of heads stay.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cut_error::{CutError, check_depth};
use crate::indices::Indices;

/// Wider models do not exist; a file that claims more must not make us allocate for it.
const WIDEST: usize = 1 << 31;

/// A part of a model that has a width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Channels of the residual stream.
    Hidden,
    /// Neurons of the feed-forward part.
    Ffn,
    /// Groups of attention heads: a key and value head with the query heads that read it.
    Heads,
}

/// What stays of the width of a model; a part that is left out stays whole.
///
/// Every layer keeps as many neurons and groups as any other, so that one configuration describes
/// them all.
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

/// Those of a part that stay, the same ones in every layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    of: usize,
    keep: Indices,
}

/// Those of a part that stay, layer by layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptByLayer {
    of: usize,
    keep: Vec<Indices>,
}

impl Part {
    /// Every part, in the order in which they are named.
    pub const ALL: [Self; 3] = [Self::Hidden, Self::Ffn, Self::Heads];

    /// Its word in flags and files: `hidden`, `ffn` or `heads`.
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
    /// Those of `of` that stay, counted from 0.
    pub fn new(of: usize, keep: Indices) -> Self {
        Self { of, keep }
    }

    /// Those that stay, counted from 0.
    pub fn keep(&self) -> &Indices {
        &self.keep
    }
}

impl KeptByLayer {
    /// Those of `of` that stay in each layer, counted from 0.
    pub fn new(of: usize, keep: Vec<Indices>) -> Self {
        Self { of, keep }
    }

    /// Those that stay in each layer, counted from 0; as many in each.
    pub fn keep(&self) -> &[Indices] {
        &self.keep
    }
}

impl Width {
    /// What stays of the width of a model of so many layers.
    ///
    /// # Errors
    /// Where indices are out of range, layers differ, nothing of a part stays, or everything does.
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

    /// Channels of the residual stream that stay, the same ones everywhere.
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

    /// Of a part, how many there were and how many stay; none where it stays whole.
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
