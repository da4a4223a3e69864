//! Parquet as other programs write it, good and bad.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};

use text::{Counts, Reader, Reading, Sources};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/parquet").join(name)
}

fn field(name: &str) -> Reading {
    Reading { field: name.to_owned(), ..Reading::default() }
}

fn read(path: PathBuf, reading: Reading) -> (text::Result<Vec<String>>, Counts) {
    let mut reader = Reader::new(vec![path], reading).unwrap();
    let documents = reader.by_ref().collect();
    (documents, reader.counts())
}

/// The error's text without the folder of the file.
fn message(path: PathBuf, reading: Reading) -> String {
    let folder = format!("{}/", path.parent().unwrap().display());
    read(path, reading).0.unwrap_err().to_string().replace(&folder, "")
}

/// Row `i` as `testdata/parquet/make.py` makes it.
fn row(i: usize) -> String {
    format!("Row {i}: {}fin", "ça va? ".repeat(i % 5))
}

#[test]
fn every_packing_page_version_and_encoding_gives_the_rows() {
    let plain: Vec<String> = (0..40).map(row).collect();
    let words: Vec<String> = (0..40).map(|i| row(i % 7)).collect();
    for (name, expected) in [
        ("dictionary-snappy", &words),
        ("plain-gzip-v2", &plain),
        ("plain-zstd-checksum", &plain),
        ("delta-length", &plain),
    ] {
        let path = file(&format!("{name}.parquet"));
        let size = std::fs::metadata(&path).unwrap().len();
        let (documents, counts) = read(path, Reading::default());
        assert_eq!(&documents.unwrap(), expected, "{name}");
        assert_eq!(counts, Counts { documents: 40, empty: 0, broken: 0, bytes: size }, "{name}");
    }
}

#[test]
fn a_column_inside_a_group_is_named_by_its_path() {
    assert_eq!(
        read(file("kinds.parquet"), field("meta.text")).0.unwrap(),
        ["m1", "m2", "m3", "m4"]
    );
}

#[test]
fn parquet_without_the_field_is_refused_with_the_fields_there_are() {
    assert_eq!(
        message(file("kinds.parquet"), field("content")),
        "`kinds.parquet` has no column `content`: found `text`, `id`, `words`, `meta`, `raw`, `when`"
    );
}

#[test]
fn parquet_with_nulls_is_refused_by_its_row_or_counted() {
    assert_eq!(
        message(file("kinds.parquet"), field("text")),
        "`kinds.parquet` row 2: found null, expected text in `text`"
    );
    let (documents, counts) =
        read(file("kinds.parquet"), Reading { skip_broken: true, ..Reading::default() });
    assert_eq!(
        (documents.unwrap(), counts.broken),
        (vec!["one".to_owned(), "three".to_owned()], 2)
    );
}

#[test]
fn parquet_with_a_wrong_type_is_refused_by_what_it_is() {
    for (name, found) in [
        ("id", "INT64"),
        ("words", "a list"),
        ("words.list.element", "a list"),
        ("meta", "a group of columns"),
        ("meta.n", "INT64"),
    ] {
        let expected = format!("`kinds.parquet` column `{name}`: found {found}, expected text");
        assert_eq!(message(file("kinds.parquet"), field(name)), expected);
    }
    let when = message(file("kinds.parquet"), field("when"));
    assert!(when.starts_with("`kinds.parquet` column `when`: found Timestamp"), "{when}");
}

#[test]
fn parquet_of_bytes_that_are_not_utf8_is_refused_by_its_row_or_counted() {
    assert_eq!(
        message(file("kinds.parquet"), field("raw")),
        "`kinds.parquet` row 2: found bytes that are not UTF-8 (0xff at byte 4), expected text in `raw`"
    );
    let skipping = Reading { skip_broken: true, ..field("raw") };
    let (documents, counts) = read(file("kinds.parquet"), skipping);
    assert_eq!((documents.unwrap().len(), counts.broken), (3, 1));
}

#[test]
fn what_is_not_read_is_refused_by_name() {
    let brotli = message(file("brotli.parquet"), Reading::default());
    assert_eq!(
        brotli,
        "`brotli.parquet`: found column `text` packed as BROTLI, expected UNCOMPRESSED, SNAPPY, GZIP or ZSTD"
    );
    let delta = message(file("delta-prefix.parquet"), Reading::default());
    assert!(
        delta.starts_with(
            "`delta-prefix.parquet`: found values encoded as DELTA_BYTE_ARRAY, expected PLAIN"
        ),
        "{delta}"
    );
}

#[test]
fn truncated_parquet_is_refused_wherever_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let bytes = std::fs::read(file("plain-gzip-v2.parquet")).unwrap();
    for cut in 0..bytes.len() {
        std::fs::write(&path, &bytes[..cut]).unwrap();
        let message = message(path.clone(), Reading::default());
        let expected = if cut < 12 {
            format!("`a.parquet`: found {cut} bytes, expected a Parquet file of 12 or more")
        } else {
            "`a.parquet`: found no footer at its end: it was cut short, expected `PAR1` in the last four bytes"
                .to_owned()
        };
        assert_eq!(message, expected);
    }
    std::fs::write(&path, "text that is called otherwise").unwrap();
    assert_eq!(
        message(path.clone(), Reading::default()),
        "`a.parquet`: found `text` at its start, expected `PAR1`"
    );
    let encrypted = [&bytes[..bytes.len() - 4], b"PARE"].concat();
    std::fs::write(&path, encrypted).unwrap();
    assert!(
        message(path, Reading::default()).starts_with("`a.parquet`: found an encrypted footer")
    );
}

#[test]
fn a_footer_that_lies_is_refused_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let bytes = std::fs::read(file("delta-length.parquet")).unwrap();
    let length = bytes.len();
    let footer = u32::from_le_bytes(bytes[length - 8..length - 4].try_into().unwrap()) as usize;
    let start = length - 8 - footer;
    let refused = |bytes: &[u8], expected: &str| {
        std::fs::write(&path, bytes).unwrap();
        let sources = Sources::find(std::slice::from_ref(&path)).unwrap();
        let message = sources.check(&Reading::default()).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    };
    // The length of the footer itself.
    let mut longer = bytes.clone();
    longer[length - 8..length - 4].copy_from_slice(&u32::MAX.to_le_bytes());
    refused(&longer, "found a footer of 4294967295 bytes, expected at most ");
    // Forty rows, zigzag 80 as field 3 of the file, say: one byte in three places.
    let mut rows = bytes.clone();
    let places: Vec<usize> = (start..length - 8).filter(|at| bytes[*at] == 80).collect();
    assert!(!places.is_empty());
    for place in places {
        rows[place] = 78;
        std::fs::write(&path, &rows).unwrap();
        let (found, _) = read(path.clone(), Reading::default());
        // What every number says is checked against the pages, but for counts that nothing here
        // reads.
        assert!(found.is_err() || found.unwrap().len() == 40);
        rows[place] = 80;
    }
    // Data cut away from between start and footer: offsets now point past it.
    let shorter = [&bytes[..4], &bytes[start..]].concat();
    refused(&shorter, "expected data between bytes 4 and 4");
}
