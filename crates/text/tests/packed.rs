//! Text in `.gz` and `.zst`: the same documents as unpacked, and every way in which such a file can
//! be broken.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use text::{ErrorKind, Reader, Reading, Sources};

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zst(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

type Pack = fn(&[u8]) -> Vec<u8>;

const PACKINGS: [(&str, Pack, &str); 2] = [("gz", gz, "gzip"), ("zst", zst, "zstd")];

/// Lines that do not pack into nothing.
fn lines() -> String {
    let mut state = 1u64;
    let mut lines = String::new();
    for i in 0..4000 {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        lines += &format!("{{\"text\": \"line {i} of {state:x}\"}}\n");
    }
    lines
}

fn read(folder: &Path, name: &str, content: &[u8]) -> text::Result<Vec<String>> {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    let mut reader = Reader::new(vec![path], Reading::default()).unwrap();
    let documents: text::Result<Vec<String>> = reader.by_ref().collect();
    if documents.is_ok() {
        assert_eq!(reader.counts().bytes, content.len() as u64, "{name}: all bytes are counted");
    }
    documents
}

#[test]
fn packed_files_give_the_documents_of_the_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let plain = lines();
    let expected = read(folder.path(), "a.jsonl", plain.as_bytes()).unwrap();
    assert_eq!(expected.len(), 4000);
    let (head, tail) = plain.as_bytes().split_at(plain.len() / 3);
    for (ending, pack, _) in PACKINGS {
        let name = format!("a.jsonl.{ending}");
        assert_eq!(
            read(folder.path(), &name, &pack(plain.as_bytes())).unwrap(),
            expected,
            "{name}"
        );
        // As `cat a.gz b.gz` and programs that pack in parallel make them.
        let members = [pack(head), pack(b""), pack(tail)].concat();
        assert_eq!(
            read(folder.path(), &name, &members).unwrap(),
            expected,
            "{name} of three parts"
        );
        let named =
            read(folder.path(), &format!("notes.{ending}"), &pack(b"\xef\xbb\xbf some text "))
                .unwrap();
        assert_eq!(named, [" some text "], "a file without a second extension is text");
        assert_eq!(read(folder.path(), &format!("b.TXT.{ending}"), &pack(b"x")).unwrap(), ["x"]);
        assert_eq!(read(folder.path(), &format!("c.txt.{ending}"), &pack(b"")).unwrap(), [""; 0]);
    }
    let found = Sources::find(&[folder.path().to_owned()]).unwrap().names();
    let expected =
        ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "b.TXT.gz", "b.TXT.zst", "c.txt.gz", "c.txt.zst"];
    assert_eq!(found, expected, "in a folder, what says that it is text");
}

#[test]
fn a_packed_file_that_ends_early_is_refused_wherever_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    for (ending, pack, packing) in PACKINGS {
        let name = format!("a.jsonl.{ending}");
        let packed = pack(lines().as_bytes());
        let cuts =
            (0..20).chain((20..packed.len()).step_by(997)).chain(packed.len() - 9..packed.len());
        for cut in cuts {
            let error = read(folder.path(), &name, &packed[..cut]).unwrap_err();
            assert!(error.to_string().contains(" ends early: "), "{ending} cut at {cut}: {error}");
            let message = error.to_string();
            assert!(
                message.contains(&format!("{name}` ends early: found its end after ")),
                "{message}"
            );
            assert!(
                message.ends_with(&format!("expected the end of its {packing} data")),
                "{message}"
            );
        }
    }
}

#[test]
fn damage_and_what_follows_the_end_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let text = lines();
    for (ending, pack, packing) in PACKINGS {
        let good = pack(text.as_bytes());
        let flipped = |at: usize| {
            let mut bytes = good.clone();
            bytes[at] ^= 0x10;
            bytes
        };
        let checksum = good.len() - if ending == "gz" { 6 } else { 2 };
        let cases = [
            ("not packed at all, and no text", b"\0\x01 never packed".to_vec()),
            ("garbage after the end", [&good[..], b"garbage, and more of it"].concat()),
            ("a wrong checksum", flipped(checksum)),
            ("a flipped bit inside", flipped(good.len() / 2)),
        ];
        for (case, bytes) in cases {
            let name = format!("a.jsonl.{ending}");
            let error = read(folder.path(), &name, &bytes).unwrap_err();
            // A flipped bit may also spoil the text before any checksum is seen.
            let spoilt = matches!(error.kind(), ErrorKind::BrokenRow | ErrorKind::NotUtf8);
            assert!(
                error.to_string().contains(" is damaged: ") || case.contains("bit") && spoilt,
                "{case}: {error}"
            );
            if !spoilt {
                let message = error.to_string();
                assert!(
                    message.contains(&format!("{name}` is damaged: found ")),
                    "{case}: {message}"
                );
                assert!(
                    message.ends_with(&format!("expected {packing} data")),
                    "{case}: {message}"
                );
            }
        }
    }
}

#[test]
fn a_window_larger_than_memory_should_hold_is_refused() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.set_pledged_src_size(None).unwrap();
    encoder.window_log(28).unwrap();
    encoder.write_all(b"text").unwrap();
    let packed = encoder.finish().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let message = read(folder.path(), "a.txt.zst", &packed).unwrap_err().to_string();
    assert!(message.contains("is damaged: found Frame requires too much memory"), "{message}");
}

#[test]
fn offsets_are_of_the_text() {
    let folder = tempfile::tempdir().unwrap();
    let mut text = lines().into_bytes();
    text.extend(b"{\"text\": \"\xff\"}\n");
    let at = text.len() - 4;
    for (ending, pack, _) in PACKINGS {
        let message = read(folder.path(), &format!("a.jsonl.{ending}"), &pack(&text))
            .unwrap_err()
            .to_string();
        assert!(
            message.ends_with(&format!("line 4001 is not UTF-8: found 0xff at byte {at}")),
            "{message}"
        );
    }
}
