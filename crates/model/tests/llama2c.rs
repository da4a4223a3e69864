//! Models of the llama2.c family: both layouts, the tokenizer, and files that lie.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use disk::Existing;
use model::folder::ModelFolder;
use model::llama2c::convert;
use shape::tensors::{self, Role, TensorSpec};
use tempfile::TempDir;
use tokenizers::Tokenizer;

/// Width 8, 2 blocks, 2 heads of 4 with 1 key head, feed-forward 6, context 5.
const NUMBERS: [i32; 7] = [8, 6, 2, 2, 1, 262, 5];

/// Every tensor as llama2.c names it, filled with numbers that tell tensor, row and column.
fn filled(name: &str, layer: usize, rows: usize, columns: usize) -> Vec<f32> {
    let first = name.bytes().map(f32::from).sum::<f32>() + 0.25 * layer as f32;
    (0..rows * columns)
        .map(|index| first + (1000 * (index / columns) + index % columns) as f32)
        .collect()
}

fn order(version: i32, tied: bool) -> Vec<&'static str> {
    let mut order = match version {
        0 => vec![
            "emb",
            "rms_att",
            "wq",
            "wk",
            "wv",
            "wo",
            "rms_ffn",
            "w1",
            "w2",
            "w3",
            "rms_final",
            "freq",
        ],
        _ => {
            vec!["rms_att", "rms_ffn", "rms_final", "emb", "wq", "wk", "wv", "wo", "w1", "w2", "w3"]
        }
    };
    if !tied {
        order.push("wcls");
    }
    order
}

fn sides(name: &str) -> (usize, usize) {
    match name {
        "emb" | "wcls" => (262, 8),
        "rms_att" | "rms_ffn" | "rms_final" => (1, 8),
        "wq" | "wo" => (8, 8),
        "wk" | "wv" => (4, 8),
        "w1" | "w3" => (6, 8),
        "w2" => (8, 6),
        "freq" => (5, 4),
        other => panic!("{other}"),
    }
}

fn model_bin(version: i32, tied: bool) -> Vec<u8> {
    let mut numbers = NUMBERS;
    let mut bytes = Vec::new();
    if version == 0 {
        numbers[5] *= if tied { 1 } else { -1 };
    } else {
        bytes.extend(0x616b_3432_u32.to_le_bytes());
        bytes.extend(version.to_le_bytes());
    }
    bytes.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    if version != 0 {
        bytes.push(u8::from(tied));
        bytes.resize(256, 0);
    }
    for name in order(version, tied) {
        let layers = if ["emb", "rms_final", "freq", "wcls"].contains(&name) { 1 } else { 2 };
        for layer in 0..layers {
            let (rows, columns) = sides(name);
            bytes.extend(
                filled(name, layer, rows, columns).iter().flat_map(|value| value.to_le_bytes()),
            );
        }
    }
    bytes
}

fn tokenizer_bin(pieces: &[(f32, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = 7_i32.to_le_bytes().to_vec();
    for (score, piece) in pieces {
        bytes.extend(score.to_le_bytes());
        bytes.extend((piece.len() as i32).to_le_bytes());
        bytes.extend(piece);
    }
    bytes
}

fn base_pieces() -> Vec<(f32, Vec<u8>)> {
    let special = ["<unk>", "\n<s>\n", "\n</s>\n"].map(String::from);
    let bytes = (0..256).map(|byte| format!("<0x{byte:02X}>"));
    special.into_iter().chain(bytes).map(|piece| (0.0, piece.into_bytes())).collect()
}

fn pieces(more: &[(f32, &str)]) -> Vec<(f32, Vec<u8>)> {
    let mut all = base_pieces();
    all.extend(more.iter().map(|(score, piece)| (*score, piece.as_bytes().to_vec())));
    all
}

fn small_pieces() -> Vec<(f32, Vec<u8>)> {
    pieces(&[(-1.0, " "), (-2.0, "a"), (-3.0, " a")])
}

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    fn out(&self) -> PathBuf {
        self.0.path().join("out")
    }

    fn convert(&self, model: &[u8], tokenizer: &[u8]) -> model::Result<ModelFolder> {
        let (model, tokenizer) = (self.file("model.bin", model), self.file("tok.bin", tokenizer));
        let config = convert(&model, &tokenizer, &self.out(), Existing::Refuse)?;
        let folder = ModelFolder::open(&self.out())?;
        assert_eq!(folder.config(), &config);
        Ok(folder)
    }
}

fn values(folder: &ModelFolder, spec: &TensorSpec) -> Vec<f32> {
    let mut out = vec![0.0; spec.len()];
    folder.read_f32(spec, &mut out).unwrap();
    out
}

#[test]
fn every_tensor_finds_its_place_and_rotary_pairs_become_halves() {
    for (version, tied) in [(0, true), (0, false), (1, true), (1, false)] {
        let place = Place::new();
        let folder =
            place.convert(&model_bin(version, tied), &tokenizer_bin(&small_pieces())).unwrap();
        let config = folder.config();
        assert_eq!((config.tie_word_embeddings(), config.max_position_embeddings()), (tied, 5));
        assert_eq!(
            (config.rms_norm_eps(), config.rope_theta(), config.bos_token_id()),
            (1e-5, 1e4, Some(1))
        );
        assert_eq!(folder.raw_config().get("eos_token_id").unwrap(), 2);
        for spec in tensors::tensors(config) {
            let name = match spec.role {
                Role::Embedding => "emb",
                Role::AttentionNorm => "rms_att",
                Role::Query => "wq",
                Role::Key => "wk",
                Role::Value => "wv",
                Role::AttentionOutput => "wo",
                Role::FeedForwardNorm => "rms_ffn",
                Role::Gate => "w1",
                Role::Down => "w2",
                Role::Up => "w3",
                Role::FinalNorm => "rms_final",
                Role::Head => "wcls",
                other => panic!("{other:?}"),
            };
            let (rows, columns) = sides(name);
            let source = filled(name, spec.layer.unwrap_or(0), rows, columns);
            // A head of four: pairs (0, 1), (2, 3) become first halves (0, 2) and second halves (1,
            // 3).
            let from = |row: usize| match spec.role {
                Role::Query | Role::Key => row / 4 * 4 + [0, 2, 1, 3][row % 4],
                _ => row,
            };
            let expected: Vec<f32> = (0..rows)
                .flat_map(|row| source[from(row) * columns..][..columns].to_vec())
                .collect();
            assert_eq!(
                values(&folder, &spec),
                expected,
                "version {version}, tied {tied}: {}",
                spec.name
            );
        }
    }
}

#[test]
fn hostile_model_files_are_refused() {
    let changed = |version: i32, at: usize, number: i32| {
        let mut bytes = model_bin(version, true);
        bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
        bytes
    };
    let good = model_bin(0, true);
    let length = good.len();
    let with_nan = {
        let mut bytes = good.clone();
        bytes[28..32].copy_from_slice(&f32::NAN.to_le_bytes());
        bytes
    };
    let mut shared = model_bin(1, true);
    shared[36] = 7;
    #[rustfmt::skip]
    let cases = [
        ("an empty file", vec![], "`FILE` has 0 bytes, expected 28 by its header: it is truncated".to_owned()),
        ("a header cut short", good[..20].to_vec(), "has 20 bytes, expected 28".into()),
        ("a header of version 1 cut short", model_bin(1, true)[..100].to_vec(), "has 100 bytes, expected 256".into()),
        ("weights cut short", good[..length - 4].to_vec(), format!("has {} bytes, expected {length}", length - 4)),
        ("weights that go on", [&good[..], &[0; 4]].concat(), "it has trailing bytes".into()),
        ("a head that is said to be there", changed(0, 20, -262), "it is truncated".into()),
        ("no width", changed(0, 0, 0), "`hidden_size` is 0 in `FILE`".into()),
        ("a negative number of blocks", changed(0, 8, -2), "`num_hidden_layers` is -2 in `FILE`".into()),
        ("the most negative vocabulary", changed(0, 20, i32::MIN), "`vocab_size` is 0 in `FILE`".into()),
        ("numbers as large as they go", {
            let mut bytes = good.clone();
            for at in [0, 4, 20, 24] { bytes[at..at + 4].copy_from_slice(&(i32::MAX - 7).to_le_bytes()); }
            bytes
        }, "than can be addressed".into()),
        ("a context as large as it goes", changed(0, 24, i32::MAX), "it is truncated".into()),
        ("heads that do not divide the width", changed(0, 12, 3), "expected a multiple of `num_attention_heads`, 3".into()),
        ("heads of odd size", changed(0, 12, 8), "`head_dim` is 1 in `FILE`".into()),
        ("key heads that do not divide the heads", changed(0, 16, 3), "`num_key_value_heads` is 3 in `FILE`".into()),
        ("a version that is not known", changed(1, 4, 2), "`FILE` is not a llama2.c model: version 2 is not read".into()),
        ("a flag that is none", shared, "its flag for a shared head is 7, expected 0 or 1".into()),
        ("a weight that is no number", with_nan,
            "`model.embed_tokens.weight` holds NaN at element 0 in `FILE`, expected a finite number".into()),
    ];
    for (case, bytes, expected) in cases {
        let place = Place::new();
        let error =
            place.convert(&bytes, &tokenizer_bin(&small_pieces())).expect_err(case).to_string();
        let error = error.replace(place.0.path().join("model.bin").to_str().unwrap(), "FILE");
        assert!(error.contains(&expected), "{case}: {error}");
        assert!(!place.out().exists(), "{case}");
        assert_eq!(fs::read_dir(place.0.path()).unwrap().count(), 2, "{case}: something is left");
    }
}

proptest::proptest! {
    /// A header of small and extreme numbers never makes the reader panic or allocate by it.
    #[test]
    fn no_header_panics(numbers in proptest::array::uniform7(proptest::prop_oneof![-2..12_i32, proptest::num::i32::ANY])) {
        let mut bytes = model_bin(0, true);
        for (number, four) in numbers.iter().zip(bytes.chunks_exact_mut(4)) {
            four.copy_from_slice(&number.to_le_bytes());
        }
        let place = Place::new();
        proptest::prop_assert!(numbers == NUMBERS || place.convert(&bytes, &tokenizer_bin(&small_pieces())).is_err());
    }
}

#[test]
fn hostile_tokenizers_are_refused() {
    let good = tokenizer_bin(&small_pieces());
    let length = |length: i32| {
        [&7_i32.to_le_bytes()[..], &0.0_f32.to_le_bytes(), &length.to_le_bytes()].concat()
    };
    let first = |number: i32| [&number.to_le_bytes()[..], &good[4..]].concat();
    let with = |id: usize, piece: (f32, &[u8])| {
        let mut all = small_pieces();
        all[id] = (piece.0, piece.1.to_vec());
        tokenizer_bin(&all)
    };
    #[rustfmt::skip]
    let cases = [
        ("an empty file", vec![], "it is shorter than its header"),
        ("a length below zero", length(-1), "piece 0 has -1 bytes, expected 1 to 7"),
        ("a length of nothing", length(0), "piece 0 has 0 bytes"),
        ("a length past the file", length(6), "it ends in piece 0, expected 262 pieces as the model has"),
        ("a length past the longest", length(8), "piece 0 has 8 bytes, expected 1 to 7"),
        ("a longest piece of nothing", first(0), "its longest piece has 0 bytes"),
        ("a longest piece without bound", first(i32::MAX), "its longest piece has 2147483647 bytes, expected 1 to 1024"),
        ("fewer pieces than the model", tokenizer_bin(&small_pieces()[..260]), "it ends in piece 260"),
        ("more pieces than the model", [&good[..], &[0]].concat(), "1 bytes follow its 262 pieces"),
        ("a piece that is no text", with(261, (0.0, &[0xff])), "piece 261 is not UTF-8 text"),
        ("a score that is no number", with(261, (f32::NAN, b"x")), "piece 261 has the score NaN"),
        ("another begin token", with(1, (0.0, b"<bos>")), "piece 1 is \"<bos>\", expected \"<s>\""),
        ("a byte that is missing", with(13, (0.0, b"x")), "piece 13 is \"x\", expected \"<0x0A>\""),
        ("a piece that stands twice", with(261, (0.0, b"a")), "pieces 260 and 261 are both \"a\""),
    ];
    for (case, bytes, expected) in cases {
        let place = Place::new();
        let error = place.convert(&model_bin(0, true), &bytes).expect_err(case).to_string();
        assert!(
            error.contains("is not a llama2.c tokenizer: ") && error.contains(expected),
            "{case}: {error}"
        );
        assert!(!place.out().exists(), "{case}");
    }
}

/// llama2.c's own way to encode, by its description: look characters up, fall back to bytes, then
/// join the neighbours with the best score until none can be joined.
fn encode(pieces: &[(f32, Vec<u8>)], text: &str) -> Vec<u32> {
    let ids: BTreeMap<&[u8], usize> =
        pieces.iter().enumerate().map(|(id, (_, piece))| (piece.as_slice(), id)).collect();
    let mut tokens: Vec<usize> = Vec::new();
    if !text.is_empty() {
        tokens.push(ids[&b" "[..]]);
    }
    for character in text.chars() {
        let mut room = [0; 4];
        let bytes = character.encode_utf8(&mut room).as_bytes();
        match ids.get(bytes) {
            Some(&id) => tokens.push(id),
            None => tokens.extend(bytes.iter().map(|&byte| usize::from(byte) + 3)),
        }
    }
    loop {
        let mut best: Option<(f32, usize, usize)> = None;
        for (at, pair) in tokens.windows(2).enumerate() {
            let joined = [&pieces[pair[0]].1[..], &pieces[pair[1]].1[..]].concat();
            if let Some(&id) = ids.get(joined.as_slice())
                && best.is_none_or(|(score, ..)| pieces[id].0 > score)
            {
                best = Some((pieces[id].0, at, id));
            }
        }
        let Some((_, at, id)) = best else { break };
        tokens[at] = id;
        tokens.remove(at + 1);
    }
    tokens.into_iter().map(|id| id as u32).collect()
}

fn assert_same_tokens(tokenizer: &Tokenizer, pieces: &[(f32, Vec<u8>)], text: &str) -> usize {
    let expected = encode(pieces, text);
    let plain = tokenizer.encode(text, false).unwrap();
    assert_eq!(plain.get_ids(), expected, "{text:?}");
    let marked = tokenizer.encode(text, true).unwrap();
    assert_eq!(marked.get_ids(), [&[1], &expected[..]].concat());
    assert_eq!(tokenizer.decode(plain.get_ids(), true).unwrap(), text);
    expected.len()
}

#[test]
fn the_written_tokenizer_encodes_as_llama2c_does() {
    let more = [
        (-1.0, " "),
        (-2.0, "a"),
        (-3.0, "b"),
        (-4.0, "é"),
        (-0.5, "ab"),
        (-0.25, " ab"),
        (-0.75, "aba"),
    ];
    let mut model = model_bin(0, true);
    model[20..24].copy_from_slice(&266_i32.to_le_bytes());
    model.splice(28..28, [0; 4 * 4 * 8]);
    let place = Place::new();
    let folder = place.convert(&model, &tokenizer_bin(&pieces(&more))).unwrap();
    let tokenizer = Tokenizer::from_file(folder.tokenizer_json().unwrap()).unwrap();
    for text in
        ["", " ", "ab", "abab", "a  ba\nab", "ba\u{1F600}é<0x0A>", "aba ababaabb", "\n\n ab\tab"]
    {
        assert_same_tokens(&tokenizer, &pieces(&more), text);
    }
    assert_eq!(tokenizer.encode("ab\n", false).unwrap().get_tokens(), ["▁ab", "<0x0A>"]);
    let config = fs::read_to_string(folder.path().join("tokenizer_config.json")).unwrap();
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    assert_eq!((&config["bos_token"], &config["add_bos_token"]), (&"<s>".into(), &true.into()));
}

fn shared(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(name);
    path.exists().then_some(path)
}

fn read_pieces(file: &[u8]) -> Vec<(f32, Vec<u8>)> {
    let mut rest = &file[4..];
    let mut pieces = Vec::new();
    while let [a, b, c, d, e, f, g, h, after @ ..] = rest {
        let length = i32::from_le_bytes([*e, *f, *g, *h]) as usize;
        pieces.push((f32::from_le_bytes([*a, *b, *c, *d]), after[..length].to_vec()));
        rest = &after[length..];
    }
    pieces
}

#[test]
fn stories260k_converts_from_both_layouts_to_the_same_weights() {
    let Some(data) = shared("stories260K") else {
        eprintln!(
            "skipped: stories260k_converts_from_both_layouts_to_the_same_weights: `../shared/data/stories260K` is missing"
        );
        return;
    };
    let place = TempDir::new().unwrap();
    let hash = |name: &str| {
        let out = place.path().join(name);
        convert(&data.join(name), &data.join("tok512.bin"), &out, Existing::Refuse).unwrap();
        let folder = ModelFolder::open(&out).unwrap();
        let config = folder.config();
        assert_eq!(
            (config.hidden_size(), config.intermediate_size(), config.num_hidden_layers()),
            (64, 172, 5)
        );
        assert_eq!(
            (config.num_key_value_heads(), config.head_dim(), config.vocab_size()),
            (4, 8, 512)
        );
        assert!(config.tie_word_embeddings() && folder.problems().is_empty());
        folder.weights_hash().unwrap()
    };
    assert_eq!(hash("stories260K.bin"), hash("stories260K_v1.bin"));
}

#[test]
fn stories260k_reads_the_first_stories_as_llama2c_does() {
    let (Some(data), Some(stories)) = (shared("stories260K"), shared("tinystories_sample")) else {
        eprintln!(
            "skipped: stories260k_reads_the_first_stories_as_llama2c_does: `../shared/data/stories260K` or \
             `../shared/data/tinystories_sample` is missing"
        );
        return;
    };
    let place = TempDir::new().unwrap();
    let out = place.path().join("out");
    convert(&data.join("stories260K.bin"), &data.join("tok512.bin"), &out, Existing::Refuse)
        .unwrap();
    let tokenizer = Tokenizer::from_file(out.join("tokenizer.json")).unwrap();
    let pieces = read_pieces(&fs::read(data.join("tok512.bin")).unwrap());
    let text = fs::read_to_string(stories.join("tinystories_sample.txt")).unwrap();
    let lengths: Vec<usize> = text
        .split("<|endoftext|>")
        .take(60)
        .map(|story| assert_same_tokens(&tokenizer, &pieces, story.trim()))
        .collect();
    // As counted by whoever checked the sample against an independent forward pass.
    assert_eq!(lengths[..3], [319, 351, 413]);
}
