//! Tokenizers as other people's files describe them.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use serde_json::{Value, json};
use text::{ErrorKind, Tokenizer};

/// A small tokenizer with everything in it that must not reach a training text: dropout,
/// truncation, padding, a post-processor that adds tokens.
fn surprising() -> Value {
    json!({
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0},
        "padding": {
            "strategy": {"Fixed": 12}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 1,
            "pad_type_id": 0, "pad_token": "</s>"
        },
        "added_tokens": [
            {"id": 0, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false,
             "normalized": false, "special": true},
            {"id": 1, "content": "</s>", "single_word": false, "lstrip": false, "rstrip": false,
             "normalized": false, "special": true},
            {"id": 10, "content": "<tool>", "single_word": false, "lstrip": false, "rstrip": false,
             "normalized": false, "special": false}
        ],
        "normalizer": null,
        "pre_tokenizer": null,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}}
        },
        "decoder": {"type": "Fuse"},
        "model": {
            "type": "BPE", "dropout": 0.9, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": {"<s>": 0, "</s>": 1, "a": 2, "b": 3, "<": 4, ">": 5, "s": 6, "/": 7, "ab": 8, "abab": 9},
            "merges": [["a", "b"], ["ab", "ab"]]
        }
    })
}

fn bytes(json: &Value) -> Vec<u8> {
    serde_json::to_vec(json).unwrap()
}

#[test]
fn nothing_is_added_cut_padded_or_dropped() {
    let tokenizer = Tokenizer::from_bytes(bytes(&surprising())).unwrap();
    for _ in 0..20 {
        assert_eq!(tokenizer.encode("ababababab").unwrap(), [9, 9, 8]);
    }
    assert_eq!(tokenizer.encode("aaaaaaaaaaaaaaa").unwrap(), [2; 15]);
    assert_eq!(tokenizer.encode("").unwrap(), [0u32; 0]);
}

#[test]
fn control_tokens_spelt_out_are_text_and_ordinary_added_tokens_are_tokens() {
    let tokenizer = Tokenizer::from_bytes(bytes(&surprising())).unwrap();
    assert_eq!(tokenizer.encode("a<s></s>").unwrap(), [2, 4, 6, 5, 4, 7, 6, 5]);
    assert_eq!(tokenizer.encode("a<tool>b").unwrap(), [2, 10, 3]);
    assert_eq!(tokenizer.decode(&[0, 9, 10, 1]).unwrap(), "<s>abab<tool></s>");
}

#[test]
fn the_vocabulary_reaches_past_the_largest_id() {
    let tokenizer = Tokenizer::from_bytes(bytes(&surprising())).unwrap();
    assert_eq!(tokenizer.vocabulary(), 11);
    let message = tokenizer.decode(&[2, 11]).unwrap_err().to_string();
    assert_eq!(
        message,
        "the tokenizer could not decode: id 11, expected below the vocabulary of 11"
    );
    let mut gap = surprising();
    gap["added_tokens"].as_array_mut().unwrap().pop();
    gap["model"]["vocab"]["abab"] = json!(20);
    let tokenizer = Tokenizer::from_bytes(bytes(&gap)).unwrap();
    assert_eq!((tokenizer.vocabulary(), tokenizer.encode("abab").unwrap()), (21, vec![20]));
}

#[test]
fn what_can_be_decoded_is_decoded_and_the_rest_counted() {
    let tokenizer = Tokenizer::from_bytes(bytes(&surprising())).unwrap();
    assert_eq!(tokenizer.decode_known(&[9, 11, 10, 500]).unwrap(), ("abab<tool>".into(), 2));
    assert_eq!(tokenizer.decode_known(&[]).unwrap(), (String::new(), 0));
}

#[test]
fn the_hash_is_that_of_the_bytes_which_are_kept() {
    let (compact, spaced) =
        (bytes(&surprising()), serde_json::to_vec_pretty(&surprising()).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, &compact).unwrap();
    let tokenizer = Tokenizer::load(&path).unwrap();
    assert_eq!(tokenizer.to_json(), compact);
    assert_eq!(tokenizer.hash(), disk::sha256(&path).unwrap().to_string());
    assert_ne!(tokenizer.hash(), Tokenizer::from_bytes(spaced).unwrap().hash());
}

#[test]
fn encoding_many_is_encoding_each() {
    let tokenizer = Tokenizer::from_bytes(bytes(&surprising())).unwrap();
    let texts: Vec<String> = (0..200).map(|i| "ab".repeat(i % 7) + &"b".repeat(i % 3)).collect();
    let each: Vec<_> = texts.iter().map(|text| tokenizer.encode(text).unwrap()).collect();
    for threads in [1, 2, 4] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| tokenizer.encode_all(&texts)).unwrap(), each);
    }
}

#[test]
fn a_begin_token_is_found_where_families_keep_it() {
    let added = |id: u32, content: &str, special: bool| {
        json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
               "normalized": false, "special": special})
    };
    // What is in the vocabulary, the config beside it, the begin token that is taken.
    let cases = [
        ("llama 3", vec![added(10, "<|begin_of_text|>", true)], None, Some("<|begin_of_text|>")),
        ("a name in the config", vec![], Some(json!({"bos_token": "abab"})), Some("abab")),
        (
            "an object in the config",
            vec![],
            Some(json!({"bos_token": {"content": "ab"}})),
            Some("ab"),
        ),
        (
            "no begin token, as qwen2.5",
            vec![added(10, "<|endoftext|>", true)],
            Some(json!({"bos_token": null})),
            Some("<|endoftext|>"),
        ),
        ("a config without the key", vec![], Some(json!({"eos_token": "b"})), Some("<s>")),
        (
            "a control token before an ordinary one",
            vec![added(10, "<|endoftext|>", true)],
            None,
            Some("<|endoftext|>"),
        ),
        ("an ordinary token when there is no other", vec![], None, Some("<s>")),
        ("none at all", vec![added(0, "<x>", true)], None, None),
    ];
    for (case, tokens, config, expected) in cases {
        let mut json = surprising();
        json["added_tokens"] = Value::Array(tokens);
        json["post_processor"] = Value::Null;
        json["padding"] = Value::Null;
        if expected.is_none() {
            let vocabulary = json["model"]["vocab"].as_object_mut().unwrap();
            vocabulary.remove("<s>");
            vocabulary.insert("<x>".to_owned(), json!(0));
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tokenizer.json"), bytes(&json)).unwrap();
        if let Some(config) = config {
            std::fs::write(folder.path().join("tokenizer_config.json"), bytes(&config)).unwrap();
        }
        // The folder does as well as the file.
        let tokenizer = Tokenizer::load(folder.path()).expect(case);
        let found = tokenizer.begin_token().map(|begin| begin.text.as_str());
        assert_eq!(found, expected, "{case}");
        assert_eq!(
            tokenizer.begin_token().map(|begin| begin.id),
            expected.and_then(|text| tokenizer.id_of(text))
        );
    }
}

#[test]
fn a_file_that_is_no_tokenizer_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    let config = folder.path().join("tokenizer_config.json");
    let mut far = surprising();
    far["added_tokens"].as_array_mut().unwrap().pop();
    far["model"]["vocab"]["far"] = json!(u32::MAX);
    let mut moved = surprising();
    moved["added_tokens"][2]["id"] = json!(40);
    let mut merges = surprising();
    merges["model"]["merges"][0] = json!(["a", "zzz"]);
    let cases = [
        ("no JSON", b"hello".to_vec(), "expected value at line 1 column 1"),
        ("a cut file", bytes(&surprising())[..200].to_vec(), "EOF while parsing"),
        ("another object", b"{}".to_vec(), "Model missing"),
        ("a merge of what is not there", bytes(&merges), "Token `zzz` out of vocabulary"),
        (
            "an added token that would be moved",
            bytes(&moved),
            "added token `<tool>` has id 40, expected 10",
        ),
        (
            "an id that no file of tokens can hold",
            bytes(&far),
            "token id 4294967295, expected below 2147483647",
        ),
    ];
    for (case, content, expected) in cases {
        std::fs::write(&path, content).unwrap();
        let message = Tokenizer::load(&path).expect_err(case).to_string();
        assert!(
            message.starts_with(&format!("`{}` is not a tokenizer", path.display())),
            "{case}: {message}"
        );
        assert!(message.contains(expected), "{case}: {message}");
    }
    std::fs::write(&path, bytes(&surprising())).unwrap();
    std::fs::write(&config, r#"{"bos_token": 7}"#).unwrap();
    let message = Tokenizer::load(&path).unwrap_err().to_string();
    assert!(
        message.contains("tokenizer_config.json") && message.contains("`bos_token` is 7"),
        "{message}"
    );
    std::fs::write(&config, r#"{"bos_token": "<nowhere>"}"#).unwrap();
    // An error only for who needs a begin token and names no other.
    let mut tokenizer = Tokenizer::load(&path).unwrap();
    let error = tokenizer.require_begin_token().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BeginToken);
    let message = error.to_string();
    assert!(message.contains("tokenizer_config.json` is `<nowhere>`, expected one"), "{message}");
    tokenizer.set_begin_token("<s>").unwrap();
    assert_eq!(tokenizer.require_begin_token().unwrap().text, "<s>");
    // An empty one is none.
    std::fs::write(&config, r#"{"bos_token": ""}"#).unwrap();
    assert_eq!(Tokenizer::load(&path).unwrap().begin_token().unwrap().text, "<s>");
    assert!(Tokenizer::load(&folder.path().join("absent.json")).is_err());
}
