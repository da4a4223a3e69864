//! The job file: what the torch job is told, with every choice made.

use std::path::Path;

use ledger::RunSpec;
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
}

/// The held-out loss before the first step.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Expected {
    loss: f64,
    tolerance: f64,
}

impl From<&Belief> for Expected {
    fn from(belief: &Belief) -> Self {
        Self { loss: belief.expected().0, tolerance: belief.tolerance() }
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

/// The loss before the first step that an earlier attempt of a run measured. `None` if there is no
/// such file, or it is of another run.
pub(crate) fn known_loss(path: &Path, id: &str) -> Option<f64> {
    #[derive(Deserialize)]
    struct Known {
        format: u32,
        id: String,
        expected: Expected,
    }
    let known: Known = serde_json::from_slice(&disk::read(path, LIMIT).ok()?).ok()?;
    let loss = known.expected.loss;
    (known.format == FORMAT && known.id == id && loss.is_finite()).then_some(loss)
}
