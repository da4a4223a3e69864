//! Byte-level BPE trained on the spot: exact, deterministic, of the size asked for.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::Path;

use proptest::prelude::*;
use text::{END_OF_TEXT, SMALLEST_VOCABULARY, Tokenizer, train_bpe};

fn train(texts: &[&str], vocabulary: usize) -> text::Result<Tokenizer> {
    train_bpe(texts.iter().map(|text| Ok((*text).to_owned())), vocabulary)
}

/// An error of reading, of whatever kind.
fn broken() -> text::Error {
    text::check_share(0.0).unwrap_err()
}

/// The vocabulary that a text can give, as the message says it.
fn largest(message: &str) -> usize {
    let rest = message.strip_prefix("the text gives a vocabulary of ").expect(message);
    rest.split(' ').next().and_then(|number| number.parse().ok()).expect(message)
}

#[test]
fn the_end_token_comes_first_and_begins_documents() {
    let tokenizer = train(&["hello hello hello"], 260).unwrap();
    assert_eq!(tokenizer.id_of(END_OF_TEXT), Some(0));
    let begin = tokenizer.begin_token().unwrap();
    assert_eq!((begin.id, begin.text.as_str()), (0, END_OF_TEXT));
    assert_eq!(tokenizer.vocabulary(), 260);
    // The bytes in the order of the characters that stand for them, then what was merged.
    assert_eq!(tokenizer.text_of(1).unwrap(), "!");
    assert_eq!(tokenizer.text_of(257).unwrap().len(), 2);
}

#[test]
fn an_end_token_spelt_out_in_a_text_stays_text() {
    let tokenizer = train(&["hello hello hello"], 260).unwrap();
    let text = format!("a {END_OF_TEXT} b{END_OF_TEXT}");
    let ids = tokenizer.encode(&text).unwrap();
    assert!(!ids.contains(&0), "{ids:?}");
    assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    assert_eq!(tokenizer.decode(&[0]).unwrap(), END_OF_TEXT);
}

#[test]
fn a_vocabulary_that_cannot_be_is_refused() {
    let error = train(&["hello"], SMALLEST_VOCABULARY - 1).unwrap_err();
    assert!(error.to_string().starts_with("vocabulary of 256 tokens, expected 257"), "{error}");
    let message = train(&["hello hello"], 300).unwrap_err().to_string();
    // One pair less than letters: h-e, he-l, hel-l, hell-o.
    let expected =
        "the text gives a vocabulary of 261 tokens, expected 300: ask for fewer or give more text";
    assert_eq!(message, expected);
    assert_eq!(train(&["hello hello"], 261).unwrap().encode("hello").unwrap().len(), 1);
    assert_eq!(train(&[], 257).unwrap().encode("é").unwrap().len(), 2, "bytes need no text");
}

#[test]
fn the_first_bad_document_stops_the_training() {
    let documents = vec![Ok("fine".to_owned()), Err(broken()), Ok("never read".to_owned())];
    let error = train_bpe(documents.into_iter(), 257).unwrap_err();
    assert_eq!(error.to_string(), broken().to_string());
}

#[test]
fn real_text_gives_the_same_bytes_every_time_and_for_any_number_of_threads() {
    let novels = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/data/english_novels_100/corpus");
    if !novels.exists() {
        eprintln!(
            "skipped: real_text_gives_the_same_bytes_every_time_and_for_any_number_of_threads: \
             `../shared/data/english_novels_100` is missing"
        );
        return;
    }
    let mut paths: Vec<_> =
        std::fs::read_dir(novels).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let texts: Vec<String> =
        paths[..3].iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| train(&texts, 4096)).unwrap()
    };
    let tokenizer = with(1);
    assert_eq!(tokenizer.hash(), with(2).hash());
    assert_eq!(tokenizer.hash(), with(1).hash());
    for text in texts {
        let ids = tokenizer.encode(text).unwrap();
        assert!(ids.len() * 3 < text.len(), "{} tokens for {} bytes", ids.len(), text.len());
        assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_text_decodes_back_exactly(learned in "(\\PC{0,30} ?){0,20}", text in any::<String>()) {
        // Odd characters in the text that is learned from, and in the text that is encoded.
        let tokenizer = train(&[&learned, &learned, "the the the there there"], 262).unwrap();
        for text in [&text, &learned] {
            let ids = tokenizer.encode(text).unwrap();
            prop_assert!(ids.iter().all(|id| (*id as usize) < tokenizer.vocabulary()));
            prop_assert_eq!(&tokenizer.decode(&ids).unwrap(), text);
        }
    }

    #[test]
    fn runs_of_letters_give_the_same_bytes_every_time(words in proptest::collection::vec("[ab-]{1,12}", 20..60)) {
        // Runs make many pairs of equal count and the same token from different pairs.
        let text = words.join(" ");
        let most = match train(&[&text], 100_000) {
            Err(error) => largest(&error.to_string()),
            Ok(_) => panic!("the text gave 100,000 tokens"),
        };
        let first = train(&[&text], most).unwrap();
        for _ in 0..3 {
            let again = train(&[&text], most).unwrap();
            prop_assert_eq!(first.hash(), again.hash());
        }
        prop_assert_eq!(first.decode(&first.encode(&text).unwrap()).unwrap(), text);
    }
}
