//! What PyTorch computed for the models of `testdata/parity`.

use std::fs;
use std::path::{Path, PathBuf};

use model::backend::{Backend, IGNORED, Scalar};
use model::batch::Batch;
use model::decoder::Decoder;
use model::folder::ModelFolder;
use model::weights;
use safetensors::SafeTensors;

/// A case, loaded on a machine.
pub(crate) struct Loaded<B: Backend> {
    /// The case and the precision, for messages.
    pub(crate) name: String,
    pub(crate) decoder: Decoder<B>,
    pub(crate) weights: B::Weights,
    pub(crate) batch: Batch,
    pub(crate) vocabulary: usize,
    bytes: Vec<u8>,
}

impl<B: Backend> Loaded<B> {
    pub(crate) fn new(machine: B, case: &Path) -> Self {
        let case_name = case.file_name().unwrap().to_str().unwrap();
        let bytes = fs::read(case.join("golden.safetensors")).unwrap();
        let batch = batch(&SafeTensors::deserialize(&bytes).unwrap());
        let folder = ModelFolder::open(case).unwrap();
        let longest = batch.sequences()[0].len();
        let decoder = Decoder::new(machine, folder.config(), longest).unwrap();
        let weights = weights::load(&folder, decoder.backend()).unwrap();
        let name = format!("{case_name} in {}", B::Scalar::NAME);
        Self { name, weights, decoder, batch, vocabulary: folder.config().vocab_size(), bytes }
    }

    /// What PyTorch computed.
    pub(crate) fn golden(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes).unwrap()
    }
}

/// The folders of all cases.
pub(crate) fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/parity");
    let mut cases: Vec<PathBuf> = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    cases.sort();
    assert_eq!(cases.len(), 5, "{cases:?}");
    cases
}

/// The numbers of a tensor, in f64.
pub(crate) fn floats(tensors: &SafeTensors<'_>, name: &str) -> Vec<f64> {
    let tensor = tensors.tensor(name).unwrap();
    match tensor.dtype() {
        safetensors::Dtype::F32 => tensor
            .data()
            .chunks_exact(4)
            .map(|bytes| f64::from(f32::from_le_bytes(bytes.try_into().unwrap())))
            .collect(),
        safetensors::Dtype::F64 => tensor
            .data()
            .chunks_exact(8)
            .map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap()))
            .collect(),
        other => panic!("`{name}` is {other:?}"),
    }
}

/// The numbers of a tensor, and its shape.
pub(crate) fn integers(tensors: &SafeTensors<'_>, name: &str) -> (Vec<i32>, Vec<usize>) {
    let tensor = tensors.tensor(name).unwrap();
    let values = tensor
        .data()
        .chunks_exact(4)
        .map(|bytes| i32::from_le_bytes(bytes.try_into().unwrap()))
        .collect();
    (values, tensor.shape().to_vec())
}

/// The sequences that every case was computed on.
fn batch(tensors: &SafeTensors<'_>) -> Batch {
    let (inputs, shape) = integers(tensors, "inputs");
    let (targets, _) = integers(tensors, "targets");
    let mut batch = Batch::new();
    for (inputs, targets) in inputs.chunks_exact(shape[1]).zip(targets.chunks_exact(shape[1])) {
        let inputs: Vec<u32> = inputs.iter().map(|&id| id as u32).collect();
        let targets: Vec<u32> =
            targets.iter().map(|&id| if id < 0 { IGNORED } else { id as u32 }).collect();
        batch.push(&inputs, &targets);
    }
    batch
}

/// The largest difference of two lists; a NaN is infinitely far.
pub(crate) fn largest_difference(found: impl IntoIterator<Item = f64>, expected: &[f64]) -> f64 {
    let found: Vec<f64> = found.into_iter().collect();
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).fold(0.0, |largest, (found, expected)| {
        let difference = (found - expected).abs();
        // A NaN must not hide behind `max`.
        if difference.is_nan() { f64::INFINITY } else { largest.max(difference) }
    })
}
