//! Files whose name and content disagree: the content decides, and what is not read is named.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use text::{ErrorKind, Reader, Reading, Sources};

const LINES: &str = "{\"text\": \"one\", \"id\": 1}\n{\"text\": \"two\", \"id\": 2}\n";

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn wide(text: &str, mark: bool, big: bool) -> Vec<u8> {
    let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
    units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

fn read(name: &str, content: &[u8]) -> text::Result<Vec<String>> {
    read_field(name, content, "text")
}

fn read_field(name: &str, content: &[u8], field: &str) -> text::Result<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    let reading = Reading { field: field.to_owned(), ..Reading::default() };
    Reader::new(vec![path], reading).unwrap().collect()
}

#[test]
fn json_lines_are_found_whatever_their_name() {
    for name in
        ["a.jsonl", "a.ndjson", "a.jsonlines", "a.json", "a.txt", "a.data", "a", "A.NDJSON", "a.gz"]
    {
        assert_eq!(read(name, LINES.as_bytes()).unwrap(), ["one", "two"], "{name}");
    }
    for name in ["c4.json.gz", "a.jsonl.gz", "a.ndjson.gz", "a.txt.gz", "a.gz", "a.jsonl.zst"] {
        assert_eq!(read(name, &gz(LINES.as_bytes())).unwrap(), ["one", "two"], "{name}, packed");
    }
    let error = read("a.jsonl", &gz(LINES.as_bytes())).unwrap_err();
    assert!(error.to_string().contains("holds gzip data, which its name does not say"), "{error}");
    assert_eq!(error.kind(), ErrorKind::PackedName(".gz"));
    // A line that is longer than what is looked at.
    let long = format!("{{\"text\": \"{}\"}}\n", "word ".repeat(40_000));
    assert_eq!(read("a.data", long.as_bytes()).unwrap()[0].len(), 200_000);
    // One line alone is text, unless it holds a text.
    assert_eq!(read("a.txt", b"{\"a\": 1}").unwrap(), ["{\"a\": 1}"]);
    assert_eq!(read("a.txt", b"{\"text\": \"x\"}\n").unwrap(), ["x"]);
    assert_eq!(read("a.md", b"{curly}\n{braces}\n").unwrap(), ["{curly}\n{braces}\n"]);
}

#[test]
fn json_of_another_layout_is_named() {
    let object = read("a.json", b"{\n  \"text\": \"one\"\n}\n").unwrap_err();
    assert!(object.to_string().contains("holds one JSON object over several lines"), "{object}");
    assert_eq!(object.kind(), ErrorKind::JsonLayout);
    let list = read("a.json", b"[{\"text\": \"one\"}]").unwrap_err().to_string();
    assert!(list.contains("a.json` holds one JSON list, expected plain text in UTF-8"), "{list}");
    let none = read("a.json", b"words").unwrap_err().to_string();
    assert!(none.contains("holds no JSON"), "{none}");
}

#[test]
fn text_in_another_encoding_is_named_and_not_called_damaged() {
    for (content, expected) in [
        (wide(LINES, true, false), "UTF-16"),
        (wide(LINES, true, true), "UTF-16"),
        (wide(LINES, false, false), "UTF-16LE"),
        (wide(LINES, false, true), "UTF-16BE"),
    ] {
        for name in ["a.jsonl", "a.txt", "a"] {
            let error = read(name, &content).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Encoding(expected), "{name}: {error}");
            assert!(error.to_string().contains(&format!("holds text in {expected}")), "{error}");
        }
    }
}

#[test]
fn pointers_archives_and_tables_are_named() {
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:5a\nsize 12\n";
    let error = read("a.txt", pointer).unwrap_err();
    assert!(error.disk().is_some_and(disk::Error::is_pointer), "{error}");
    for (content, said) in [
        (&b"PK\x03\x04rest"[..], "a ZIP archive"),
        (b"%PDF-1.7", "a PDF document"),
        (b"GGUF\x03\0\0\0", "a GGUF model"),
    ] {
        let error = read("a.txt", content).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoText);
        assert!(error.to_string().contains(said), "{error}");
    }
    let twice = read("a.txt.gz", &gz(&gz(b"text"))).unwrap_err().to_string();
    assert!(twice.contains("gzip data inside packed data"), "{twice}");
}

#[test]
fn a_parquet_file_is_read_under_any_name() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/parquet/kinds.parquet");
    let bytes = std::fs::read(file).unwrap();
    let by_name = read("a.parquet", &bytes).unwrap_err().to_string();
    let by_content = read("a.data", &bytes).unwrap_err().to_string();
    assert!(by_content.contains("row 2: found null"), "{by_content}");
    let end = |text: &str| text.split_once("` ").unwrap().1.to_owned();
    assert_eq!(end(&by_name), end(&by_content));
    let packed = read("a.parquet.gz", &gz(&bytes)).unwrap_err().to_string();
    assert!(packed.contains("holds Parquet packed as gzip"), "{packed}");
}

#[test]
fn text_of_a_record_and_of_a_file_is_taken_as_it_is() {
    let lines = b"{\"text\": \" \\n one\\n\"}\n{\"text\": \"\\t\"}\n";
    assert_eq!(read("a.jsonl", lines).unwrap(), [" \n one\n"], "white space alone is no text");
    assert_eq!(read("a.txt", b"\n one\n").unwrap(), ["\n one\n"]);
}

#[test]
fn numbers_that_json_lacks_do_not_cost_a_line_its_text() {
    let line =
        br#"{"a": NaN, "text": "NaN \" Infinity", "b": [-Infinity, Infinity], "c": {"d": NaN}}"#;
    assert_eq!(read("a.jsonl", line).unwrap(), ["NaN \" Infinity"]);
    let error = read("a.jsonl", b"{\"text\": NaN}").unwrap_err().to_string();
    assert!(error.contains("found a number in `text`"), "{error}");
    let error = read("a.jsonl", b"{\"a\": NaN, \"text\": }").unwrap_err().to_string();
    assert!(error.contains("no JSON (expected value at column 20)"), "{error}");
}

#[test]
fn a_field_inside_an_object_is_named_by_its_path() {
    let line = br#"{"id": 1, "doc": {"meta": {"x": 1}, "body": {"text": "deep"}}, "a.b": "flat"}"#;
    assert_eq!(read_field("a.jsonl", line, "doc.body.text").unwrap(), ["deep"]);
    assert_eq!(read_field("a.jsonl", line, "a.b").unwrap(), ["flat"]);
    let error = read_field("a.jsonl", line, "doc.text").unwrap_err().to_string();
    assert!(error.contains("only `id`, `doc.meta`, `doc.body`, `a.b`"), "{error}");
    let both = br#"{"a": {"b": "inside"}, "a.b": "flat"}"#;
    assert_eq!(read_field("a.jsonl", both, "a.b").unwrap(), ["flat"], "a whole name goes first");
    let other = br#"{"a": 3, "b": 1}"#;
    let error = read_field("a.jsonl", other, "a.b").unwrap_err().to_string();
    assert!(error.contains("only `a`, `b`"), "{error}");
}

#[test]
fn of_the_json_in_a_folder_only_lines_are_texts() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, content: &[u8]| {
        std::fs::write(folder.path().join(name), content).unwrap();
    };
    put("a.json.gz", &gz(LINES.as_bytes()));
    put("b.ndjson", LINES.as_bytes());
    put("config.json", b"{\"hidden_size\": 4}");
    put("info.json", b"{\n \"a\": 1\n}\n");
    put("table.csv", b"a,b\n");
    let sources = Sources::find(&[folder.path().to_owned()]).unwrap();
    assert_eq!(
        (sources.names(), sources.ignored()),
        (vec!["a.json.gz".into(), "b.ndjson".into()], 3)
    );
}

#[test]
fn blank_lines_are_passed_over_and_counted() {
    let lines = "\n".repeat(200_000);
    let content = format!("{{\"text\": \"one\"}}\n{lines}{{\"text\": 2}}\n");
    let error = read("a.jsonl", content.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("line 200002: found a number in `text`"), "{error}");
    let bad = [content.as_bytes(), b"\xff"].concat();
    let reading =
        Reading { skip_broken: true, documents: text::Documents::BlankLine, ..Reading::default() };
    let folder = tempfile::tempdir().unwrap();
    for (name, said) in [("a.jsonl", "line 200002"), ("b.txt", "at byte 200020")] {
        let path = folder.path().join(name);
        std::fs::write(&path, if name == "b.txt" { &bad[8..] } else { &bad }).unwrap();
        let mut reader = Reader::new(vec![path], reading.clone()).unwrap();
        let documents: Vec<_> = reader.by_ref().collect();
        let told = match documents.last() {
            Some(Err(error)) => error.to_string(),
            _ => reader.first_broken().unwrap().to_string(),
        };
        assert!(told.contains(said), "{told}");
    }
}
