//! Scores: what was measured on a model.

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Scores {
    /// Nothing.
    #[default]
    None,
    /// One number for every block, or for every block at which a run can begin. The lowest goes
    /// first.
    Listed(Vec<f64>),
    /// One number for every channel, neuron and group of heads. The highest stay.
    Width(WidthScores),
}

/// How much each channel, neuron and group of heads matters. The highest stay.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WidthScores {
    /// One for each channel of the residual stream.
    pub hidden: Vec<f64>,
    /// One for each neuron, block by block.
    pub ffn: Vec<Vec<f64>>,
    /// One for each group of heads, block by block.
    pub heads: Vec<Vec<f64>>,
}

impl Scores {
    /// The scores that `cut.json` stores: one number per block or run. Width scores are left out,
    /// since they are too many.
    pub(crate) fn recorded(self) -> Option<Vec<f64>> {
        match self {
            Self::Listed(scores) => Some(scores),
            Self::None | Self::Width(_) => None,
        }
    }
}
