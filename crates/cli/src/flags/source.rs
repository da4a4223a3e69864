//! The text that a command reads, from flags.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use regrow::Count;
use regrow::source::{PartName, TextSource};
use text::{Documents, Reading};

/// How text files are cut into documents.
#[derive(Debug, Args)]
pub(crate) struct ReadingFlags {
    /// Where documents of plain text end
    #[arg(long, value_enum, value_name = "RULE", default_value_t = DocumentEnd::File, conflicts_with = "separator")]
    documents: DocumentEnd,
    /// Documents of plain text end at this text, for example `<|endoftext|>`
    #[arg(long, value_name = "TEXT")]
    separator: Option<String>,
    /// The field of JSONL, or the column of Parquet, that holds the text
    #[arg(long, value_name = "NAME", default_value = "text")]
    field: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DocumentEnd {
    /// At the end of the file
    File,
    /// At a blank line
    BlankLine,
}

impl ReadingFlags {
    pub(crate) fn reading(&self) -> Reading {
        let documents = match (&self.separator, self.documents) {
            (Some(text), _) => Documents::Separator(text.clone()),
            (None, DocumentEnd::File) => Documents::File,
            (None, DocumentEnd::BlankLine) => Documents::BlankLine,
        };
        Reading { documents, field: self.field.clone(), ..Reading::default() }
    }
}

/// A corpus or text files.
#[derive(Debug, Args)]
pub(crate) struct SourceFlags {
    /// Read a part of this corpus
    #[arg(long, value_name = "CORPUS", conflicts_with = "text")]
    corpus: Option<PathBuf>,
    /// Read these files or folders of text, JSONL and Parquet instead, with the model's own
    /// tokenizer
    #[arg(long, value_name = "FILE", num_args = 1..)]
    text: Vec<PathBuf>,
    #[command(flatten)]
    reading: ReadingFlags,
    /// Read no more than the first N documents of `--text`
    #[arg(long, value_name = "N", requires = "text")]
    documents_limit: Option<Count>,
    /// Stands before each document of `--text` [default: as the tokenizer says]
    #[arg(long, value_name = "TOKEN", requires = "text")]
    begin_token: Option<String>,
}

impl SourceFlags {
    /// The text that the flags name, if any.
    pub(crate) fn source(&self, part: PartName) -> Option<TextSource> {
        if let Some(path) = &self.corpus {
            return Some(TextSource::Corpus { path: path.clone(), part });
        }
        (!self.text.is_empty()).then(|| TextSource::Files {
            paths: self.text.clone(),
            reading: self.reading.reading(),
            limit: self.documents_limit.map(|limit| limit.0 as usize),
            begin_token: self.begin_token.clone(),
        })
    }
}

/// A part of a corpus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PartFlag {
    /// Text that no training sees
    Heldout,
    /// Text to train on
    Train,
}

impl From<PartFlag> for PartName {
    fn from(part: PartFlag) -> Self {
        match part {
            PartFlag::Heldout => Self::HeldOut,
            PartFlag::Train => Self::Train,
        }
    }
}
