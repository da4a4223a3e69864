//! Scores against PyTorch, from the papers' formulas: `testdata/prune/scores.json`.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

use std::path::{Path, PathBuf};

use model::backend::cpu::Cpu;
use model::folder::ModelFolder;
use prune::depth::{Angular as DepthAngular, BlockInfluence};
use prune::width::{WidthActivation, WidthMagnitude};
use prune::{
    Aggregation, CalibrationSettings, Measuring, MethodOptions, Positions, Scores, Select,
    Sequences, Smaller, Source, WidthScores,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Goldens {
    format: u32,
    cases: Vec<Golden>,
}

#[derive(Deserialize)]
struct Golden {
    model: String,
    length: usize,
    tokens: Vec<u32>,
    block_influence: Vec<f64>,
    angular: Vec<Angular>,
    activations: Vec<Activations>,
    magnitudes: Width,
}

#[derive(Deserialize)]
struct Angular {
    count: usize,
    positions: String,
    scores: Vec<f64>,
}

#[derive(Deserialize)]
struct Activations {
    over_tokens: String,
    over_sequences: String,
    #[serde(flatten)]
    width: Width,
}

#[derive(Deserialize)]
struct Width {
    hidden: Vec<f64>,
    ffn: Vec<Vec<f64>>,
    heads: Vec<Vec<f64>>,
}

/// Scores are of the order of 0.1 to 3; the network computes in f32.
const TOLERANCE: f64 = 1e-5;

fn each(check: impl Fn(&Golden, &ModelFolder, &Sequences)) {
    let testdata: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
    let text = std::fs::read_to_string(testdata.join("prune/scores.json")).unwrap();
    let goldens: Goldens = serde_json::from_str(&text).unwrap();
    assert!(goldens.format == 1 && goldens.cases.len() >= 4);
    for golden in &goldens.cases {
        let folder = ModelFolder::open(&testdata.join("parity").join(&golden.model)).unwrap();
        let settings =
            CalibrationSettings { sequences: 1000, length: Some(golden.length), seed: 1 };
        let sequences =
            Sequences::draw(Source::Tokens(&golden.tokens), &settings, folder.config()).unwrap();
        assert_eq!(sequences.tokens(), golden.tokens);
        check(golden, &folder, &sequences);
    }
}

/// What a method measures of a model that is to lose `dropped` blocks.
fn measured(
    select: &dyn Select,
    folder: &ModelFolder,
    sequences: &Sequences,
    options: &MethodOptions,
    dropped: usize,
) -> Scores {
    let (config, machine) = (folder.config(), Cpu::<f32>::new());
    let layers = config.num_hidden_layers() - dropped;
    let smaller = config.with_blocks(layers);
    let outcome = Smaller::of(config, &smaller).unwrap();
    let progress = &mut |_, _| ();
    let mut model = Measuring::new(&machine, folder, Some(sequences), options, None, progress);
    select.measure(&mut model, &outcome).unwrap()
}

fn listed(scores: Scores) -> Vec<f64> {
    match scores {
        Scores::Listed(scores) => scores,
        other => panic!("{other:?}"),
    }
}

fn of_width(scores: Scores) -> WidthScores {
    match scores {
        Scores::Width(scores) => scores,
        other => panic!("{other:?}"),
    }
}

fn close(name: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        let off = (found - expected).abs();
        assert!(off < TOLERANCE, "{name} {place}: {found}, expected {expected}, off by {off:e}");
    }
}

#[test]
fn block_influence_is_what_the_formula_gives() {
    each(|golden, folder, sequences| {
        let found =
            listed(measured(&BlockInfluence, folder, sequences, &MethodOptions::default(), 1));
        close(&golden.model, &found, &golden.block_influence);
    });
}

#[test]
fn angular_distances_are_what_the_formula_gives() {
    each(|golden, folder, sequences| {
        for Angular { count, positions, scores } in &golden.angular {
            let which = Positions::ALL.into_iter().find(|which| which.name() == positions).unwrap();
            let options = MethodOptions { positions: which, ..MethodOptions::default() };
            let found = listed(measured(&DepthAngular, folder, sequences, &options, *count));
            close(&format!("{} {count} {positions}", golden.model), &found, scores);
        }
    });
}

#[test]
fn activations_are_what_the_formula_gives() {
    let how = |name: &str| Aggregation::ALL.into_iter().find(|how| how.name() == name).unwrap();
    each(|golden, folder, sequences| {
        for Activations { over_tokens, over_sequences, width } in &golden.activations {
            let options = MethodOptions {
                over_tokens: how(over_tokens),
                over_sequences: how(over_sequences),
                ..MethodOptions::default()
            };
            let found = of_width(measured(&WidthActivation, folder, sequences, &options, 1));
            let name = format!("{} {over_tokens} {over_sequences}", golden.model);
            close(&name, &found.hidden, &width.hidden);
            close(&name, &found.ffn.concat(), &width.ffn.concat());
            close(&name, &found.heads.concat(), &width.heads.concat());
        }
    });
}

#[test]
fn magnitudes_are_what_the_formula_gives() {
    each(|golden, folder, sequences| {
        let options = MethodOptions::default();
        let found = of_width(measured(&WidthMagnitude, folder, sequences, &options, 1));
        close(&golden.model, &found.hidden, &golden.magnitudes.hidden);
        close(&golden.model, &found.ffn.concat(), &golden.magnitudes.ffn.concat());
        close(&golden.model, &found.heads.concat(), &golden.magnitudes.heads.concat());
    });
}
