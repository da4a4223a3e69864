//! Our network, loss, gradients and AdamW against PyTorch's, on the models of `testdata/parity`.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use ledger::AdamW;
use model::backend::cpu::{Cpu, Engine};
use model::backend::{Backend, IGNORED};
use model::batch::Batch;
use model::decoder::{Decoder, Target};
use model::folder::ModelFolder;
use model::weights;
use model::workspace::Workspace;
use safetensors::SafeTensors;
use train::Optimizer;

const LOGITS: f64 = 1e-5;
const LOSS: f64 = 1e-5;
/// Largest difference over the largest value of a tensor.
const GRADIENT: f64 = 1e-4;
const CURVE: f64 = 1e-5;

fn cases() -> Vec<PathBuf> {
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

fn floats(tensors: &SafeTensors<'_>, name: &str) -> Vec<f64> {
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

fn integers(tensors: &SafeTensors<'_>, name: &str) -> (Vec<i32>, Vec<usize>) {
    let tensor = tensors.tensor(name).unwrap();
    let values = tensor
        .data()
        .chunks_exact(4)
        .map(|bytes| i32::from_le_bytes(bytes.try_into().unwrap()))
        .collect();
    (values, tensor.shape().to_vec())
}

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

fn largest_difference(found: impl IntoIterator<Item = f64>, expected: &[f64]) -> f64 {
    let found: Vec<f64> = found.into_iter().collect();
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).fold(0.0, |largest, (found, expected)| {
        let difference = (found - expected).abs();
        // A NaN must not hide behind `max`.
        if difference.is_nan() { f64::INFINITY } else { largest.max(difference) }
    })
}

/// Prints the differences and holds them to the tolerances.
fn check<T: Engine>(case: &Path) {
    let name = format!("{} in {}", case.file_name().unwrap().to_str().unwrap(), T::NAME);
    let bytes = fs::read(case.join("golden.safetensors")).unwrap();
    let golden = SafeTensors::deserialize(&bytes).unwrap();
    let folder = ModelFolder::open(case).unwrap();
    let batch = batch(&golden);
    let length = batch.sequences()[0].len();
    let decoder = Decoder::new(Cpu::<T>::new(), folder.config(), length).unwrap();
    let backend = decoder.backend();
    let mut weights = weights::load(&folder, backend).unwrap();
    let mut space = Workspace::new(&decoder).unwrap();

    let vocabulary = folder.config().vocab_size();
    let (positions, _) = integers(&golden, "positions");
    let expected = floats(&golden, "logits");
    let mut logits = 0.0_f64;
    for (&position, expected) in positions.iter().zip(expected.chunks_exact(vocabulary)) {
        let position = position as usize;
        let found = decoder.logits(&weights, &batch, position..position + 1, &mut space).unwrap();
        logits = logits.max(largest_difference(found.into_iter().map(f64::from), expected));
    }

    let counted = batch.predicted() as f64;
    let mut gradients = vec![T::from_f64(f64::NAN); decoder.layout().len];
    let losses = decoder
        .gradients(
            &weights,
            &batch,
            1.0 / counted,
            Target { buffer: &mut gradients, add: false },
            &mut space,
        )
        .unwrap();
    let loss = (losses.iter().sum::<f64>() / counted - floats(&golden, "loss")[0]).abs();
    // Forward alone, after a training pass on the same workspace, gives the same losses.
    assert_eq!(decoder.losses(&weights, &batch, &mut space).unwrap(), losses, "{name}");

    let mut worst = (0.0, "");
    for (tensor, offset) in &decoder.layout().tensors {
        let expected = floats(&golden, &format!("grad.{}", tensor.name));
        let found = gradients[*offset..offset + tensor.len()].iter().map(|value| value.to_f64());
        let largest = expected.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
        let share = largest_difference(found, &expected) / largest;
        assert!(share <= GRADIENT, "{name}: gradient of `{}` is off by {share:e}", tensor.name);
        if share > worst.0 {
            worst = (share, &tensor.name);
        }
    }

    let json: serde_json::Value =
        serde_json::from_slice(&fs::read(case.join("golden.json")).unwrap()).unwrap();
    let constant = |key: &str| json["adamw"][key].as_f64().unwrap();
    let settings = AdamW {
        learning_rate: constant("learning_rate"),
        beta1: constant("beta1"),
        beta2: constant("beta2"),
        epsilon: constant("epsilon"),
        weight_decay: constant("weight_decay"),
        clip_norm: constant("clip"),
    };
    let mut optimizer = Optimizer::new(backend, decoder.layout(), &settings).unwrap();
    let (mut curve, mut norms) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        let losses = decoder
            .gradients(
                &weights,
                &batch,
                1.0 / counted,
                Target { buffer: &mut gradients, add: false },
                &mut space,
            )
            .unwrap();
        curve.push(losses.iter().sum::<f64>() / counted);
        let norm = optimizer.norm(backend, &gradients).unwrap();
        norms.push(norm);
        optimizer.step(backend, &mut weights, &gradients, norm, settings.learning_rate).unwrap();
    }
    let curve = largest_difference(curve, &floats(&golden, "curve"));
    let norms = largest_difference(norms, &floats(&golden, "grad_norm"));
    println!(
        "{name}: logits {logits:.1e}, loss {loss:.1e}, worst gradient {:.1e} (`{}`), curve {curve:.1e}, norms {norms:.1e}",
        worst.0, worst.1
    );
    assert!(logits <= LOGITS && loss <= LOSS && curve <= CURVE && norms <= 1e-4, "{name}");
}

#[test]
fn single_precision_agrees_with_pytorch() {
    cases().iter().for_each(|case| check::<f32>(case));
}

#[test]
fn double_precision_agrees_with_pytorch() {
    cases().iter().for_each(|case| check::<f64>(case));
}

#[test]
fn micro_batches_add_up_to_the_loss_and_gradients_of_the_whole_batch() {
    let case = &cases()[0];
    let bytes = fs::read(case.join("golden.safetensors")).unwrap();
    let whole = batch(&SafeTensors::deserialize(&bytes).unwrap());
    let folder = ModelFolder::open(case).unwrap();
    let decoder =
        Decoder::new(Cpu::<f64>::new(), folder.config(), whole.sequences()[0].len()).unwrap();
    let backend = decoder.backend();
    let weights = weights::load(&folder, backend).unwrap();
    let run = |micro: usize| {
        let mut gradients = backend.allocate(decoder.layout().len).unwrap();
        let mut space = Workspace::new(&decoder).unwrap();
        let mut loss = 0.0;
        for sequences in whole.sequences().chunks(micro) {
            let mut part = Batch::new();
            for rows in sequences {
                part.push(&whole.tokens()[rows.clone()], &whole.targets()[rows.clone()]);
            }
            let target = Target { buffer: &mut gradients, add: true };
            let losses = decoder.gradients(&weights, &part, 1e-3, target, &mut space).unwrap();
            loss += losses.iter().sum::<f64>();
        }
        (loss, gradients)
    };
    let (one, parts) = (run(whole.sequences().len()), run(1));
    assert!((one.0 - parts.0).abs() <= 1e-12 * one.0);
    let largest = one.1.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    assert!(largest_difference(parts.1, &one.1) <= 1e-12 * largest);
}
