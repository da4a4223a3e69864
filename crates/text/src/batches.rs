//! Documents in batches: enough for all threads, bounded in memory.

use crate::error::Result;

/// A batch is full at this many documents ...
const DOCUMENTS: usize = 4096;
/// ... or this many bytes of text.
const BYTES: usize = 2 << 20;

/// Gathers documents; the bounds are fixed, so batches do not depend on the number of threads.
pub(crate) struct Batches<I> {
    documents: I,
    failed: bool,
}

impl<I: Iterator<Item = Result<String>>> Batches<I> {
    pub(crate) fn new(documents: I) -> Self {
        Self { documents, failed: false }
    }

    /// The iterator inside, for what it has counted so far.
    pub(crate) fn documents(&self) -> &I {
        &self.documents
    }
}

impl<I: Iterator<Item = Result<String>>> Iterator for Batches<I> {
    type Item = Result<Vec<String>>;

    fn next(&mut self) -> Option<Self::Item> {
        let (mut batch, mut bytes) = (Vec::new(), 0);
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
