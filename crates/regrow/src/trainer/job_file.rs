//! The job file: what the torch job is told, with every choice made.

use std::path::{Path, PathBuf};

use ledger::{Nats, RunSpec};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::belief::Belief;
use crate::error::Result;

/// The format of the file.
pub(super) const FORMAT: u32 = 1;

/// Longest job file that is read, in bytes.
const LIMIT: u64 = 64 << 20;

/// Everything that decides a run of the torch job. `python/regrow_torch/regrow_torch/job.py` reads
/// it, and refuses keys of the spec that it does not know.
#[derive(Debug, Serialize)]
pub(crate) struct JobFile<'a> {
    pub(crate) id: String,
    pub(crate) spec: &'a RunSpec,
    pub(crate) steps: u64,
    pub(crate) evaluation_steps: Vec<u64>,
    /// Steps between two checkpoints.
    pub(crate) save_every: u64,
    pub(crate) recompute: bool,
    pub(crate) compile: bool,
    /// Absolute paths: the job may be started anywhere.
    pub(crate) model: &'a Path,
    pub(crate) corpus: &'a Path,
    /// `config.json` of the model that is written.
    pub(crate) config: Value,
    /// Name and shape of every tensor, in the order of the hash of all weights.
    pub(crate) tensors: Vec<(String, Vec<usize>)>,
    /// The number format of the weights that are written, as safetensors name it.
    pub(crate) dtype: &'static str,
    /// Most bytes of weights in one file.
    pub(crate) shard_limit: u64,
    /// Files that are copied along with the weights.
    pub(crate) companions: Vec<String>,
    /// Tensors whose zeros stay zero.
    pub(crate) sparse: Vec<String>,
    pub(crate) expected: Expected,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) teacher: Option<TeacherFile>,
}

/// Where the teacher is.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum TeacherFile {
    /// A model, described as the one that is trained.
    Model { model: PathBuf, config: Value, tensors: Vec<(String, Vec<usize>)> },
    /// A cache of what one says.
    Cache { cache: PathBuf },
}

impl TeacherFile {
    /// Its folder.
    pub(crate) fn place(&self) -> &Path {
        match self {
            Self::Model { model, .. } => model,
            Self::Cache { cache } => cache,
        }
    }
}

/// The held-out loss before the first step, and the divergence from a teacher.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Expected {
    loss: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    divergence: Option<f64>,
    tolerance: f64,
}

impl From<&Belief> for Expected {
    fn from(belief: &Belief) -> Self {
        let divergence = belief.divergence().map(|divergence| divergence.0);
        Self { loss: belief.expected().0, divergence, tolerance: belief.tolerance() }
    }
}

impl JobFile<'_> {
    /// The text of the file.
    pub(crate) fn to_json(&self) -> Result<Vec<u8>> {
        let mut value = serde_json::to_value(self)?;
        value["format"] = FORMAT.into();
        let mut text = serde_json::to_vec_pretty(&value)?;
        text.push(b'\n');
        Ok(text)
    }
}

/// What an earlier attempt of a run measured before the first step. `None` if there is no such
/// file, or it is of another run.
pub(crate) fn known_belief(path: &Path, spec: &RunSpec) -> Option<Belief> {
    #[derive(Deserialize)]
    struct Known {
        format: u32,
        id: String,
        expected: Expected,
    }
    let known: Known = serde_json::from_slice(&disk::read(path, LIMIT).ok()?).ok()?;
    let Expected { loss, divergence, .. } = known.expected;
    let belief = Belief::new(Nats(loss), spec.precision).with_divergence(divergence.map(Nats));
    (known.format == FORMAT && known.id == spec.id() && loss.is_finite()).then_some(belief)
}
