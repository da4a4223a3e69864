//! A tokenizer from a Hugging Face `tokenizer.json`. Settings that would surprise a trainer are
//! switched off.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokenizers::AddedToken;
use tokenizers::models::ModelWrapper;
use tokenizers::processors::PostProcessorWrapper;

use crate::error::{Error, Result, TextFailure};
use crate::pieces::{Pieces, SPACE};

/// The largest `tokenizer.json` that is read, in bytes; the largest known ones are below 40 MiB.
const LARGEST_FILE: u64 = 256 << 20;
/// A text is encoded in pieces of about this many bytes, if the tokenizer allows it. The library
/// needs about 200 bytes of memory per byte of text.
const PIECE: usize = 1 << 12;
/// The same for a tokenizer that takes a whole text as one word: it merges short pieces faster than
/// long ones.
const WORDS: usize = 1 << 6;
/// A long text is split into stretches of about this many bytes, for several threads.
const STRETCH: usize = 1 << 16;
/// Names of begin tokens in known model families, the clearest first.
const BEGIN_TOKENS: [&str; 4] = ["<|begin_of_text|>", "<s>", "<bos>", "<|endoftext|>"];

/// The token before each document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeginToken {
    /// Its id.
    pub id: u32,
    /// Its text, for example `<|begin_of_text|>`.
    pub text: String,
}

/// Turns text into token ids and back.
///
/// Text is always plain text. A special token that is spelt out in a document is encoded as its
/// characters, never as the control token. Post-processors, truncation, padding and BPE dropout of
/// a file are switched off. The bytes of the file are kept, so that a copy is identical.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    json: Vec<u8>,
    hash: String,
    vocabulary: usize,
    begin: Option<BeginToken>,
    /// A begin token that the configuration names and the vocabulary lacks, and where it says so.
    unknown_begin: Option<(PathBuf, String)>,
    piece_rule: PieceRule,
}

impl Tokenizer {
    /// Reads a `tokenizer.json`, or the one in a folder. The begin token comes from the
    /// `tokenizer_config.json` beside it, if there is one. If the vocabulary lacks the one that is
    /// named there, the tokenizer has none until one is chosen.
    ///
    /// # Errors
    /// If a file has the wrong content.
    pub fn load(path: &Path) -> Result<Self> {
        let path = if path.is_dir() { path.join("tokenizer.json") } else { path.to_owned() };
        let mut tokenizer =
            Self::parse(disk::read(&path, LARGEST_FILE)?, &path.display().to_string())?;
        let config = path.with_file_name("tokenizer_config.json");
        if let Some(text) = configured_begin_token(&config)? {
            // An unknown token is an error only for who needs one and names no other.
            if tokenizer.set_begin_token(&text).is_err() {
                tokenizer.begin = None;
                tokenizer.unknown_begin = Some((config, text));
            }
        }
        Ok(tokenizer)
    }

    /// Reads a tokenizer from the bytes of a `tokenizer.json`.
    ///
    /// # Errors
    /// If the bytes are not a tokenizer.
    pub fn from_bytes(json: impl Into<Vec<u8>>) -> Result<Self> {
        Self::parse(json.into(), "tokenizer.json")
    }

    /// Token ids of a text, without any token before or after it.
    ///
    /// # Errors
    /// If the tokenizer has no token for a part of the text, and no unknown token.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let mut ids = Vec::with_capacity(text.len() / 3);
        let least = match self.piece_rule {
            PieceRule::Nowhere => text.len(),
            PieceRule::BeforeSpaces => PIECE,
            PieceRule::AtSpaces => WORDS,
        };
        for (i, piece) in Pieces::new(text, least).enumerate() {
            // Some tokenizers put a space before every text that they get. A later piece begins
            // with its own space, so that one is removed.
            let piece = if i == 0 { piece } else { self.without_space(piece) };
            // A vocabulary may be damaged in a way that shows only when it is used.
            let encoding = disk::guarded(|| self.inner.encode_fast(piece, false))
                .and_then(|encoding| encoding.map_err(|error| error.to_string()))
                .map_err(|why| TextFailure::Tokenize { action: "encode a text", why })?;
            ids.extend_from_slice(encoding.get_ids());
        }
        Ok(ids)
    }

    /// Cuts a text into stretches that can be encoded independently. There is only one if the
    /// tokenizer allows no cut.
    pub(crate) fn stretches<'a>(&'a self, text: &'a str) -> impl Iterator<Item = &'a str> {
        let least = if self.piece_rule == PieceRule::Nowhere { text.len() } else { STRETCH };
        Pieces::new(text, least)
            .enumerate()
            .map(|(i, piece)| if i == 0 { piece } else { self.without_space(piece) })
    }

    /// The part of a later piece that is given to the tokenizer.
    fn without_space<'a>(&self, piece: &'a str) -> &'a str {
        if self.piece_rule == PieceRule::AtSpaces {
            piece.strip_prefix(' ').unwrap_or(piece)
        } else {
            piece
        }
    }

    /// Encodes documents in order, on all threads of the current pool. The result does not depend
    /// on the number of threads.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_all<T: AsRef<str> + Sync>(&self, texts: &[T]) -> Result<Vec<Vec<u32>>> {
        texts.par_iter().map(|text| self.encode(text.as_ref())).collect()
    }

    /// The text of token ids. Control tokens are spelt out.
    ///
    /// # Errors
    /// When an id is outside the vocabulary.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        // Checked here, since the library silently skips unknown ids.
        if let Some(id) = ids.iter().find(|id| **id as usize >= self.vocabulary) {
            let why = format!("id {id}, expected below the vocabulary of {}", self.vocabulary);
            return Err(TextFailure::Tokenize { action: "decode", why }.into());
        }
        disk::guarded(|| self.inner.decode(ids, false))
            .and_then(|text| text.map_err(|error| error.to_string()))
            .map_err(|why| TextFailure::Tokenize { action: "decode", why }.into())
    }

    /// The text of those ids that the tokenizer has, and how many it does not have. A model may
    /// have more rows than its tokenizer has tokens.
    ///
    /// # Errors
    /// If the tokenizer's own decoder fails.
    pub fn decode_known(&self, ids: &[u32]) -> Result<(String, usize)> {
        let known: Vec<u32> =
            ids.iter().copied().filter(|id| self.inner.id_to_token(*id).is_some()).collect();
        Ok((self.decode(&known)?, ids.len() - known.len()))
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

    /// The token before each document: `bos_token` of `tokenizer_config.json`, else the first
    /// well-known name that exists. The last of these is `<|endoftext|>`, a separator in families
    /// without a begin token, such as Qwen2.5.
    pub fn begin_token(&self) -> Option<&BeginToken> {
        self.begin.as_ref()
    }

    /// The token before each document, for callers that need one.
    ///
    /// # Errors
    /// [`ErrorKind::BeginToken`](crate::ErrorKind::BeginToken) if the tokenizer has none.
    pub fn require_begin_token(&self) -> Result<&BeginToken> {
        self.begin_token().ok_or_else(|| match &self.unknown_begin {
            Some((path, text)) => TextFailure::UnknownBegin {
                path: path.clone(),
                text: text.clone(),
                vocabulary: self.vocabulary,
            }
            .into(),
            None => TextFailure::NoBeginToken.into(),
        })
    }

    /// Chooses the begin token by its text.
    ///
    /// # Errors
    /// If the vocabulary lacks it.
    pub fn set_begin_token(&mut self, text: &str) -> Result<()> {
        let id = self.id_of(text).ok_or_else(|| {
            Error::from(TextFailure::UnknownToken {
                text: text.to_owned(),
                vocabulary: self.vocabulary,
            })
        })?;
        self.begin = Some(BeginToken { id, text: text.to_owned() });
        Ok(())
    }

    /// Reads the bytes of a file, which may be damaged in any way.
    fn parse(json: Vec<u8>, from: &str) -> Result<Self> {
        disk::guarded(|| Self::parsed(json, from)).unwrap_or_else(|why| {
            Err(TextFailure::Tokenizer { from: from.to_owned(), why: format!("found {why}") }
                .into())
        })
    }

    fn parsed(json: Vec<u8>, from: &str) -> Result<Self> {
        let bad = |why: String| Error::from(TextFailure::Tokenizer { from: from.to_owned(), why });
        // Our own threads encode documents. The threads of the library would be a second, global
        // setting.
        tokenizers::utils::parallelism::set_parallelism(false);
        let mut inner =
            tokenizers::Tokenizer::from_bytes(&json).map_err(|error| bad(error.to_string()))?;
        inner.with_truncation(None).map_err(|error| bad(error.to_string()))?;
        inner.with_padding(None);
        inner.with_post_processor(None::<PostProcessorWrapper>);
        // Encodes the letters of a special token in a text, not the token.
        inner.set_encode_special_tokens(true);
        if let ModelWrapper::BPE(model) = inner.get_model()
            && model.dropout.is_some()
        {
            let mut model = model.clone();
            // Dropout is random: it would give other tokens each time.
            model.dropout = None;
            inner.with_model(model);
        }
        same_added_ids(&inner, &json).map_err(bad)?;
        let largest =
            inner.get_vocab(true).into_values().max().ok_or_else(|| bad("no tokens".to_owned()))?;
        // Corpora hold ids as int32.
        if largest >= i32::MAX as u32 {
            return Err(bad(format!("token id {largest}, expected below {}", i32::MAX)));
        }
        let cut = PieceRule::of(&inner);
        let mut tokenizer = Self {
            piece_rule: cut,
            hash: ledger::Sha256::of(&json).to_string(),
            vocabulary: largest as usize + 1,
            inner,
            json,
            begin: None,
            unknown_begin: None,
        };
        tokenizer.begin = tokenizer.well_known_begin_token();
        Ok(tokenizer)
    }

    fn well_known_begin_token(&self) -> Option<BeginToken> {
        let added = self.inner.get_added_vocabulary();
        // A control token is preferred to an ordinary one of the same spelling: `<s>` may be a
        // piece of HTML.
        let special = BEGIN_TOKENS.iter().find(|text| added.is_special_token(text));
        let text =
            special.or_else(|| BEGIN_TOKENS.iter().find(|text| self.id_of(text).is_some()))?;
        Some(BeginToken { id: self.id_of(text)?, text: (*text).to_owned() })
    }
}

/// Where a text may be cut so that its [`Pieces`] give the same tokens as the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PieceRule {
    /// The tokenizer is unknown: a text is encoded whole.
    Nowhere,
    /// Before a single space, which stays with the word behind it. Such tokenizers split words by a
    /// pattern.
    BeforeSpaces,
    /// At a single space, which is removed: the tokenizer puts one before every text, as that of
    /// Llama 2 does.
    AtSpaces,
}

/// The patterns by which Llama 3 and Qwen2 split words. No alternative of them runs from a
/// non-space character into a space, and none looks back. So a cut before a space changes no word.
const PATTERNS: [&str; 2] = [
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
];

impl PieceRule {
    fn of(inner: &tokenizers::Tokenizer) -> Self {
        let json = |value: serde_json::Result<Value>| value.unwrap_or(Value::Null);
        // The library has no accessors for these fields; its JSON form shows them.
        let splitter = json(serde_json::to_value(inner.get_pre_tokenizer()));
        let normalizer = json(serde_json::to_value(inner.get_normalizer()));
        let added = inner.get_added_tokens_decoder();
        // Special tokens are plain text here. Any other added token may contain spaces, or depend
        // on its neighbours.
        let special = added.values().all(|token| token.special);
        let narrow = |token: &AddedToken| {
            let plain = !(token.lstrip || token.rstrip || token.single_word);
            token.special || plain && !token.content.contains(char::is_whitespace)
        };
        // A space never composes with another character, so NFC works on each piece alone.
        let composed = normalizer.is_null() || normalizer["type"] == "NFC";
        if composed && splits_before_spaces(&splitter) && added.values().all(narrow) {
            return Self::BeforeSpaces;
        }
        if splitter.is_null()
            && special
            && puts_a_space_before(&normalizer)
            && words_end_at_spaces(inner)
        {
            return Self::AtSpaces;
        }
        Self::Nowhere
    }
}

/// Whether words are split by GPT-2's splitter, or by one of [`PATTERNS`] followed by GPT-2's byte
/// encoding.
fn splits_before_spaces(splitter: &Value) -> bool {
    let bytes = |splitter: &Value, split: bool| {
        splitter["type"] == "ByteLevel"
            && splitter["add_prefix_space"] == false
            && splitter["use_regex"] == split
    };
    let pattern = |splitter: &Value| {
        splitter["type"] == "Split"
            && splitter["behavior"] == "Isolated"
            && splitter["invert"] == false
            && PATTERNS.iter().any(|pattern| splitter["pattern"]["Regex"] == *pattern)
    };
    match splitter["pretokenizers"].as_array().map(Vec::as_slice) {
        Some([first, second]) => {
            splitter["type"] == "Sequence" && pattern(first) && bytes(second, false)
        }
        Some(_) => false,
        None => bytes(splitter, true),
    }
}

/// Whether spaces are treated as in Llama 2: one is put before the text, and all are written as
/// [`SPACE`].
fn puts_a_space_before(normalizer: &Value) -> bool {
    let expected = serde_json::json!({"type": "Sequence", "normalizers": [
        {"type": "Prepend", "prepend": SPACE},
        {"type": "Replace", "pattern": {"String": " "}, "content": SPACE},
    ]});
    *normalizer == expected
}

/// Whether no token of a BPE vocabulary has a space behind another character. Then nothing is
/// merged across a space.
fn words_end_at_spaces(inner: &tokenizers::Tokenizer) -> bool {
    let ModelWrapper::BPE(model) = inner.get_model() else { return false };
    let plain = model.continuing_subword_prefix.is_none() && model.end_of_word_suffix.is_none();
    let ends = |token: &String| !token.trim_start_matches(SPACE).contains(SPACE);
    plain
        && inner.token_to_id(&SPACE.to_string()).is_some()
        && inner.get_vocab(true).keys().all(ends)
}

/// Checks the ids of added tokens. The library renumbers them if the file leaves a gap, and only
/// logs it. A model trained with the ids of the file would then read wrong tokens.
fn same_added_ids(inner: &tokenizers::Tokenizer, json: &[u8]) -> std::result::Result<(), String> {
    #[derive(Deserialize)]
    struct AddedTokens {
        #[serde(default)]
        added_tokens: Vec<Added>,
    }
    #[derive(Deserialize)]
    struct Added {
        id: u32,
        content: String,
    }
    let file: AddedTokens = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    for token in file.added_tokens {
        match inner.token_to_id(&token.content) {
            Some(id) if id == token.id => {}
            Some(id) => {
                return Err(format!(
                    "added token `{}` has id {}, expected {id}",
                    token.content, token.id
                ));
            }
            None => return Err(format!("added token `{}` is not taken", token.content)),
        }
    }
    Ok(())
}

/// Reads `bos_token` of a `tokenizer_config.json`: a string, or an object with its `content`.
fn configured_begin_token(path: &Path) -> Result<Option<String>> {
    if !path.exists() {
        return Ok(None);
    }
    let bad =
        |why: String| Error::from(TextFailure::Tokenizer { from: path.display().to_string(), why });
    let config: serde_json::Value = serde_json::from_slice(&disk::read(path, LARGEST_FILE)?)
        .map_err(|error| bad(error.to_string()))?;
    let token = match config.get("bos_token") {
        None | Some(serde_json::Value::Null) => return Ok(None),
        Some(token) => token.get("content").unwrap_or(token),
    };
    let text =
        token.as_str().ok_or_else(|| bad(format!("`bos_token` is {token}, expected text")))?;
    // Some exporters write no token as an empty one.
    Ok((!text.is_empty()).then(|| text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn trained(text: &str) -> Tokenizer {
        crate::train_bpe(std::iter::once(Ok(text.to_owned())), 300).unwrap()
    }

    /// A byte-level tokenizer with another splitter and normalizer.
    fn with(trained: &Tokenizer, splitter: &Value, normalizer: &Value) -> Tokenizer {
        let mut json: Value = serde_json::from_slice(&trained.json).unwrap();
        json["pre_tokenizer"] = splitter.clone();
        json["normalizer"] = normalizer.clone();
        Tokenizer::from_bytes(json.to_string()).unwrap()
    }

    fn pattern(number: usize) -> Value {
        json!({"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": PATTERNS[number]}, "behavior": "Isolated", "invert": false},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
        ]})
    }

    /// A small vocabulary in the manner of Llama 2, with bytes for what it does not hold.
    fn llama2() -> Value {
        let mut vocabulary = serde_json::Map::new();
        let mut add = |token: String| {
            let id = vocabulary.len();
            vocabulary.insert(token, id.into());
        };
        ["<unk>", "<s>", "</s>"].iter().for_each(|token| add((*token).to_owned()));
        (0..=255u8).for_each(|byte| add(format!("<0x{byte:02X}>")));
        ["▁", "a", "b", "c", "▁a", "ab", "▁ab", "▁▁", "▁▁a", "bc", "▁abc"]
            .iter()
            .for_each(|token| add((*token).to_owned()));
        let merges = [
            ["▁", "a"],
            ["a", "b"],
            ["▁a", "b"],
            ["▁", "▁"],
            ["▁▁", "a"],
            ["b", "c"],
            ["▁ab", "c"],
        ];
        json!({
            "version": "1.0",
            "added_tokens": [],
            "normalizer": {"type": "Sequence", "normalizers": [
                {"type": "Prepend", "prepend": "▁"},
                {"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
            ]},
            "pre_tokenizer": null,
            "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true,
                "vocab": vocabulary, "merges": merges},
        })
    }

    fn same_in_pieces(
        mut tokenizer: Tokenizer,
        piece_rule: PieceRule,
        text: &str,
    ) -> std::result::Result<(), TestCaseError> {
        prop_assert_eq!(tokenizer.piece_rule, piece_rule);
        let pieces = tokenizer.encode(text).unwrap();
        let stretches: Vec<u32> = tokenizer
            .stretches(text)
            .flat_map(|stretch| tokenizer.encode(stretch).unwrap())
            .collect();
        tokenizer.piece_rule = PieceRule::Nowhere;
        let whole = tokenizer.encode(text).unwrap();
        prop_assert_eq!(&pieces, &whole);
        prop_assert_eq!(stretches, whole);
        Ok(())
    }

    const WORD: &str = "[a-cé ,'\\n\u{301}\u{a0}\t1]{0,9}|<\\|endoftext\\|>|the|'LL|12345";

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn a_text_in_pieces_gives_the_tokens_of_the_whole(
            words in proptest::collection::vec(WORD, 2000..3000),
        ) {
            let text = words.join(" ");
            prop_assert!(Pieces::new(&text, PIECE).count() > 1);
            let nfc = json!({"type": "NFC"});
            let trained = trained(&text);
            same_in_pieces(with(&trained, &pattern(0), &Value::Null), PieceRule::BeforeSpaces, &text)?;
            same_in_pieces(with(&trained, &pattern(1), &nfc), PieceRule::BeforeSpaces, &text)?;
            same_in_pieces(trained, PieceRule::BeforeSpaces, &text)?;
        }

        #[test]
        fn a_text_at_its_spaces_gives_llama_2s_tokens_of_the_whole(
            words in proptest::collection::vec("[abc ▁\\n]{0,6}|[abcé,]{1,4}", 0..400),
        ) {
            let tokenizer = Tokenizer::from_bytes(llama2().to_string()).unwrap();
            same_in_pieces(tokenizer, PieceRule::AtSpaces, &words.join(" "))?;
        }
    }

    #[test]
    fn a_tokenizer_that_may_look_across_a_space_gets_texts_whole() {
        let added = |content: &str, lstrip: bool| {
            json!({"id": 300, "content": content, "single_word": false, "lstrip": lstrip, "rstrip": false,
                "normalized": false, "special": false})
        };
        let text: String = (0..200).map(|i| format!("word{i} word{i} ")).collect();
        let trained = trained(&text);
        let cut_with = |change: &dyn Fn(&mut Value)| {
            let mut json: Value = serde_json::from_slice(&trained.json).unwrap();
            let id = json["model"]["vocab"].as_object().unwrap().len();
            change(&mut json);
            if let Some(token) =
                json["added_tokens"].as_array_mut().unwrap().iter_mut().find(|t| t["id"] == 300)
            {
                token["id"] = id.into();
            }
            Tokenizer::from_bytes(json.to_string()).unwrap().piece_rule
        };
        let push = |json: &mut Value, token: Value| {
            json["added_tokens"].as_array_mut().unwrap().push(token);
        };
        assert_eq!(cut_with(&|json| push(json, added("<tool>", false))), PieceRule::BeforeSpaces);
        assert_eq!(cut_with(&|json| push(json, added("a tool", false))), PieceRule::Nowhere);
        assert_eq!(cut_with(&|json| push(json, added("<tool>", true))), PieceRule::Nowhere);
        assert_eq!(
            cut_with(&|json| json["normalizer"] = json!({"type": "Lowercase"})),
            PieceRule::Nowhere
        );
        assert_eq!(
            cut_with(&|json| json["pre_tokenizer"]["add_prefix_space"] = true.into()),
            PieceRule::Nowhere
        );
        let mut across = llama2();
        across["model"]["vocab"]["c▁"] = across["model"]["vocab"].as_object().unwrap().len().into();
        assert_eq!(
            Tokenizer::from_bytes(across.to_string()).unwrap().piece_rule,
            PieceRule::Nowhere
        );
    }
}
