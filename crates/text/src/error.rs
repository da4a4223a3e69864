use std::path::PathBuf;

/// An error between a text file and the tokens that a model reads.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<TextFailure>);

/// What an error is about, for callers that can do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A file could not be read or written; [`Error::disk`] says more.
    Disk,
    /// A corpus was made with another tokenizer.
    OtherTokenizer,
    /// The tokenizer has no begin token, or not the one that was named.
    BeginToken,
    /// A line of JSONL or a row of Parquet holds no text.
    BrokenRow,
    /// A Parquet file has no such column, or the column is not text.
    TextColumn,
    /// Text is not UTF-8.
    NotUtf8,
    /// Text is in another encoding, by its name; one that `iconv` knows.
    Encoding(&'static str),
    /// A file is packed, and its name lacks this extension.
    PackedName(&'static str),
    /// JSON is not laid out as one object a line.
    JsonLayout,
    /// A file holds no text that is read here.
    NoText,
    /// A packed file ends early or is damaged.
    Packing,
    /// A document, line or page is longer than memory should hold.
    TooLong,
    /// The caller stopped the work.
    Stopped,
    /// Anything else.
    Other,
}

impl Error {
    /// What it is about.
    pub fn kind(&self) -> ErrorKind {
        match *self.0 {
            TextFailure::Disk(_) => ErrorKind::Disk,
            TextFailure::OtherTokenizer { .. } => ErrorKind::OtherTokenizer,
            TextFailure::NoBeginToken
            | TextFailure::UnknownToken { .. }
            | TextFailure::UnknownBegin { .. } => ErrorKind::BeginToken,
            TextFailure::BadLine { .. } | TextFailure::BadRow { .. } => ErrorKind::BrokenRow,
            TextFailure::NoColumn { .. } | TextFailure::ColumnType { .. } => ErrorKind::TextColumn,
            TextFailure::NotUtf8 { .. } => ErrorKind::NotUtf8,
            TextFailure::Content { kind, .. } => match kind {
                Unreadable::Encoding(name) => ErrorKind::Encoding(name),
                Unreadable::Name(extension) => ErrorKind::PackedName(extension),
                Unreadable::Json => ErrorKind::JsonLayout,
                Unreadable::Packed | Unreadable::Other => ErrorKind::NoText,
            },
            TextFailure::InputKind { .. } => ErrorKind::NoText,
            TextFailure::EndsEarly { .. } | TextFailure::Damaged { .. } => ErrorKind::Packing,
            TextFailure::TooLong { .. } => ErrorKind::TooLong,
            TextFailure::Stopped => ErrorKind::Stopped,
            _ => ErrorKind::Other,
        }
    }

    /// The file failure behind it, if there is one.
    pub fn disk(&self) -> Option<&disk::Error> {
        match &*self.0 {
            TextFailure::Disk(error) => Some(error),
            _ => None,
        }
    }

    /// A line number for text that is not UTF-8.
    pub(crate) fn in_line(mut self, number: u64) -> Self {
        if let TextFailure::NotUtf8 { line, .. } = &mut *self.0 {
            *line = Some(number);
        }
        self
    }
}

impl From<TextFailure> for Error {
    fn from(failure: TextFailure) -> Self {
        Self(Box::new(failure))
    }
}

impl From<disk::Error> for Error {
    fn from(error: disk::Error) -> Self {
        TextFailure::Disk(error).into()
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum TextFailure {
    /// A file could not be read or written.
    #[error(transparent)]
    Disk(disk::Error),

    /// A tokenizer file has the wrong content.
    #[error("`{from}` is not a tokenizer that can be used: {why}")]
    Tokenizer {
        /// The file, or where its bytes came from.
        from: String,
        /// What the tokenizer library found.
        why: String,
    },

    /// The tokenizer refused a text, or ids.
    #[error("the tokenizer could not {action}: {why}")]
    Tokenize {
        /// What it was asked to do.
        action: &'static str,
        /// What the tokenizer library found.
        why: String,
    },

    /// The vocabulary lacks the named token.
    #[error("no token `{text}` among the {vocabulary} of the tokenizer")]
    UnknownToken {
        /// The token that was asked for.
        text: String,
        /// Size of the vocabulary.
        vocabulary: usize,
    },

    /// The tokenizer's configuration names a begin token that the vocabulary lacks.
    #[error(
        "`bos_token` of `{path}` is `{text}`, expected one of the {vocabulary} tokens of the tokenizer"
    )]
    UnknownBegin {
        /// The configuration.
        path: PathBuf,
        /// The token that it names.
        text: String,
        /// Size of the vocabulary.
        vocabulary: usize,
    },

    /// Documents need a begin token, and the tokenizer has none.
    #[error(
        "the tokenizer has no begin token: found no `bos_token`, `<|begin_of_text|>`, `<s>`, `<bos>` or \
         `<|endoftext|>`, expected one, or one named explicitly"
    )]
    NoBeginToken,

    /// The vocabulary is too small to be trained.
    #[error(
        "vocabulary of {asked} tokens, expected {least} or more: 256 bytes and `<|endoftext|>`"
    )]
    SmallVocabulary {
        /// The size that was asked for.
        asked: usize,
        /// The smallest size that holds every byte and the end token.
        least: usize,
    },

    /// The text has too few repeated pairs for a vocabulary of this size.
    #[error(
        "the text gives a vocabulary of {found} tokens, expected {expected}: ask for fewer or give more text"
    )]
    PoorText {
        /// The size that the text can give.
        found: usize,
        /// The size that was asked for.
        expected: usize,
    },

    /// An input is of an unsupported kind.
    #[error(
        "`{path}` is a `.{found}` file, expected plain text, JSON lines, either packed as `.gz` or `.zst`, or Parquet"
    )]
    InputKind {
        /// The file.
        path: PathBuf,
        /// Its extension.
        found: String,
    },

    /// A file holds nothing that is read here, whatever its name says.
    #[error(
        "`{path}` holds {found}, expected plain text in UTF-8, JSON with one object a line, or Parquet"
    )]
    Content {
        /// The file.
        path: PathBuf,
        /// What was found.
        found: String,
        /// Why it is not read.
        kind: Unreadable,
    },

    /// The inputs hold no file to read.
    #[error("no `.txt`, `.jsonl` or `.parquet` file in {inputs}, {ignored} other files ignored")]
    NoInput {
        /// The files and folders that were asked for.
        inputs: String,
        /// How many files were skipped.
        ignored: usize,
    },

    /// An empty separator would cut a text between all its bytes.
    #[error("the separator between documents is empty, expected text such as `<|endoftext|>`")]
    EmptySeparator,

    /// Text is not UTF-8.
    #[error("`{path}`{} is not UTF-8: found {found:#04x} at byte {offset}", line_of(*line))]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1, in a file of lines.
        line: Option<u64>,
        /// Offset of the first invalid byte, in the unpacked text.
        offset: u64,
        /// That byte.
        found: u8,
    },

    /// A packed file ends before its packed stream does.
    #[error(
        "`{path}` ends early: found its end after {bytes} bytes of text, expected the end of its {packing} data"
    )]
    EndsEarly {
        /// The file.
        path: PathBuf,
        /// `gzip` or `zstd`.
        packing: &'static str,
        /// How much could be unpacked.
        bytes: u64,
    },

    /// A packed file cannot be unpacked.
    #[error(
        "`{path}` is damaged: found {why} after {bytes} bytes of text, expected {packing} data"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// `gzip` or `zstd`.
        packing: &'static str,
        /// How much could be unpacked.
        bytes: u64,
        /// What the decoder found.
        why: String,
    },

    /// A Parquet file contradicts itself, or uses a feature that is not read here.
    #[error("`{path}`: found {found}, expected {expected}")]
    BadParquet {
        /// The file.
        path: PathBuf,
        /// What was found.
        found: String,
        /// What was expected.
        expected: String,
    },

    /// A Parquet file has no column of this name.
    #[error("`{path}` has no column `{field}`: found {found}")]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The columns of the file, or the first few of many.
        found: String,
        /// The column that was looked for.
        field: String,
    },

    /// A column of Parquet is not text.
    #[error("`{path}` column `{field}`: found {found}, expected text")]
    ColumnType {
        /// The file.
        path: PathBuf,
        /// The column.
        field: String,
        /// What it holds.
        found: String,
    },

    /// A row of Parquet holds no text.
    #[error("`{path}` row {row}: found {found}, expected text in `{field}`")]
    BadRow {
        /// The file.
        path: PathBuf,
        /// Number of the row, from 1.
        row: u64,
        /// What was found instead.
        found: String,
        /// The column.
        field: String,
    },

    /// One document or line is longer than memory should hold.
    #[error("`{path}` has a {what} at byte {offset} of more than {longest} bytes")]
    TooLong {
        /// The file.
        path: PathBuf,
        /// `document` or `line`.
        what: &'static str,
        /// Where it begins.
        offset: u64,
        /// The longest that is read, in bytes.
        longest: u64,
    },

    /// A line of a JSONL file is no object with the wanted text.
    #[error("`{path}` line {line}: found {found}, expected an object with text in `{field}`")]
    BadLine {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: u64,
        /// What was found instead.
        found: String,
        /// The field that was looked for.
        field: String,
    },

    /// The held-out share is not above 0 and below 1.
    #[error("held-out share of {found}, expected a number above 0 and below 1")]
    Share {
        /// What was given.
        found: f64,
    },

    /// No document fell into a part of the corpus.
    #[error(
        "the {part} part is empty: {documents} documents with a held-out share of {share}; {advice}"
    )]
    EmptyPart {
        /// `training` or `held-out`.
        part: &'static str,
        /// Documents in the other part.
        documents: u64,
        /// The share that was asked for.
        share: f64,
        /// What helps.
        advice: &'static str,
    },

    /// The build was stopped by the caller.
    #[error("stopped before the corpus was complete: nothing was written")]
    Stopped,

    /// Nothing is left to tokenise.
    #[error("no document holds any text")]
    NoText,

    /// A file of a corpus folder has impossible content, or contradicts another file.
    #[error("`{path}`: {what} is {found}, expected {expected}")]
    BadCorpus {
        /// The file.
        path: PathBuf,
        /// The field in question.
        what: String,
        /// What it says.
        found: String,
        /// What would fit.
        expected: String,
    },

    /// Somebody wrote into a corpus while it was used.
    #[error("`{path}` was changed while it was read, expected a corpus that stays as it is")]
    Changed {
        /// The file.
        path: PathBuf,
    },

    /// The corpus belongs to another tokenizer.
    #[error("corpus tokenised with another tokenizer: `{path}` has {found}, expected {expected}")]
    OtherTokenizer {
        /// The corpus folder, or the tokenizer inside it.
        path: PathBuf,
        /// Hash of the tokenizer that made the corpus.
        found: String,
        /// Hash of the tokenizer that was asked for.
        expected: String,
    },

    /// A stored token is outside the vocabulary.
    #[error(
        "token id out of range: `{path}` has id {id} at token {offset}, expected below the vocabulary of {vocabulary}"
    )]
    TokenOutOfRange {
        /// The `.bin` file.
        path: PathBuf,
        /// Offset in tokens.
        offset: u64,
        /// The id found there.
        id: i64,
        /// Size of the vocabulary.
        vocabulary: usize,
    },

    /// More tokens were asked for than a part holds.
    #[error("`{path}` holds {tokens} tokens, asked for {length} from token {start}")]
    PastEnd {
        /// The `.bin` file.
        path: PathBuf,
        /// Tokens in the part.
        tokens: u64,
        /// First token asked for.
        start: u64,
        /// How many were asked for.
        length: usize,
    },
}

/// Why a content is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// Text in another encoding.
    Encoding(&'static str),
    /// JSON that is not one object a line.
    Json,
    /// Packed data whose name lacks this extension.
    Name(&'static str),
    /// Parquet inside packed data.
    Packed,
    /// No text.
    Other,
}

fn line_of(line: Option<u64>) -> String {
    line.map_or_else(String::new, |line| format!(" line {line}"))
}

/// A result whose error is [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
