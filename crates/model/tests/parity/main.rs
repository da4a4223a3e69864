//! Our network, its loss and gradients against PyTorch's, on the models of `testdata/parity`.

#![allow(clippy::unwrap_used)]

mod golden;

use std::path::Path;

use golden::{Loaded, cases, floats, integers, largest_difference};
use model::backend::Backend;
use model::backend::cpu::Cpu;
use model::batch::Batch;
use model::decoder::GradientTarget;
use model::testing::{Copies, Opaque};

const LOGITS: f64 = 1e-5;
const LOSS: f64 = 1e-5;
/// Largest difference over the largest value of a tensor.
const GRADIENT: f64 = 1e-4;

/// Prints the differences and holds them to the tolerances.
fn check<B: Backend>(machine: B, case: &Path) {
    let loaded = Loaded::new(machine, case);
    let (golden, Loaded { name, decoder, weights, batch, vocabulary, .. }) =
        (loaded.golden(), &loaded);
    let backend = decoder.backend();
    let mut space = decoder.workspace().unwrap();

    let (positions, _) = integers(&golden, "positions");
    let expected = floats(&golden, "logits");
    let mut logits = 0.0_f64;
    for (&position, expected) in positions.iter().zip(expected.chunks_exact(*vocabulary)) {
        let position = position as usize;
        let found = decoder.logits(weights, batch, position..position + 1, &mut space).unwrap();
        logits = logits.max(largest_difference(found.into_iter().map(f64::from), expected));
    }

    let counted = batch.predicted() as f64;
    // Whatever the buffer held must not show.
    let mut gradients = backend.allocate(decoder.layout().elements()).unwrap();
    backend.upload(&vec![f32::NAN; decoder.layout().elements()], &mut gradients, 0).unwrap();
    let sum = decoder
        .gradients(
            weights,
            batch,
            1.0 / counted,
            GradientTarget::new(&mut gradients, false),
            &mut space,
        )
        .unwrap();
    let loss = (sum / counted - floats(&golden, "loss")[0]).abs();
    // Forward alone, after a training pass on the same workspace, gives the same losses.
    let losses = decoder.losses(weights, batch, &mut space).unwrap();
    assert_eq!(losses.iter().sum::<f64>(), sum, "{name}");

    let mut worst = (0.0, "");
    for (tensor, offset) in decoder.layout().tensors() {
        let expected = floats(&golden, &format!("grad.{}", tensor.name));
        let mut found = vec![0.0; tensor.len()];
        backend.download(&gradients, *offset, &mut found).unwrap();
        let found = found.into_iter().map(f64::from);
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
    cases().iter().for_each(|case| check(Cpu::<f32>::new(), case));
}

#[test]
fn double_precision_agrees_with_pytorch() {
    cases().iter().for_each(|case| check(Cpu::<f64>::new(), case));
}

#[test]
fn a_machine_whose_memory_is_closed_agrees_with_pytorch() {
    cases().iter().for_each(|case| check(Opaque::<f32>::new(), case));
}

#[test]
fn a_pass_copies_tokens_targets_positions_and_sequences_once_and_losses_stay() {
    for case in cases() {
        let machine = Opaque::<f32>::new();
        let Loaded { decoder, weights, batch, .. } = Loaded::new(machine.clone(), &case);
        let mut gradients = machine.allocate(decoder.layout().elements()).unwrap();
        for mut space in [decoder.workspace().unwrap(), decoder.recomputing_workspace().unwrap()] {
            machine.copies();
            let target = GradientTarget::new(&mut gradients, false);
            decoder.gradients(&weights, &batch, 1.0, target, &mut space).unwrap();
            assert_eq!(machine.copies(), Copies { up: 4, down: 0 }, "{case:?}");
            decoder.losses(&weights, &batch, &mut space).unwrap();
            assert_eq!(machine.copies(), Copies { up: 4, down: 1 }, "{case:?}");
        }
    }
}

#[test]
fn micro_batches_add_up_to_the_loss_and_gradients_of_the_whole_batch() {
    let loaded = Loaded::new(Cpu::<f64>::new(), &cases()[0]);
    let Loaded { decoder, weights, batch: whole, .. } = &loaded;
    let backend = decoder.backend();
    let run = |micro: usize| {
        let mut gradients = backend.allocate(decoder.layout().elements()).unwrap();
        let mut space = decoder.workspace().unwrap();
        let mut loss = 0.0;
        for sequences in whole.sequences().chunks(micro) {
            let mut part = Batch::new();
            for rows in sequences {
                part.push(&whole.tokens()[rows.clone()], &whole.targets()[rows.clone()]);
            }
            let target = GradientTarget::new(&mut gradients, true);
            loss += decoder.gradients(weights, &part, 1e-3, target, &mut space).unwrap();
        }
        (loss, gradients)
    };
    let (one, parts) = (run(whole.sequences().len()), run(1));
    assert!((one.0 - parts.0).abs() <= 1e-12 * one.0);
    let largest = one.1.iter().fold(0.0_f64, |largest, value| largest.max(value.abs()));
    assert!(largest_difference(parts.1, &one.1) <= 1e-12 * largest);
}
