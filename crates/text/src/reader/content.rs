//! What a file holds, by its first bytes: a name may say something else.

use std::path::Path;

use super::file_kind::{FileKind, Named, Packing};
use super::json_text;
use crate::error::{Error, Result, TextFailure, Unreadable};

/// How much of the unpacked beginning is looked at, in bytes.
pub(super) const HEAD: u64 = 1 << 16;
/// Some editors write it at the beginning of a file. It is no text.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// A file of plain text is taken as lines of JSON if so many of its first lines are objects.
const LINES: usize = 2;

/// How packed files begin. Four bytes of zstd may also begin a frame that holds no text.
const GZIP: &[u8] = &[0x1f, 0x8b];
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const ZSTD_SKIPPED: &[u8] = &[0x2a, 0x4d, 0x18];

/// Files that are no text, by how they begin: the bytes, where they stand, and what they are.
const OTHERS: [(&[u8], usize, &str); 15] = [
    (GZIP, 0, "gzip data inside packed data"),
    (ZSTD, 0, "Zstandard data inside packed data"),
    (b"PK\x03\x04", 0, "a ZIP archive"),
    (b"\xfd7zXZ\0", 0, "data packed by xz"),
    (b"BZh", 0, "data packed by bzip2"),
    (b"\x04\x22\x4d\x18", 0, "data packed by LZ4"),
    (b"7z\xbc\xaf\x27\x1c", 0, "a 7z archive"),
    (b"ustar", 257, "a tar archive"),
    (b"ARROW1", 0, "an Arrow file"),
    (b"\xff\xff\xff\xff", 0, "a stream of Arrow"),
    (b"Obj\x01", 0, "an Avro file"),
    (b"SQLite format 3\0", 0, "an SQLite database"),
    (b"%PDF-", 0, "a PDF document"),
    (b"GGUF", 0, "a GGUF model"),
    (b"\x93NUMPY", 0, "a NumPy array"),
];

/// How a file that begins with these bytes is packed. Its name decides only where the bytes do not.
pub(super) fn packing(start: &[u8], named: Packing) -> Packing {
    if start.starts_with(GZIP) {
        return Packing::Gzip;
    }
    let skipped = start.get(1..4) == Some(ZSTD_SKIPPED) && start[0] & 0xf0 == 0x50;
    if start.starts_with(ZSTD) || skipped {
        return Packing::Zstd;
    }
    // Programs that fetch files may unpack them and keep the name. A few bytes alone say nothing.
    let text = start.len() > 4 && plain(start);
    if text { Packing::None } else { named }
}

/// The error of a packed file whose name does not say so: other programs go by the name.
pub(super) fn packed_under_another_name(path: &Path, packing: Packing) -> Error {
    Error::from(TextFailure::Content {
        path: path.to_owned(),
        found: format!("{} data, which its name does not say", packing.name()),
        kind: Unreadable::Name(packing.extension()),
    })
}

/// The kind of a file, by the beginning of its unpacked content.
///
/// # Errors
/// If the content is none that is read here.
pub(super) fn kind(path: &Path, head: &[u8], packing: Packing) -> Result<FileKind> {
    let holds = |found: &str, kind: Unreadable| {
        Err(Error::from(TextFailure::Content {
            path: path.to_owned(),
            found: found.to_owned(),
            kind,
        }))
    };
    if disk::is_pointer(head) {
        return Err(disk::Error::pointer(path).into());
    }
    if let Some(encoding) = wide(head) {
        return holds(&format!("text in {encoding}"), Unreadable::Encoding(encoding));
    }
    if head.starts_with(b"PAR1") {
        // Reading begins at the footer, and the pages are packed already.
        return if packing == Packing::None {
            Ok(FileKind::Parquet)
        } else {
            holds(&format!("Parquet packed as {}", packing.name()), Unreadable::Packed)
        };
    }
    let other = OTHERS
        .iter()
        .find(|(bytes, at, _)| head.get(*at..).is_some_and(|behind| behind.starts_with(bytes)));
    if let Some((_, _, found)) = other {
        return holds(found, Unreadable::Other);
    }
    let named = Named::of(path);
    let text = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head);
    match named {
        Named::Jsonl => Ok(FileKind::Jsonl),
        Named::Parquet => Ok(FileKind::Parquet),
        Named::Json | Named::Txt | Named::Other if json_lines(text, named == Named::Json) => {
            Ok(FileKind::Jsonl)
        }
        Named::Json => match text.trim_ascii_start().first() {
            None => Ok(FileKind::Jsonl),
            Some(b'{') => holds("one JSON object over several lines", Unreadable::Json),
            Some(b'[') => holds("one JSON list", Unreadable::Json),
            Some(_) => holds("no JSON", Unreadable::Other),
        },
        Named::Txt | Named::Other => Ok(FileKind::Txt),
    }
}

/// Whether the first lines are objects. Where `one` is enough, it need not hold text.
pub(super) fn json_lines(text: &[u8], one: bool) -> bool {
    if text.trim_ascii_start().first() != Some(&b'{') {
        return false;
    }
    // A head that is full ends inside a line.
    let full = text.len() as u64 + BYTE_ORDER_MARK.len() as u64 >= HEAD;
    let lines = text.split_inclusive(|byte| *byte == b'\n');
    let mut objects = 0;
    for line in lines.filter(|line| !line.trim_ascii().is_empty()).take(LINES) {
        let whole = line.ends_with(b"\n") || !full;
        if !json_text::is_object(line, whole) {
            return one && objects > 0;
        }
        // No prose is JSON for as long as the head.
        if !whole {
            return true;
        }
        objects += 1;
    }
    objects == LINES || one && objects > 0 || objects == 1 && json_text::has_text(text)
}

/// The encoding of text whose characters take two or four bytes.
fn wide(head: &[u8]) -> Option<&'static str> {
    let marks: [(&[u8], &str); 4] = [
        // The longer mark first: it begins with a shorter one.
        (b"\xff\xfe\0\0", "UTF-32"),
        (b"\0\0\xfe\xff", "UTF-32"),
        (b"\xff\xfe", "UTF-16"),
        (b"\xfe\xff", "UTF-16"),
    ];
    if let Some((_, encoding)) = marks.iter().find(|(mark, _)| head.starts_with(mark)) {
        return Some(encoding);
    }
    // Without a mark: Latin letters leave every other byte zero.
    let start = &head[..head.len().min(4096)];
    let zeros = |first: usize| start.iter().skip(first).step_by(2).filter(|b| **b == 0).count();
    let (even, odd, half) = (zeros(0), zeros(1), start.len() / 2);
    if half < 4 {
        return None;
    }
    match (even * 10 > half * 7, odd * 10 > half * 7) {
        (true, false) if odd * 20 < half => Some("UTF-16BE"),
        (false, true) if even * 20 < half => Some("UTF-16LE"),
        _ => None,
    }
}

/// Whether bytes are text as far as they go. A last character may be cut.
fn plain(start: &[u8]) -> bool {
    let valid = match std::str::from_utf8(start) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none(),
    };
    let control = |byte: &u8| *byte < 0x20 && !b"\t\n\r\x0c".contains(byte);
    valid && !start.iter().any(control)
}
