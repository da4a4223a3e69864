//! Text for a model: a part of a corpus, or files that are tokenised now with the model's own
//! tokenizer.

use std::path::{Path, PathBuf};

use disk::kinds::TOKENS;
use disk::{Existing, NewFolder};
use model::folder::ModelFolder;
use text::{Corpus, CorpusPart, PartInfo, Reading, Sources, Tokenizer};

use crate::error::{Error, ErrorKind, Result};
use crate::observer::{Event, Observer};

/// Where text comes from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum TextSource {
    /// A part of a corpus folder.
    Corpus {
        /// The folder.
        path: PathBuf,
        /// The part.
        part: PartName,
    },
    /// Files or folders of text, JSONL and Parquet, read with the model's own tokenizer.
    Files {
        /// The files and folders.
        paths: Vec<PathBuf>,
        /// How they are split into documents.
        reading: Reading,
        /// The most documents that are read.
        limit: Option<usize>,
        /// The token before each document, instead of the tokenizer's own begin token.
        begin_token: Option<String>,
    },
}

impl TextSource {
    /// The files and folders that it reads.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        let paths = match self {
            Self::Corpus { path, .. } => std::slice::from_ref(path),
            Self::Files { paths, .. } => paths,
        };
        paths.iter().map(PathBuf::as_path)
    }
}

/// A part of a corpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartName {
    /// Text that no training sees.
    HeldOut,
    /// Text to train on.
    Train,
}

impl PartName {
    /// `heldout` or `train`, as in file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::HeldOut => "heldout",
            Self::Train => "train",
        }
    }
}

/// Text that was opened.
#[derive(Debug)]
pub struct OpenText(OpenedText);

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one of it")]
enum OpenedText {
    /// A part of a corpus.
    Corpus(Box<Corpus>, PartName),
    /// Files, tokenised into a temporary folder that is removed when this value is dropped.
    Text { part: CorpusPart, info: PartInfo, _folder: NewFolder },
}

impl OpenText {
    /// Opens a source for a model; files are read with the model's own tokenizer.
    ///
    /// # Errors
    /// Where the text cannot be read, or was tokenised with another tokenizer.
    pub fn open(
        source: &TextSource,
        model: &ModelFolder,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        match source {
            TextSource::Corpus { path, part } => {
                let corpus = open_corpus(path, model, observer)?;
                let opened = Self(OpenedText::Corpus(Box::new(corpus), *part));
                // The result stands under the hash of this text, so the text must have it.
                let read = opened.part().check_hash()?;
                observer.hear(&Event::Detail(&format!(
                    "the {} part of `{}` has its hash{}",
                    part.name(),
                    path.display(),
                    if read { "" } else { ", as checked before; it has not changed since" }
                )));
                Ok(opened)
            }
            TextSource::Files { paths, reading, limit, begin_token } => {
                let mut tokenizer = tokenizer_of(model)?;
                if let Some(text) = begin_token {
                    tokenizer.set_begin_token(text)?;
                }
                let place = std::env::temp_dir().join("regrow-text");
                // Never committed. Being hidden, it goes also when a signal ends the process, and
                // what a kill left goes with the next one.
                let folder = NewFolder::create(&place, Existing::Own, &TOKENS)?;
                let reader = Sources::find(paths)?.read(reading)?;
                let documents = reader.take(limit.unwrap_or(usize::MAX));
                let (part, info) = text::tokenize_part(documents, &tokenizer, folder.path())?;
                Ok(Self(OpenedText::Text { part, info, _folder: folder }))
            }
        }
    }

    /// The tokens.
    pub fn part(&self) -> &CorpusPart {
        match &self.0 {
            OpenedText::Corpus(corpus, PartName::HeldOut) => corpus.heldout(),
            OpenedText::Corpus(corpus, PartName::Train) => corpus.train(),
            OpenedText::Text { part, .. } => part,
        }
    }

    /// Counts and hashes.
    pub fn info(&self) -> &PartInfo {
        match &self.0 {
            OpenedText::Corpus(corpus, PartName::HeldOut) => corpus.info().heldout(),
            OpenedText::Corpus(corpus, PartName::Train) => corpus.info().train(),
            OpenedText::Text { info, .. } => info,
        }
    }

    /// `heldout`, `train` or `text`.
    pub fn name(&self) -> &'static str {
        match &self.0 {
            OpenedText::Corpus(_, part) => part.name(),
            OpenedText::Text { .. } => "text",
        }
    }
}

/// Opens a corpus and checks that it was tokenised with the model's tokenizer.
pub(crate) fn open_corpus(
    path: &Path,
    model: &ModelFolder,
    observer: &mut dyn Observer,
) -> Result<Corpus> {
    let corpus = Corpus::open(path)?;
    match model.tokenizer_json() {
        Some(file) => corpus.require_tokenizer(&disk::sha256(&file)?.to_string())?,
        None => observer.hear(&Event::Warning(&format!(
            "`{}` has no `tokenizer.json`: whether `{}` was tokenised for it cannot be checked",
            model.path().display(),
            path.display()
        ))),
    }
    Ok(corpus)
}

/// The tokenizer of a model folder.
pub(crate) fn tokenizer_of(model: &ModelFolder) -> Result<Tokenizer> {
    let Some(path) = model.tokenizer_json() else {
        let message = format!("`{}` has no `tokenizer.json`", model.path().display());
        return Err(Error::new(ErrorKind::NoTokenizer, message));
    };
    Ok(Tokenizer::load(&path)?)
}
