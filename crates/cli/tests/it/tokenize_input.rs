//! Text that cannot be tokenised gets a clear error before anything is written; what can gives the
//! same corpus however it is packed and on however many threads.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::workshop::{Workshop, arg, change_json, copy_folder, names, read_json, regrow};

struct Case {
    workshop: Workshop,
    outs: PathBuf,
}

type Check = fn(&Case);

/// The names are the words of the project's list of bad input.
const CASES: &[(&str, Check)] = &[
    ("empty held-out part", empty_heldout),
    ("an index that lies about lengths", index_lies),
    ("a `.gz` or `.zst` that ends early", ends_early),
    ("a `.gz` or `.zst` with something else behind it, or with a wrong checksum", damaged),
    ("Parquet without the field, with nulls, with a wrong type", parquet),
    ("JSONL with a broken line (line number; `--skip-broken` counts them)", broken_line),
    ("text that is not UTF-8", not_utf8),
    ("a line longer than memory should hold", long_line),
];

#[test]
fn text_that_cannot_be_tokenised_gets_a_clear_error_and_leaves_nothing_half_written() {
    let mut failed = Vec::new();
    for (name, check) in CASES {
        let workshop = Workshop::new();
        let outs = workshop.path("outs");
        fs::create_dir(&outs).unwrap();
        let case = Case { workshop, outs };
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(&case))).is_err() {
            failed.push(*name);
        }
    }
    assert!(failed.is_empty(), "failed: {failed:#?}");
}

impl Case {
    fn write(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.workshop.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Tokenises with the tokenizer of the workshop's corpus.
    fn tokenize(&self, input: &Path, extra: &[&str]) -> crate::workshop::Ran {
        let (out, tokenizer) = (self.outs.join("out"), self.workshop.path("corpus"));
        let all = ["tokenize", arg(input), "--tokenizer", arg(&tokenizer), "--out", arg(&out)];
        regrow(&[&all[..], extra].concat())
    }

    fn refused(&self, input: &Path, extra: &[&str], said: &[&str]) {
        let ran = self.tokenize(input, extra);
        assert_eq!(ran.code, 1, "{extra:?}: {}", ran.stderr);
        assert!(ran.stdout.is_empty(), "{}", ran.stdout);
        assert_eq!(ran.stderr.matches("error: ").count(), 1, "{}", ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        for part in said {
            assert!(ran.stderr.contains(part), "no `{part}` in: {}", ran.stderr);
        }
        assert_eq!(names(&self.outs), Vec::<String>::new());
    }

    /// A file packed by the system's own program; `None`, aloud, where there is none.
    fn packed(&self, name: &str, content: &[u8], program: &str) -> Option<PathBuf> {
        let spawned =
            Command::new(program).arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let Ok(mut child) = spawned else {
            eprintln!("skipped: tokenize_input: `{program}` is missing");
            return None;
        };
        let mut input = child.stdin.take().unwrap();
        let content = content.to_vec();
        let feed = std::thread::spawn(move || input.write_all(&content).unwrap());
        let output = child.wait_with_output().unwrap();
        feed.join().unwrap();
        Some(self.write(name, &output.stdout))
    }

    fn text(&self) -> Vec<u8> {
        fs::read(self.workshop.path("text.txt")).unwrap()
    }
}

fn lines(count: usize) -> String {
    (0..count).map(|i| format!("{{\"text\": \"line {i} of some text, {}\"}}\n", i * i)).collect()
}

fn empty_heldout(case: &Case) {
    let input = case.write("one.txt", b"one document alone");
    let said =
        ["the held-out part is empty: 1 documents with a held-out share of 0.05; raise the share"];
    case.refused(&input, &[], &said);
    // A corpus made by other means: an index of no documents.
    let corpus = case.workshop.path("emptied");
    copy_folder(&case.workshop.path("corpus"), &corpus);
    fs::write(corpus.join("heldout.bin"), b"").unwrap();
    let index = fs::read(corpus.join("heldout.idx")).unwrap();
    let empty =
        [&index[..18], &0u64.to_le_bytes(), &1u64.to_le_bytes(), &0u64.to_le_bytes()].concat();
    fs::write(corpus.join("heldout.idx"), empty).unwrap();
    refused_by_train(
        case,
        &corpus,
        &["heldout.idx`: number of sequences is 0, expected at least one"],
    );
}

fn index_lies(case: &Case) {
    let tokens =
        |corpus: &Path| read_json(&corpus.join("corpus.json"))["train"]["tokens"].as_u64().unwrap();
    // A size in the index, the `.bin`, and what `corpus.json` says: each is held against the
    // others.
    let corpus = case.workshop.path("size");
    copy_folder(&case.workshop.path("corpus"), &corpus);
    let mut index = fs::read(corpus.join("train.idx")).unwrap();
    index[34] ^= 1;
    fs::write(corpus.join("train.idx"), index).unwrap();
    refused_by_train(case, &corpus, &["train.idx`: pointer of sequence 1 is ", ", expected "]);

    let corpus = case.workshop.path("bin");
    copy_folder(&case.workshop.path("corpus"), &corpus);
    let bin = fs::read(corpus.join("train.bin")).unwrap();
    fs::write(corpus.join("train.bin"), &bin[..bin.len() - 2]).unwrap();
    refused_by_train(
        case,
        &corpus,
        &["train.idx`: end of sequence ", "expected inside the `.bin` of "],
    );

    let corpus = case.workshop.path("counts");
    copy_folder(&case.workshop.path("corpus"), &corpus);
    let more = tokens(&corpus) + 1;
    change_json(&corpus.join("corpus.json"), |info| info["train"]["tokens"] = more.into());
    let said = format!("expected {more} as in `corpus.json`");
    refused_by_train(case, &corpus, &["train.idx`: number of tokens is ", &said]);
}

fn refused_by_train(case: &Case, corpus: &Path, said: &[&str]) {
    let (init, out) = (case.workshop.path("tiny.json"), case.outs.join("out"));
    let ran = regrow(&[
        "train",
        "--init",
        arg(&init),
        "--corpus",
        arg(corpus),
        "--tokens",
        "500",
        "--context",
        "48",
        "--out",
        arg(&out),
    ]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    for part in said {
        assert!(ran.stderr.contains(part), "no `{part}` in: {}", ran.stderr);
    }
    assert_eq!(names(&case.outs), Vec::<String>::new());
}

fn ends_early(case: &Case) {
    for (program, packing) in [("gzip", "gzip"), ("zstd", "zstd")] {
        let ending = if program == "gzip" { "gz" } else { "zst" };
        let name = format!("a.jsonl.{ending}");
        let Some(path) = case.packed(&name, lines(20_000).as_bytes(), program) else { continue };
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        let expected = format!("{name}` ends early: found its end after ");
        let data = format!(" bytes of text, expected the end of its {packing} data");
        case.refused(&path, &[], &[&expected, &data, "\n\nhint: fetch or pack the file again"]);
        fs::write(&path, b"").unwrap();
        case.refused(&path, &[], &[&expected]);
    }
}

fn damaged(case: &Case) {
    for (program, ending) in [("gzip", "gz"), ("zstd", "zst")] {
        let name = format!("a.txt.{ending}");
        let Some(path) = case.packed(&name, &case.text(), program) else { continue };
        let whole = fs::read(&path).unwrap();
        let documents = ["--documents", "blank-line"];
        for behind in [true, false] {
            let mut bytes = whole.clone();
            if behind {
                bytes.extend(b"something else");
            } else {
                // Gzip ends in checksum and length, Zstandard in a checksum.
                let back = if ending == "gz" { 8 } else { 1 };
                bytes[whole.len() - back] ^= 0xff;
            }
            fs::write(&path, bytes).unwrap();
            let expected = format!("{name}` is damaged: found ");
            case.refused(&path, &documents, &[&expected, "\n\nhint: "]);
        }
        fs::write(&path, b"\0\x01 never packed, and no text").unwrap();
        case.refused(&path, &documents, &["is damaged: found "]);
    }
}

fn parquet(case: &Case) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/parquet/kinds.parquet");
    let columns = "no column `content`: found `text`, `id`, `words`, `meta`, `raw`, `when`";
    case.refused(&path, &["--field", "content"], &[columns, "\n\nhint: name the column"]);
    case.refused(
        &path,
        &[],
        &["row 2: found null, expected text in `text`", "`regrow tokenize --skip-broken`"],
    );
    case.refused(
        &path,
        &["--field", "id"],
        &["column `id`: found INT64, expected text", "\n\nhint: name"],
    );
    case.refused(&path, &["--field", "words"], &["column `words`: found a list, expected text"]);
    let bytes = fs::read(&path).unwrap();
    let cut = case.write("cut.parquet", &bytes[..bytes.len() - 100]);
    case.refused(&cut, &[], &["found no footer at its end: it was cut short"]);
    let ran = case.tokenize(&path, &["--skip-broken", "--heldout-share", "0.5", "--json"]);
    // Both texts that are left may fall on one side.
    assert!(ran.code == 0 || ran.stderr.contains("part is empty"), "{}", ran.stderr);
}

fn broken_line(case: &Case) {
    let good = lines(200);
    let (head, tail) = good.split_at(good.find("{\"text\": \"line 150 ").unwrap());
    let path = case
        .write("a.jsonl", format!("{head}{{\"text\": \"cut sho\n{{\"id\": 1}}\n{tail}").as_bytes());
    let said = "a.jsonl` line 151: found no JSON (EOF while parsing a string at column 17)";
    case.refused(
        &path,
        &[],
        &[said, "expected an object with text in `text`", "\n\nhint: name another field"],
    );
    let ran = case.tokenize(&path, &["--skip-broken", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let info = ran.json();
    assert_eq!(info["broken"], 2);
    let documents = |part: &str| info[part]["documents"].as_u64().unwrap();
    assert_eq!(documents("train") + documents("heldout"), 200);
    let warned = "warning: 2 broken lines or rows left out, the first: ";
    assert!(
        ran.stderr.contains(warned) && ran.stderr.contains("line 151: found no JSON"),
        "{}",
        ran.stderr
    );
    // It is the last of two files, and refused before the first is tokenised.
    fs::remove_dir_all(case.outs.join("out")).unwrap();
    let other = case.write("b.jsonl", b"{\"content\": \"a\"}\n");
    case.refused(
        &case.write("c.jsonl", good.as_bytes()),
        &[arg(&other)],
        &["b.jsonl` line 1: found only `content`"],
    );
}

fn not_utf8(case: &Case) {
    let mut text = case.text();
    let at = text.len() / 2;
    text[at] = 0xe9;
    let path = case.write("latin1.txt", &text);
    let said = format!("latin1.txt` is not UTF-8: found 0xe9 at byte {at}");
    case.refused(
        &path,
        &["--documents", "blank-line"],
        &[&said, "\n\nhint: fetch the file again if it should be UTF-8"],
    );
    let path =
        case.write("latin1.jsonl", &[lines(9).as_bytes(), b"{\"text\": \"caf\xe9\"}\n"].concat());
    case.refused(&path, &[], &["latin1.jsonl` line 10 is not UTF-8: found 0xe9 at byte "]);
}

fn long_line(case: &Case) {
    let Some(path) = case.packed("bomb.jsonl.gz", &vec![b'0'; (256 << 20) + 1], "gzip") else {
        return;
    };
    case.refused(&path, &[], &["has a line at byte 0 of more than 268435456 bytes"]);
}

/// All files of a corpus but `corpus.json`, which names its sources.
fn tokens(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let files = ["train.bin", "train.idx", "heldout.bin", "heldout.idx", "tokenizer.json"];
    files.iter().map(|name| ((*name).to_owned(), fs::read(folder.join(name)).unwrap())).collect()
}

#[test]
fn the_bytes_do_not_depend_on_threads_or_packing() {
    let workshop = Workshop::new();
    let case = Case { outs: workshop.path("outs"), workshop };
    let text = case.text();
    let documents: Vec<String> = String::from_utf8(text.clone())
        .unwrap()
        .split("\n\n")
        .map(|document| serde_json::json!({"id": 7, "text": document}).to_string())
        .collect();
    let jsonl = documents.join("\n");
    // Enough for several batches, so that they overlap.
    let times = (6 << 20) / jsonl.len();
    let jsonl = vec![jsonl; times].join("\n");
    let plain = case.write("text.jsonl", jsonl.as_bytes());
    let build = |input: &Path, threads: &str, name: &str| {
        let out = case.workshop.path(name);
        // As written, the flag that comes last counts.
        let ran = Command::new(env!("CARGO_BIN_EXE_regrow"))
            .args([
                "tokenize",
                arg(input),
                "--vocabulary",
                "300",
                "--heldout-share",
                "0.2",
                "--out",
                arg(&out),
            ])
            .args(["--threads", threads])
            .output()
            .unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        tokens(&out)
    };
    let one = build(&plain, "1", "one");
    assert!(build(&plain, "4", "four") == one, "four threads");
    for (ending, program) in [("gz", "gzip"), ("zst", "zstd")] {
        if let Some(packed) =
            case.packed(&format!("text.jsonl.{ending}"), jsonl.as_bytes(), program)
        {
            assert!(build(&packed, "4", ending) == one, "packed by {program}");
        }
    }
    let info = |name: &str| fs::read(case.workshop.path(name).join("corpus.json")).unwrap();
    assert!(info("one") == info("four"));
}

#[test]
fn an_independent_reader_agrees_with_a_corpus_and_finds_a_lie() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/check_corpus.py");
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!(
            "skipped: an_independent_reader_agrees_with_a_corpus_and_finds_a_lie: `python3` is missing"
        );
        return;
    }
    let workshop = Workshop::new();
    let corpus = workshop.path("corpus");
    let check = || {
        let output = Command::new("python3").arg(&script).arg(&corpus).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    };
    let (good, said) = check();
    assert!(good && said.ends_with("consistent\n"), "{said}");
    for (file, at, expected) in [
        ("train.bin", 0, "has another hash"),
        ("train.idx", 34, "begins at byte"),
        ("heldout.idx", 9, "is version"),
    ] {
        let path = corpus.join(file);
        let whole = fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        let (good, said) = check();
        assert!(!good && said.contains(expected), "{file}: {said}");
        fs::write(&path, whole).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn a_signal_leaves_nothing_behind() {
    let workshop = Workshop::new();
    let case = Case { outs: workshop.path("outs"), workshop };
    fs::create_dir(&case.outs).unwrap();
    // As much as takes far longer than this test waits.
    let input = case.write("long.jsonl", lines(1 << 20).as_bytes());
    let (out, tokenizer) = (case.outs.join("out"), case.workshop.path("corpus"));
    let child = Command::new(env!("CARGO_BIN_EXE_regrow"))
        .args([
            "tokenize",
            arg(&input),
            "--tokenizer",
            arg(&tokenizer),
            "--out",
            arg(&out),
            "--threads",
            "1",
        ])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let begin = std::time::Instant::now();
    while names(&case.outs).is_empty() {
        assert!(begin.elapsed().as_secs() < 60, "no folder");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert!(
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success()
    );
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("stopped before the corpus was complete: nothing was written"), "{said}");
    assert_eq!(names(&case.outs), Vec::<String>::new());
}
