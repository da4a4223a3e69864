//! The corpus folder end to end: built from text, opened, refused when it lies.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use text::{
    BuildOptions, Corpus, CorpusInfo, Documents, END_OF_TEXT, ErrorKind, Reading, Stage, Tokenizer,
    TokenizerSource, build, build_until, held_out,
};

/// A few hundred small documents, two of them twice.
fn stories() -> Vec<String> {
    let mut documents: Vec<String> = (0..300)
        .map(|i| {
            format!(
                "Story {i}: the cat sat on mat number {} and saw {} birds — ça va?",
                i % 17,
                i * i
            )
        })
        .collect();
    documents.push(documents[3].clone());
    documents.push(documents[4].clone());
    documents
}

/// The documents with white space around them and empty ones between.
fn write_stories(folder: &Path) -> PathBuf {
    let path = folder.join("stories.txt");
    let joined = stories().join(&format!("\n{END_OF_TEXT}\n \n{END_OF_TEXT}"));
    std::fs::write(&path, joined).unwrap();
    path
}

fn options(input: PathBuf, out: PathBuf) -> BuildOptions {
    options_with(input, bpe(320), 0.1, out)
}

fn bpe(vocabulary: usize) -> TokenizerSource {
    TokenizerSource::TrainBpe { vocabulary }
}

fn options_with(
    input: PathBuf,
    tokenizer: TokenizerSource,
    share: f64,
    out: PathBuf,
) -> BuildOptions {
    let documents = Documents::Separator(END_OF_TEXT.to_owned());
    BuildOptions::new(vec![input], tokenizer, share, out)
        .reading(Reading { documents, ..Reading::default() })
}

/// What `corpus.json` says.
fn written(corpus: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(corpus.join("corpus.json")).unwrap()).unwrap()
}

fn built(folder: &Path) -> (PathBuf, CorpusInfo) {
    let out = folder.join("corpus");
    let info = build(&options(write_stories(folder), out.clone()), &mut |_| ()).unwrap();
    (out, info)
}

fn bytes_of(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(path).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn every_document_comes_back_from_its_part() {
    let folder = tempfile::tempdir().unwrap();
    let (out, info) = built(folder.path());
    let corpus = Corpus::open(&out).unwrap();
    corpus.verify().unwrap();
    assert_eq!(corpus.info(), &info);
    assert_eq!(
        (info.vocabulary(), info.begin().id, info.begin().text.as_str()),
        (320, 0, END_OF_TEXT)
    );
    assert_eq!(info.empty(), 301);
    assert_eq!(written(&out)["sources"], serde_json::json!(["stories.txt"]));

    let tokenizer = corpus.tokenizer().unwrap();
    let (expected_heldout, expected_train): (Vec<_>, Vec<_>) =
        stories().into_iter().partition(|text| held_out(text, 0.1));
    let parts = [
        (corpus.train(), info.train(), expected_train),
        (corpus.heldout(), info.heldout(), expected_heldout),
    ];
    for (part, counts, expected) in parts {
        let mut end = 0;
        let mut texts = Vec::new();
        for i in 0..part.documents() {
            let range = part.document(i);
            assert_eq!(range.start, end);
            end = range.end;
            let mut tokens = vec![0; (range.end - range.start) as usize];
            part.read(range.start, &mut tokens).unwrap();
            assert_eq!(tokens[0], info.begin().id);
            texts.push(tokenizer.decode(&tokens[1..]).unwrap());
        }
        assert_eq!(end, part.tokens());
        assert_eq!(counts.tokens(), end);
        assert_eq!(counts.documents(), expected.len() as u64);
        assert_eq!(counts.bytes(), expected.iter().map(|text| text.len() as u64).sum::<u64>());
        assert_eq!(texts, expected);
    }
    assert_eq!(corpus.overlapping_documents().unwrap(), 0, "duplicates fall on the same side");
}

#[test]
fn the_bytes_do_not_depend_on_the_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let input = write_stories(folder.path());
    let with = |threads: usize, name: &str| {
        let out = folder.path().join(name);
        let options = options(input.clone(), out.clone());
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| build(&options, &mut |_| ())).unwrap();
        bytes_of(&out)
    };
    let one = with(1, "one");
    let names: Vec<_> = one.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        ["corpus.json", "heldout.bin", "heldout.idx", "tokenizer.json", "train.bin", "train.idx"]
    );
    assert_eq!(one, with(2, "two"));
    assert_eq!(one, with(5, "five"));
}

#[test]
fn progress_ends_with_all_bytes_of_both_readings() {
    let folder = tempfile::tempdir().unwrap();
    let input = write_stories(folder.path());
    let mut told = Vec::new();
    build(&options(input.clone(), folder.path().join("corpus")), &mut |progress| {
        told.push(progress);
    })
    .unwrap();
    let size = std::fs::metadata(input).unwrap().len();
    for stage in [Stage::Tokenizer, Stage::Tokens] {
        let last = told.iter().rfind(|progress| progress.stage == stage).unwrap();
        assert_eq!((last.bytes, last.total_bytes, last.documents), (size, size, 302));
    }
}

#[test]
fn a_build_that_is_stopped_leaves_nothing_in_either_stage() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(write_stories(folder.path()), folder.path().join("corpus"));
    for stage in [Stage::Tokenizer, Stage::Tokens] {
        let stop = AtomicBool::new(false);
        let mut told = |progress: text::BuildProgress| {
            stop.fetch_or(progress.stage == stage, Ordering::Relaxed);
        };
        let found = build_until(&options, &mut told, &stop);
        assert!(found.as_ref().is_err_and(|error| error.kind() == ErrorKind::Stopped), "{found:?}");
        let left: Vec<_> = bytes_of(folder.path()).into_iter().map(|(name, _)| name).collect();
        assert_eq!(left, ["stories.txt"]);
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_gives_the_corpus_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (first, info) = built(folder.path());
    let pipe = folder.path().join("pipe.txt");
    if !std::process::Command::new("mkfifo")
        .arg(&pipe)
        .status()
        .is_ok_and(|status| status.success())
    {
        eprintln!("skipped: a_pipe_gives_the_corpus_of_the_file: `mkfifo` is missing");
        return;
    }
    let out = folder.path().join("piped");
    let options = options_with(pipe.clone(), TokenizerSource::Load(first), 0.1, out);
    let file = folder.path().join("stories.txt");
    let feed = std::thread::spawn(move || std::fs::copy(file, pipe).unwrap());
    let piped = build(&options, &mut |_| ()).unwrap();
    feed.join().unwrap();
    assert_eq!((piped.train(), piped.heldout()), (info.train(), info.heldout()));
}

#[test]
fn the_tokenizer_never_sees_held_out_text() {
    let folder = tempfile::tempdir().unwrap();
    let (_, info) = built(folder.path());
    let documents = stories().into_iter().filter(|text| !held_out(text, 0.1));
    let alone = text::train_bpe(documents.map(Ok), 320).unwrap();
    assert_eq!(info.tokenizer(), alone.hash());
    let with_all = text::train_bpe(stories().into_iter().map(Ok), 320).unwrap();
    assert_ne!(info.tokenizer(), with_all.hash());
}

#[test]
fn a_loaded_tokenizer_is_copied_byte_for_byte_and_may_begin_with_another_token() {
    let folder = tempfile::tempdir().unwrap();
    let (first, info) = built(folder.path());
    let out = folder.path().join("second");
    let begun_by = |token: &str, out: PathBuf| {
        let loaded = TokenizerSource::Load(first.join("tokenizer.json"));
        options_with(folder.path().join("stories.txt"), loaded, 0.1, out)
            .begin_token(Some(token.to_owned()))
    };
    let second = build(&begun_by("!", out.clone()), &mut |_| ()).unwrap();
    assert_eq!(second.tokenizer(), info.tokenizer());
    assert_eq!((second.begin().id, second.begin().text.as_str()), (1, "!"));
    assert_eq!(second.train().text(), info.train().text(), "the text is the same");
    assert_ne!(second.train().hash(), info.train().hash(), "the tokens are not");
    let json = |folder: &Path| std::fs::read(folder.join("tokenizer.json")).unwrap();
    assert_eq!(json(&first), json(&out));

    let third = folder.path().join("third");
    let message = build(&begun_by("<bos>", third.clone()), &mut |_| ()).unwrap_err().to_string();
    assert_eq!(message, "no token `<bos>` among the 320 of the tokenizer");
    assert!(!third.exists());
}

#[test]
fn bad_input_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let input = write_stories(folder.path());
    let small = folder.path().join("small.txt");
    std::fs::write(&small, "one document alone").unwrap();
    let out = folder.path().join("corpus");
    let good = |vocabulary, share| options_with(input.clone(), bpe(vocabulary), share, out.clone());
    let alone = |share| options_with(small.clone(), bpe(257), share, out.clone());
    let cases = [
        ("a share of 0", good(320, 0.0), "held-out share of 0, expected a number"),
        ("a share of NaN", good(320, f64::NAN), "held-out share of NaN, expected"),
        (
            "a held-out part without documents",
            alone(0.1),
            "the held-out part is empty: 1 documents with a held-out share of 0.1; raise the share, give more text",
        ),
        (
            "a training part without documents",
            alone(0.999_999),
            "the training part is empty: 1 documents with a held-out share of 0.999999; lower the share",
        ),
        (
            "a vocabulary that the text cannot give",
            good(50_000, 0.1),
            "the text gives a vocabulary of ",
        ),
        (
            "a vocabulary below the bytes",
            good(256, 0.1),
            "vocabulary of 256 tokens, expected 257 or more",
        ),
    ];
    for (case, options, expected) in cases {
        let message = build(&options, &mut |_| ()).expect_err(case).to_string();
        assert!(message.starts_with(expected), "{case}: {message}");
        let left: Vec<_> = bytes_of(folder.path()).into_iter().map(|(name, _)| name).collect();
        assert_eq!(left, ["small.txt", "stories.txt"], "{case}");
    }
    build(&good(320, 0.1), &mut |_| ()).unwrap();
    let before = bytes_of(&out);
    assert!(build(&good(320, 0.1), &mut |_| ()).is_err(), "an output folder that exists");
    assert_eq!(bytes_of(&out), before);
    build(&good(320, 0.1).existing(disk::Existing::Replace), &mut |_| ()).unwrap();
    assert_eq!(bytes_of(&out), before);
}

fn edit(folder: &Path, from: &str, to: &str) {
    let path = folder.join("corpus.json");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

fn cut(path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    std::fs::write(path, &bytes[..bytes.len() - 1]).unwrap();
}

#[test]
fn a_corpus_that_lies_is_refused_by_name() {
    type Spoil = fn(&Path);
    let cases: [(&str, Spoil, &str); 10] = [
        (
            "another format",
            |f| edit(f, "\"format\": 1", "\"format\": 2"),
            "`corpus.json`: format is 2, expected 1",
        ),
        (
            "no JSON",
            |f| std::fs::write(f.join("corpus.json"), "nothing").unwrap(),
            "`corpus.json`: content is unread",
        ),
        (
            "a vocabulary of 0",
            |f| edit(f, "\"vocabulary\": 320", "\"vocabulary\": 0"),
            "`corpus.json`: vocabulary is 0",
        ),
        (
            "a begin token outside the vocabulary",
            |f| edit(f, "\"id\": 0", "\"id\": 320"),
            "`corpus.json`: id of the begin token is 320, expected below the vocabulary of 320",
        ),
        (
            "documents that were not counted",
            |f| edit(f, "\"documents\": 2", "\"documents\": 3"),
            "`train.idx`: number of documents is 2",
        ),
        (
            "tokens that were not counted",
            |f| edit(f, "\"tokens\": ", "\"tokens\": 1"),
            "`train.idx`: number of tokens",
        ),
        ("a bin cut short", |f| cut(&f.join("train.bin")), "`train.idx`: end of sequence"),
        ("an index cut short", |f| cut(&f.join("heldout.idx")), "`heldout.idx`: length is"),
        (
            "corpus tokenised with another tokenizer",
            |f| {
                let path = f.join("tokenizer.json");
                let text = std::fs::read_to_string(&path).unwrap();
                std::fs::write(path, text + "\n").unwrap();
            },
            "corpus tokenised with another tokenizer: `tokenizer.json` has ",
        ),
        (
            "a missing file",
            |f| std::fs::remove_file(f.join("heldout.bin")).unwrap(),
            "`heldout.bin`",
        ),
    ];
    for (case, spoil, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        let (out, _) = built(folder.path());
        spoil(&out);
        let message = Corpus::open(&out).expect_err(case).to_string();
        let message = message.replace(&format!("{}/", out.display()), "");
        assert!(message.contains(expected), "{case}: {message}");
    }
}

#[test]
fn a_token_id_out_of_range_is_found_when_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let (out, _) = built(folder.path());
    let path = out.join("train.bin");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[20..22].copy_from_slice(&999u16.to_le_bytes());
    std::fs::write(&path, bytes).unwrap();
    let corpus = Corpus::open(&out).unwrap();
    let mut tokens = [0; 8];
    corpus.train().read(0, &mut tokens).unwrap();
    let error = corpus.train().read(6, &mut tokens).unwrap_err();
    assert!(
        error.to_string().ends_with("has id 999 at token 10, expected below the vocabulary of 320"),
        "{error}"
    );
    let expected = format!(
        "token id out of range: `{}` has id 999 at token 10, expected below the vocabulary of 320",
        path.display()
    );
    assert_eq!(error.to_string(), expected);
    assert!(corpus.verify().unwrap_err().to_string().contains("hash is "));
}

#[test]
fn a_document_without_its_begin_token_is_found_by_verify() {
    let folder = tempfile::tempdir().unwrap();
    let (out, _) = built(folder.path());
    let second = Corpus::open(&out).unwrap().heldout().document(1).start as usize;
    let path = out.join("heldout.bin");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[2 * second] = 5;
    std::fs::write(&path, bytes).unwrap();
    let mut json = written(&out);
    json["heldout"]["hash"] = disk::sha256(&path).unwrap().to_string().into();
    std::fs::write(out.join("corpus.json"), json.to_string()).unwrap();
    let message = Corpus::open(&out).unwrap().verify().unwrap_err().to_string();
    assert!(
        message
            .ends_with("heldout.bin`: first token of document 1 is 5, expected the begin token 0"),
        "{message}"
    );
}

#[test]
fn large_vocabularies_are_stored_in_four_bytes_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let mut vocabulary: serde_json::Map<String, serde_json::Value> =
        (0..69_998).map(|i| (format!("unused {i}"), i.into())).collect();
    vocabulary.insert("a".to_owned(), 69_998.into());
    vocabulary.insert("<s>".to_owned(), 69_999.into());
    let model = serde_json::json!({"type": "BPE", "vocab": vocabulary, "merges": []});
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, serde_json::json!({"version": "1.0", "model": model}).to_string())
        .unwrap();
    let input = folder.path().join("a.txt");
    let texts: Vec<String> = (1..40).map(|i| "a".repeat(i)).collect();
    std::fs::write(&input, texts.join(END_OF_TEXT)).unwrap();
    let out = folder.path().join("corpus");
    let loaded = options_with(input, TokenizerSource::Load(path), 0.1, out.clone());
    let info = build(&loaded, &mut |_| ()).unwrap();
    assert_eq!((info.vocabulary(), info.begin().id), (70_000, 69_999));

    let train = out.join("train.bin");
    let bytes = std::fs::read(&train).unwrap();
    assert_eq!(bytes.len() as u64, 4 * info.train().tokens());
    assert_eq!(bytes[..8], [0x6f, 0x11, 1, 0, 0x6e, 0x11, 1, 0], "69999 and 69998, little endian");
    let corpus = Corpus::open(&out).unwrap();
    corpus.verify().unwrap();
    let mut tokens = [0; 3];
    let second = corpus.train().document(1);
    corpus.train().read(second.start, &mut tokens).unwrap();
    assert_eq!(tokens, [69_999, 69_998, 69_998]);
    drop(corpus);

    let spoiled = [&(-1i32).to_le_bytes()[..], &bytes[4..]].concat();
    std::fs::write(&train, spoiled).unwrap();
    let corpus = Corpus::open(&out).unwrap();
    let error = corpus.train().read(0, &mut tokens).unwrap_err();
    assert!(
        error.to_string().ends_with("has id -1 at token 0, expected below the vocabulary of 70000"),
        "{error}"
    );
    assert!(corpus.overlapping_documents().is_err());
}

#[test]
fn reading_past_the_end_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (out, _) = built(folder.path());
    let corpus = Corpus::open(&out).unwrap();
    let tokens = corpus.train().tokens();
    corpus.train().read(tokens - 4, &mut [0; 4]).unwrap();
    for start in [tokens - 3, tokens, u64::MAX - 1, u64::MAX] {
        let error = corpus.train().read(start, &mut [0; 4]).unwrap_err();
        assert!(error.to_string().contains(" asked for 4 from token "), "{error}");
    }
}

#[test]
fn another_tokenizer_is_told_from_this_one() {
    let folder = tempfile::tempdir().unwrap();
    let (out, info) = built(folder.path());
    let corpus = Corpus::open(&out).unwrap();
    corpus.require_tokenizer(info.tokenizer()).unwrap();
    let other = text::train_bpe(std::iter::once(Ok("other text".to_owned())), 257).unwrap();
    let message = corpus.require_tokenizer(other.hash()).unwrap_err().to_string();
    assert!(message.starts_with("corpus tokenised with another tokenizer: "), "{message}");
    assert!(message.contains(other.hash()) && message.contains(info.tokenizer()), "{message}");
}

#[test]
fn held_out_text_that_is_also_training_text_is_counted() {
    // A folder put together by hand: its training part is its held-out part.
    let folder = tempfile::tempdir().unwrap();
    let (out, info) = built(folder.path());
    for kind in ["bin", "idx"] {
        std::fs::copy(out.join(format!("heldout.{kind}")), out.join(format!("train.{kind}")))
            .unwrap();
    }
    let mut json = written(&out);
    json["train"] = json["heldout"].clone();
    std::fs::write(out.join("corpus.json"), json.to_string()).unwrap();
    let corpus = Corpus::open(&out).unwrap();
    corpus.verify().unwrap();
    assert_eq!(corpus.overlapping_documents().unwrap() as u64, info.heldout().documents());
    assert!(info.heldout().documents() > 10);
}

#[test]
fn real_stories_make_a_corpus() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let input = shared.join("tinystories_sample/tinystories_sample.txt");
    if !input.exists() {
        eprintln!(
            "skipped: real_stories_make_a_corpus: `../shared/data/tinystories_sample` is missing"
        );
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("corpus");
    let info =
        build(&options_with(input.clone(), bpe(2048), 0.05, out.clone()), &mut |_| ()).unwrap();
    // 2,316 separators; the file is cut off inside its last story.
    assert_eq!(info.train().documents() + info.heldout().documents() + info.empty(), 2_317);
    assert!((60..180).contains(&info.heldout().documents()), "{}", info.heldout().documents());
    let bytes_a_token = info.train().bytes() as f64 / info.train().tokens() as f64;
    assert!(bytes_a_token > 3.0, "{bytes_a_token} bytes a token");

    let corpus = Corpus::open(&out).unwrap();
    corpus.verify().unwrap();
    assert_eq!(corpus.overlapping_documents().unwrap(), 0);
    let tokenizer: Tokenizer = corpus.tokenizer().unwrap();
    let whole = std::fs::read_to_string(input).unwrap();
    let first = whole.split(END_OF_TEXT).map(str::trim).find(|text| !held_out(text, 0.05)).unwrap();
    let range = corpus.train().document(0);
    let mut tokens = vec![0; (range.end - range.start) as usize];
    corpus.train().read(range.start, &mut tokens).unwrap();
    assert_eq!(tokenizer.decode(&tokens[1..]).unwrap(), first);
}
