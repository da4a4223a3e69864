//! The corpus folder: `train.bin/.idx`, `heldout.bin/.idx` in Megatron's layout, `tokenizer.json`,
//! `corpus.json`.

mod build;
mod checked;
mod idx;
mod info;
mod part;
mod unsplit;
mod writer;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

pub use self::build::{BuildOptions, BuildProgress, Stage, TokenizerSource, build, build_until};
pub use self::info::{CorpusInfo, PartInfo};
pub use self::part::CorpusPart;
pub use self::unsplit::tokenize_part;
use crate::error::{Result, TextFailure};
use crate::tokenizer::Tokenizer;

/// A corpus folder, checked and memory-mapped.
#[derive(Debug)]
pub struct Corpus {
    folder: PathBuf,
    info: CorpusInfo,
    train: CorpusPart,
    heldout: CorpusPart,
}

impl Corpus {
    /// Opens a corpus folder and checks that its files agree.
    ///
    /// Token ids are checked when they are read. Hashes of the parts are checked by
    /// [`CorpusPart::check_hash`] and [`Self::verify`].
    ///
    /// # Errors
    /// The message names the file, the field, what was found and what was expected;
    /// [`ErrorKind::OtherTokenizer`](crate::ErrorKind::OtherTokenizer) when `tokenizer.json` is not
    /// the one that made the corpus.
    pub fn open(folder: &Path) -> Result<Self> {
        let info = info::read(&folder.join("corpus.json"))?;
        let tokenizer = folder.join("tokenizer.json");
        let found = disk::sha256(&tokenizer)?.to_string();
        if found != info.tokenizer {
            return Err(TextFailure::OtherTokenizer {
                path: tokenizer,
                found: info.tokenizer,
                expected: found,
            }
            .into());
        }
        let train = CorpusPart::open(folder, "train", &info.train, info.vocabulary)?;
        let heldout = CorpusPart::open(folder, "heldout", &info.heldout, info.vocabulary)?;
        Ok(Self { folder: folder.to_owned(), info, train, heldout })
    }

    /// What `corpus.json` says.
    pub fn info(&self) -> &CorpusInfo {
        &self.info
    }

    /// The training part.
    pub fn train(&self) -> &CorpusPart {
        &self.train
    }

    /// The held-out part.
    pub fn heldout(&self) -> &CorpusPart {
        &self.heldout
    }

    /// The tokenizer of this corpus with its begin token.
    ///
    /// # Errors
    /// When it contradicts `corpus.json`.
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        let path = self.folder.join("tokenizer.json");
        let mut tokenizer = Tokenizer::load(&path)?;
        tokenizer.set_begin_token(&self.info.begin.text)?;
        let id = tokenizer.begin_token().map(|begin| begin.id);
        let checks = [
            ("vocabulary", Some(tokenizer.vocabulary()), self.info.vocabulary),
            ("id of the begin token", id.map(|id| id as usize), self.info.begin.id as usize),
        ];
        for (what, found, expected) in checks {
            if found != Some(expected) {
                return Err(TextFailure::BadCorpus {
                    path,
                    what: what.to_owned(),
                    found: found.map_or("missing".to_owned(), |found| found.to_string()),
                    expected: format!("{expected} as in `corpus.json`"),
                }
                .into());
            }
        }
        Ok(tokenizer)
    }

    /// Checks that the tokenizer of a model made this corpus. `hash` is [`Tokenizer::hash`].
    ///
    /// # Errors
    /// [`ErrorKind::OtherTokenizer`](crate::ErrorKind::OtherTokenizer).
    pub fn require_tokenizer(&self, hash: &str) -> Result<()> {
        if self.info.tokenizer == hash {
            return Ok(());
        }
        let (found, expected) = (self.info.tokenizer.clone(), hash.to_owned());
        Err(TextFailure::OtherTokenizer { path: self.folder.clone(), found, expected }.into())
    }

    /// Checks both parts completely: their hashes, every token id, the begin token of every
    /// document.
    ///
    /// # Errors
    /// For the first thing found.
    pub fn verify(&self) -> Result<()> {
        self.train.verify(self.info.begin.id)?;
        self.heldout.verify(self.info.begin.id)
    }

    /// Checks that nobody wrote into the parts since they were opened. A map shows what stands in a
    /// file now, not what stood there when it was checked.
    ///
    /// # Errors
    /// If somebody did.
    pub fn require_unchanged(&self) -> Result<()> {
        self.train.require_unchanged()?;
        self.heldout.require_unchanged()
    }

    /// How many held-out documents are also training documents, token for token.
    ///
    /// The count is 0 for a corpus built here. A corpus from elsewhere may leak, and its held-out
    /// loss may then be too low. Reads both parts once, and keeps about 40 bytes per held-out
    /// document in memory.
    ///
    /// # Errors
    /// For a token id outside the vocabulary.
    pub fn overlapping_documents(&self) -> Result<usize> {
        let mut buffer = Vec::new();
        let mut heldout: HashMap<ledger::Sha256, usize> = HashMap::new();
        for i in 0..self.heldout.documents() {
            *heldout.entry(self.heldout.document_hash(i, &mut buffer)?).or_default() += 1;
        }
        let mut overlapping = 0;
        for i in 0..self.train.documents() {
            // Removed from the map, so that a training text that occurs twice counts once.
            overlapping += heldout.remove(&self.train.document_hash(i, &mut buffer)?).unwrap_or(0);
        }
        Ok(overlapping)
    }
}
