//! Trains a byte-level BPE. It encodes every text, and decoding gives the text back exactly.

use std::collections::HashMap;

use rayon::prelude::*;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::tokenizer::{
    AddedToken, OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer,
};

use crate::batches::Batches;
use crate::error::{Error, Result, TextFailure};
use crate::pieces::Pieces;
use crate::tokenizer::Tokenizer;

/// The token between documents. Its id is 0.
pub const END_OF_TEXT: &str = "<|endoftext|>";

/// The smallest vocabulary: every byte and [`END_OF_TEXT`].
pub const SMALLEST_VOCABULARY: usize = 257;

/// A pair must occur this often to become a token: one occurrence teaches nothing.
const LEAST_PAIRS: u64 = 2;

/// The trainer counts pairs in 32 bits. No pair occurs more often than there are bytes.
const MOST_BYTES: u64 = i32::MAX as u64;

/// Trains a byte-level BPE tokenizer of exactly `vocabulary` tokens, [`END_OF_TEXT`] (id 0) and all
/// bytes included.
///
/// The same documents give the same bytes of `tokenizer.json`, whatever the number of threads.
/// Documents after the first 2 GiB are ignored.
///
/// # Errors
/// If `vocabulary` is below 257, or the text is too small to give that many tokens; and the first
/// error among the documents.
pub fn train_bpe(
    documents: impl Iterator<Item = Result<String>>,
    vocabulary: usize,
) -> Result<Tokenizer> {
    if vocabulary < SMALLEST_VOCABULARY {
        return Err(
            TextFailure::SmallVocabulary { asked: vocabulary, least: SMALLEST_VOCABULARY }.into()
        );
    }
    tokenizers::utils::parallelism::set_parallelism(false);
    let words = count_words(documents)?;
    let trainer = BpeTrainer::builder()
        .vocab_size(vocabulary)
        .min_frequency(LEAST_PAIRS)
        .show_progress(false)
        .special_tokens(vec![AddedToken::from(END_OF_TEXT, true)])
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .build();
    let mut model = BPE::default();
    let words = words.into_iter().map(|(word, count)| (word.into(), count)).collect();
    let special = trainer.do_train(&words, &mut model).map_err(failed)?;

    let mut tokenizer = tokenizers::Tokenizer::new(model);
    tokenizer.with_pre_tokenizer(Some(split()));
    tokenizer.with_decoder(Some(split()));
    tokenizer.add_special_tokens(special).map_err(failed)?;
    let json = tokenizer.to_string(true).map_err(failed)?;
    let tokenizer = Tokenizer::from_bytes(json)?;
    if tokenizer.vocabulary() != vocabulary {
        return Err(
            TextFailure::PoorText { found: tokenizer.vocabulary(), expected: vocabulary }.into()
        );
    }
    Ok(tokenizer)
}

/// Counts every word, as the byte-level splitter cuts and writes it.
fn count_words(documents: impl Iterator<Item = Result<String>>) -> Result<HashMap<String, u64>> {
    let mut words: HashMap<String, u64> = HashMap::new();
    let mut bytes = 0u64;
    for batch in Batches::new(documents) {
        let mut batch = batch?;
        batch.retain(|text| {
            bytes = bytes.saturating_add(text.len() as u64);
            bytes <= MOST_BYTES
        });
        let counts: Vec<HashMap<String, u64>> =
            batch.par_iter().map(|text| words_of(text)).collect::<Result<_>>()?;
        for (word, count) in counts.into_iter().flatten() {
            *words.entry(word).or_default() += count;
        }
        if bytes > MOST_BYTES {
            break;
        }
    }
    Ok(words)
}

/// Counts the words of one document. Text repeats itself, so each distinct piece is split only
/// once.
fn words_of(text: &str) -> Result<HashMap<String, u64>> {
    let mut pieces: HashMap<&str, u64> = HashMap::new();
    for piece in Pieces::new(text, 0) {
        *pieces.entry(piece).or_default() += 1;
    }
    let mut words: HashMap<String, u64> = HashMap::with_capacity(pieces.len());
    for (piece, times) in pieces {
        let mut cut = PreTokenizedString::from(piece);
        split().pre_tokenize(&mut cut).map_err(failed)?;
        for (word, _, _) in cut.get_splits(OffsetReferential::Original, OffsetType::Byte) {
            match words.get_mut(word) {
                Some(count) => *count += times,
                None => _ = words.insert(word.to_owned(), times),
            }
        }
    }
    Ok(words)
}

/// GPT-2's splitter. It puts no space before a text, so that decoding gives the exact text back.
fn split() -> ByteLevel {
    ByteLevel::new(false, true, true)
}

#[allow(clippy::needless_pass_by_value, reason = "the shape that `map_err` wants")]
fn failed(error: tokenizers::Error) -> Error {
    Error::from(TextFailure::Tokenize { action: "be trained", why: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn words_counted_by_pieces_are_the_words_of_the_whole(
            text in "([a-c'éß1٣ \\n\\t\u{a0}\u{2003}\u{85}\u{1c}.,—]|  |'s| 've){0,60}",
        ) {
            let mut whole: HashMap<String, u64> = HashMap::new();
            let mut cut = PreTokenizedString::from(text.as_str());
            split().pre_tokenize(&mut cut).unwrap();
            for (word, _, _) in cut.get_splits(OffsetReferential::Original, OffsetType::Byte) {
                *whole.entry(word.to_owned()).or_default() += 1;
            }
            prop_assert_eq!(words_of(&text).unwrap(), whole);
        }
    }
}
