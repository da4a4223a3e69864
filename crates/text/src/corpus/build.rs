//! From text files to a corpus folder, streamed.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use ledger::Sha256;

use super::idx::Width;
use super::info::{self, CorpusInfo, FORMAT, Split};
use super::writer::Writer;
use crate::batches::{Batches, Encoded, encode};
use crate::bpe::train_bpe;
use crate::error::{Error, Result};
use crate::reader::{Counts, Reading, Sources};
use crate::split::{RULE, check_share, held_out_hash};
use crate::tokenizer::Tokenizer;

/// What a corpus is built from.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Files and folders of text, JSONL and Parquet.
    pub inputs: Vec<PathBuf>,
    /// How files are read into documents.
    pub reading: Reading,
    /// Where the tokenizer comes from.
    pub tokenizer: TokenizerSource,
    /// The begin token by its text, where the tokenizer's own choice is not wanted.
    pub begin_token: Option<String>,
    /// Share of the documents to hold out, above 0 and below 1.
    pub heldout_share: f64,
    /// The corpus folder.
    pub out: PathBuf,
    /// What to do when that folder exists.
    pub existing: disk::Existing,
}

/// Where the tokenizer of a corpus comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenizerSource {
    /// A `tokenizer.json`, or a folder that holds one.
    Load(PathBuf),
    /// A byte-level BPE trained on the training part; the held-out part is never seen.
    TrainBpe {
        /// Number of tokens.
        vocabulary: usize,
    },
}

/// What a build is busy with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading text to train a tokenizer.
    Tokenizer,
    /// Tokenising.
    Tokens,
}

/// How far a build has come, told after each batch of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What it is busy with.
    pub stage: Stage,
    /// Documents read in this stage.
    pub documents: u64,
    /// Bytes read from the files in this stage ...
    pub bytes: u64,
    /// ... of this many.
    pub total_bytes: u64,
}

/// Builds a corpus folder; the same input gives the same bytes, whatever the number of threads.
///
/// Each document is its begin token and the tokens of its text. The folder appears when it is
/// complete; memory holds a few MiB of text, or the longest documents, and four bytes a document.
///
/// # Errors
/// [`Error::EmptyPart`] when no document falls into a part, and whatever reading, tokenising and
/// writing find.
pub fn build(settings: &Settings, progress: &mut dyn FnMut(Progress)) -> Result<CorpusInfo> {
    build_until(settings, progress, &AtomicBool::new(false))
}

/// Builds a corpus folder as [`build`] does, unless `stop` is set before it is complete; nothing is
/// left then.
///
/// # Errors
/// As [`build`], and [`Error::Stopped`].
pub fn build_until(
    settings: &Settings,
    progress: &mut dyn FnMut(Progress),
    stop: &AtomicBool,
) -> Result<CorpusInfo> {
    let share = check_share(settings.heldout_share)?;
    let sources = Sources::find(&settings.inputs)?;
    sources.check(&settings.reading)?;
    let folder = disk::NewFolder::create(&settings.out, settings.existing)?;
    let total_bytes = sources.bytes()?;

    let mut tokenizer = match &settings.tokenizer {
        TokenizerSource::Load(path) => Tokenizer::load(path)?,
        TokenizerSource::TrainBpe { vocabulary } => {
            let stage = Learning { share, vocabulary: *vocabulary, total_bytes, stop };
            stage.learn(&sources, &settings.reading, progress)?
        }
    };
    if let Some(text) = &settings.begin_token {
        tokenizer.set_begin_token(text)?;
    }
    let begin = tokenizer.begin_token().ok_or(Error::NoBeginToken)?.clone();

    let width = Width::of_vocabulary(tokenizer.vocabulary());
    let mut train = Writer::create(folder.path(), "train", width)?;
    let mut heldout = Writer::create(folder.path(), "heldout", width)?;
    let mut wordless = 0;
    let mut batches = Batches::new(sources.read(&settings.reading)?);
    let write = |batch: Vec<Encoded>| {
        for document in &batch {
            let part = if held_out_hash(&document.hash, share) { &mut heldout } else { &mut train };
            if document.tokens.iter().all(Vec::is_empty) {
                wordless += 1;
            } else {
                part.push(begin.id, document)?;
            }
        }
        Ok(())
    };
    encode(&mut batches, &tokenizer, write, |reader| {
        let Counts { documents, bytes, .. } = reader.counts();
        progress(Progress { stage: Stage::Tokens, documents, bytes, total_bytes });
        unless(stop)
    })?;
    let reader = batches.documents();
    require_documents(&train, &heldout, share)?;

    let info = CorpusInfo {
        format: FORMAT,
        tokenizer: tokenizer.hash().to_owned(),
        vocabulary: tokenizer.vocabulary(),
        begin,
        split: Split { rule: RULE.to_owned(), share },
        train: train.finish()?,
        heldout: heldout.finish()?,
        empty: reader.counts().empty + wordless,
        broken: reader.counts().broken,
        first_broken: reader.first_broken().map(ToString::to_string),
        sources: sources.names(),
        documents: settings.reading.documents.clone(),
        field: settings.reading.field.clone(),
    };
    disk::write(&folder.path().join("tokenizer.json"), &tokenizer.to_json())?;
    disk::write(&folder.path().join("corpus.json"), &info::to_bytes(&info))?;
    folder.commit()?;
    Ok(info)
}

/// Training a tokenizer on the documents that are not held out.
struct Learning<'a> {
    share: f64,
    vocabulary: usize,
    total_bytes: u64,
    stop: &'a AtomicBool,
}

impl Learning<'_> {
    fn learn(
        &self,
        sources: &Sources,
        reading: &Reading,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Tokenizer> {
        let mut reader = sources.read(reading)?;
        let mut told = 0;
        let documents = std::iter::from_fn(|| {
            loop {
                if let Err(stopped) = unless(self.stop) {
                    return Some(Err(stopped));
                }
                let document = reader.next();
                let Counts { documents, bytes, .. } = reader.counts();
                if bytes - told >= 1 << 20 || document.is_none() {
                    told = bytes;
                    let total_bytes = self.total_bytes;
                    progress(Progress { stage: Stage::Tokenizer, documents, bytes, total_bytes });
                }
                match document {
                    Some(Ok(text)) if held_out_hash(&Sha256::of(&text), self.share) => {}
                    other => return other,
                }
            }
        });
        train_bpe(documents, self.vocabulary)
    }
}

fn unless(stop: &AtomicBool) -> Result<()> {
    if stop.load(Ordering::Relaxed) { Err(Error::Stopped) } else { Ok(()) }
}

fn require_documents(train: &Writer, heldout: &Writer, share: f64) -> Result<()> {
    if heldout.documents() == 0 {
        let advice = "raise the share, give more text, or cut it into more documents";
        return Err(Error::EmptyPart {
            part: "held-out",
            documents: train.documents(),
            share,
            advice,
        });
    }
    if train.documents() == 0 {
        let advice = "lower the share, give more text, or cut it into more documents";
        return Err(Error::EmptyPart {
            part: "training",
            documents: heldout.documents(),
            share,
            advice,
        });
    }
    Ok(())
}
