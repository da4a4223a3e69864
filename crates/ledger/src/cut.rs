//! A cut: a pruning decision as data, and the record that stays beside the smaller model.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::curve::Phase;
use crate::pattern::Pattern;
use crate::units::{Nats, Params, Rate, Tokens};
use crate::width::{Part, Width};
use crate::{finite, format};

/// What is removed from a model. Read from a file, it is valid; made by hand, [`Cut::validate`]
/// tells.
///
/// ```
/// use ledger::Cut;
/// let cut = Cut::Depth { layers: 5, drop: vec![1, 3] };
/// cut.validate()?;
/// assert_eq!(cut.kept(), [0, 2, 4]);
/// let wrong = Cut::Depth { layers: 5, drop: vec![5] };
/// assert_eq!(wrong.validate().unwrap_err().to_string(), "layer 5 cannot be dropped from a model of 5 layers");
/// # Ok::<(), ledger::CutError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", try_from = "Written")]
pub enum Cut {
    /// Whole layers go.
    Depth {
        /// Layers before the cut.
        layers: usize,
        /// Indices of the layers that go, counted from 0, ascending.
        drop: Vec<usize>,
    },
    /// Channels, neurons and groups of heads go, as many in every layer.
    Width(Width),
    /// Weights become zero, and every shape stays. Which ones follows from the base, the score and
    /// the calibration text.
    Sparse {
        /// Layers of the model.
        layers: usize,
        /// Where the zeros stand.
        pattern: Pattern,
        /// What decided, as in `wanda`.
        score: String,
        /// The linear layers of every layer that have zeros, as in `q_proj`.
        linear: Vec<String>,
    },
}

/// Deeper models do not exist; a file that claims more must not make us allocate for it.
pub(crate) const MOST_LAYERS: usize = 1 << 16;

/// Why a cut cannot be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CutError {
    /// A layer that the model does not have.
    OutOfRange {
        /// The index asked for.
        layer: usize,
        /// How many layers there are.
        layers: usize,
    },
    /// The indices do not ascend, or one is named twice.
    Unordered {
        /// The index that comes first.
        before: usize,
        /// The index after it, which is not larger.
        after: usize,
    },
    /// Nothing would be left.
    NothingKept {
        /// How many layers there are.
        layers: usize,
    },
    /// More layers than any model has.
    TooDeep {
        /// How many layers are claimed.
        layers: usize,
    },
    /// A part is wider than in any model.
    TooWide {
        /// The part.
        part: Part,
        /// How many are claimed.
        of: usize,
    },
    /// Nothing of a part would be left.
    NothingOf {
        /// The part.
        part: Part,
        /// Where, unless it is the same everywhere.
        layer: Option<usize>,
    },
    /// One of a part that the model does not have.
    NotThere {
        /// The part.
        part: Part,
        /// The index.
        index: usize,
        /// How many there are.
        of: usize,
    },
    /// Not one list for each layer.
    Lists {
        /// The part.
        part: Part,
        /// How many lists there are.
        found: usize,
        /// How many layers.
        layers: usize,
    },
    /// A layer keeps more or fewer than the first.
    Uneven {
        /// The part.
        part: Part,
        /// The layer.
        layer: usize,
        /// How many it keeps.
        found: usize,
        /// How many the first layer keeps.
        expected: usize,
    },
    /// A part is named of which everything stays.
    WholeStays {
        /// The part.
        part: Part,
    },
    /// A cut in width that names no part.
    NoPart,
    /// A sparse cut that names no linear layer, or one twice.
    Linear {
        /// What is wrong.
        reason: String,
    },
}

/// What `cut.json` holds: the cut, what it was made from and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CutRecord {
    /// The format of the file, [`CutRecord::FORMAT`].
    #[serde(deserialize_with = "format::only::<_, { CutRecord::FORMAT }>")]
    pub format: u32,
    /// The method that ran, as in `depth-block-influence`.
    pub method: String,
    /// What was removed.
    pub cut: Cut,
    /// The name of the model before the cut.
    pub base: String,
    /// SHA-256 of its weights.
    pub base_hash: String,
    /// The model series, as in `llama-3`.
    pub series: String,
    /// Parameters before the cut.
    pub n0: Params,
    /// Parameters after it that are neither removed nor made zero.
    pub parameters: Params,
    /// Parameters before the cut, embeddings aside.
    pub n0_without_embedding: Params,
    /// Parameters after it, embeddings aside.
    pub parameters_without_embedding: Params,
    /// The rate that was asked for; unknown where layers were named instead.
    #[serde(default, with = "finite::option", skip_serializing_if = "Option::is_none")]
    pub asked_rate: Option<f64>,
    /// The realised rate.
    pub rate: Rate,
    /// The realised rate, embeddings aside.
    pub rate_without_embedding: Rate,
    /// Held-out loss of the model before the cut, where it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss0: Option<Nats>,
    /// The phase of the learning rate in which that model was left, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss0_phase: Option<Phase>,
    /// The text that the scores were taken on, where there was any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// What the method was told beside the target, by name: how activations are summed up, for
    /// example.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
    /// Where the method scores layers one score for each, in their order, the lowest go first;
    /// where it scores runs of layers one for each place where a run can begin.
    #[serde(default, with = "finite::list", skip_serializing_if = "Option::is_none")]
    pub scores: Option<Vec<f64>>,
    /// Zeros that already stood in the weights that were to get zeros, where there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub already_zero: Option<Params>,
    /// Where a score could not do what it does, and what was done instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<Fallback>,
    /// The version of regrow that cut.
    pub regrow: String,
}

/// What was done where a score could not do what it does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fallback {
    /// The weights that it was done to.
    pub tensors: Vec<String>,
    /// The damping that it took to factor the Hessian, as a share of its mean diagonal.
    #[serde(default, with = "finite::option", skip_serializing_if = "Option::is_none")]
    pub damping: Option<f64>,
    /// The score that was used instead, where no damping helped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<String>,
}

/// The calibration text of a cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Calibration {
    /// SHA-256 of the text.
    pub hash: String,
    /// How many sequences were read.
    pub sequences: usize,
    /// Tokens a sequence.
    pub length: usize,
    /// Tokens in all.
    pub tokens: Tokens,
    /// The seed that chose the sequences.
    pub seed: u64,
}

impl Cut {
    /// Whether the cut can be made: indices ascending, in range, at least one of everything kept.
    pub fn validate(&self) -> Result<(), CutError> {
        if let Self::Width(width) = self {
            return width.validate();
        }
        let layers = self.layers();
        if layers > MOST_LAYERS {
            return Err(CutError::TooDeep { layers });
        }
        if let Self::Sparse { score, linear, .. } = self {
            return validate_sparse(score, linear);
        }
        let drop = self.dropped();
        if let Some(&layer) = drop.iter().find(|&&layer| layer >= layers) {
            return Err(CutError::OutOfRange { layer, layers });
        }
        if let Some(pair) = drop.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(CutError::Unordered { before: pair[0], after: pair[1] });
        }
        if drop.len() == layers {
            return Err(CutError::NothingKept { layers });
        }
        Ok(())
    }

    /// Layers before the cut.
    pub fn layers(&self) -> usize {
        match self {
            Self::Depth { layers, .. }
            | Self::Width(Width { layers, .. })
            | Self::Sparse { layers, .. } => *layers,
        }
    }

    /// Indices of the layers that a valid cut lets stay, ascending.
    pub fn kept(&self) -> Vec<usize> {
        (0..self.layers()).filter(|layer| self.dropped().binary_search(layer).is_err()).collect()
    }

    /// Indices of the layers that go, ascending.
    pub fn dropped(&self) -> &[usize] {
        match self {
            Self::Depth { drop, .. } => drop,
            Self::Width(_) | Self::Sparse { .. } => &[],
        }
    }
}

fn validate_sparse(score: &str, linear: &[String]) -> Result<(), CutError> {
    let wrong = |reason: String| Err(CutError::Linear { reason });
    let plain = |word: &str| word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if let Some(word) = linear.iter().map(String::as_str).chain([score]).find(|word| !plain(word)) {
        return wrong(format!("`{}` is no name of a linear layer or a score", word.escape_debug()));
    }
    if linear.is_empty() {
        return wrong("no linear layer gets zeros, expected at least one".to_owned());
    }
    match linear.iter().enumerate().find(|(at, name)| linear[..*at].contains(name)) {
        Some((_, name)) => wrong(format!("`{name}` stands twice among the linear layers")),
        None => Ok(()),
    }
}

impl CutRecord {
    /// The format that this version writes and reads.
    pub const FORMAT: u32 = 1;

    /// Parameters that the model has as it is stored, zeros among them.
    pub fn stored(&self) -> Params {
        match self.cut {
            Cut::Sparse { .. } => self.n0,
            Cut::Depth { .. } | Cut::Width(_) => self.parameters,
        }
    }
}

impl fmt::Display for CutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { layer, layers } => {
                write!(f, "layer {layer} cannot be dropped from a model of {layers} layers")
            }
            Self::Unordered { before, after } if before == after => {
                write!(f, "layer {before} is dropped twice")
            }
            Self::Unordered { before, after } => {
                write!(f, "layer {after} stands after layer {before}, expected ascending order")
            }
            Self::NothingKept { layers } => {
                write!(f, "all {layers} layers are dropped, expected at least one to stay")
            }
            Self::TooDeep { layers } => {
                write!(f, "a model of {layers} layers is claimed, expected at most {MOST_LAYERS}")
            }
            Self::TooWide { part, of } => {
                write!(f, "{of} {part} are claimed, more than any model has")
            }
            Self::NothingOf { part, layer: None } => {
                write!(f, "all {part} are removed, expected at least one to stay")
            }
            Self::NothingOf { part, layer: Some(layer) } => {
                write!(f, "all {part} of layer {layer} are removed, expected at least one to stay")
            }
            Self::NotThere { part, index, of } => {
                write!(f, "{index} cannot be kept of {of} {part}, counted from 0")
            }
            Self::Lists { part, found, layers } => {
                write!(
                    f,
                    "there are {found} lists of {part} to keep, expected {layers}, one a layer"
                )
            }
            Self::Uneven { part, layer, found, expected } => {
                write!(f, "layer {layer} keeps {found} {part}, expected {expected} as in the first")
            }
            Self::WholeStays { part } => {
                write!(f, "all {part} are kept, expected some to go or the part to be left out")
            }
            Self::Linear { reason } => f.write_str(reason),
            Self::NoPart => {
                write!(f, "the cut names no part, expected one of `hidden`, `ffn` and `heads`")
            }
        }
    }
}

impl std::error::Error for CutError {}

/// A cut as it stands in a file, not yet believed.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum Written {
    Depth { layers: usize, drop: Vec<usize> },
    Width(Width),
    Sparse { layers: usize, pattern: Pattern, score: String, linear: Vec<String> },
}

impl TryFrom<Written> for Cut {
    type Error = CutError;

    fn try_from(written: Written) -> Result<Self, CutError> {
        let cut = match written {
            Written::Depth { layers, drop } => Self::Depth { layers, drop },
            Written::Width(width) => Self::Width(width),
            Written::Sparse { layers, pattern, score, linear } => {
                Self::Sparse { layers, pattern, score, linear }
            }
        };
        cut.validate()?;
        Ok(cut)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn depth(layers: usize, drop: &[usize]) -> Cut {
        Cut::Depth { layers, drop: drop.to_vec() }
    }

    fn record() -> CutRecord {
        CutRecord {
            format: CutRecord::FORMAT,
            method: "depth-list".into(),
            cut: depth(5, &[3]),
            base: "stories260K".into(),
            base_hash: "ab".repeat(32),
            series: "stories".into(),
            n0: Params(1000),
            parameters: Params(850),
            n0_without_embedding: Params(900),
            parameters_without_embedding: Params(750),
            asked_rate: None,
            rate: Rate::new(0.15).unwrap(),
            rate_without_embedding: Rate::new(0.1666).unwrap(),
            loss0: None,
            loss0_phase: None,
            calibration: None,
            options: BTreeMap::new(),
            scores: None,
            already_zero: None,
            fallbacks: Vec::new(),
            regrow: "0.1.0".into(),
        }
    }

    #[test]
    fn wrong_cuts_say_what_is_wrong() {
        let said = |layers, drop: &[usize]| depth(layers, drop).validate().unwrap_err().to_string();
        assert_eq!(said(4, &[1, 4]), "layer 4 cannot be dropped from a model of 4 layers");
        assert_eq!(said(4, &[2, 1]), "layer 1 stands after layer 2, expected ascending order");
        assert_eq!(said(4, &[1, 1]), "layer 1 is dropped twice");
        assert_eq!(said(2, &[0, 1]), "all 2 layers are dropped, expected at least one to stay");
        assert_eq!(said(0, &[]), "all 0 layers are dropped, expected at least one to stay");
        assert_eq!(said(65_537, &[]), "a model of 65537 layers is claimed, expected at most 65536");
    }

    #[test]
    fn a_cut_in_a_file_is_tagged_and_checked() {
        let text = r#"{"kind":"depth","layers":5,"drop":[1,3]}"#;
        let cut: Cut = serde_json::from_str(text).unwrap();
        assert_eq!(cut, depth(5, &[1, 3]));
        assert_eq!(serde_json::to_string(&cut).unwrap(), text);
        let text = r#"{"kind":"sparse","layers":5,"pattern":"2:4","score":"wanda","linear":["q_proj","down_proj"]}"#;
        let cut: Cut = serde_json::from_str(text).unwrap();
        assert_eq!((cut.layers(), cut.kept()), (5, vec![0, 1, 2, 3, 4]));
        assert_eq!(serde_json::to_string(&cut).unwrap(), text);
        for wrong in [
            r#"{"kind":"depth","layers":5,"drop":[3,1]}"#,
            r#"{"kind":"depth","layers":18446744073709551615,"drop":[]}"#,
            r#"{"kind":"width","layers":5,"drop":[]}"#,
            r#"{"kind":"sparse","layers":5,"pattern":"4:2","score":"wanda","linear":["q_proj"]}"#,
            r#"{"kind":"sparse","layers":5,"pattern":"2:4","score":"wanda","linear":[]}"#,
            r#"{"kind":"sparse","layers":5,"pattern":"2:4","score":"wanda","linear":["q_proj","q_proj"]}"#,
            r#"{"kind":"sparse","layers":5,"pattern":"2:4","score":"../wanda","linear":["q_proj"]}"#,
            r#"{"kind":"depth","layers":5,"drop":[1],"keep":[]}"#,
        ] {
            assert!(serde_json::from_str::<Cut>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_cut_in_width_is_written_as_runs_and_checked() {
        let text = r#"{"kind":"width","layers":2,"hidden":{"of":8,"keep":"0-3,6"},"ffn":{"of":5,"keep":["0","4"]}}"#;
        let cut: Cut = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&cut).unwrap(), text);
        assert_eq!((cut.layers(), cut.kept(), cut.dropped()), (2, vec![0, 1], &[][..]));
        let said = |part: &str| {
            let text = format!(r#"{{"kind":"width","layers":2{part}}}"#);
            serde_json::from_str::<Cut>(&text).unwrap_err().to_string()
        };
        for (part, expected) in [
            ("", "the cut names no part"),
            (r#","hidden":{"of":8,"keep":""}"#, "all channels of the residual stream are removed"),
            (r#","hidden":{"of":8,"keep":"0-7"}"#, "all channels of the residual stream are kept"),
            (r#","hidden":{"of":8,"keep":"0-8"}"#, "8 cannot be kept of 8 channels"),
            (r#","hidden":{"of":8,"keep":"3,1"}"#, "`1` is no run of ascending indices"),
            (
                r#","ffn":{"of":8,"keep":["0"]}"#,
                "there are 1 lists of feed-forward neurons to keep, expected 2",
            ),
            (
                r#","ffn":{"of":8,"keep":["0","1-2"]}"#,
                "layer 1 keeps 2 feed-forward neurons, expected 1",
            ),
            (r#","heads":{"of":2,"keep":["0",""]}"#, "all groups of heads of layer 1 are removed"),
            (r#","heads":{"of":2,"keep":["0","2"]}"#, "2 cannot be kept of 2 groups of heads"),
            (r#","hidden":{"of":99999999999,"keep":"0-99999999997"}"#, "more than any model has"),
            (r#","drop":[1]"#, "unknown field `drop`"),
        ] {
            assert!(said(part).contains(expected), "{part}: {}", said(part));
        }
    }

    #[test]
    fn what_is_unknown_is_left_out_of_a_record() {
        let text = serde_json::to_string(&record()).unwrap();
        assert!(!text.contains("null"), "{text}");
        for key in
            ["asked_rate", "loss0", "calibration", "options", "scores", "already_zero", "fallbacks"]
        {
            assert!(!text.contains(key), "{text}");
        }
        assert_eq!(serde_json::from_str::<CutRecord>(&text).unwrap(), record());
    }

    #[test]
    fn a_record_of_another_format_is_refused() {
        let text =
            serde_json::to_string(&record()).unwrap().replace("\"format\":1", "\"format\":2");
        let error = serde_json::from_str::<CutRecord>(&text).unwrap_err().to_string();
        assert!(error.starts_with("format is 2, expected 1"), "{error}");
    }

    #[test]
    fn a_score_that_is_not_finite_is_not_written() {
        let record = CutRecord { scores: Some(vec![0.5, f64::NAN]), ..record() };
        assert!(serde_json::to_string(&record).is_err());
    }

    proptest! {
        #[test]
        fn kept_and_dropped_layers_are_the_model(layers in 1_usize..60, bits in any::<u64>()) {
            let drop: Vec<usize> = (0..layers).filter(|layer| bits >> layer & 1 == 1).collect();
            let cut = depth(layers, &drop);
            prop_assert_eq!(cut.validate().is_ok(), drop.len() < layers);
            let mut all = [cut.kept(), drop].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..layers).collect::<Vec<_>>());
        }
    }
}
