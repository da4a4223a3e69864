//! Checkpoints: weights, moments and the position in the run. A checkpoint is written to a
//! temporary folder, checksummed, and then renamed into place.

use std::path::{Path, PathBuf};

use disk::kinds::CHECKPOINT;
use disk::{Existing, NewFolder};
use ledger::{EarlierRun, Format, FormatHeader, RunSpec, Sha256};
use model::backend::Backend;
use model::decoder::Decoder;
use model::layout::Layout;
use model::safetensors::{Dtype, Planned, SafeTensors, Writer};
use serde::{Deserialize, Serialize};

use crate::Optimizer;
use crate::error::{Error, Result};

const FORMAT: Format<2> = Format;
const STATE: &str = "state.json";
const FILES: [&str; 3] =
    ["weights.safetensors", "first_moments.safetensors", "second_moments.safetensors"];

/// How many numbers are copied at once.
const PIECE: usize = 1 << 16;

/// The position of a run, stored as `state.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    format: Format<2>,
    /// The id of the run.
    pub(crate) id: String,
    /// Steps taken. The position in the text, its order, the schedule and the length of the curve
    /// follow from it.
    pub(crate) step: u64,
    /// Seconds of training so far.
    pub(crate) seconds: f64,
    /// SHA-256 of each of the files, in the order of [`FILES`].
    sha256: [String; 3],
    /// SHA-256 of this state, computed with this field empty.
    own: String,
}

impl State {
    fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("a state is numbers and text")
    }

    fn checksum(&self) -> String {
        let bare = Self { own: String::new(), ..self.clone() };
        Sha256::of(bare.to_json()).to_string()
    }
}

/// What a checkpoint contains. None of it changes while gradients are computed, so both can run at
/// the same time.
pub(crate) struct Moment<'a, B: Backend> {
    pub(crate) decoder: &'a Decoder<B>,
    pub(crate) weights: &'a B::Weights,
    pub(crate) optimizer: &'a Optimizer<B>,
    pub(crate) id: &'a str,
    pub(crate) seconds: f64,
}

/// Copies numbers from an offset of an array on the machine.
type Download<'a> = dyn Fn(usize, &mut [f32]) -> model::Result<()> + 'a;

/// Writes a checkpoint. The folder appears complete or not at all.
pub(crate) fn save<B: Backend>(path: &Path, moment: &Moment<'_, B>) -> Result<()> {
    let Moment { decoder, weights, optimizer, id, seconds } = *moment;
    let folder = NewFolder::create(path, Existing::Own, &CHECKPOINT)?;
    let (backend, (first, second)) = (decoder.backend(), optimizer.moments());
    let downloads: [&Download<'_>; 3] = [
        &|offset, values| backend.download_weights(weights, offset, values),
        &|offset, values| backend.download(first, offset, values),
        &|offset, values| backend.download(second, offset, values),
    ];
    let mut sha256 = [const { String::new() }; 3];
    for ((name, download), hash) in FILES.iter().zip(downloads).zip(&mut sha256) {
        let file = folder.path().join(name);
        let plan = decoder
            .layout()
            .tensors()
            .iter()
            .map(|(tensor, _)| Planned::new(tensor, Dtype::F32))
            .collect();
        let mut writer = Writer::hashing(&file, plan)?;
        let mut values = Vec::new();
        for (tensor, offset) in decoder.layout().tensors() {
            // An embedding may be a third of a model, so a whole tensor would need much extra
            // memory.
            for start in (0..tensor.len()).step_by(PIECE) {
                values.resize(PIECE.min(tensor.len() - start), 0.0);
                download(offset + start, &mut values)?;
                writer.write_f32(&values)?;
            }
        }
        // Of the bytes as they were given to the file: what then stands on disk is held against it
        // when the checkpoint is read.
        *hash = writer.commit_hashed()?.to_string();
    }
    let step = optimizer.steps();
    let mut state =
        State { format: FORMAT, id: id.into(), step, seconds, sha256, own: String::new() };
    state.own = state.checksum();
    disk::write(&folder.path().join(STATE), &state.to_json())?;
    Ok(folder.commit()?)
}

/// The ids that a checkpoint of a run may carry: its own, and those from before it was extended.
pub(crate) fn ids(spec: &RunSpec, earlier: &[EarlierRun]) -> Vec<String> {
    std::iter::once(spec.id()).chain(earlier.iter().map(|was| was.id.clone())).collect()
}

/// Reads the checkpoint after `step` of a run that has or had one of `ids` into `weights` and
/// `optimizer`.
///
/// # Errors
/// [`Error::Checkpoint`] if a part is missing, damaged or of another run. The buffers may then hold
/// a part of the checkpoint.
pub(crate) fn load<B: Backend>(
    path: &Path,
    decoder: &Decoder<B>,
    weights: &mut B::Weights,
    optimizer: &mut Optimizer<B>,
    (ids, step): (&[String], u64),
) -> Result<State> {
    let checkpoint = Checkpoint { path };
    let state = checkpoint.state(ids, step)?;
    // Check all hashes first: the buffers change only after every file has passed.
    let files: Vec<SafeTensors> =
        (0..FILES.len()).map(|number| checkpoint.open(&state, number)).collect::<Result<_>>()?;
    let (backend, (first, second)) = (decoder.backend(), optimizer.restore(step));
    let uploads: [&mut Upload<'_>; 3] = [
        &mut |values, offset| backend.upload_weights(values, weights, offset),
        &mut |values, offset| backend.upload(values, first, offset),
        &mut |values, offset| backend.upload(values, second, offset),
    ];
    for (file, upload) in files.iter().zip(uploads) {
        checkpoint.read(file, decoder.layout(), upload)?;
    }
    Ok(state)
}

/// The weights of a run's checkpoint after `step`. `earlier` is what the run was before it was
/// extended.
///
/// # Errors
/// [`Error::Checkpoint`] if they are missing, damaged or of another run.
pub fn checkpoint_weights<B: Backend>(
    path: &Path,
    decoder: &Decoder<B>,
    (spec, earlier): (&RunSpec, &[EarlierRun]),
    step: u64,
) -> Result<B::Weights> {
    let checkpoint = Checkpoint { path };
    let file = checkpoint.open(&checkpoint.state(&ids(spec, earlier), step)?, 0)?;
    let mut weights = decoder.backend().allocate_weights(decoder.layout().elements())?;
    let backend = decoder.backend();
    checkpoint.read(&file, decoder.layout(), &mut |values, offset| {
        backend.upload_weights(values, &mut weights, offset)
    })?;
    Ok(weights)
}

/// Checks that a run's checkpoint after `step` is whole. `earlier` is what the run was before it
/// was extended.
///
/// # Errors
/// [`Error::Checkpoint`] if a part is missing, damaged or of another run.
pub fn verify_checkpoint(
    path: &Path,
    (spec, earlier): (&RunSpec, &[EarlierRun]),
    step: u64,
) -> Result<()> {
    let checkpoint = Checkpoint { path };
    let state = checkpoint.state(&ids(spec, earlier), step)?;
    (0..FILES.len()).try_for_each(|number| checkpoint.open(&state, number).map(drop))
}

/// Copies numbers to their place in the backend's memory.
type Upload<'a> = dyn FnMut(&[f32], usize) -> model::Result<()> + 'a;

/// A checkpoint to read. Every problem becomes [`Error::Checkpoint`], so that the caller can try
/// another checkpoint.
struct Checkpoint<'a> {
    path: &'a Path,
}

impl Checkpoint<'_> {
    fn refuse(&self, reason: impl ToString) -> Error {
        Error::Checkpoint { path: PathBuf::from(self.path), reason: reason.to_string() }
    }

    fn state(&self, ids: &[String], step: u64) -> Result<State> {
        let json =
            // A state is below 1 KiB; the limit keeps a wrong file from filling memory.
            disk::read(&self.path.join(STATE), 1 << 16).map_err(|error| self.refuse(error))?;
        let refuse = |reason: String| Err(self.refuse(format!("`{STATE}`: {reason}")));
        let header: FormatHeader = match serde_json::from_slice(&json) {
            Ok(header) => header,
            Err(error) => return refuse(error.to_string()),
        };
        if let Err(other) = header.require(FORMAT) {
            return refuse(format!(
                "it has format {}, expected {}",
                other.found(),
                other.expected()
            ));
        }
        let state: State = match serde_json::from_slice(&json) {
            Ok(state) => state,
            Err(error) => return refuse(error.to_string()),
        };
        // The second comparison finds changes that parse to the same values, such as added spaces.
        if state.own != state.checksum() || state.to_json() != json {
            return refuse("it is not as it was written".into());
        }
        if !ids.contains(&state.id) {
            return refuse(format!("it belongs to run {}, expected {}", state.id, ids[0]));
        }
        if state.step != step {
            return refuse(format!("it was written after step {}, expected {step}", state.step));
        }
        Ok(state)
    }

    fn open(&self, state: &State, number: usize) -> Result<SafeTensors> {
        let (file, expected) = (self.path.join(FILES[number]), &state.sha256[number]);
        let found = disk::sha256(&file).map_err(|error| self.refuse(error))?.to_string();
        if found != *expected {
            return Err(self
                .refuse(format!("`{}` has SHA-256 {found}, expected {expected}", FILES[number])));
        }
        SafeTensors::open(&file).map_err(|error| self.refuse(error))
    }

    /// Passes every tensor of a file to `upload`, with its offset in the layout.
    fn read(&self, file: &SafeTensors, layout: &Layout, upload: &mut Upload<'_>) -> Result<()> {
        let mut values = Vec::new();
        for (tensor, offset) in layout.tensors() {
            let view = file.tensor(&tensor.name).map_err(|error| self.refuse(error))?;
            if view.shape != tensor.shape {
                let Planned { name, shape, .. } = Planned::new(tensor, Dtype::F32);
                return Err(
                    self.refuse(format!("`{name}` is {:?}, expected {shape:?}", view.shape))
                );
            }
            values.resize(tensor.len(), 0.0);
            let not_finite =
                |at| self.refuse(format!("`{}` is not finite at element {at}", tensor.name));
            view.to_f32(&mut values).map_err(not_finite)?;
            upload(&values, *offset)?;
        }
        Ok(())
    }
}
