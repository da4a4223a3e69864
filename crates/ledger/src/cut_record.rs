//! The record of a cut, which stays beside the smaller model.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::curve::Phase;
use crate::cut::Cut;
use crate::finite;
use crate::format::Format;
use crate::held::Held;
use crate::sha256::Sha256;
use crate::units::{Nats, Params, Rate, Tokens};

/// The contents of `cut.json`: the cut, the model it was made from, and the resulting sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "CutFile", into = "CutFile")]
pub struct CutRecord {
    /// The format of the file.
    pub format: Format<1>,
    /// The method that chose the cut, for example `depth-block-influence`.
    pub method: String,
    /// What was removed.
    pub cut: Cut,
    /// The name of the model before the cut.
    pub base: String,
    /// SHA-256 of its weights.
    pub base_hash: String,
    /// The model series, as in `llama-3`.
    pub series: String,
    /// Parameters before and after the cut, and the realised rates.
    pub held: Held,
    /// The rate that was asked for; unknown where layers were named instead.
    pub asked_rate: Option<f64>,
    /// Held-out loss of the model before the cut, where it was measured.
    pub loss0: Option<Nats>,
    /// The phase of the learning rate in which the training of that model ended, where known.
    pub loss0_phase: Option<Phase>,
    /// The calibration text, for methods that read one.
    pub calibration: Option<CalibrationRecord>,
    /// The method's options besides the target, by name, such as how activations are summed up.
    pub options: BTreeMap<String, String>,
    /// The scores. A method that scores single blocks has one score for each block, in order; the
    /// lowest are removed first. A method that scores runs of consecutive blocks has one score for
    /// each block that a run can begin with.
    pub scores: Option<Vec<f64>>,
    /// Zeros that the pruned weights already had before the cut, where there were any.
    pub already_zero: Option<Params>,
    /// Weights for which the score failed, and what was done instead.
    pub fallbacks: Vec<Fallback>,
    /// The version of regrow that made the cut.
    pub regrow: String,
}

/// What was done where a score failed: more damping was added, or another score was used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fallback {
    tensors: Vec<String>,
    #[serde(default, with = "finite::option", skip_serializing_if = "Option::is_none")]
    damping: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    score: Option<String>,
}

impl Fallback {
    /// The fallback for the weights `tensors`; `None` where neither damping nor another score was
    /// needed.
    pub fn of(tensors: Vec<String>, damping: Option<f64>, score: Option<String>) -> Option<Self> {
        (damping.is_some() || score.is_some()).then_some(Self { tensors, damping, score })
    }

    /// Names of the weights concerned.
    pub fn tensors(&self) -> &[String] {
        &self.tensors
    }

    /// The damping that made the Hessian factorable, as a share of its mean diagonal.
    pub fn damping(&self) -> Option<f64> {
        self.damping
    }

    /// The score that was used instead, where no damping helped.
    pub fn score(&self) -> Option<&str> {
        self.score.as_deref()
    }
}

/// The calibration text of a cut: sequences of one length.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalibrationRecord {
    hash: String,
    sequences: usize,
    length: usize,
    tokens: Tokens,
    seed: u64,
}

impl CalibrationRecord {
    /// `sequences` sequences of `length` tokens, drawn with `seed`. `hash` is the SHA-256 of the
    /// text.
    pub fn of(hash: Sha256, sequences: usize, length: usize, seed: u64) -> Self {
        let tokens = Tokens(sequences as u64 * length as u64);
        Self { hash: hash.to_string(), sequences, length, tokens, seed }
    }

    /// SHA-256 of the text.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// How many sequences were read.
    pub fn sequences(&self) -> usize {
        self.sequences
    }

    /// Tokens in each sequence.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Tokens in all.
    pub fn tokens(&self) -> Tokens {
        self.tokens
    }

    /// The seed that chose the sequences.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}

impl CutRecord {
    /// The format that this version writes and reads.
    pub const FORMAT: Format<1> = Format;

    /// Parameters in the stored model, zeros included.
    pub fn stored(&self) -> Params {
        match self.cut {
            // A sparse cut keeps every tensor at its full shape.
            Cut::Sparse { .. } => self.held.n0(),
            Cut::Depth { .. } | Cut::Width(_) => self.held.parameters(),
        }
    }
}

/// The fields of `cut.json` in file order. The order and names of all versions are fixed here.
#[derive(Serialize, Deserialize)]
#[serde(rename = "CutRecord")]
struct CutFile {
    format: Format<1>,
    method: String,
    cut: Cut,
    base: String,
    base_hash: String,
    series: String,
    n0: Params,
    parameters: Params,
    n0_without_embedding: Params,
    parameters_without_embedding: Params,
    #[serde(default, with = "finite::option", skip_serializing_if = "Option::is_none")]
    asked_rate: Option<f64>,
    rate: Rate,
    rate_without_embedding: Rate,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    loss0: Option<Nats>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    loss0_phase: Option<Phase>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    calibration: Option<CalibrationRecord>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    options: BTreeMap<String, String>,
    #[serde(default, with = "finite::list", skip_serializing_if = "Option::is_none")]
    scores: Option<Vec<f64>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    already_zero: Option<Params>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fallbacks: Vec<Fallback>,
    regrow: String,
}

impl From<CutFile> for CutRecord {
    fn from(file: CutFile) -> Self {
        // The file's own rates are kept, not computed again: `inspect` compares them with the
        // model.
        let held = Held::told(
            (file.n0, file.n0_without_embedding),
            (file.parameters, file.parameters_without_embedding),
            (file.rate, file.rate_without_embedding),
        );
        Self {
            format: file.format,
            method: file.method,
            cut: file.cut,
            base: file.base,
            base_hash: file.base_hash,
            series: file.series,
            asked_rate: file.asked_rate,
            loss0: file.loss0,
            loss0_phase: file.loss0_phase,
            calibration: file.calibration,
            options: file.options,
            scores: file.scores,
            already_zero: file.already_zero,
            fallbacks: file.fallbacks,
            regrow: file.regrow,
            held,
        }
    }
}

impl From<CutRecord> for CutFile {
    fn from(record: CutRecord) -> Self {
        let held = record.held;
        Self {
            n0: held.n0(),
            parameters: held.parameters(),
            n0_without_embedding: held.n0_without_embedding(),
            parameters_without_embedding: held.parameters_without_embedding(),
            rate: held.rate(),
            rate_without_embedding: held.rate_without_embedding(),
            format: record.format,
            method: record.method,
            cut: record.cut,
            base: record.base,
            base_hash: record.base_hash,
            series: record.series,
            asked_rate: record.asked_rate,
            loss0: record.loss0,
            loss0_phase: record.loss0_phase,
            calibration: record.calibration,
            options: record.options,
            scores: record.scores,
            already_zero: record.already_zero,
            fallbacks: record.fallbacks,
            regrow: record.regrow,
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
            held: Held::told(
                (Params(1000), Params(900)),
                (Params(850), Params(750)),
                (Rate::new(0.15).unwrap(), Rate::new(0.1666).unwrap()),
            ),
            asked_rate: None,
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
    fn the_order_of_the_fields_is_that_of_all_versions() {
        let text = serde_json::to_string(&record()).unwrap();
        let keys = [
            "format",
            "method",
            "cut",
            "base",
            "base_hash",
            "series",
            "n0",
            "parameters",
            "n0_without_embedding",
            "parameters_without_embedding",
            "rate",
            "rate_without_embedding",
            "regrow",
        ];
        let at = keys.map(|key| text.find(&format!("\"{key}\":")).unwrap());
        assert!(at.is_sorted(), "{text}");
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
