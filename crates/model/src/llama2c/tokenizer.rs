//! The tokenizer: turns pieces with scores into a `tokenizer.json` with merges.
//!
//! llama2.c repeatedly joins the two neighbours whose joined piece has the best score. The same as
//! a list of merges: every way to split a piece into two pieces, ordered by the score of the whole
//! piece.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::error::{Error, ModelFault, Result};

/// The token that a document begins with.
pub(super) const BEGIN: u32 = 1;
/// The token that a document ends with.
pub(super) const END: u32 = 2;

/// The first pieces; the 256 bytes follow.
const SPECIAL: [&str; 3] = ["<unk>", "<s>", "</s>"];

/// Longest file that is read, in bytes. The 32,000 pieces of Llama 2 take 434 kB.
const FILE_LIMIT: u64 = 64 << 20;

/// Longest piece, in bytes. It is limited because every way to split a piece is tried.
const PIECE_LIMIT: i32 = 1024;

/// The character that stands for a space in a piece.
const MARK: &str = "\u{2581}";

/// Reads a tokenizer of `vocabulary` pieces and writes it as `tokenizer.json`.
pub(super) fn to_json(path: &Path, vocabulary: usize) -> Result<Vec<u8>> {
    let refuse = |reason| {
        Error::from(ModelFault::Llama2c { path: path.to_path_buf(), what: "tokenizer", reason })
    };
    let file = disk::read(path, FILE_LIMIT)?;
    let pieces = read(&file, vocabulary).map_err(refuse)?;
    let ids = check(&pieces).map_err(refuse)?;
    let json = assemble(&pieces, &merges(&pieces, &ids));
    Ok(serde_json::to_vec_pretty(&json).expect("a JSON value is always JSON"))
}

/// `tokenizer_config.json`, which stock transformers need to load the tokenizer.
pub(super) fn config(context: usize) -> Vec<u8> {
    let config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": true,
        "add_eos_token": false,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "clean_up_tokenization_spaces": false,
        "model_max_length": context,
    });
    serde_json::to_vec_pretty(&config).expect("a JSON value is always JSON")
}

struct Piece {
    /// With [`MARK`] for spaces.
    text: String,
    score: f32,
}

fn read(file: &[u8], vocabulary: usize) -> Result<Vec<Piece>, String> {
    let mut rest = file;
    let longest = i32::from_le_bytes(take(&mut rest).ok_or("it is shorter than its header")?);
    if !(1..=PIECE_LIMIT).contains(&longest) {
        return Err(format!("its longest piece has {longest} bytes, expected 1 to {PIECE_LIMIT}"));
    }
    let mut pieces = Vec::new();
    for id in 0..vocabulary {
        let short =
            || format!("it ends in piece {id}, expected {vocabulary} pieces as the model has");
        let score = f32::from_le_bytes(take(&mut rest).ok_or_else(short)?);
        let length = i32::from_le_bytes(take(&mut rest).ok_or_else(short)?);
        if !(1..=longest).contains(&length) {
            return Err(format!("piece {id} has {length} bytes, expected 1 to {longest}"));
        }
        let (bytes, after) = rest.split_at_checked(length as usize).ok_or_else(short)?;
        rest = after;
        let text = str::from_utf8(bytes).map_err(|_| format!("piece {id} is not UTF-8 text"))?;
        if !score.is_finite() {
            return Err(format!("piece {id} has the score {score}, expected a finite number"));
        }
        // The exporter puts line breaks around the names of the begin and end tokens, for printing.
        let text = if id < SPECIAL.len() { text.trim() } else { text };
        pieces.push(Piece { text: text.replace(' ', MARK), score });
    }
    match rest.len() {
        0 => Ok(pieces),
        left => {
            Err(format!("{left} bytes follow its {vocabulary} pieces, as many as the model has"))
        }
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*bytes)
}

/// Checks that the pieces are those that the encoder relies on, and returns the id of each.
fn check(pieces: &[Piece]) -> Result<BTreeMap<&str, usize>, String> {
    let bytes = (0..=255_u8).map(byte_piece);
    let expected: Vec<String> = SPECIAL.iter().map(ToString::to_string).chain(bytes).collect();
    if pieces.len() < expected.len() {
        return Err(format!(
            "it has {} pieces, expected at least {}",
            pieces.len(),
            expected.len()
        ));
    }
    for (id, (piece, expected)) in pieces.iter().zip(&expected).enumerate() {
        if piece.text != *expected {
            return Err(format!("piece {id} is {:?}, expected {expected:?}", piece.text));
        }
    }
    let mut ids = BTreeMap::new();
    for (id, piece) in pieces.iter().enumerate() {
        if let Some(other) = ids.insert(piece.text.as_str(), id) {
            return Err(format!("pieces {other} and {id} are both {:?}", piece.text));
        }
    }
    Ok(ids)
}

fn byte_piece(byte: u8) -> String {
    format!("<0x{byte:02X}>")
}

/// Every split of every piece into two pieces, best first: by score, then by id, then by the place
/// of the split.
fn merges<'a>(pieces: &'a [Piece], ids: &BTreeMap<&str, usize>) -> Vec<(&'a str, &'a str)> {
    let joins = |part: &str| ids.get(part).is_some_and(|&id| id >= SPECIAL.len());
    let mut order: Vec<usize> = (SPECIAL.len()..pieces.len()).collect();
    order.sort_by(|&a, &b| pieces[b].score.total_cmp(&pieces[a].score).then(a.cmp(&b)));
    order
        .into_iter()
        .flat_map(|id| {
            let text = pieces[id].text.as_str();
            text.char_indices().skip(1).map(|(at, _)| text.split_at(at))
        })
        .filter(|(left, right)| joins(left) && joins(right))
        .collect()
}

fn assemble(pieces: &[Piece], merges: &[(&str, &str)]) -> Value {
    let vocabulary: Map<String, Value> =
        pieces.iter().enumerate().map(|(id, piece)| (piece.text.clone(), json!(id))).collect();
    let added = SPECIAL.iter().enumerate().map(|(id, content)| {
        json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
               "normalized": false, "special": true})
    });
    let begin = |kind: u32| json!({"SpecialToken": {"id": "<s>", "type_id": kind}});
    let text = |name: &str, kind: u32| json!({"Sequence": {"id": name, "type_id": kind}});
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": added.collect::<Vec<_>>(),
        // As in sentencepiece, one space precedes the text.
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Prepend", "prepend": MARK},
            {"type": "Replace", "pattern": {"String": " "}, "content": MARK},
        ]},
        "pre_tokenizer": null,
        "post_processor": {"type": "TemplateProcessing",
            "single": [begin(0), text("A", 0)],
            "pair": [begin(0), text("A", 0), begin(1), text("B", 1)],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [BEGIN], "tokens": ["<s>"]}}},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": MARK}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ]},
        "model": {"type": "BPE", "dropout": null, "unk_token": "<unk>", "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
            "vocab": vocabulary, "merges": merges},
    })
}
