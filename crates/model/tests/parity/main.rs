//! Our network, its loss and gradients against PyTorch's, on the models of `testdata/parity`.

#![allow(clippy::unwrap_used)]

mod golden;

use std::fs;
use std::path::Path;

use golden::{batch, cases, floats, integers, largest_difference};
use model::backend::Backend;
use model::backend::cpu::{Cpu, Engine};
use model::batch::Batch;
use model::decoder::{Decoder, Target};
use model::folder::ModelFolder;
use model::weights;
use safetensors::SafeTensors;

const LOGITS: f64 = 1e-5;
const LOSS: f64 = 1e-5;
/// Largest difference over the largest value of a tensor.
const GRADIENT: f64 = 1e-4;

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
    let weights = weights::load(&folder, backend).unwrap();
    let mut space = decoder.workspace().unwrap();

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
    println!(
        "{name}: logits {logits:.1e}, loss {loss:.1e}, worst gradient {:.1e} (`{}`)",
        worst.0, worst.1
    );
    assert!(logits <= LOGITS && loss <= LOSS, "{name}");
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
        let mut space = decoder.workspace().unwrap();
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
