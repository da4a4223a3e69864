//! Checkpoints: weights, moments and the place in the run, written aside, checksummed, renamed into place.

use std::path::Path;

use disk::{Existing, NewFolder};
use model::backend::Backend;
use model::decoder::Decoder;
use model::safetensors::{Dtype, Planned, SafeTensors, Writer};
use serde::{Deserialize, Serialize};

use crate::Optimizer;
use crate::error::{Error, Result};

const FORMAT: u32 = 1;
const STATE: &str = "state.json";
const FILES: [&str; 3] = ["weights.safetensors", "first_moments.safetensors", "second_moments.safetensors"];

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    format: u32,
    /// The run that it belongs to.
    pub(crate) id: String,
    /// Steps taken. The place in the text and the schedule follow from it.
    pub(crate) step: u64,
    /// Seconds of training so far.
    pub(crate) seconds: f64,
    /// SHA-256 of each of the files, in the order of [`FILES`].
    sha256: [String; 3],
}

/// Writes a checkpoint; it appears whole or not at all.
pub(crate) fn save<B: Backend>(
    path: &Path,
    decoder: &Decoder<B>,
    weights: &B::Buffer,
    optimizer: &Optimizer<B>,
    id: &str,
    seconds: f64,
) -> Result<()> {
    let folder = NewFolder::create(path, Existing::Replace)?;
    let (first, second) = optimizer.moments();
    let mut sha256 = [const { String::new() }; 3];
    for ((name, buffer), hash) in FILES.iter().zip([weights, first, second]).zip(&mut sha256) {
        let file = folder.path().join(name);
        let plan =
            decoder.layout().tensors.iter().map(|(tensor, _)| Planned::new(tensor, Dtype::F32)).collect();
        let mut writer = Writer::create(&file, plan)?;
        let mut values = Vec::new();
        for (tensor, offset) in &decoder.layout().tensors {
            values.resize(tensor.len(), 0.0);
            decoder.backend().download(buffer, *offset, &mut values)?;
            writer.write_f32(&values)?;
        }
        writer.commit()?;
        *hash = disk::sha256(&file)?;
    }
    let state = State { format: FORMAT, id: id.into(), step: optimizer.steps(), seconds, sha256 };
    let json = serde_json::to_vec_pretty(&state).expect("a state is numbers and text");
    disk::write(&folder.path().join(STATE), &json)?;
    Ok(folder.commit()?)
}

/// Reads a checkpoint of run `id` into `weights` and `optimizer`.
///
/// # Errors
/// [`Error::Checkpoint`] if it is damaged or of another run; the buffers may then hold a part of it.
pub(crate) fn load<B: Backend>(
    path: &Path,
    decoder: &Decoder<B>,
    weights: &mut B::Buffer,
    optimizer: &mut Optimizer<B>,
    id: &str,
) -> Result<State> {
    let refuse = |reason: String| Error::Checkpoint { path: path.to_path_buf(), reason };
    let json = disk::read(&path.join(STATE), 1 << 16)?;
    let state: State =
        serde_json::from_slice(&json).map_err(|error| refuse(format!("`{STATE}`: {error}")))?;
    if state.format != FORMAT {
        return Err(refuse(format!("it has format {}, expected {FORMAT}", state.format)));
    }
    if state.id != id {
        return Err(refuse(format!("it belongs to run {}, expected {id}", state.id)));
    }
    if !(state.seconds >= 0.0 && state.seconds.is_finite()) {
        return Err(refuse(format!("`seconds` is {}, expected 0 or more", state.seconds)));
    }
    let mut read = Vec::new();
    for (name, expected) in FILES.iter().zip(&state.sha256) {
        let file = path.join(name);
        let found = disk::sha256(&file)?;
        if found != *expected {
            return Err(refuse(format!("`{name}` has SHA-256 {found}, expected {expected}")));
        }
        let tensors = SafeTensors::open(&file)?;
        let mut values = vec![0.0; decoder.layout().len];
        for (tensor, offset) in &decoder.layout().tensors {
            let view = tensors.tensor(&tensor.name)?;
            if view.shape != tensor.shape {
                return Err(refuse(format!(
                    "`{}` is {:?}, expected {:?}",
                    tensor.name, view.shape, tensor.shape
                )));
            }
            let target = &mut values[*offset..offset + tensor.len()];
            let not_finite = |at| refuse(format!("`{}` is not finite at element {at}", tensor.name));
            view.to_f32(target).map_err(not_finite)?;
        }
        read.push(values);
    }
    decoder.backend().upload(&read[0], weights, 0)?;
    optimizer.restore(decoder.backend(), &read[1], &read[2], state.step)?;
    Ok(state)
}
