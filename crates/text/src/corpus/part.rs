//! One part of a corpus, memory-mapped: a stream of tokens that callers cut anywhere.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use ledger::{Sha256, Sha256Hasher};

use super::checked;
use super::idx::{Idx, TokenWidth};
use super::info::PartInfo;
use crate::error::{Result, TextFailure};

/// Tokens read at a time by a scan of a whole part.
const STRIDE: usize = 1 << 16;
/// A `.bin` of more bytes is not kept in memory: what was read is released.
const KEPT: u64 = 256 << 20;
/// Bytes of such a `.bin` that are touched between two releases.
const TOUCHED: u64 = 64 << 20;
/// Bytes around a read that the system maps besides, at most.
const AROUND: u64 = 128 << 10;

/// The training or the held-out part of a corpus.
#[derive(Debug)]
pub struct CorpusPart {
    path: PathBuf,
    bin: disk::Map,
    index: disk::Map,
    idx: Idx,
    vocabulary: usize,
    hash: String,
    /// Bytes touched since the last release.
    touched: AtomicU64,
}

impl CorpusPart {
    /// Opens `<name>.bin` and `<name>.idx` and checks them against each other and against
    /// `corpus.json`.
    pub(super) fn open(
        folder: &Path,
        name: &str,
        info: &PartInfo,
        vocabulary: usize,
    ) -> Result<Self> {
        let (path, index_path) =
            (folder.join(format!("{name}.bin")), folder.join(format!("{name}.idx")));
        let (bin, index) = (disk::Map::open(&path)?, disk::Map::open(&index_path)?);
        let idx = Idx::parse(&index, bin.len() as u64, &index_path)?;
        let counted = [
            ("documents", idx.documents as u64, info.documents),
            ("tokens", idx.tokens, info.tokens),
        ];
        for (what, found, expected) in counted {
            if found != expected {
                return Err(TextFailure::BadCorpus {
                    path: index_path,
                    what: format!("number of {what}"),
                    found: found.to_string(),
                    expected: format!("{expected} as in `corpus.json`"),
                }
                .into());
            }
        }
        let (hash, touched) = (info.hash.clone(), AtomicU64::new(0));
        Ok(Self { path, bin, index, idx, vocabulary, hash, touched })
    }

    /// Number of tokens, begin tokens included.
    pub fn tokens(&self) -> u64 {
        self.idx.tokens
    }

    /// Number of documents.
    pub fn documents(&self) -> usize {
        self.idx.documents
    }

    /// The range of a document in the stream, in tokens. Its begin token comes first.
    ///
    /// # Panics
    /// When there is no such document.
    pub fn document(&self, i: usize) -> Range<u64> {
        self.idx.document(&self.index, i)
    }

    /// Copies the tokens from `start` on. Documents follow each other without a gap.
    ///
    /// # Errors
    /// If the part ends before `out` is full, or an id is outside the vocabulary.
    pub fn read(&self, start: u64, out: &mut [u32]) -> Result<()> {
        let end = start.checked_add(out.len() as u64).filter(|end| *end <= self.tokens());
        if end.is_none() {
            let (path, tokens) = (self.path.clone(), self.tokens());
            return Err(TextFailure::PastEnd { path, tokens, start, length: out.len() }.into());
        }
        // The range lies inside the map, so the products below cannot overflow.
        let first = (start * self.idx.width.bytes()) as usize;
        match self.idx.width {
            TokenWidth::Two => {
                let bytes = &self.bin[first..first + 2 * out.len()];
                for (token, bytes) in out.iter_mut().zip(bytes.chunks_exact(2)) {
                    *token = u32::from(u16::from_le_bytes([bytes[0], bytes[1]]));
                }
            }
            TokenWidth::Four => {
                let bytes = &self.bin[first..first + 4 * out.len()];
                for (token, bytes) in out.iter_mut().zip(bytes.chunks_exact(4)) {
                    *token = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                }
            }
        }
        self.release(self.idx.width.bytes() * out.len() as u64);
        match out.iter().position(|token| *token as usize >= self.vocabulary) {
            None => Ok(()),
            Some(i) => Err(TextFailure::TokenOutOfRange {
                path: self.path.clone(),
                offset: start + i as u64,
                // An id above the range of int32 was written as a negative number, so it is shown
                // as one.
                id: i64::from(out[i] as i32),
                vocabulary: self.vocabulary,
            }
            .into()),
        }
    }

    /// SHA-256 of the `.bin`, as `corpus.json` gives it. [`super::Corpus::verify`] computes it
    /// again.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Notes a read, and releases a large part once enough of it was touched. The system maps more
    /// than is read, so releasing what was read alone would leave almost everything.
    fn release(&self, read: u64) {
        if self.bin.len() as u64 <= KEPT {
            return;
        }
        let touched = read + AROUND;
        if self.touched.fetch_add(touched, Ordering::Relaxed) + touched >= TOUCHED {
            self.touched.store(0, Ordering::Relaxed);
            self.bin.release(0..self.bin.len());
        }
    }

    /// Bytes of the part that stay in memory while it is read, at most.
    pub fn kept_bytes(&self) -> u64 {
        (self.bin.len() as u64).min(KEPT) + self.index.len() as u64
    }

    /// Checks that the `.bin` holds the bytes that `corpus.json` gives the hash of. A large part
    /// that was checked before and has not changed since is not read again; the answer says whether
    /// it was read.
    ///
    /// # Errors
    /// If it has another hash.
    pub fn check_hash(&self) -> Result<bool> {
        checked::once(&self.path, &self.hash, || self.hash_now())
    }

    /// Checks that nobody wrote into the files since they were opened.
    ///
    /// # Errors
    /// If somebody did.
    pub fn require_unchanged(&self) -> Result<()> {
        for (map, extension) in [(&self.bin, "bin"), (&self.index, "idx")] {
            if map.is_changed() {
                let path = self.path.with_extension(extension);
                return Err(TextFailure::Changed { path }.into());
            }
        }
        Ok(())
    }

    /// Reads the whole `.bin` and holds its hash against that of `corpus.json`.
    fn hash_now(&self) -> Result<()> {
        let found = disk::sha256(&self.path)?.to_string();
        if found != self.hash {
            let expected = format!("{} as in `corpus.json`", self.hash);
            return Err(TextFailure::BadCorpus {
                path: self.path.clone(),
                what: "hash".to_owned(),
                found,
                expected,
            }
            .into());
        }
        Ok(())
    }

    /// Checks all bytes: the hash, every id, and the begin token of every document.
    pub(super) fn verify(&self, begin: u32) -> Result<()> {
        self.hash_now()?;
        let mut buffer = vec![0; STRIDE];
        for i in 0..self.documents() {
            let mut first = true;
            self.chunks(i, &mut buffer, |tokens| {
                if std::mem::take(&mut first) && tokens[0] != begin {
                    return Err(TextFailure::BadCorpus {
                        path: self.path.clone(),
                        what: format!("first token of document {i}"),
                        found: tokens[0].to_string(),
                        expected: format!("the begin token {begin}"),
                    }
                    .into());
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// The hash of the tokens of a document, as four bytes each whatever their stored width.
    pub(super) fn document_hash(&self, i: usize, buffer: &mut Vec<u32>) -> Result<Sha256> {
        buffer.resize(STRIDE, 0);
        let mut hasher = Sha256Hasher::new();
        self.chunks(i, buffer, |tokens| {
            let bytes: Vec<u8> = tokens.iter().flat_map(|token| token.to_le_bytes()).collect();
            hasher.update(&bytes);
            Ok(())
        })?;
        Ok(hasher.finish())
    }

    fn chunks(
        &self,
        i: usize,
        buffer: &mut [u32],
        mut visit: impl FnMut(&[u32]) -> Result<()>,
    ) -> Result<()> {
        let range = self.document(i);
        let mut start = range.start;
        while start < range.end {
            let length = (range.end - start).min(buffer.len() as u64) as usize;
            self.read(start, &mut buffer[..length])?;
            visit(&buffer[..length])?;
            start += length as u64;
        }
        Ok(())
    }
}
