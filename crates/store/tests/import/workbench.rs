//! Where the logs of the tests lie, and how they are read.

use std::fs;
use std::path::{Path, PathBuf};

use ledger::Tokens;
use store::import::{Asked, Batches, Log, read_log};

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/import").join(name)
}

pub(crate) fn read(names: &[&str], asked: &Asked) -> store::Result<Log> {
    let paths: Vec<PathBuf> = names.iter().map(|name| fixture(name)).collect();
    read_log(&paths.iter().map(PathBuf::as_path).collect::<Vec<_>>(), asked)
}

/// So many tokens at every step.
pub(crate) fn steps_of(tokens: u64) -> Asked {
    Asked::default().with_batches(Batches::of_tokens(Tokens(tokens)))
}

/// Reads a text as the log of one file.
pub(crate) fn read_text(name: &str, text: impl AsRef<[u8]>, asked: &Asked) -> store::Result<Log> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, text).unwrap();
    read_log(&[&path], asked)
}

/// Held-out losses by step.
pub(crate) fn held_out(log: &Log) -> Vec<(u64, u64, f64)> {
    let point = |point: &ledger::Point| Some((point.step, point.tokens.0, point.eval_loss?));
    log.points().iter().filter_map(point).collect()
}
