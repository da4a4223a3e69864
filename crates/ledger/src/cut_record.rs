//! The record of a cut, which stays beside the smaller model.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::curve::Phase;
use crate::cut::Cut;
use crate::finite;
use crate::format::Format;
use crate::units::{Nats, Params, Rate, Tokens};

/// What `cut.json` holds: the cut, what it was made from and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CutRecord {
    /// The format of the file.
    pub format: Format<1>,
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

impl CutRecord {
    /// The format that this version writes and reads.
    pub const FORMAT: Format<1> = Format;

    /// Parameters that the model has as it is stored, zeros among them.
    pub fn stored(&self) -> Params {
        match self.cut {
            Cut::Sparse { .. } => self.n0,
            Cut::Depth { .. } | Cut::Width(_) => self.parameters,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> CutRecord {
        CutRecord {
            format: CutRecord::FORMAT,
            method: "depth-list".into(),
            cut: Cut::Depth { layers: 5, drop: vec![3] },
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
}
