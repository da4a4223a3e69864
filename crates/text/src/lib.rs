//! The text of a model: tokenizers, documents, the held-out split, the corpus folder.
//!
//! [`Reader`] turns text files into documents, [`Tokenizer`] turns documents into tokens. [`build`]
//! writes a corpus folder ([`Corpus`]), which training and evaluation read window by window.

#![forbid(unsafe_code)]

mod batches;
mod bpe;
mod corpus;
mod error;
mod pieces;
mod reader;
mod split;
mod tokenizer;

pub use bpe::{END_OF_TEXT, SMALLEST_VOCABULARY, train_bpe};
pub use corpus::{
    BuildOptions, BuildProgress, Corpus, CorpusInfo, CorpusPart, PartInfo, Stage, TokenizerSource,
    build, build_until, tokenize_part,
};
pub use error::{Error, ErrorKind, Result};
pub use reader::{Counts, Documents, Reader, Reading, Sources};
pub use split::{RULE, check_share, held_out};
pub use tokenizer::{BeginToken, Tokenizer};
