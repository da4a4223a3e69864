//! What can go wrong with pruning: found, expected, where.

use std::path::PathBuf;

use ledger::{CutError, Part, Pattern, Rate};

use crate::methods::{Select, Target};
use crate::shapes::LegalRate;
use crate::width::shape::Shape;

/// Results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A model folder cannot be read or written, or the network cannot run.
    #[error(transparent)]
    Model(#[from] model::Error),

    /// The configuration of a model cannot be used.
    #[error(transparent)]
    Shape(#[from] shape::Error),

    /// A file or folder cannot be read or written.
    #[error(transparent)]
    Disk(#[from] disk::Error),

    /// The calibration text cannot be read.
    #[error(transparent)]
    Text(#[from] text::Error),

    /// The layers that are to go do not fit the model.
    #[error(transparent)]
    Cut(#[from] CutError),

    /// No method has this name.
    #[error("unknown method `{}`, expected {expected}", found.escape_debug())]
    UnknownMethod {
        /// The name.
        found: String,
        /// Those that there are.
        expected: String,
    },

    /// A method was told what to remove in another way than it takes.
    #[error("`{method}` got {found}, expected {expected}")]
    Target {
        /// The method.
        method: String,
        /// What it got, `a rate`, `a list of layers` or `sizes`.
        found: &'static str,
        /// What it takes.
        expected: String,
    },

    /// A number that is no rate to prune by.
    #[error("rate is {found}, expected above 0 and below 1")]
    Rate {
        /// The number.
        found: f64,
    },

    /// A tolerance that is no distance.
    #[error("tolerance of the rate is {found}, expected a number of at least 0")]
    Tolerance {
        /// The number.
        found: f64,
    },

    /// No whole number of layers comes near the rate.
    #[error(
        "no whole number of layers comes within {tolerance} of rate {found}: {}",
        nearest(below, above)
    )]
    NoRateNear {
        /// The rate asked for.
        found: f64,
        /// How far from it the realised rate may be.
        tolerance: f64,
        /// The nearest legal rate below it, if there is one.
        below: Option<LegalRate>,
        /// The nearest legal rate above it, if there is one.
        above: Option<LegalRate>,
    },

    /// No legal width comes near the rate.
    #[error("no legal shape comes within {tolerance} of rate {found}: {}", nearest_shape(nearest))]
    NoShapeNear {
        /// The rate asked for.
        found: f64,
        /// How far from it the realised rate may be.
        tolerance: f64,
        /// The nearest legal shape and its rate, if there is one.
        nearest: Option<(Rate, Shape)>,
    },

    /// Parts of the width that are not one to three different ones.
    #[error(
        "the parts to narrow are `{found}`, expected some of `hidden`, `ffn` and `heads`, each once"
    )]
    Parts {
        /// Those that were named.
        found: String,
    },

    /// A size that cannot stay of a part.
    #[error("{found} {part} are to stay of {of}, expected 1 to {of}")]
    Size {
        /// The part.
        part: Part,
        /// The size.
        found: usize,
        /// The model's.
        of: usize,
    },

    /// Heads that are no whole groups.
    #[error(
        "{found} heads are to stay of {of}, expected a multiple of {group}: as many read each key and value head"
    )]
    PartOfAGroup {
        /// The number of query heads.
        found: usize,
        /// Query heads of a group.
        group: usize,
        /// The model's.
        of: usize,
    },

    /// A hidden size that the heads do not divide.
    #[error(
        "{heads} heads do not divide the hidden size {hidden}, and stock transformers refuses such a model"
    )]
    HeadsDoNotDivide {
        /// Query heads.
        heads: usize,
        /// Channels of the residual stream.
        hidden: usize,
    },

    /// A list of linear layers that names none.
    #[error("the list of linear layers to prune is empty, expected at least one")]
    NoLinear,

    /// No linear layer has this name.
    #[error("unknown linear layer `{}`, expected {}", found.escape_debug(), linear_names())]
    UnknownLinear {
        /// The name.
        found: String,
    },

    /// A width that is no multiple of a pattern's group.
    #[error("`{tensor}` has {found} input columns, expected a multiple of {of} for {pattern}")]
    Groups {
        /// The tensor.
        tensor: String,
        /// Its columns.
        found: usize,
        /// Columns of a group.
        of: u16,
        /// The pattern.
        pattern: Pattern,
    },

    /// A rate that takes more zeros than the chosen layers have room for.
    #[error(
        "rate {found} takes more zeros than the chosen layers have weights, expected below {most:.4}, all of them"
    )]
    TooManyZeros {
        /// The rate asked for.
        found: f64,
        /// The share that the chosen layers are of all parameters.
        most: f64,
    },

    /// A cut is replayed on another text than it was decided on.
    #[error("the calibration sequences have the hash {found}, expected {expected} as in the cut")]
    OtherCalibration {
        /// SHA-256 of the tokens drawn.
        found: String,
        /// What the cut was made with.
        expected: String,
    },

    /// A target that leaves everything.
    #[error("nothing is to go, expected at least one layer, channel, neuron or group of heads")]
    NothingDropped,

    /// A method scores on text, and there is none.
    #[error("`{method}` scores on calibration text, found none")]
    NoCalibration {
        /// The method.
        method: String,
    },

    /// A method scores the width, and there are no such scores.
    #[error("`{method}` decides by scores of channels, neurons and groups of heads, found none")]
    NoScores {
        /// The method.
        method: String,
    },

    /// A score of the width that orders nothing.
    #[error("of the {part}{} number {index} scores {found}, expected a finite number", in_layer(*layer))]
    PartScore {
        /// The part.
        part: Part,
        /// Where, unless it is the same everywhere.
        layer: Option<usize>,
        /// Which of them.
        index: usize,
        /// Its score.
        found: f64,
    },

    /// Scores of another model's width.
    #[error("there are {found} scores of {part}{}, expected {expected}", in_layer(*layer))]
    PartScores {
        /// The part.
        part: Part,
        /// Where, unless it is the same everywhere.
        layer: Option<usize>,
        /// How many scores there are.
        found: usize,
        /// How many of the part there are.
        expected: usize,
    },

    /// Activations that are no numbers.
    #[error(
        "{place} is {value} at calibration token {token}, channel {channel}, expected finite numbers"
    )]
    Activation {
        /// What was looked at, as `the output of \`model.layers.3\``.
        place: String,
        /// The token, counted over all sequences from 0.
        token: usize,
        /// The channel.
        channel: usize,
        /// What stands there.
        value: f32,
    },

    /// A cut was decided on a model of another width.
    #[error("the cut is for a model of {found} {part}, expected {expected} as in `{}`", path.display())]
    OtherWidth {
        /// The part.
        part: Part,
        /// How many the cut tells of.
        found: usize,
        /// How many the model has.
        expected: usize,
        /// The model.
        path: PathBuf,
    },

    /// A setting that is too small to be one.
    #[error("the {field} is {found}, expected at least {expected}")]
    Setting {
        /// Which.
        field: &'static str,
        /// Its value.
        found: usize,
        /// The least it can be.
        expected: usize,
    },

    /// Longer sequences than the model was made for.
    #[error(
        "calibration length is {found} tokens, expected at most {expected}, the model's longest context"
    )]
    TooLong {
        /// The length asked for.
        found: usize,
        /// `max_position_embeddings`.
        expected: usize,
    },

    /// The text does not hold one sequence.
    #[error("calibration text has {found} tokens, expected at least {expected}, one context")]
    TooShort {
        /// Tokens of the text.
        found: u64,
        /// Tokens of one sequence.
        expected: usize,
    },

    /// The text does not hold as many sequences as were asked for.
    #[error(
        "calibration text has {found} tokens, expected at least {expected} for {sequences} sequences of {length}"
    )]
    TooFew {
        /// Tokens of the text.
        found: u64,
        /// Tokens of all sequences.
        expected: u64,
        /// Sequences asked for.
        sequences: usize,
        /// Tokens of one.
        length: usize,
    },

    /// The disk has no room for what will be written.
    #[error("`{}` has room for {found} bytes, expected {expected} for {what}", path.display())]
    NoRoom {
        /// The folder.
        path: PathBuf,
        /// Bytes that may still be written there.
        found: u64,
        /// Bytes that will be.
        expected: u64,
        /// What takes them.
        what: &'static str,
    },

    /// A token that the model does not have.
    #[error(
        "token id {found} at position {position} of the calibration text is out of range, expected below {vocabulary}"
    )]
    TokenOutOfRange {
        /// The id.
        found: u32,
        /// Where in the text, counted from 0.
        position: u64,
        /// Rows of the model's embedding.
        vocabulary: usize,
    },

    /// The machine has not enough memory for the hidden states.
    #[error("no memory for the hidden states of {tokens} calibration tokens of width {hidden}")]
    Memory {
        /// Calibration tokens.
        tokens: usize,
        /// Width of the residual stream.
        hidden: usize,
    },

    /// A score that orders nothing.
    #[error("the score of layer {layer} is {found}, expected a finite number")]
    Score {
        /// The layer.
        layer: usize,
        /// Its score.
        found: f64,
    },

    /// Scores for another number of layers than the model has.
    #[error("there are scores for {found} layers, expected {expected}, one for each")]
    ScoreCount {
        /// How many scores there are.
        found: usize,
        /// Layers of the model.
        expected: usize,
    },

    /// Scores for runs of another length.
    #[error("there are {found} scores of runs of layers, expected {expected}")]
    RunCount {
        /// How many scores there are.
        found: usize,
        /// Places where a run can begin.
        expected: usize,
    },

    /// A cut was decided on a model of another depth.
    #[error("the cut is for a model of {found} layers, expected {expected} as in `{}`", path.display())]
    OtherDepth {
        /// Layers that the cut tells of.
        found: usize,
        /// Layers of the model.
        expected: usize,
        /// The model.
        path: PathBuf,
    },

    /// A cut is replayed on another model than it was decided on.
    #[error("the weights of `{}` have the hash {found}, expected {expected} as in the cut", path.display())]
    OtherBase {
        /// The model.
        path: PathBuf,
        /// SHA-256 of its weights.
        found: String,
        /// What the cut was made from.
        expected: String,
    },

    /// A record whose counts are not those of its cut.
    #[error("the cut of `{}` leaves {expected} parameters, its record says {found}", path.display())]
    OtherCount {
        /// The model before the cut.
        path: PathBuf,
        /// What the record says.
        found: u64,
        /// What the cut leaves.
        expected: u64,
    },

    /// A folder that leaves open which model it is.
    #[error("{problem}{}, so that `{}` is not clearly one model", and_more(*others), path.display())]
    Unclear {
        /// The folder.
        path: PathBuf,
        /// What is odd about it.
        problem: String,
        /// How many more such things there are.
        others: usize,
    },

    /// A `cut.json` that is none.
    #[error("`{}` cannot be read as the record of a cut: {reason}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },

    /// The new folder would take the place of the model that it is made from.
    #[error("`{}` is or holds the model that is to be pruned", path.display())]
    OntoBase {
        /// The new folder.
        path: PathBuf,
    },
}

impl Error {
    /// A method was told what to remove in another way than it takes.
    pub(crate) fn target(method: &dyn Select, target: &Target) -> Self {
        let takes: Vec<&str> = method.takes().iter().map(|takes| takes.words()).collect();
        let (method, found) = (method.name().to_owned(), target.kind().words());
        Self::Target { method, found, expected: takes.join(" or ") }
    }

    /// A method was not given what it decides by.
    pub(crate) fn no_scores(method: &dyn Select) -> Self {
        match method.needs().text() {
            true => Self::NoCalibration { method: method.name().to_owned() },
            false => Self::NoScores { method: method.name().to_owned() },
        }
    }

    /// What the user can do about it, where there is one thing to do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Model(error) => error.hint(),
            Self::NoRateNear { .. } => {
                Some("ask for one of the legal rates; `regrow inspect` lists them all")
            }
            Self::NoShapeNear { .. } => Some(
                "ask for the nearest, allow smaller multiples, or let more parts become narrower",
            ),
            Self::NoCalibration { .. } => {
                Some("name a corpus whose text the scores can be taken on")
            }
            Self::TokenOutOfRange { .. } => {
                Some("tokenise the text with the tokenizer of this model")
            }
            Self::TooFew { .. } => {
                Some("use a longer text, or fewer or shorter calibration sequences")
            }
            Self::NoRoom { .. } => Some("free some of the disk or name a folder on another"),
            Self::TooShort { .. } => Some("use a longer text or a smaller calibration length"),
            Self::Memory { .. } => Some("use fewer or shorter calibration sequences"),
            Self::OntoBase { .. } => Some("choose another output folder"),
            Self::Unclear { .. } => Some(
                "`regrow inspect` lists all of them; save the model anew with what it was trained with",
            ),
            Self::OtherBase { .. } => Some("name the model that the cut was decided on"),
            _ => None,
        }
    }
}

fn nearest_shape(nearest: &Option<(Rate, Shape)>) -> String {
    match nearest {
        Some((rate, shape)) => format!("the nearest is {rate} ({shape})"),
        None => "the model has no narrower shape".to_owned(),
    }
}

fn and_more(count: usize) -> String {
    if count == 0 { String::new() } else { format!(" (and {count} more)") }
}

fn in_layer(layer: Option<usize>) -> String {
    layer.map_or_else(String::new, |layer| format!(" of layer {layer}"))
}

fn nearest(below: &Option<LegalRate>, above: &Option<LegalRate>) -> String {
    let told = |rate: &LegalRate| {
        let layers = if rate.dropped == 1 { "layer" } else { "layers" };
        format!("{} ({} {layers})", rate.rate, rate.dropped)
    };
    match (below, above) {
        (Some(below), Some(above)) => {
            format!("the nearest are {} below and {} above", told(below), told(above))
        }
        (Some(below), None) => format!("the nearest is {} below", told(below)),
        (None, Some(above)) => format!("the nearest is {} above", told(above)),
        (None, None) => "the model has a single layer".to_owned(),
    }
}

fn linear_names() -> String {
    let names = shape::tensors::Role::LINEAR.iter().filter_map(|role| role.linear_name());
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
