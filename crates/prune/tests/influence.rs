//! Block influence against transformers, and what it must not depend on.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

use std::path::{Path, PathBuf};

use ledger::Cut;
use model::backend::cpu::Cpu;
use model::folder::ModelFolder;
use prune::depth::BlockInfluence;
use prune::walk::{Seen, walk};
use prune::{
    CalibrationSettings, Measuring, MethodOptions, PruningTarget, Scores, Select, Sequences, Source,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Goldens {
    format: u32,
    case: Vec<Golden>,
}

#[derive(Deserialize)]
struct Golden {
    model: String,
    length: usize,
    tokens: Vec<u32>,
    scores: Vec<f64>,
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

fn goldens() -> Vec<Golden> {
    let text = std::fs::read_to_string(testdata().join("prune/block-influence.toml")).unwrap();
    let goldens: Goldens = toml::from_str(&text).unwrap();
    assert_eq!(goldens.format, 1);
    goldens.case
}

fn open(golden: &Golden) -> ModelFolder {
    ModelFolder::open(&testdata().join("parity").join(&golden.model)).unwrap()
}

/// All tokens of a golden, in its sequences: three of forty use the text up.
fn sequences(folder: &ModelFolder, tokens: &[u32], length: usize) -> Sequences {
    let settings = CalibrationSettings { sequences: 1000, length: Some(length), seed: 1 };
    Sequences::draw(Source::Tokens(tokens), &settings, folder.config()).unwrap()
}

fn influence(folder: &ModelFolder, sequences: &Sequences) -> Vec<f64> {
    let (machine, options) = (Cpu::<f32>::new(), MethodOptions::default());
    let target = PruningTarget::Rate { rate: 0.2, tolerance: 1.0 };
    let outcomes = BlockInfluence.outcomes(folder.config(), &target, &options).unwrap();
    let progress = &mut |_, _| ();
    let mut model = Measuring::new(&machine, folder, Some(sequences), &options, None, progress);
    match BlockInfluence.measure(&mut model, &outcomes[0]).unwrap() {
        Scores::Listed(scores) => scores,
        other => panic!("{other:?}"),
    }
}

#[test]
fn block_influence_is_what_transformers_gives() {
    let goldens = goldens();
    assert!(goldens.len() >= 5);
    for golden in goldens {
        let folder = open(&golden);
        let sequences = sequences(&folder, &golden.tokens, golden.length);
        assert_eq!(sequences.tokens(), golden.tokens, "{}", golden.model);
        let found = influence(&folder, &sequences);
        assert_eq!(found.len(), golden.scores.len());
        for (layer, (found, expected)) in found.iter().zip(&golden.scores).enumerate() {
            let off = (found - expected).abs();
            assert!(
                off < 1e-6,
                "{} layer {layer}: {found}, expected {expected}, off by {off:e}",
                golden.model
            );
        }
    }
}

#[test]
fn scores_do_not_depend_on_the_number_of_threads() {
    for golden in goldens() {
        let folder = open(&golden);
        // More tokens than one batch takes.
        let tokens: Vec<u32> = golden.tokens.iter().cycle().take(5000).copied().collect();
        let sequences = sequences(&folder, &tokens, golden.length);
        let [one, two, three] = [1, 2, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                influence(&folder, &sequences)
                    .iter()
                    .map(|score| score.to_bits())
                    .collect::<Vec<_>>()
            })
        });
        assert_eq!(one, two, "{}", golden.model);
        assert_eq!(one, three, "{}", golden.model);
    }
}

#[test]
fn a_visitor_sees_every_token_of_every_block_once_and_each_block_begins_where_the_last_ended() {
    for golden in goldens() {
        let folder = open(&golden);
        let (layers, hidden) = (folder.config().num_hidden_layers(), folder.config().hidden_size());
        let tokens: Vec<u32> = golden.tokens.iter().cycle().take(5000).copied().collect();
        let sequences = sequences(&folder, &tokens, golden.length);
        let mut before = vec![Vec::new(); layers];
        let mut after = vec![Vec::new(); layers];
        let mut visitor = |seen: &Seen<'_>| {
            assert_eq!(seen.hidden(), hidden);
            assert!(seen.before().len() <= 2048 * hidden);
            before[seen.layer()].extend_from_slice(seen.before());
            after[seen.layer()].extend_from_slice(seen.after());
            Ok(())
        };
        let mut heard = Vec::new();
        let backend = Cpu::<f32>::new();
        walk(backend, &folder, &sequences, None, &mut visitor, &mut |done, of| {
            heard.push((done, of));
        })
        .unwrap();
        assert_eq!(heard, (0..=layers).map(|done| (done, layers)).collect::<Vec<_>>());
        for layer in 0..layers {
            assert_eq!(before[layer].len(), sequences.tokens().len() * hidden);
            if layer > 0 {
                assert_eq!(before[layer], after[layer - 1]);
            }
            assert_ne!(before[layer], after[layer]);
        }
    }
}

#[test]
fn a_visitor_can_end_the_walk() {
    let golden = &goldens()[0];
    let folder = open(golden);
    let sequences = sequences(&folder, &golden.tokens, golden.length);
    let refused = || Cut::Depth { layers: 1, drop: vec![0] }.validate().unwrap_err();
    let mut visitor = |_: &Seen<'_>| Err(refused().into());
    let backend = Cpu::<f32>::new();
    let ended = walk(backend, &folder, &sequences, None, &mut visitor, &mut |_, _| ());
    assert_eq!(ended.unwrap_err().to_string(), refused().to_string());
}
