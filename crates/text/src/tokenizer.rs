//! A tokenizer as a Hugging Face `tokenizer.json` describes it, with the settings that would surprise a trainer
//! switched off.

use std::path::Path;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tokenizers::models::ModelWrapper;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::processors::PostProcessorWrapper;

use crate::error::{Error, Result};
use crate::hash::{hex, sha256};
use crate::pieces::Pieces;

/// The largest `tokenizer.json` that is read, in bytes; the largest known ones are below 40 MiB.
const LARGEST_FILE: u64 = 256 << 20;
/// A text is encoded in pieces of about this many bytes where the tokenizer allows it: the library needs some 200
/// bytes of memory for each byte of a text.
const PIECE: usize = 1 << 12;
/// A long text is spread over threads in stretches of about this many bytes.
const STRETCH: usize = 1 << 16;
/// Begin tokens by the names that model families gave them, most telling first.
const BEGIN_TOKENS: [&str; 4] = ["<|begin_of_text|>", "<s>", "<bos>", "<|endoftext|>"];

/// The token that stands before each document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeginToken {
    /// Its id.
    pub id: u32,
    /// Its text, for example `<|begin_of_text|>`.
    pub text: String,
}

/// Turns text into token ids and back.
///
/// Text is always plain text here: a special token spelt out in a document is encoded as the characters it is made
/// of and never becomes a control token; post-processors, truncation, padding and BPE dropout that a file may ask
/// for are switched off. The bytes of the file are kept, so that what is written again is what was read.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    json: Vec<u8>,
    hash: String,
    vocabulary: usize,
    begin: Option<BeginToken>,
    in_pieces: bool,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`, or the one in a folder, and takes the begin token from the `tokenizer_config.json`
    /// beside it if there is one.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] when either file is not what its name says; [`Error::UnknownToken`] when the named begin
    /// token is not in the vocabulary.
    pub fn load(path: &Path) -> Result<Self> {
        let path = if path.is_dir() { path.join("tokenizer.json") } else { path.to_owned() };
        let mut tokenizer = Self::parse(disk::read(&path, LARGEST_FILE)?, &path.display().to_string())?;
        if let Some(text) = configured_begin_token(&path.with_file_name("tokenizer_config.json"))? {
            tokenizer.set_begin_token(&text)?;
        }
        Ok(tokenizer)
    }

    /// Reads a tokenizer from the bytes of a `tokenizer.json`.
    ///
    /// # Errors
    /// [`Error::Tokenizer`] when the bytes are something else.
    pub fn from_bytes(json: impl Into<Vec<u8>>) -> Result<Self> {
        Self::parse(json.into(), "tokenizer.json")
    }

    /// Token ids of a text, without any token before or after it.
    ///
    /// # Errors
    /// [`Error::Tokenize`] when the tokenizer has no token for a part of the text and none for the unknown.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let mut ids = Vec::with_capacity(text.len() / 3);
        let least = if self.in_pieces { PIECE } else { text.len() };
        for piece in Pieces::new(text, least) {
            let encoding = self
                .inner
                .encode_fast(piece, false)
                .map_err(|error| Error::Tokenize { action: "encode a text", why: error.to_string() })?;
            ids.extend_from_slice(encoding.get_ids());
        }
        Ok(ids)
    }

    /// A text in stretches that can be encoded one by one, in a few where the tokenizer allows it and else in one.
    pub(crate) fn stretches<'a>(&self, text: &'a str) -> impl Iterator<Item = &'a str> {
        Pieces::new(text, if self.in_pieces { STRETCH } else { text.len() })
    }

    /// Encodes documents on all threads of the current pool, in order; the result does not depend on their number.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_all<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Vec<Vec<u32>>> {
        texts.par_iter().map(|text| self.encode(text.as_ref())).collect()
    }

    /// The text of token ids, control tokens spelt out.
    ///
    /// # Errors
    /// [`Error::Tokenize`] when an id is outside the vocabulary.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        // The library passes over ids that it does not know.
        if let Some(id) = ids.iter().find(|id| **id as usize >= self.vocabulary) {
            let why = format!("id {id}, expected below the vocabulary of {}", self.vocabulary);
            return Err(Error::Tokenize { action: "decode", why });
        }
        self.inner
            .decode(ids, false)
            .map_err(|error| Error::Tokenize { action: "decode", why: error.to_string() })
    }

    /// The largest id plus one, so that every id is below it.
    pub fn vocabulary(&self) -> usize {
        self.vocabulary
    }

    /// SHA-256 of the file's bytes, in hexadecimal.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The bytes of the `tokenizer.json`, as they were read.
    pub fn to_json(&self) -> Vec<u8> {
        self.json.clone()
    }

    /// The id of a token by its exact text.
    pub fn id_of(&self, text: &str) -> Option<u32> {
        self.inner.token_to_id(text)
    }

    /// The exact text of a token by its id.
    pub fn text_of(&self, id: u32) -> Option<String> {
        self.inner.id_to_token(id)
    }

    /// The token before each document: `bos_token` of `tokenizer_config.json`, else one of the well-known names,
    /// else `<|endoftext|>`, which serves as a separator where a family such as Qwen2.5 has no begin token.
    pub fn begin_token(&self) -> Option<&BeginToken> {
        self.begin.as_ref()
    }

    /// Chooses the begin token by its text.
    ///
    /// # Errors
    /// [`Error::UnknownToken`] when the vocabulary does not hold it.
    pub fn set_begin_token(&mut self, text: &str) -> Result<()> {
        let id = self
            .id_of(text)
            .ok_or_else(|| Error::UnknownToken { text: text.to_owned(), vocabulary: self.vocabulary })?;
        self.begin = Some(BeginToken { id, text: text.to_owned() });
        Ok(())
    }

    fn parse(json: Vec<u8>, from: &str) -> Result<Self> {
        let bad = |why: String| Error::Tokenizer { from: from.to_owned(), why };
        // Documents are spread over threads here; the library's own threads would only add a second, global switch.
        tokenizers::utils::parallelism::set_parallelism(false);
        let mut inner = tokenizers::Tokenizer::from_bytes(&json).map_err(|error| bad(error.to_string()))?;
        inner.with_truncation(None).map_err(|error| bad(error.to_string()))?;
        inner.with_padding(None);
        inner.with_post_processor(None::<PostProcessorWrapper>);
        inner.set_encode_special_tokens(true);
        if let ModelWrapper::BPE(model) = inner.get_model()
            && model.dropout.is_some()
        {
            let mut model = model.clone();
            model.dropout = None;
            inner.with_model(model);
        }
        same_added_ids(&inner, &json).map_err(bad)?;
        let largest = inner.get_vocab(true).into_values().max().ok_or_else(|| bad("no tokens".to_owned()))?;
        if largest >= i32::MAX as u32 {
            return Err(bad(format!("token id {largest}, expected below {}", i32::MAX)));
        }
        let in_pieces = can_be_cut(&inner);
        let mut tokenizer = Self {
            in_pieces,
            hash: hex(&sha256(&json)),
            vocabulary: largest as usize + 1,
            inner,
            json,
            begin: None,
        };
        tokenizer.begin = tokenizer.well_known_begin_token();
        Ok(tokenizer)
    }

    fn well_known_begin_token(&self) -> Option<BeginToken> {
        let added = self.inner.get_added_vocabulary();
        // A control token goes before an ordinary one of the same spelling: `<s>` may be a piece of HTML.
        let special = BEGIN_TOKENS.iter().find(|text| added.is_special_token(text));
        let text = special.or_else(|| BEGIN_TOKENS.iter().find(|text| self.id_of(text).is_some()))?;
        Some(BeginToken { id: self.id_of(text)?, text: (*text).to_owned() })
    }
}

/// Whether a text may be encoded in [`Pieces`]: GPT-2's splitter and nothing around it that looks further.
fn can_be_cut(inner: &tokenizers::Tokenizer) -> bool {
    let gpt2 = matches!(inner.get_pre_tokenizer(), Some(PreTokenizerWrapper::ByteLevel(byte_level))
        if byte_level.use_regex && !byte_level.add_prefix_space);
    // Special tokens are text here; any other added token may hold spaces.
    let added = inner.get_added_tokens_decoder();
    gpt2 && inner.get_normalizer().is_none() && added.values().all(|token| token.special)
}

/// The library numbers added tokens anew where the file leaves a gap, and says so only in a log; a model trained
/// with the file's ids would then read other tokens than were written.
fn same_added_ids(inner: &tokenizers::Tokenizer, json: &[u8]) -> std::result::Result<(), String> {
    #[derive(Deserialize)]
    struct File {
        #[serde(default)]
        added_tokens: Vec<Added>,
    }
    #[derive(Deserialize)]
    struct Added {
        id: u32,
        content: String,
    }
    let file: File = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    for token in file.added_tokens {
        match inner.token_to_id(&token.content) {
            Some(id) if id == token.id => {}
            Some(id) => {
                return Err(format!("added token `{}` has id {}, expected {id}", token.content, token.id));
            }
            None => return Err(format!("added token `{}` is not taken", token.content)),
        }
    }
    Ok(())
}

/// `bos_token` of a `tokenizer_config.json`: a string, or an object with its `content`.
fn configured_begin_token(path: &Path) -> Result<Option<String>> {
    if !path.exists() {
        return Ok(None);
    }
    let bad = |why: String| Error::Tokenizer { from: path.display().to_string(), why };
    let config: serde_json::Value =
        serde_json::from_slice(&disk::read(path, LARGEST_FILE)?).map_err(|error| bad(error.to_string()))?;
    let token = match config.get("bos_token") {
        None | Some(serde_json::Value::Null) => return Ok(None),
        Some(token) => token.get("content").unwrap_or(token),
    };
    let text = token.as_str().ok_or_else(|| bad(format!("`bos_token` is {token}, expected text")))?;
    Ok(Some(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn a_text_in_pieces_gives_the_tokens_of_the_whole(
            words in proptest::collection::vec("[a-cé ,'\\n]{0,9}|<\\|endoftext\\|>|the", 2000..3000),
        ) {
            let text = words.join(" ");
            let mut tokenizer = crate::train_bpe(std::iter::once(Ok(text.clone())), 300).unwrap();
            prop_assert!(tokenizer.in_pieces && Pieces::new(&text, PIECE).count() > 1);
            let pieces = tokenizer.encode(&text).unwrap();
            tokenizer.in_pieces = false;
            prop_assert_eq!(pieces, tokenizer.encode(&text).unwrap());
        }
    }
}
