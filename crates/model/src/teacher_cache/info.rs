//! `cache.json`: what a cache was made from, and the hashes of its files.

use std::path::Path;

use ledger::{Evaluation, Format, FormatHeader, Precision, Sha256};
use serde::{Deserialize, Serialize};
use shape::config::ModelConfig;
use text::Corpus;

use crate::error::ModelFault;
use crate::{Error, Result};

/// The description of a finished cache. It is written last.
pub const FILE: &str = "cache.json";
/// The description of a cache that is being made.
pub const PLAN: &str = "teach.json";

/// Bytes of rows in a file, about. It is also what a kill can cost.
const FILE_BYTES: usize = 64 << 20;
/// The largest description that is read, in bytes: a hundred bytes a file, a hundred thousand
/// files.
const LIMIT: u64 = 16 << 20;
/// The largest row: a hundred thousand tokens of six bytes.
const MOST_TOP: usize = 100_000;

/// What a cache was made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheInfo {
    format: Format<1>,
    /// SHA-256 of the teacher's weights.
    teacher: String,
    /// SHA-256 of the tokenizer.
    tokenizer: String,
    /// SHA-256 of the training text.
    corpus: String,
    /// SHA-256 of the held-out text.
    heldout: String,
    /// Rows of the teacher's embedding.
    vocabulary: usize,
    /// Tokens known at each position.
    top: usize,
    /// Temperatures at which the share of all other tokens is known; the first is 1.
    temperatures: Vec<f64>,
    /// What the teacher's products computed in.
    precision: Precision,
    /// Tokens of a training window.
    context: usize,
    /// How held-out text was read. Only convention, window, stride and tokens count.
    evaluation: Evaluation,
    /// Rows of a file, but for the last of a part.
    rows_per_file: u64,
    /// The files of the training part, in order. Empty while the cache is being made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) train_part: Option<PartInfo>,
    /// The files of the held-out part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) heldout_part: Option<PartInfo>,
}

/// The rows of a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartInfo {
    pub(super) rows: u64,
    /// SHA-256 of each file.
    pub(super) sha256: Vec<String>,
}

/// What decides a cache besides the model and the corpus.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    pub(super) top: usize,
    pub(super) temperatures: Vec<f64>,
    pub(super) precision: Precision,
    pub(super) context: usize,
    pub(super) evaluation: Evaluation,
}

impl Wanted {
    /// `top` tokens a position, at these temperatures besides 1.
    pub fn new(
        top: usize,
        temperatures: &[f64],
        precision: Precision,
        context: usize,
        evaluation: Evaluation,
    ) -> Self {
        let others = temperatures.iter().copied().filter(|temperature| *temperature != 1.0);
        let temperatures = [1.0].into_iter().chain(others).collect();
        Wanted { top, temperatures, precision, context, evaluation }
    }
}

impl CacheInfo {
    /// The description of a cache that is to be made.
    ///
    /// # Errors
    /// If the vocabulary is smaller than `top`, or a number is none that a cache can have.
    pub fn new(
        wanted: &Wanted,
        teacher: &str,
        config: &ModelConfig,
        corpus: &Corpus,
    ) -> Result<Self> {
        let mut info = CacheInfo {
            format: Format,
            teacher: teacher.to_owned(),
            tokenizer: corpus.info().tokenizer().to_owned(),
            corpus: corpus.info().train().text().to_owned(),
            heldout: corpus.info().heldout().text().to_owned(),
            vocabulary: config.vocab_size(),
            top: wanted.top,
            temperatures: wanted.temperatures.clone(),
            precision: wanted.precision,
            context: wanted.context,
            // The points of a curve are no property of a cache.
            evaluation: Evaluation { points: 1, first: ledger::Tokens(1), ..wanted.evaluation },
            rows_per_file: 1,
            train_part: None,
            heldout_part: None,
        };
        info.check().map_err(|reason| Error::from(ModelFault::Teach { reason }))?;
        // Whole windows, so that a window lies in one file.
        let window = info.context.saturating_mul(info.row_bytes());
        info.rows_per_file = ((FILE_BYTES / window.max(1)).max(1) * info.context) as u64;
        Ok(info)
    }

    /// Checks every number that a reader divides by, multiplies by or allocates with.
    fn check(&self) -> std::result::Result<(), String> {
        let Self { vocabulary, top, temperatures, context, rows_per_file, .. } = self;
        if *top == 0 || *top > MOST_TOP {
            return Err(format!("`top` is {top}, expected 1 to {MOST_TOP}"));
        }
        if *vocabulary < *top {
            return Err(format!(
                "`top` is {top}, the teacher's vocabulary has {vocabulary} tokens, expected at most as many"
            ));
        }
        if temperatures.first() != Some(&1.0) || temperatures.len() > 16 {
            return Err(format!(
                "`temperatures` are {temperatures:?}, expected 1 first, 16 at most"
            ));
        }
        let fits = |temperature: &&f64| !(temperature.is_finite() && **temperature > 0.0);
        if let Some(temperature) = temperatures.iter().find(fits) {
            return Err(format!("`temperature` is {temperature}, expected above 0"));
        }
        if *context == 0 || *context > 1 << 24 {
            return Err(format!("`context` is {context}, expected 1 to {}", 1 << 24));
        }
        if *rows_per_file == 0 || *rows_per_file > 1 << 40 {
            return Err(format!(
                "`rows_per_file` is {rows_per_file}, expected 1 to {}",
                1_u64 << 40
            ));
        }
        Ok(())
    }

    /// Reads a description and checks it.
    pub(super) fn read(path: &Path) -> Result<(Self, Vec<u8>)> {
        let json = disk::read(path, LIMIT)?;
        let wrong = |reason: String| {
            let (path, what) = (path.to_path_buf(), "a teacher's cache");
            Error::from(ModelFault::Json { path, what, reason })
        };
        let header: FormatHeader =
            serde_json::from_slice(&json).map_err(|error| wrong(error.to_string()))?;
        header.require(Format::<1>).map_err(|other| {
            wrong(format!("it has format {}, expected {}", other.found(), other.expected()))
        })?;
        let info: Self = serde_json::from_slice(&json).map_err(|error| wrong(error.to_string()))?;
        info.check().map_err(wrong)?;
        Ok((info, json))
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).expect("a description is numbers and text");
        json.push(b'\n');
        json
    }

    /// The description as it was before the files were made.
    pub(super) fn plan(&self) -> Self {
        Self { train_part: None, heldout_part: None, ..self.clone() }
    }

    /// The first thing in which this plan differs from another, with both values.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        let fields = |info: &Self| {
            let value = serde_json::to_value(info).expect("a description is numbers and text");
            value.as_object().cloned().unwrap_or_default()
        };
        let (here, there) = (fields(self), fields(other));
        let differs = here.iter().find(|(key, value)| there.get(*key) != Some(*value));
        differs.map(|(key, value)| {
            let there = there.get(key).map_or_else(|| "nothing".to_owned(), ToString::to_string);
            format!("`{key}` was {there}, is {value}")
        })
    }

    /// SHA-256 of the teacher's weights.
    pub fn teacher(&self) -> &str {
        &self.teacher
    }

    /// SHA-256 of the tokenizer.
    pub fn tokenizer(&self) -> &str {
        &self.tokenizer
    }

    /// SHA-256 of the training text.
    pub fn corpus(&self) -> &str {
        &self.corpus
    }

    /// SHA-256 of the held-out text.
    pub fn heldout(&self) -> &str {
        &self.heldout
    }

    /// Rows of the teacher's embedding.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// Tokens known at each position.
    pub fn top(&self) -> usize {
        self.top
    }

    /// Temperatures at which the share of all other tokens is known.
    pub fn temperatures(&self) -> &[f64] {
        &self.temperatures
    }

    /// Tokens of a training window.
    pub fn context(&self) -> usize {
        self.context
    }

    /// What the teacher's products computed in.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Whether held-out text was read as this evaluation reads it.
    pub fn has_evaluation(&self, evaluation: &Evaluation) -> bool {
        let way = |e: &Evaluation| (e.convention, e.context, e.stride, e.tokens);
        way(&self.evaluation) == way(evaluation)
    }

    /// How held-out text was read.
    pub fn evaluation(&self) -> &Evaluation {
        &self.evaluation
    }

    pub(super) fn rows_per_file(&self) -> u64 {
        self.rows_per_file
    }

    /// Bytes of an id.
    pub(super) fn id_bytes(&self) -> usize {
        if self.vocabulary <= 1 << 16 { 2 } else { 4 }
    }

    /// Bytes of a row: what a token of the corpus takes.
    pub fn row_bytes(&self) -> usize {
        self.top * (self.id_bytes() + 2) + 4 * self.temperatures.len()
    }

    /// Rows of the training part.
    pub fn train_rows(&self, corpus: &Corpus) -> u64 {
        let context = self.context as u64;
        // The last token of a window predicts the first of the next, so one token is left over.
        corpus.train().tokens().saturating_sub(1) / context * context
    }

    pub(super) fn hash(json: &[u8]) -> String {
        Sha256::of(json).to_string()
    }
}
