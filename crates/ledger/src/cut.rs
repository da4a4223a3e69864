//! A cut: a pruning decision as data, and the record that stays beside the smaller model.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::units::{Params, Rate, Tokens};
use crate::{finite, format};

/// What is removed from a model. Read from a file, it is valid; made by hand, [`Cut::validate`] tells.
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
}

/// Deeper models do not exist; a file that claims more must not make us allocate for it.
const MOST_LAYERS: usize = 1 << 16;

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
    /// Parameters after it.
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
    /// The text that the scores were taken on, where there was any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
    /// One score a layer, in the order of the layers, where the method scores; the lowest go first.
    #[serde(default, with = "finite::list", skip_serializing_if = "Option::is_none")]
    pub scores: Option<Vec<f64>>,
    /// The version of regrow that cut.
    pub regrow: String,
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
    /// Whether the cut can be made: indices ascending, in range, at least one layer kept.
    pub fn validate(&self) -> Result<(), CutError> {
        let Self::Depth { layers, drop } = self;
        let layers = *layers;
        if layers > MOST_LAYERS {
            return Err(CutError::TooDeep { layers });
        }
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

    /// Indices of the layers that a valid cut lets stay, ascending.
    pub fn kept(&self) -> Vec<usize> {
        let Self::Depth { layers, drop } = self;
        (0..*layers).filter(|layer| drop.binary_search(layer).is_err()).collect()
    }
}

impl CutRecord {
    /// The format that this version writes and reads.
    pub const FORMAT: u32 = 1;
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
        }
    }
}

impl std::error::Error for CutError {}

/// A cut as it stands in a file, not yet believed.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
enum Written {
    Depth { layers: usize, drop: Vec<usize> },
}

impl TryFrom<Written> for Cut {
    type Error = CutError;

    fn try_from(written: Written) -> Result<Self, CutError> {
        let Written::Depth { layers, drop } = written;
        let cut = Self::Depth { layers, drop };
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
            calibration: None,
            scores: None,
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
        for wrong in [
            r#"{"kind":"depth","layers":5,"drop":[3,1]}"#,
            r#"{"kind":"depth","layers":18446744073709551615,"drop":[]}"#,
            r#"{"kind":"width","layers":5,"drop":[]}"#,
            r#"{"kind":"depth","layers":5,"drop":[1],"keep":[]}"#,
        ] {
            assert!(serde_json::from_str::<Cut>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_unknown_is_left_out_of_a_record() {
        let text = serde_json::to_string(&record()).unwrap();
        assert!(!text.contains("null"), "{text}");
        for key in ["asked_rate", "calibration", "scores"] {
            assert!(!text.contains(key), "{text}");
        }
        assert_eq!(serde_json::from_str::<CutRecord>(&text).unwrap(), record());
    }

    #[test]
    fn a_record_of_another_format_is_refused() {
        let text = serde_json::to_string(&record()).unwrap().replace("\"format\":1", "\"format\":2");
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
