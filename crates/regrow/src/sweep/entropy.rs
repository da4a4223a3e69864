//! The entropy of the held-out text of a sweep, where the text is our own: what no model of it gets
//! below.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use ledger::{Sha256, Sha256Hasher};
use model::evaluate::{DocumentLoss, Evaluated};
use report::Entropy;
use serde::Deserialize;

use super::plan::Layout;

/// Longer than any line that `regrow grammar` writes.
const LONGEST: u64 = 1 << 16;

/// One line of `documents.jsonl`.
#[derive(Deserialize)]
struct Line {
    text: String,
    nats: f64,
}

/// What the held-out documents cost the best possible reader, over the first `limit` tokens of
/// them, as curves read them.
///
/// # Errors
/// Where the text cannot be read, or the corpus was not made of it.
pub(super) fn entropy(layout: &Layout, limit: u64) -> anyhow::Result<Entropy> {
    let corpus = text::Corpus::open(&layout.corpus())?;
    let path = layout.grammar().join("documents.jsonl");
    let told = told(&path, corpus.info().split.share)
        .with_context(|| format!("the entropy of `{}` is not known", path.display()))?;
    let mut hash = Sha256Hasher::new();
    told.iter().for_each(|line| hash.update(Sha256::of(&line.text).as_bytes()));
    ensure!(
        hash.finish().to_string() == corpus.info().heldout.text,
        "the held-out documents of `{}` are not those of `{}`",
        path.display(),
        layout.corpus().display()
    );
    let part = corpus.heldout();
    let mut documents = Vec::new();
    let mut read = 0;
    for (document, line) in told.iter().enumerate() {
        let range = part.document(document);
        // The begin token is not predicted.
        let tokens = (range.end - range.start).saturating_sub(1);
        read += tokens;
        if read > limit && !documents.is_empty() {
            break;
        }
        documents.push(DocumentLoss { document, nats: line.nats, tokens });
    }
    let read = Evaluated { documents };
    ensure!(read.tokens() > 0, "no document of `{}` is held out", path.display());
    Ok(Entropy { nats: read.loss().0, standard_error: read.standard_error().map(|error| error.0) })
}

/// The held-out documents in their order.
fn told(path: &Path, share: f64) -> anyhow::Result<Vec<Line>> {
    let file = std::fs::File::open(path).map_err(disk::io_error("open", path))?;
    let mut reader = BufReader::new(file);
    let mut told = Vec::new();
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        let length = reader
            .by_ref()
            .take(LONGEST)
            .read_until(b'\n', &mut bytes)
            .map_err(disk::io_error("read", path))?;
        if length == 0 {
            break;
        }
        let line: Line = serde_json::from_slice(&bytes)
            .with_context(|| format!("line {number} is not `text` and `nats`"))?;
        if !(line.nats > 0.0 && line.nats.is_finite()) {
            bail!("`nats` of line {number} is {}, expected a positive number", line.nats);
        }
        if text::held_out(&line.text, share) {
            told.push(line);
        }
    }
    Ok(told)
}
