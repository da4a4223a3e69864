//! Documents out of files, good and bad.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use text::{Counts, Documents, ErrorKind, Reader, Reading, Sources};

fn reading(documents: Documents) -> Reading {
    Reading { documents, ..Reading::default() }
}

fn separator(text: &str) -> Documents {
    Documents::Separator(text.to_owned())
}

/// Writes one file and reads it.
fn read(name: &str, content: &[u8], reading: Reading) -> (text::Result<Vec<String>>, Counts) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    let mut reader = Reader::new(vec![path], reading).unwrap();
    let documents = reader.by_ref().collect();
    (documents, reader.counts())
}

fn documents(name: &str, content: &str, reading: Reading) -> Vec<String> {
    read(name, content.as_bytes(), reading).0.unwrap()
}

/// The error's text without the folder of the file.
fn message(name: &str, content: &[u8], reading: Reading) -> String {
    let text = read(name, content, reading).0.unwrap_err().to_string();
    let (before, after) = text.split_once('`').unwrap();
    let (path, after) = after.split_once('`').unwrap();
    format!("{before}`{}`{after}", Path::new(path).file_name().unwrap().display())
}

#[test]
fn plain_text_is_cut_by_file_blank_line_or_separator() {
    let content = "\u{feff}  One.\nTwo.\r\n \t \n\n\nThree <e> four<e><e>\n\nFive <e";
    let by_file = documents("a.txt", content, reading(Documents::File));
    assert_eq!(by_file, ["  One.\nTwo.\r\n \t \n\n\nThree <e> four<e><e>\n\nFive <e"]);
    let by_line = documents("a.txt", content, reading(Documents::BlankLine));
    assert_eq!(by_line, ["  One.\nTwo.", "Three <e> four<e><e>", "Five <e"]);
    let by_separator = documents("a.txt", content, reading(separator("<e>")));
    assert_eq!(by_separator, ["One.\nTwo.\r\n \t \n\n\nThree", "four", "Five <e"]);
}

#[test]
fn empty_documents_are_dropped_and_counted() {
    let (found, counts) = read("a.txt", b"a|| |b|", reading(separator("|")));
    assert_eq!(found.unwrap(), ["a", "b"]);
    assert_eq!(counts, Counts { documents: 2, empty: 2, broken: 0, bytes: 7 });
    let (found, counts) = read("a.txt", b" \n ", reading(Documents::File));
    assert_eq!(found.unwrap(), [""; 0]);
    assert_eq!(counts, Counts { documents: 0, empty: 1, broken: 0, bytes: 3 });
    let (found, counts) =
        read("a.jsonl", b"{\"text\":\" \"}\n\n{\"text\":\"x\"}", Reading::default());
    assert_eq!(found.unwrap(), ["x"]);
    assert_eq!((counts.documents, counts.empty), (1, 1));
}

#[test]
fn jsonl_gives_a_field_of_each_line() {
    let content = "{\"text\": \"one\\n\\u00e9\", \"meta\": {\"text\": 1}}\r\n\n  \n{\"id\": 7, \"text\": \"two\"}";
    assert_eq!(documents("a.jsonl", content, Reading::default()), ["one\né", "two"]);
    let raw = Reading { field: "raw content".to_owned(), ..Reading::default() };
    assert_eq!(documents("A.JSONL", "{\"raw content\": \"x\"}\n", raw), ["x"]);
}

#[test]
fn a_bad_jsonl_line_is_named_with_what_was_found() {
    let many: String = (0..20).map(|i| format!("\"k{i}\":1,")).collect();
    let cases = [
        ("no JSON", "hello".to_owned(), "no JSON (expected value at column 1)"),
        (
            "a line cut short",
            "{\"text\": \"a".to_owned(),
            "no JSON (EOF while parsing a string at column 11)",
        ),
        (
            "two values",
            "{\"text\": \"a\"} {}".to_owned(),
            "no JSON (trailing characters at column 15)",
        ),
        ("a list", "[\"a\"]".to_owned(), "a list"),
        ("a string", "\"a\"".to_owned(), "a string"),
        ("no fields", "{}".to_owned(), "an empty object"),
        ("another field", "{\"content\": \"a\", \"id\": 1}".to_owned(), "only `content`, `id`"),
        (
            "many other fields",
            format!("{{{many}\"z\":1}}"),
            "only `k0`, `k1`, `k2`, `k3`, `k4`, `k5`, `k6`, `k7` ...",
        ),
        ("a field that is null", "{\"text\": null}".to_owned(), "null in `text`"),
        ("a field that is a number", "{\"text\": 1.5}".to_owned(), "a number in `text`"),
        (
            "deep nesting",
            "[".repeat(100_000),
            "no JSON (EOF while parsing a list at column 100000)",
        ),
    ];
    for (case, line, found) in cases {
        let content = format!("{{\"text\": \"fine\"}}\n\n{line}\n{{\"text\": \"never read\"}}\n");
        let expected =
            format!("`a.jsonl` line 3: found {found}, expected an object with text in `text`");
        assert_eq!(message("a.jsonl", content.as_bytes(), Reading::default()), expected, "{case}");
    }
}

#[test]
fn bytes_that_are_not_utf8_are_named_with_their_offset() {
    for documents in [Documents::File, Documents::BlankLine, separator("|")] {
        let text = message("a.txt", b"good|\n\nbad \xff\n\nmore", reading(documents));
        assert_eq!(text, "`a.txt` is not UTF-8: found 0xff at byte 11");
    }
    assert_eq!(
        message("a.txt", b"\xef\xbb\xbfx\xff", reading(Documents::File)),
        "`a.txt` is not UTF-8: found 0xff at byte 4"
    );
    let lines = b"{\"text\":\"a\"}\n{\"text\":\"\xc3\"}\n";
    assert_eq!(
        message("a.jsonl", lines, Reading::default()),
        "`a.jsonl` line 2 is not UTF-8: found 0xc3 at byte 22"
    );
}

#[test]
fn broken_lines_are_left_out_and_counted_where_that_is_wanted() {
    let content = b"{\"text\": \"one\"}\nhello\n{\"text\": null}\n{\"text\": \"\xff\"}\n\n{\"text\": \"two\"}\n{\"text\": \"thr";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    std::fs::write(&path, content).unwrap();
    let mut reader =
        Reader::new(vec![path.clone()], Reading { skip_broken: true, ..Reading::default() })
            .unwrap();
    let found: Vec<String> = reader.by_ref().map(Result::unwrap).collect();
    assert_eq!(found, ["one", "two"]);
    let counts = reader.counts();
    assert_eq!((counts.documents, counts.broken, counts.bytes), (2, 4, content.len() as u64));
    let first = reader.first_broken().unwrap().to_string();
    assert!(first.contains("a.jsonl` line 2: found no JSON"), "{first}");
    // Text that is not text cannot be cut into lines that are.
    std::fs::rename(&path, folder.path().join("a.txt")).unwrap();
    let path = folder.path().join("a.txt");
    let mut reader =
        Reader::new(vec![path], Reading { skip_broken: true, ..Reading::default() }).unwrap();
    assert_eq!(reader.next().unwrap().unwrap_err().kind(), ErrorKind::NotUtf8);
}

#[test]
fn of_two_fields_of_one_name_the_last_counts_and_others_may_hold_anything() {
    let content = "{\"a\": {\"text\": [[{}]]}, \"text\": 1, \"b\": [1, {\"text\": \"no\"}], \"text\": \"yes\"}";
    assert_eq!(documents("a.jsonl", content, Reading::default()), ["yes"]);
    let content = "{\"text\": {\"text\": \"inside\"}}";
    let expected =
        "`a.jsonl` line 1: found an object in `text`, expected an object with text in `text`";
    assert_eq!(message("a.jsonl", content.as_bytes(), Reading::default()), expected);
}

#[test]
fn what_is_too_long_is_refused_before_it_is_held() {
    let short = |documents| Reading { documents, longest: 8, ..Reading::default() };
    let cases = [
        ("a file", "a.txt", "123456789", Documents::File, "document at byte 0"),
        ("a line", "a.txt", "a\n\n123456789\n", Documents::BlankLine, "line at byte 3"),
        (
            "a block of lines",
            "a.txt",
            "a\n\n1234\n5678\n9",
            Documents::BlankLine,
            "document at byte 3",
        ),
        ("a document", "a.txt", "a|123456789|b", separator("|"), "document at byte 2"),
        ("a document without an end", "a.txt", "a|123456789", separator("|"), "document at byte 2"),
        ("a line of JSONL", "a.jsonl", "\n{\"text\": \"a\"}\n", Documents::File, "line at byte 1"),
    ];
    for (case, name, content, documents, expected) in cases {
        let text = message(name, content.as_bytes(), short(documents));
        assert_eq!(text, format!("`{name}` has a {expected} of more than 8 bytes"), "{case}");
    }
    assert_eq!(documents("a.txt", "12345678", short(Documents::File)), ["12345678"]);
    assert_eq!(
        documents("a.txt", "12345678||12345678", short(separator("||"))),
        ["12345678", "12345678"]
    );
    assert_eq!(
        documents("a.txt", "123\n567\n\n12345678\n", short(Documents::BlankLine)),
        ["123\n567", "12345678"]
    );
}

#[test]
fn folders_are_read_in_the_order_of_names() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    put("b.txt", "second");
    put("a/z.jsonl", "{\"text\": \"first\"}");
    put("c/d/e.TXT", "third");
    put("notes.md", "no");
    put("c/weights.bin", "no");
    put("c/old.tar.gz", "no");
    put("c/notes.gz", "no");
    put(".hidden.txt", "no");
    let sources = Sources::find(&[folder.path().to_owned()]).unwrap();
    assert_eq!(
        (sources.names(), sources.ignored()),
        (vec!["z.jsonl".into(), "b.txt".into(), "e.TXT".into()], 5)
    );
    assert_eq!(sources.bytes().unwrap(), 17 + 6 + 5);
    let found: Vec<String> =
        sources.read(&Reading::default()).unwrap().map(Result::unwrap).collect();
    assert_eq!(found, ["first", "second", "third"]);

    let named =
        Sources::find(&[folder.path().join("notes.md"), folder.path().join("b.txt")]).unwrap();
    assert_eq!(
        named.names(),
        ["notes.md", "b.txt"],
        "a file that is named is read whatever it is called"
    );
    for (name, kind) in [
        ("x.zip", "zip"),
        ("x.tar.gz", "tar.gz"),
        ("x.parquet.zst", "parquet.zst"),
        ("X.CSV", "csv"),
    ] {
        std::fs::write(folder.path().join(name), "packed").unwrap();
        let message = Sources::find(&[folder.path().join(name)]).unwrap_err().to_string();
        let expected = format!(
            "{name}` is a `.{kind}` file, expected plain text, JSON lines, either packed as `.gz` or `.zst`, or Parquet"
        );
        assert!(message.ends_with(&expected), "{message}");
    }
}

#[cfg(unix)]
#[test]
fn links_in_a_circle_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.txt"), "a").unwrap();
    std::os::unix::fs::symlink(folder.path(), folder.path().join("loop")).unwrap();
    std::os::unix::fs::symlink(folder.path().join("a.txt"), folder.path().join("b.txt")).unwrap();
    let sources = Sources::find(&[folder.path().to_owned()]).unwrap();
    assert_eq!((sources.names(), sources.ignored()), (vec!["a.txt".into(), "b.txt".into()], 1));
}

#[test]
fn nothing_to_read_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.csv"), "a").unwrap();
    let message = Sources::find(&[folder.path().to_owned()]).unwrap_err().to_string();
    let expected = format!(
        "no `.txt`, `.jsonl` or `.parquet` file in `{}`, 1 other files ignored",
        folder.path().display()
    );
    assert_eq!(message, expected);
    let error = Sources::find(&[]).unwrap_err().to_string();
    assert!(error.contains(" file in no input, "), "{error}");
    assert!(
        Sources::find(&[PathBuf::from("nowhere.txt")])
            .unwrap_err()
            .to_string()
            .contains("`nowhere.txt`")
    );
    let error = Reader::new(vec![], reading(separator(""))).err().unwrap().to_string();
    assert!(error.starts_with("the separator between documents is empty"), "{error}");
}

#[test]
fn real_jsonl_is_read_whole() {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/redpajama_sample");
    if !folder.exists() {
        eprintln!(
            "skipped: real_jsonl_is_read_whole: `../shared/data/redpajama_sample` is missing"
        );
        return;
    }
    let sources = Sources::find(&[folder]).unwrap();
    let mut reader = sources.read(&Reading::default()).unwrap();
    assert!(reader.by_ref().all(|document| document.is_ok()));
    let jsonl: Vec<_> =
        sources.names().into_iter().filter(|name| name.ends_with(".jsonl")).collect();
    let others = sources.files().len() - jsonl.len();
    let counts = reader.counts();
    assert_eq!(counts.documents + counts.empty, 4_262 + others as u64);
    assert_eq!(counts.bytes, sources.bytes().unwrap());
}

proptest! {
    #[test]
    fn a_separator_cuts_where_the_standard_library_does(text in "[ab<>\n ]{0,80}", wanted in "[ab<]{0,2}>") {
        let expected: Vec<_> =
            text.split(&wanted).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect();
        prop_assert_eq!(documents("a.txt", &text, reading(separator(&wanted))), expected);
    }
}
