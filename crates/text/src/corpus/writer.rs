//! Writes one part of a corpus: the `.bin` while documents arrive, the `.idx` at the end.

use std::io::Write;
use std::path::{Path, PathBuf};

use ledger::Sha256Hasher;

use super::idx::{self, TokenWidth};
use super::info::PartInfo;
use crate::batches::Encoded;
use crate::error::{Error, Result, TextFailure};

/// A part being written. It keeps four bytes per document in memory.
#[derive(Debug)]
pub(super) struct PartWriter {
    folder: PathBuf,
    name: &'static str,
    width: TokenWidth,
    bin: disk::Aside,
    sizes: Vec<i32>,
    tokens: u64,
    bytes: u64,
    text: Sha256Hasher,
    hash: Sha256Hasher,
    row: Vec<u8>,
}

impl PartWriter {
    /// Creates `<name>.bin` in a folder.
    pub(super) fn create(folder: &Path, name: &'static str, width: TokenWidth) -> Result<Self> {
        Ok(Self {
            bin: disk::Aside::create(&folder.join(format!("{name}.bin")))?,
            folder: folder.to_owned(),
            name,
            width,
            sizes: Vec::new(),
            tokens: 0,
            bytes: 0,
            text: Sha256Hasher::new(),
            hash: Sha256Hasher::new(),
            row: Vec::new(),
        })
    }

    /// Adds a document: its begin token and the tokens of its text.
    pub(super) fn push(&mut self, begin: u32, document: &Encoded) -> Result<()> {
        let count: usize = document.tokens.iter().map(Vec::len).sum();
        // The index stores sizes as int32.
        let size = i32::try_from(count + 1).map_err(|_| {
            Error::from(TextFailure::Tokenize {
                action: "store a document",
                why: format!("{count} tokens, expected at most {}", i32::MAX - 1),
            })
        })?;
        self.row.clear();
        for token in std::iter::once(&begin).chain(document.tokens.iter().flatten()) {
            match self.width {
                TokenWidth::Two => {
                    let token = u16::try_from(*token)
                        .expect("this width is chosen for vocabularies below 65500");
                    self.row.extend(token.to_le_bytes());
                }
                TokenWidth::Four => self.row.extend(token.to_le_bytes()),
            }
        }
        let path = self.path("bin");
        self.bin.write_all(&self.row).map_err(disk::io_error("write", &path))?;
        self.hash.update(&self.row);
        self.text.update(document.hash.as_bytes());
        self.sizes.push(size);
        self.tokens += size as u64;
        self.bytes += document.bytes as u64;
        Ok(())
    }

    /// Documents so far.
    pub(super) fn documents(&self) -> u64 {
        self.sizes.len() as u64
    }

    /// Writes the index and closes both files.
    pub(super) fn finish(self) -> Result<PartInfo> {
        let path = self.path("idx");
        self.bin.commit()?;
        let mut file = disk::Aside::create(&path)?;
        idx::write(&mut file, self.width, &self.sizes).map_err(disk::io_error("write", &path))?;
        file.commit()?;
        Ok(PartInfo {
            documents: self.sizes.len() as u64,
            tokens: self.tokens,
            bytes: self.bytes,
            text: self.text.finish().to_string(),
            hash: self.hash.finish().to_string(),
        })
    }

    fn path(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", self.name))
    }
}
