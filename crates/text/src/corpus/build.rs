//! Builds a corpus folder from text files, as a stream.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use disk::kinds::CORPUS;

use super::idx::TokenWidth;
use super::info::{self, CorpusInfo, FORMAT, HeldOutSplit};
use super::writer::PartWriter;
use crate::batches::{Batches, Encoded, encode};
use crate::bpe::train_bpe;
use crate::error::{Result, TextFailure};
use crate::reader::{Counts, Reading, Sources};
use crate::split::{RULE, check_share, held_out, held_out_hash};
use crate::tokenizer::Tokenizer;

/// What a corpus is built from, and where it is written.
#[derive(Debug, Clone)]
pub struct BuildOptions {
    inputs: Vec<PathBuf>,
    reading: Reading,
    tokenizer: TokenizerSource,
    begin_token: Option<String>,
    heldout_share: f64,
    out: PathBuf,
    existing: disk::Existing,
}

impl BuildOptions {
    /// A corpus in the new folder `out`, from files and folders of text, JSONL and Parquet. The
    /// share of documents to hold out is above 0 and below 1.
    pub fn new(
        inputs: Vec<PathBuf>,
        tokenizer: TokenizerSource,
        heldout_share: f64,
        out: PathBuf,
    ) -> Self {
        let (reading, existing) = (Reading::default(), disk::Existing::Refuse);
        Self { inputs, reading, tokenizer, begin_token: None, heldout_share, out, existing }
    }

    /// How files are read into documents.
    pub fn reading(self, reading: Reading) -> Self {
        Self { reading, ..self }
    }

    /// The begin token by its text, to replace the default of the tokenizer.
    pub fn begin_token(self, begin_token: Option<String>) -> Self {
        Self { begin_token, ..self }
    }

    /// What to do if the folder exists. The default is to refuse.
    pub fn existing(self, existing: disk::Existing) -> Self {
        Self { existing, ..self }
    }
}

/// Where the tokenizer of a corpus comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenizerSource {
    /// A `tokenizer.json`, or a folder that holds one.
    Load(PathBuf),
    /// A byte-level BPE trained on the training part. It never sees the held-out part.
    TrainBpe {
        /// Number of tokens.
        vocabulary: usize,
    },
}

/// The current stage of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading text to train a tokenizer.
    Tokenizer,
    /// Tokenising.
    Tokens,
}

/// How far a build is, reported after each batch of documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuildProgress {
    /// The current stage.
    pub stage: Stage,
    /// Documents read in this stage.
    pub documents: u64,
    /// Bytes read from the files in this stage ...
    pub bytes: u64,
    /// ... of this many.
    pub total_bytes: u64,
}

/// Builds a corpus folder. The same input gives the same bytes, whatever the number of threads.
///
/// Each document is stored as its begin token and the tokens of its text. The folder appears once
/// it is complete. Memory holds a few MiB of text, or the longest documents, and four bytes per
/// document.
///
/// # Errors
/// If one part gets no document. If the folder exists and must stay, or is or holds an input. And
/// the errors of reading, tokenising and writing.
pub fn build(
    options: &BuildOptions,
    progress: &mut dyn FnMut(BuildProgress),
) -> Result<CorpusInfo> {
    build_until(options, progress, &AtomicBool::new(false))
}

/// Builds a corpus folder as [`build`] does, unless `stop` is set before it is complete. Nothing is
/// left in that case.
///
/// # Errors
/// As [`build`], and [`ErrorKind::Stopped`](crate::ErrorKind::Stopped).
pub fn build_until(
    options: &BuildOptions,
    progress: &mut dyn FnMut(BuildProgress),
    stop: &AtomicBool,
) -> Result<CorpusInfo> {
    let share = check_share(options.heldout_share)?;
    let mut inputs: Vec<&Path> = options.inputs.iter().map(PathBuf::as_path).collect();
    if let TokenizerSource::Load(path) = &options.tokenizer {
        inputs.push(path);
    }
    CORPUS.check(&options.out, options.existing, &inputs)?;
    let sources = Sources::find(&options.inputs)?;
    // Checked before anything is created: an error in the last of many files should not cost hours.
    sources.check(&options.reading)?;
    let folder = disk::NewFolder::create(&options.out, options.existing, &CORPUS)?;
    let total_bytes = sources.bytes()?;

    let mut tokenizer = match &options.tokenizer {
        TokenizerSource::Load(path) => Tokenizer::load(path)?,
        TokenizerSource::TrainBpe { vocabulary } => {
            let stage = Learning { share, vocabulary: *vocabulary, total_bytes, stop };
            stage.learn(&sources, &options.reading, progress)?
        }
    };
    if let Some(text) = &options.begin_token {
        tokenizer.set_begin_token(text)?;
    }
    let begin = tokenizer.require_begin_token()?.clone();

    let width = TokenWidth::of_vocabulary(tokenizer.vocabulary());
    let mut train = PartWriter::create(folder.path(), "train", width)?;
    let mut heldout = PartWriter::create(folder.path(), "heldout", width)?;
    let mut wordless = 0;
    let mut batches = Batches::new(sources.read(&options.reading)?);
    let write = |batch: Vec<Encoded>| {
        for document in &batch {
            // The hash of the text decides, so copies of a document fall into the same part.
            let part =
                if held_out_hash(&document.split, share) { &mut heldout } else { &mut train };
            // Some tokenizers have no tokens for some texts, such as control characters.
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
        progress(BuildProgress { stage: Stage::Tokens, documents, bytes, total_bytes });
        unless(stop)
    })?;
    let reader = batches.documents();
    require_documents(&train, &heldout, share)?;

    let info = CorpusInfo {
        format: FORMAT,
        tokenizer: tokenizer.hash().to_owned(),
        vocabulary: tokenizer.vocabulary(),
        begin,
        split: HeldOutSplit { rule: RULE.to_owned(), share },
        train: train.finish()?,
        heldout: heldout.finish()?,
        empty: reader.counts().empty + wordless,
        broken: reader.counts().broken,
        first_broken: reader.first_broken().map(ToString::to_string),
        ignored: sources.ignored(),
        sources: sources.names(),
        documents: options.reading.documents.clone(),
        field: options.reading.field.clone(),
    };
    disk::write(&folder.path().join("tokenizer.json"), &tokenizer.to_json())?;
    disk::write(&folder.path().join("corpus.json"), &info::to_bytes(&info))?;
    // The folder is renamed last, so readers never see an incomplete corpus.
    folder.commit()?;
    Ok(info)
}

/// Trains a tokenizer on the documents that are not held out.
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
        progress: &mut dyn FnMut(BuildProgress),
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
                // Report about once per MiB, and at the end.
                if bytes - told >= 1 << 20 || document.is_none() {
                    told = bytes;
                    let total_bytes = self.total_bytes;
                    progress(BuildProgress {
                        stage: Stage::Tokenizer,
                        documents,
                        bytes,
                        total_bytes,
                    });
                }
                match document {
                    Some(Ok(text)) if held_out(&text, self.share) => {}
                    other => return other,
                }
            }
        });
        train_bpe(documents, self.vocabulary)
    }
}

fn unless(stop: &AtomicBool) -> Result<()> {
    if stop.load(Ordering::Relaxed) { Err(TextFailure::Stopped.into()) } else { Ok(()) }
}

fn require_documents(train: &PartWriter, heldout: &PartWriter, share: f64) -> Result<()> {
    if heldout.documents() == 0 {
        let advice = "raise the share, give more text, or cut it into more documents";
        return Err(TextFailure::EmptyPart {
            part: "held-out",
            documents: train.documents(),
            share,
            advice,
        }
        .into());
    }
    if train.documents() == 0 {
        let advice = "lower the share, give more text, or cut it into more documents";
        return Err(TextFailure::EmptyPart {
            part: "training",
            documents: heldout.documents(),
            share,
            advice,
        }
        .into());
    }
    Ok(())
}
