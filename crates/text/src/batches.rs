//! Batches of documents: large enough for all threads, small enough for memory.

use rayon::prelude::*;

use crate::error::Result;
use crate::split::split_hash;
use crate::tokenizer::Tokenizer;
use ledger::Sha256;

/// A batch is full at this many documents ...
const DOCUMENTS: usize = 4096;
/// ... or this many bytes of text.
const BYTES: usize = 2 << 20;

/// Collects documents into batches. The limits are fixed, so batches do not depend on the number of
/// threads.
pub(crate) struct Batches<I> {
    documents: I,
    failed: bool,
}

impl<I: Iterator<Item = Result<String>>> Batches<I> {
    pub(crate) fn new(documents: I) -> Self {
        Self { documents, failed: false }
    }

    /// The iterator inside, to ask for its counts.
    pub(crate) fn documents(&self) -> &I {
        &self.documents
    }
}

impl<I: Iterator<Item = Result<String>>> Iterator for Batches<I> {
    type Item = Result<Vec<String>>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        // Nothing is read after an error, as [`crate::Reader`] promises.
        while !self.failed && batch.len() < DOCUMENTS && bytes < BYTES {
            match self.documents.next() {
                Some(Ok(text)) => {
                    bytes += text.len();
                    batch.push(text);
                }
                Some(Err(error)) => {
                    self.failed = true;
                    return Some(Err(error));
                }
                None => break,
            }
        }
        (!batch.is_empty()).then_some(Ok(batch))
    }
}

/// A document with its tokens.
#[derive(Debug)]
pub(crate) struct Encoded {
    /// Length of its text in bytes.
    pub(crate) bytes: usize,
    /// SHA-256 of its text.
    pub(crate) hash: Sha256,
    /// The hash that decides on which side of the split it falls.
    pub(crate) split: Sha256,
    /// The tokens, in stretches that follow each other.
    pub(crate) tokens: Vec<Vec<u32>>,
}

/// Encodes documents in order. While the threads encode one batch, one of them reads the next batch
/// and writes the previous one. Memory holds three batches.
///
/// `write` gets each batch. After each batch, `told` gets the iterator inside, and may stop the
/// work with an error.
pub(crate) fn encode<I: Iterator<Item = Result<String>> + Send>(
    batches: &mut Batches<I>,
    tokenizer: &Tokenizer,
    mut write: impl FnMut(Vec<Encoded>) -> Result<()> + Send,
    mut told: impl FnMut(&I) -> Result<()>,
) -> Result<()> {
    let mut batch = batches.next().transpose()?;
    let mut encoded = None;
    while batch.is_some() || encoded.is_some() {
        let before = encoded.take();
        let write = &mut write;
        let reader = &mut *batches;
        let here = batch.take();
        // One thread reads and one writes, each in order. All others encode.
        let (now, (next, written)) = rayon::join(
            || here.map(|batch| encode_batch(&batch, tokenizer)).transpose(),
            || rayon::join(|| reader.next().transpose(), || before.map_or(Ok(()), write)),
        );
        // The error of the earliest document wins: the written batch comes before the encoded one,
        // and that before the one just read.
        written?;
        encoded = now?;
        batch = next?;
        told(batches.documents())?;
    }
    Ok(())
}

/// Long documents are cut into stretches, so that no thread waits for another at the end of a
/// batch.
fn encode_batch(batch: &[String], tokenizer: &Tokenizer) -> Result<Vec<Encoded>> {
    let stretches: Vec<(usize, &str)> = batch
        .iter()
        .enumerate()
        .flat_map(|(document, text)| {
            tokenizer.stretches(text).map(move |stretch| (document, stretch))
        })
        .collect();
    let (hashes, tokens) = rayon::join(
        || batch.par_iter().map(|text| hashes(text)).collect::<Vec<_>>(),
        || {
            let encode = |(_, stretch): &(usize, &str)| tokenizer.encode(stretch);
            // One stretch per task: their lengths differ by up to a factor of a thousand.
            stretches.par_iter().with_max_len(1).map(encode).collect::<Result<Vec<_>>>()
        },
    );
    let mut encoded: Vec<_> = batch
        .iter()
        .zip(hashes)
        .map(|(text, (hash, split))| Encoded { bytes: text.len(), hash, split, tokens: Vec::new() })
        .collect();
    for ((document, _), tokens) in stretches.iter().zip(tokens?) {
        encoded[*document].tokens.push(tokens);
    }
    Ok(encoded)
}

/// The hash of a text, and the one that decides on its side.
fn hashes(text: &str) -> (Sha256, Sha256) {
    let hash = Sha256::of(text);
    // Most texts have no white space at their ends, and need one hash only.
    let split = if text.trim().len() == text.len() { hash } else { split_hash(text) };
    (hash, split)
}
