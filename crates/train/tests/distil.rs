//! Distillation against PyTorch: losses, gradients and ten steps with the same teacher, on the
//! models of `testdata/distil`. `REGROW_DISTIL_LARGE` names a folder of larger cases, made by
//! `testdata/distil/make.py --large`.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

#[path = "../../model/tests/parity/golden.rs"]
#[allow(dead_code)]
mod golden;

use std::fs;
use std::path::{Path, PathBuf};

use golden::{Loaded, floats, largest_difference};
use ledger::AdamW;
use model::backend::cpu::Cpu;
use model::backend::{Backend, Mixture};
use model::decoder::{Decoder, GradientTarget};
use model::folder::ModelFolder;
use model::lesson::Lesson;
use model::testing::Opaque;
use model::weights;
use train::Optimizer;

const CURVE: f64 = 2e-5;

/// Relative to the largest gradient of a tensor.
#[derive(Clone, Copy)]
struct Tolerance {
    loss: f64,
    gradient: f64,
}

const DOUBLE: Tolerance = Tolerance { loss: 1e-10, gradient: 1e-6 };
const SINGLE: Tolerance = Tolerance { loss: 1e-5, gradient: 1e-4 };

const SETTINGS: [(&str, f64, f64); 3] =
    [("distil-1", 1.0, 1.0), ("distil-2", 1.0, 2.0), ("mix-2", 0.3, 2.0)];

fn cases() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/distil");
    ["tied-512", "untied-600"].map(|name| root.join(name)).to_vec()
}

/// A student and its teacher, on one machine.
struct Pair<B: Backend> {
    student: Loaded<B>,
    teacher: Decoder<B>,
    teacher_weights: B::Weights,
}

impl<B: Backend> Pair<B> {
    fn new(machine: impl Fn() -> B, case: &Path) -> Self {
        let student = Loaded::new(machine(), case);
        let folder = ModelFolder::open(&case.join("teacher")).unwrap();
        let teacher = Decoder::new(machine(), folder.config(), student.decoder.longest()).unwrap();
        let teacher_weights = weights::load(&folder, teacher.backend()).unwrap();
        Pair { student, teacher, teacher_weights }
    }
}

/// Compares loss and gradients, then ten steps.
fn check<B: Backend>(machine: impl Fn() -> B, case: &Path, tolerance: Tolerance) {
    for (setting, weight, temperature) in SETTINGS {
        let Pair { mut student, teacher, teacher_weights } = Pair::new(&machine, case);
        let expected = |tensor: String| floats(&student.golden(), &tensor);
        let loss = expected(format!("loss.{setting}"))[0];
        let curve = expected(format!("curve.{setting}"));
        let layout = student.decoder.layout().clone();
        let expected_gradients: Vec<Vec<f64>> = layout
            .tensors()
            .iter()
            .map(|(tensor, _)| expected(format!("grad.{setting}.{}", tensor.name)))
            .collect();
        let Loaded { name, decoder, weights, batch, .. } = &mut student;
        let backend = decoder.backend();
        let counted = batch.predicted() as f64;
        let (mut space, mut teacher_space) =
            (decoder.workspace().unwrap(), teacher.workspace().unwrap());
        let mut gradients = backend.allocate(layout.elements()).unwrap();
        let mut step = |weights: &B::Weights, gradients: &mut B::Buffer| {
            let space_of_teacher = &mut teacher_space;
            let mut lesson = Lesson::Network {
                decoder: &teacher,
                weights: &teacher_weights,
                space: space_of_teacher,
            };
            let taught = (&mut lesson, Mixture::new(weight, temperature));
            let target = GradientTarget::new(gradients, false);
            let nats =
                decoder.taught_gradients(weights, batch, taught, 1.0 / counted, target, &mut space);
            nats.unwrap() / counted
        };
        let found = step(weights, &mut gradients);
        let of_loss = ((found - loss) / loss).abs();
        let mut of_gradient = 0.0_f64;
        for ((tensor, offset), expected) in layout.tensors().iter().zip(&expected_gradients) {
            let mut values = vec![0.0; tensor.len()];
            backend.download(&gradients, *offset, &mut values).unwrap();
            let largest = expected.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
            let found = largest_difference(values.into_iter().map(f64::from), expected) / largest;
            assert!(found <= tolerance.gradient, "{name} {setting}: `{}` {found:e}", tensor.name);
            of_gradient = of_gradient.max(found);
        }
        let of_curve = largest_difference(ten_steps(backend, weights, &layout, &mut step), &curve);
        println!(
            "{name} {setting}: loss {of_loss:.1e} gradient {of_gradient:.1e} ten steps {of_curve:.1e}"
        );
        assert!(of_loss <= tolerance.loss && of_curve <= CURVE, "{name} {setting}");
    }
}

/// The losses before each of ten steps of AdamW.
fn ten_steps<B: Backend>(
    backend: &B,
    weights: &mut B::Weights,
    layout: &model::layout::Layout,
    step: &mut dyn FnMut(&B::Weights, &mut B::Buffer) -> f64,
) -> Vec<f64> {
    let settings = AdamW {
        learning_rate: 5e-3,
        beta1: 0.9,
        beta2: 0.95,
        epsilon: 1e-8,
        weight_decay: 0.1,
        clip_norm: 1.0,
    };
    let mut optimizer = Optimizer::new(backend, layout, &settings).unwrap();
    let mut gradients = backend.allocate(layout.elements()).unwrap();
    (0..10)
        .map(|_| {
            let loss = step(weights, &mut gradients);
            let norm = optimizer.norm(backend, &gradients).unwrap();
            optimizer.step(backend, weights, &gradients, norm, settings.learning_rate).unwrap();
            loss
        })
        .collect()
}

#[test]
fn distillation_in_double_precision_agrees_with_pytorch() {
    cases().iter().for_each(|case| check(Cpu::<f64>::new, case, DOUBLE));
}

#[test]
fn distillation_in_single_precision_agrees_with_pytorch() {
    cases().iter().for_each(|case| check(Cpu::<f32>::new, case, SINGLE));
}

#[test]
fn distillation_on_a_machine_whose_memory_is_closed_agrees_with_pytorch() {
    cases().iter().for_each(|case| check(Opaque::<f32>::new, case, SINGLE));
}

#[test]
fn distillation_with_large_vocabularies_agrees_with_pytorch() {
    let Some(root) = std::env::var_os("REGROW_DISTIL_LARGE") else {
        eprintln!(
            "skipped: distillation_with_large_vocabularies_agrees_with_pytorch: \
             `REGROW_DISTIL_LARGE` names no folder"
        );
        return;
    };
    let mut cases: Vec<_> =
        fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    assert!(!cases.is_empty());
    for case in &cases {
        check(Cpu::<f64>::new, case, DOUBLE);
        check(Cpu::<f32>::new, case, SINGLE);
    }
}

#[test]
fn a_teacher_equal_to_the_student_gives_zero_loss_and_zero_gradient() {
    let case = &cases()[0];
    for temperature in [1.0, 2.0] {
        let student = Loaded::new(Cpu::<f32>::new(), case);
        let Loaded { decoder, weights, batch, .. } = &student;
        let (mut space, mut teacher_space) =
            (decoder.workspace().unwrap(), decoder.workspace().unwrap());
        let mut lesson = Lesson::Network { decoder, weights, space: &mut teacher_space };
        let mut gradients = decoder.backend().allocate(decoder.layout().elements()).unwrap();
        let taught = (&mut lesson, Mixture::new(1.0, temperature));
        let target = GradientTarget::new(&mut gradients, false);
        let loss =
            decoder.taught_gradients(weights, batch, taught, 1.0, target, &mut space).unwrap();
        assert_eq!(loss, 0.0);
        assert!(gradients.iter().all(|&gradient| gradient == 0.0));
    }
}
