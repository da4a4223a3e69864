//! Where a command reads text from: a part of a corpus, or files read on the spot with the model's
//! own tokenizer.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use model::folder::ModelFolder;
use tempfile::TempDir;
use text::{Corpus, CorpusPart, Documents, PartInfo, Reading, Sources, Tokenizer};

use crate::count::Count;
use crate::hinted::hinted;
use crate::observer::{Event, Observer};

/// How text files are cut into documents.
#[derive(Debug, Args)]
pub struct ReadingArguments {
    /// Where documents of plain text end
    #[arg(long, value_enum, value_name = "RULE", default_value_t = End::File, conflicts_with = "separator")]
    documents: End,
    /// Documents of plain text end at this text, for example `<|endoftext|>`
    #[arg(long, value_name = "TEXT")]
    separator: Option<String>,
    /// The field of JSONL, or the column of Parquet, that holds the text
    #[arg(long, value_name = "NAME", default_value = "text")]
    field: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum End {
    /// At the end of the file
    File,
    /// At a blank line
    BlankLine,
}

impl ReadingArguments {
    pub fn reading(&self) -> Reading {
        let documents = match (&self.separator, self.documents) {
            (Some(text), _) => Documents::Separator(text.clone()),
            (None, End::File) => Documents::File,
            (None, End::BlankLine) => Documents::BlankLine,
        };
        Reading { documents, field: self.field.clone(), ..Reading::default() }
    }
}

/// A corpus or text files.
#[derive(Debug, Args)]
pub struct SourceArguments {
    /// Read a part of this corpus
    #[arg(long, value_name = "CORPUS", conflicts_with = "text")]
    pub corpus: Option<PathBuf>,
    /// Read these files or folders of text, JSONL and Parquet instead, with the model's own
    /// tokenizer
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub text: Vec<PathBuf>,
    #[command(flatten)]
    reading: ReadingArguments,
    /// Read no more than the first N documents of `--text`
    #[arg(long, value_name = "N", requires = "text")]
    documents_limit: Option<Count>,
    /// Stands before each document of `--text` [default: as the tokenizer says]
    #[arg(long, value_name = "TOKEN", requires = "text")]
    begin_token: Option<String>,
}

/// A part of a corpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PartName {
    /// Text that no training sees
    Heldout,
    /// Text to train on
    Train,
}

impl PartName {
    pub fn name(self) -> &'static str {
        match self {
            Self::Heldout => "heldout",
            Self::Train => "train",
        }
    }
}

/// Opened text.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one of it")]
pub enum Source {
    /// A part of a corpus.
    Corpus(Box<Corpus>, PartName),
    /// Files, tokenised into a folder of their own for as long as this lives.
    Text { part: CorpusPart, info: PartInfo, _folder: TempDir },
}

impl Source {
    /// Opens what the arguments name, for a model; `None` where they name nothing.
    pub fn open(
        arguments: &SourceArguments,
        part: PartName,
        model: &ModelFolder,
        observer: &mut dyn Observer,
    ) -> anyhow::Result<Option<Self>> {
        if let Some(path) = &arguments.corpus {
            return Ok(Some(Self::Corpus(Box::new(open_corpus(path, model, observer)?), part)));
        }
        if arguments.text.is_empty() {
            return Ok(None);
        }
        let mut tokenizer = tokenizer_of(model)?;
        if let Some(text) = &arguments.begin_token {
            tokenizer.set_begin_token(text)?;
        }
        let folder = tempfile::tempdir()?;
        let reader = Sources::find(&arguments.text)?.read(&arguments.reading.reading())?;
        let limit = arguments.documents_limit.map_or(usize::MAX, |limit| limit.0 as usize);
        let (part, info) = text::tokenize_part(reader.take(limit), &tokenizer, folder.path())?;
        Ok(Some(Self::Text { part, info, _folder: folder }))
    }

    /// The tokens.
    pub fn part(&self) -> &CorpusPart {
        match self {
            Self::Corpus(corpus, PartName::Heldout) => corpus.heldout(),
            Self::Corpus(corpus, PartName::Train) => corpus.train(),
            Self::Text { part, .. } => part,
        }
    }

    /// Counts and hashes.
    pub fn info(&self) -> &PartInfo {
        match self {
            Self::Corpus(corpus, PartName::Heldout) => &corpus.info().heldout,
            Self::Corpus(corpus, PartName::Train) => &corpus.info().train,
            Self::Text { info, .. } => info,
        }
    }

    /// `heldout`, `train` or `text`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Corpus(_, part) => part.name(),
            Self::Text { .. } => "text",
        }
    }
}

/// Opens a corpus and makes sure that it was tokenised with the model's tokenizer.
pub fn open_corpus(
    path: &std::path::Path,
    model: &ModelFolder,
    observer: &mut dyn Observer,
) -> anyhow::Result<Corpus> {
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
pub fn tokenizer_of(model: &ModelFolder) -> anyhow::Result<Tokenizer> {
    let Some(path) = model.tokenizer_json() else {
        let error = anyhow::anyhow!("`{}` has no `tokenizer.json`", model.path().display());
        return Err(hinted(error, "copy the tokenizer's `tokenizer.json` into the model folder"));
    };
    Ok(Tokenizer::load(&path)?)
}
