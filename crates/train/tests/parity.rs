//! Ten steps of our AdamW against PyTorch's, on the models of `testdata/parity`.

#![allow(clippy::unwrap_used)]

#[path = "../../model/tests/parity/golden.rs"]
#[allow(dead_code)]
mod golden;

use std::fs;
use std::path::Path;

use golden::{Loaded, cases, floats, largest_difference};
use ledger::AdamW;
use model::backend::Backend;
use model::backend::cpu::Cpu;
use model::decoder::GradientTarget;
use model::testing::Opaque;
use train::Optimizer;

const CURVE: f64 = 1e-5;
const NORMS: f64 = 1e-4;

/// Prints the differences and holds them to the tolerances.
fn check<B: Backend>(machine: B, case: &Path) {
    let mut loaded = Loaded::new(machine, case);
    let [expected_curve, expected_norms] =
        ["curve", "grad_norm"].map(|tensor| floats(&loaded.golden(), tensor));
    let Loaded { name, decoder, weights, batch, .. } = &mut loaded;
    let backend = decoder.backend();
    let mut space = decoder.workspace().unwrap();

    let counted = batch.predicted() as f64;
    let mut gradients = backend.allocate(decoder.layout().elements()).unwrap();
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
        let loss = decoder
            .gradients(
                weights,
                batch,
                1.0 / counted,
                GradientTarget::new(&mut gradients, false),
                &mut space,
            )
            .unwrap();
        curve.push(loss / counted);
        let norm = optimizer.norm(backend, &gradients).unwrap();
        norms.push(norm);
        optimizer.step(backend, weights, &gradients, norm, settings.learning_rate).unwrap();
    }
    let curve = largest_difference(curve, &expected_curve);
    let norms = largest_difference(norms, &expected_norms);
    println!("{name}: curve {curve:.1e}, norms {norms:.1e}");
    assert!(curve <= CURVE && norms <= NORMS, "{name}");
}

#[test]
fn ten_steps_in_single_precision_agree_with_pytorch() {
    cases().iter().for_each(|case| check(Cpu::<f32>::new(), case));
}

#[test]
fn ten_steps_in_double_precision_agree_with_pytorch() {
    cases().iter().for_each(|case| check(Cpu::<f64>::new(), case));
}

#[test]
fn ten_steps_on_a_machine_whose_memory_is_closed_agree_with_pytorch() {
    cases().iter().for_each(|case| check(Opaque::<f32>::new(), case));
}
