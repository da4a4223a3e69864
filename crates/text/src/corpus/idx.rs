//! The `.idx` file beside a `.bin`: an index of sequences and documents in the format of Megatron,
//! little endian.
//!
//! The header is `MMIDIDX\0\0`, version u64 = 1, type of a token u8 (8: uint16, 4: int32),
//! sequences u64, entries of the last table u64 (documents + 1). Three tables follow: sizes
//! int32[sequences] in tokens, pointers int64[sequences] in bytes, document indices
//! int64[documents + 1]. In our files a document is one sequence, so the last table counts 0, 1, 2,
//! ...

use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;

use crate::error::{Result, TextFailure};

const MAGIC: &[u8; 9] = b"MMIDIDX\0\0";
const VERSION: u64 = 1;
const HEADER: u64 = 34;
/// Smaller vocabularies are stored in two bytes a token, as in Megatron.
const SMALL_VOCABULARY: usize = 65_500;

/// How a token is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TokenWidth {
    /// uint16
    Two,
    /// int32
    Four,
}

impl TokenWidth {
    pub(super) fn of_vocabulary(vocabulary: usize) -> Self {
        if vocabulary < SMALL_VOCABULARY { Self::Two } else { Self::Four }
    }

    /// Bytes a token.
    pub(super) fn bytes(self) -> u64 {
        match self {
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    fn code(self) -> u8 {
        match self {
            Self::Two => 8,
            Self::Four => 4,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        [Self::Two, Self::Four].into_iter().find(|width| width.code() == code)
    }
}

/// The content of a checked index. Positions are bytes of the `.idx` file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Idx {
    pub(super) width: TokenWidth,
    pub(super) documents: usize,
    /// Length of all documents together, in tokens.
    pub(super) tokens: u64,
    pointers_at: usize,
}

impl Idx {
    /// Checks a whole index. Documents must follow each other without gaps, and end at the end of
    /// the `.bin`, which has `bin` bytes.
    pub(super) fn parse(bytes: &[u8], bin: u64, path: &Path) -> Result<Self> {
        let wrong = |what: String, found: String, expected: String| {
            Err(TextFailure::BadCorpus { path: path.to_owned(), what, found, expected }.into())
        };
        let length = bytes.len() as u64;
        if length < HEADER {
            return wrong("length".into(), format!("{length} bytes"), format!("at least {HEADER}"));
        }
        if &bytes[..9] != MAGIC {
            return wrong(
                "magic".into(),
                format!("`{}`", bytes[..9].escape_ascii()),
                "`MMIDIDX\\x00\\x00`".into(),
            );
        }
        let version = u64_at(bytes, 9);
        if version != VERSION {
            return wrong("version".into(), version.to_string(), VERSION.to_string());
        }
        let Some(width) = TokenWidth::from_code(bytes[17]) else {
            return wrong(
                "token type".into(),
                bytes[17].to_string(),
                "8 (uint16) or 4 (int32)".into(),
            );
        };
        let (sequences, entries) = (u64_at(bytes, 18), u64_at(bytes, 26));
        // Header, twelve bytes per sequence, eight bytes per document index. Checked against
        // overflow, since the counts may be hostile.
        let expected = sequences
            .checked_mul(12)
            .and_then(|sum| sum.checked_add(entries.checked_mul(8)?))
            .and_then(|sum| sum.checked_add(HEADER));
        if expected != Some(length) {
            let expected = expected
                .map_or("more than 64 bits can count".into(), |bytes| format!("{bytes} bytes"));
            let expected =
                format!("{expected} for {sequences} sequences and {entries} document indices");
            return wrong("length".into(), format!("{length} bytes"), expected);
        }
        if sequences.checked_add(1) != Some(entries) {
            let expected = format!("one more than the {sequences} sequences");
            return wrong("number of document indices".into(), entries.to_string(), expected);
        }
        if sequences == 0 {
            return wrong("number of sequences".into(), "0".into(), "at least one".into());
        }
        // The file is mapped, so every position inside it fits `usize`.
        let documents = sequences as usize;
        let pointers_at = HEADER as usize + 4 * documents;
        let indices_at = pointers_at + 8 * documents;
        // Without gaps, a part is one stream of tokens that callers can cut anywhere.
        let mut end = 0u64;
        for i in 0..documents {
            let size = i32::from_le_bytes(array(bytes, HEADER as usize + 4 * i));
            if size <= 0 {
                return wrong(
                    format!("size of sequence {i}"),
                    format!("{size} tokens"),
                    "at least one".into(),
                );
            }
            // Pointers follow from the sizes; Megatron reads them, so they must agree.
            let pointer = i64::from_le_bytes(array(bytes, pointers_at + 8 * i));
            if u64::try_from(pointer) != Ok(end) {
                return wrong(
                    format!("pointer of sequence {i}"),
                    pointer.to_string(),
                    end.to_string(),
                );
            }
            let next = end.checked_add(size as u64 * width.bytes()).filter(|next| *next <= bin);
            let Some(next) = next else {
                let found = format!("past byte {bin}");
                return wrong(
                    format!("end of sequence {i}"),
                    found,
                    format!("inside the `.bin` of {bin} bytes"),
                );
            };
            end = next;
        }
        if end != bin {
            return wrong(
                "sum of the sizes".into(),
                format!("{end} bytes"),
                format!("the {bin} bytes of the `.bin`"),
            );
        }
        // In our files each document is one sequence, so the document indices count up.
        for i in 0..=documents {
            let index = u64_at(bytes, indices_at + 8 * i);
            if index != i as u64 {
                return wrong(
                    format!("document index {i}"),
                    (index as i64).to_string(),
                    i.to_string(),
                );
            }
        }
        Ok(Self { width, documents, tokens: end / width.bytes(), pointers_at })
    }

    /// The range of a document, in tokens. `bytes` is the index that was parsed.
    pub(super) fn document(&self, bytes: &[u8], i: usize) -> Range<u64> {
        assert!(i < self.documents, "document {i} of {}", self.documents);
        let start = |i: usize| {
            // The index has no pointer behind the last document.
            if i == self.documents {
                self.tokens
            } else {
                u64_at(bytes, self.pointers_at + 8 * i) / self.width.bytes()
            }
        };
        start(i)..start(i + 1)
    }
}

/// Writes an index of documents that are one sequence each. Sizes are in tokens, at most
/// `i32::MAX`.
pub(super) fn write(out: &mut impl Write, width: TokenWidth, sizes: &[i32]) -> io::Result<()> {
    let count = sizes.len() as u64;
    out.write_all(MAGIC)?;
    out.write_all(&VERSION.to_le_bytes())?;
    out.write_all(&[width.code()])?;
    out.write_all(&count.to_le_bytes())?;
    out.write_all(&(count + 1).to_le_bytes())?;
    for size in sizes {
        out.write_all(&size.to_le_bytes())?;
    }
    let mut pointer = 0i64;
    for size in sizes {
        out.write_all(&pointer.to_le_bytes())?;
        pointer += i64::from(*size) * width.bytes() as i64;
    }
    for i in 0..=count {
        out.write_all(&i.to_le_bytes())?;
    }
    Ok(())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written down from the format, byte by byte: documents of 3 and 2 tokens, two bytes each.
    #[rustfmt::skip]
    const BY_HAND: [u8; 34 + 2 * 4 + 2 * 8 + 3 * 8] = [
        b'M', b'M', b'I', b'D', b'I', b'D', b'X', 0, 0,
        1, 0, 0, 0, 0, 0, 0, 0,
        8,
        2, 0, 0, 0, 0, 0, 0, 0,
        3, 0, 0, 0, 0, 0, 0, 0,
        3, 0, 0, 0,  2, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0,  6, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0,  1, 0, 0, 0, 0, 0, 0, 0,  2, 0, 0, 0, 0, 0, 0, 0,
    ];

    fn parse(bytes: &[u8], bin: u64) -> Result<Idx> {
        Idx::parse(bytes, bin, Path::new("train.idx"))
    }

    #[test]
    fn an_index_is_written_as_megatron_lays_it_out() {
        let mut bytes = Vec::new();
        write(&mut bytes, TokenWidth::Two, &[3, 2]).unwrap();
        assert_eq!(bytes, BY_HAND);
        let mut bytes = Vec::new();
        write(&mut bytes, TokenWidth::Four, &[3, 2]).unwrap();
        assert_eq!(
            (bytes[17], bytes[34 + 8 + 8]),
            (4, 12),
            "int32 tokens, the second document at byte 12"
        );
    }

    #[test]
    fn an_index_is_read_back() {
        let idx = parse(&BY_HAND, 10).unwrap();
        assert_eq!((idx.width, idx.documents, idx.tokens), (TokenWidth::Two, 2, 5));
        assert_eq!(idx.document(&BY_HAND, 0), 0..3);
        assert_eq!(idx.document(&BY_HAND, 1), 3..5);
    }

    #[test]
    fn the_token_type_follows_the_vocabulary_as_in_megatron() {
        assert_eq!(TokenWidth::of_vocabulary(65_499), TokenWidth::Two);
        assert_eq!(TokenWidth::of_vocabulary(65_500), TokenWidth::Four);
    }

    #[test]
    fn a_hostile_index_is_refused_by_name() {
        let set = |at: usize, value: &[u8]| {
            let mut bytes = BY_HAND.to_vec();
            bytes[at..at + value.len()].copy_from_slice(value);
            bytes
        };
        let mut longer = BY_HAND.to_vec();
        longer.push(0);
        let no_documents: Vec<u8> =
            [&BY_HAND[..18], &0u64.to_le_bytes(), &1u64.to_le_bytes(), &0u64.to_le_bytes()]
                .concat();
        let cases = [
            ("an empty file", vec![], 10, "length is 0 bytes, expected at least 34"),
            (
                "a header cut short",
                BY_HAND[..33].to_vec(),
                10,
                "length is 33 bytes, expected at least 34",
            ),
            (
                "another magic",
                set(0, b"X"),
                10,
                "magic is `XMIDIDX\\x00\\x00`, expected `MMIDIDX\\x00\\x00`",
            ),
            ("another version", set(9, &[2]), 10, "version is 2, expected 1"),
            (
                "floating-point tokens",
                set(17, &[6]),
                10,
                "token type is 6, expected 8 (uint16) or 4 (int32)",
            ),
            (
                "a sequence count that lies",
                set(18, &[3]),
                10,
                "length is 82 bytes, expected 94 bytes for 3 sequences and 3 document indices",
            ),
            (
                "a sequence count that overflows",
                set(18, &[0xff; 8]),
                10,
                "length is 82 bytes, expected more than 64 bits can count for 18446744073709551615 sequences and 3 \
                 document indices",
            ),
            (
                "a document count that lies",
                set(26, &[4]),
                10,
                "length is 82 bytes, expected 90 bytes for 2 sequences and 4 document indices",
            ),
            (
                "counts that make up the length but do not fit each other",
                [&BY_HAND[..18], &0u64.to_le_bytes(), &6u64.to_le_bytes(), &BY_HAND[34..]].concat(),
                10,
                "number of document indices is 6, expected one more than the 0 sequences",
            ),
            ("no document", no_documents, 0, "number of sequences is 0, expected at least one"),
            (
                "a file cut short",
                BY_HAND[..80].to_vec(),
                10,
                "length is 80 bytes, expected 82 bytes for 2",
            ),
            ("bytes after the end", longer, 10, "length is 83 bytes, expected 82 bytes for 2"),
            (
                "a size of zero",
                set(38, &[0]),
                10,
                "size of sequence 1 is 0 tokens, expected at least one",
            ),
            (
                "a negative size",
                set(34, &[0xff; 4]),
                10,
                "size of sequence 0 is -1 tokens, expected at least one",
            ),
            (
                "a size past the end",
                set(38, &[3]),
                10,
                "end of sequence 1 is past byte 10, expected inside",
            ),
            (
                "a pointer that overlaps",
                set(50, &[4]),
                10,
                "pointer of sequence 1 is 4, expected 6",
            ),
            (
                "a pointer outside the file",
                set(50, &[0xff; 4]),
                10,
                "pointer of sequence 1 is 4294967295, expected 6",
            ),
            (
                "a negative pointer",
                set(42, &[0xff; 8]),
                10,
                "pointer of sequence 0 is -1, expected 0",
            ),
            ("documents out of order", set(66, &[2]), 10, "document index 1 is 2, expected 1"),
            (
                "a negative document index",
                set(58, &[0xff; 8]),
                10,
                "document index 0 is -1, expected 0",
            ),
            (
                "a bin cut short",
                BY_HAND.to_vec(),
                9,
                "end of sequence 1 is past byte 9, expected inside",
            ),
            (
                "a bin that is longer",
                BY_HAND.to_vec(),
                12,
                "sum of the sizes is 10 bytes, expected the 12 bytes",
            ),
        ];
        for (case, bytes, bin, expected) in cases {
            let message = parse(&bytes, bin).expect_err(case).to_string();
            assert!(message.starts_with(&format!("`train.idx`: {expected}")), "{case}: {message}");
        }
    }
}
