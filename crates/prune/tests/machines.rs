//! Every method prunes on a second machine, whose memory cannot be looked into, as on the
//! processor.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use disk::Existing;
use model::backend::Backend;
use model::backend::cpu::Cpu;
use model::folder::ModelFolder;
use model::testing::Opaque;
use prune::{
    CalibrationSettings, Destination, METHODS, Method, PruningTarget, Request, Source, Takes,
    method,
};
use tempfile::TempDir;

fn open() -> ModelFolder {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/parity");
    ModelFolder::open(&testdata.join("llama-long")).unwrap()
}

fn target(method: Method) -> PruningTarget {
    match method.takes()[0] {
        Takes::Pattern => PruningTarget::Pattern,
        Takes::Blocks => PruningTarget::Blocks(vec![1]),
        Takes::Rate | Takes::Sizes => PruningTarget::Rate { rate: 0.15, tolerance: 0.1 },
    }
}

/// Every file of the pruned folder.
fn pruned<B: Backend + Clone>(
    machine: &B,
    folder: &ModelFolder,
    method: Method,
) -> BTreeMap<PathBuf, Vec<u8>> {
    let vocabulary = folder.config().vocab_size() as u32;
    let tokens: Vec<u32> =
        (0..600_u32).map(|at| (at * at * 7 + at * 3 + at / 11) % vocabulary).collect();
    let settings = CalibrationSettings { sequences: 8, length: Some(24), seed: 3 };
    let request = Request {
        calibration: Some((Source::Tokens(&tokens), settings)),
        ..Request::new(method, target(method), "0.1.0")
    };
    let place = TempDir::new().unwrap();
    let out = place.path().join("out");
    let destination = Destination::new(&out, Existing::Refuse);
    prune::prune(machine, folder, &request, &destination, &mut |_| ()).unwrap();
    let entries = fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.file_name().unwrap().into(), fs::read(&path).unwrap())).collect()
}

#[test]
fn every_method_gives_the_same_bytes_on_another_machine() {
    let folder = open();
    let unstructured = ["unstructured-wanda", "unstructured-sparsegpt"];
    let methods = METHODS.iter().copied().chain(unstructured.map(|name| method(name).unwrap()));
    for method in methods {
        let machine = Opaque::<f32>::new();
        let there = pruned(&machine, &folder, method);
        let copies = machine.copies();
        assert!(pruned(&Cpu::<f32>::new(), &folder, method) == there, "{}", method.name());
        // What reads no text computes nothing on a machine.
        assert_eq!(copies.up > 0, method.reads_text(), "{}: {copies:?}", method.name());
        assert_eq!(copies.down > 0, method.reads_text(), "{}: {copies:?}", method.name());
    }
}

/// The version is that of the program that prunes, which knows its commit; this crate does not.
#[test]
fn the_record_and_the_card_name_the_version_that_was_given_in() {
    let folder = open();
    let place = TempDir::new().unwrap();
    let out = place.path().join("out");
    let list = method("depth-list").unwrap();
    let request = Request::new(list, PruningTarget::Blocks(vec![1]), "9.8.7 (a commit)");
    let destination = Destination::new(&out, Existing::Refuse);
    prune::prune(&Cpu::<f32>::new(), &folder, &request, &destination, &mut |_| ()).unwrap();
    assert_eq!(prune::record_of(&out).unwrap().unwrap().regrow, "9.8.7 (a commit)");
    assert!(
        fs::read_to_string(out.join("README.md")).unwrap().contains("`regrow` 9.8.7 (a commit).")
    );
}
