//! The entropy of the held-out text of a sweep on generated text. No model's loss can be below it.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use ledger::{Sha256, Sha256Hasher};
use model::evaluate::{DocumentLoss, Evaluated};
use report::Entropy;
use serde::Deserialize;

use super::folder::SweepFolder;
use crate::error::{Context, Result, bail, ensure};

/// The longest line that is read, in bytes; `regrow grammar` writes shorter ones.
const LONGEST: u64 = 1 << 16;

/// A document, and the least possible loss on it.
#[derive(Deserialize)]
struct GrammarDocument {
    text: String,
    nats: f64,
}

/// The least possible loss per token on the held-out documents. It covers whole documents, up to
/// `limit` tokens, as curves do.
///
/// # Errors
/// Where the text cannot be read, or the corpus was not made from it.
pub(super) fn entropy(folder: &SweepFolder, limit: u64) -> Result<Entropy> {
    let corpus = text::Corpus::open(&folder.corpus())?;
    let path = folder.grammar().join("documents.jsonl");
    let held_out = documents_held_out(&path, corpus.info().share())
        .with_context(|| format!("the entropy of `{}` is not known", path.display()))?;
    // The same hash of hashes as in the corpus: it proves that these are the corpus's held-out
    // documents, in the same order.
    let mut hash = Sha256Hasher::new();
    held_out.iter().for_each(|line| hash.update(Sha256::of(&line.text).as_bytes()));
    ensure!(
        hash.finish().to_string() == corpus.info().heldout().text(),
        "the held-out documents of `{}` are not those of `{}`",
        path.display(),
        folder.corpus().display()
    );
    let part = corpus.heldout();
    let mut documents = Vec::new();
    let mut read = 0;
    for (document, line) in held_out.iter().enumerate() {
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
fn documents_held_out(path: &Path, share: f64) -> Result<Vec<GrammarDocument>> {
    let file = std::fs::File::open(path).map_err(disk::io_error("open", path))?;
    let mut reader = BufReader::new(file);
    let mut held_out = Vec::new();
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        let length = reader
            .by_ref()
            // A damaged file without line breaks must not fill the memory.
            .take(LONGEST)
            .read_until(b'\n', &mut bytes)
            .map_err(disk::io_error("read", path))?;
        if length == 0 {
            break;
        }
        let line: GrammarDocument = serde_json::from_slice(&bytes)
            .with_context(|| format!("line {number} is not `text` and `nats`"))?;
        if !(line.nats > 0.0 && line.nats.is_finite()) {
            bail!("`nats` of line {number} is {}, expected a positive number", line.nats);
        }
        if text::held_out(&line.text, share) {
            held_out.push(line);
        }
    }
    Ok(held_out)
}
