//! TensorBoard events: the curve once more, record by record, for TensorBoard and what reads its
//! files.
//!
//! A record is its length, a checksum of the length, an `Event` message and a checksum of that. The
//! messages are few and flat, so they are put together here, field by field, as TensorFlow's
//! `event.proto` and `summary.proto` number them.
//!
//! The file holds nothing that `metrics.jsonl` does not, but for the times of writing. A run that
//! goes on keeps the records that its curve still has, and the rest is cut off: every step stands
//! there once.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use disk::io_error;
use ledger::Point;

use crate::Result;

/// TensorBoard reads every file whose name holds `tfevents`; one name for a run, so that it goes on
/// in the same file.
pub(crate) const EVENTS: &str = "events.out.tfevents.regrow";

/// As for the curve, of which this is another form.
const LIMIT: u64 = 2 << 30;

/// What the first record of a file says.
const VERSION: &str = "brain.Event:2";

/// An events file that grows by whole records.
#[derive(Debug)]
pub(crate) struct EventsFile {
    path: PathBuf,
    file: File,
    // Bytes of whole records.
    length: u64,
}

impl EventsFile {
    /// Opens the file, and makes it hold exactly these points.
    pub(crate) fn open(path: &Path, points: &[Point]) -> Result<Self> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
        let file = file.map_err(io_error("open", path))?;
        let bytes = disk::read(path, LIMIT)?;
        let (length, kept) = agreeing(&bytes, points);
        let mut events = Self { path: path.to_path_buf(), file, length: length as u64 };
        events.cut()?;
        let mut missing = Vec::new();
        if length == 0 {
            missing.extend(record(&version(now())));
        }
        missing.extend(points[kept..].iter().flat_map(|point| record(&event(point, now()))));
        events.write(&missing)?;
        Ok(events)
    }

    /// Adds a point, as one whole record.
    pub(crate) fn append(&mut self, point: &Point) -> Result<()> {
        self.write(&record(&event(point, now())))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        if let Err(error) = self.file.write_all(bytes) {
            // A full disk may have taken half a record; what stays must be whole ones.
            self.cut()?;
            return Err(io_error("write", &self.path)(error).into());
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Cuts off what stands behind the whole records.
    fn cut(&mut self) -> Result<()> {
        let cut = self
            .file
            .set_len(self.length)
            .and_then(|()| self.file.seek(SeekFrom::Start(self.length)));
        cut.map(|_| ()).map_err(io_error("mend", &self.path))?;
        Ok(())
    }
}

/// How many bytes of a file are the records of the first of these points, and of how many.
fn agreeing(bytes: &[u8], points: &[Point]) -> (usize, usize) {
    let mut at = 0;
    // The version first, then the points in their order.
    let expected = |number: usize, time| match number.checked_sub(1) {
        None => version(time),
        Some(number) => event(&points[number], time),
    };
    for number in 0..=points.len() {
        let agrees = time(&bytes[at..]).map(|time| record(&expected(number, time)));
        match agrees.filter(|record| bytes[at..].starts_with(record)) {
            Some(record) => at += record.len(),
            None => return (at, number.saturating_sub(1)),
        }
    }
    (at, points.len())
}

/// When the record that begins here was written.
fn time(record: &[u8]) -> Option<f64> {
    // Behind length, checksum and the number of the field.
    Some(f64::from_le_bytes(record.get(13..21)?.try_into().ok()?))
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

fn version(time: f64) -> Vec<u8> {
    let mut event = Vec::new();
    double(&mut event, 1, time);
    bytes(&mut event, 3, VERSION.as_bytes());
    event
}

/// The `Event` of a point: its numbers as scalars, under the names that the Hugging Face Trainer
/// gives them.
fn event(point: &Point, time: f64) -> Vec<u8> {
    let scalars = [
        ("train/loss", point.loss),
        ("eval/loss", point.eval_loss),
        ("train/learning_rate", point.learning_rate),
        ("train/grad_norm", point.grad_norm),
        ("train/epoch", Some(point.epoch)),
        ("train/tokens", Some(point.tokens.0 as f64)),
        ("train/tokens_per_second", point.tokens_per_second),
    ];
    let mut summary = Vec::new();
    for (tag, scalar) in scalars {
        let Some(scalar) = scalar else { continue };
        let mut value = Vec::new();
        bytes(&mut value, 1, tag.as_bytes());
        float(&mut value, 2, scalar as f32);
        bytes(&mut summary, 1, &value);
    }
    let mut event = Vec::new();
    double(&mut event, 1, time);
    key(&mut event, 2, 0);
    varint(&mut event, point.step);
    bytes(&mut event, 5, &summary);
    event
}

/// Frames a message.
fn record(message: &[u8]) -> Vec<u8> {
    let length = (message.len() as u64).to_le_bytes();
    [&length[..], &masked(&length).to_le_bytes(), message, &masked(message).to_le_bytes()].concat()
}

/// The number of a field and how it is written: 0 a varint, 1 eight bytes, 2 a length and bytes, 5
/// four bytes.
fn key(out: &mut Vec<u8>, field: u64, kind: u64) {
    varint(out, field << 3 | kind);
}

fn double(out: &mut Vec<u8>, field: u64, value: f64) {
    key(out, field, 1);
    out.extend(value.to_le_bytes());
}

fn float(out: &mut Vec<u8>, field: u64, value: f32) {
    key(out, field, 5);
    out.extend(value.to_le_bytes());
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    key(out, field, 2);
    varint(out, value.len() as u64);
    out.extend(value);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A checksum as TensorFlow stores it, so that a checksum of data that holds checksums means
/// something.
fn masked(bytes: &[u8]) -> u32 {
    crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// CRC-32 of Castagnoli's polynomial, bits reflected (RFC 3720, appendix B.4).
fn crc32c(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, &byte| TABLE[(sum as u8 ^ byte) as usize] ^ sum >> 8)
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut sum, mut bit) = (byte as u32, 0);
        while bit < 8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0x82f6_3b78 } else { sum >> 1 };
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;
    use crate::sample::point;

    /// Takes a message apart: field by field, its number and its bytes, a varint as eight of them.
    fn fields(mut message: &[u8]) -> Vec<(u64, Vec<u8>)> {
        fn varint(from: &mut &[u8]) -> u64 {
            let mut value = 0;
            for place in 0.. {
                let (&byte, rest) = from.split_first().unwrap();
                *from = rest;
                value |= u64::from(byte & 0x7f) << (7 * place);
                if byte < 0x80 {
                    break;
                }
            }
            value
        }
        let mut found = Vec::new();
        while !message.is_empty() {
            let key = varint(&mut message);
            let length = match key & 7 {
                0 => {
                    found.push((key >> 3, varint(&mut message).to_le_bytes().to_vec()));
                    continue;
                }
                1 => 8,
                2 => varint(&mut message) as usize,
                5 => 4,
                kind => panic!("kind {kind}"),
            };
            let (value, rest) = message.split_at(length);
            found.push((key >> 3, value.to_vec()));
            message = rest;
        }
        found
    }

    /// The messages of a file, every checksum checked.
    fn messages(mut bytes: &[u8]) -> Vec<Vec<u8>> {
        let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
            assert_eq!(word(&bytes[8..12]), masked(&bytes[..8]));
            let message = &bytes[12..12 + length];
            assert_eq!(word(&bytes[12 + length..16 + length]), masked(message));
            found.push(message.to_vec());
            bytes = &bytes[16 + length..];
        }
        found
    }

    fn steps(path: &Path) -> Vec<u64> {
        let step = |message: &Vec<u8>| {
            let field = fields(message).into_iter().find(|(number, _)| *number == 2).unwrap();
            u64::from_le_bytes(field.1.try_into().unwrap())
        };
        messages(&fs::read(path).unwrap())[1..].iter().map(step).collect()
    }

    #[test]
    fn checksums_are_those_of_the_standard() {
        // RFC 3720, appendix B.4, and the check value of the catalogues.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
    }

    #[test]
    fn a_point_is_read_back_from_its_record() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(EVENTS);
        let mut events = EventsFile::open(&path, &[]).unwrap();
        events.append(&point(300)).unwrap();
        let messages = messages(&fs::read(&path).unwrap());
        assert_eq!(fields(&messages[0])[1], (3, VERSION.into()));
        let event = fields(&messages[1]);
        let numbers: Vec<u64> = event.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [1, 2, 5]);
        assert!(f64::from_le_bytes(event[0].1.clone().try_into().unwrap()) > 1.7e9);
        assert_eq!(event[1].1, 300_u64.to_le_bytes());
        let scalars: Vec<(String, f32)> = fields(&event[2].1)
            .into_iter()
            .map(|(number, value)| {
                assert_eq!(number, 1);
                let value = fields(&value);
                assert_eq!((value[0].0, value[1].0), (1, 2));
                let scalar = f32::from_le_bytes(value[1].1.clone().try_into().unwrap());
                (String::from_utf8(value[0].1.clone()).unwrap(), scalar)
            })
            .collect();
        let point = point(300);
        let expected = [
            ("train/loss", point.loss.unwrap()),
            ("eval/loss", point.eval_loss.unwrap()),
            ("train/learning_rate", 3e-4),
            ("train/grad_norm", 0.75),
            ("train/epoch", point.epoch),
            ("train/tokens", point.tokens.0 as f64),
        ];
        assert_eq!(scalars, expected.map(|(tag, scalar)| (tag.to_owned(), scalar as f32)));
    }

    #[test]
    fn a_file_of_something_else_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(EVENTS);
        fs::write(&path, "x".repeat(1000)).unwrap();
        EventsFile::open(&path, &[point(0), point(1)]).unwrap();
        assert_eq!(steps(&path), [0, 1]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn a_file_cut_anywhere_and_a_curve_cut_anywhere_agree_again(
            count in 0_u64..9, kept in 0_u64..9, share in 0.0..=1.0_f64,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join(EVENTS);
            let mut events = EventsFile::open(&path, &[]).unwrap();
            (0..count).for_each(|step| events.append(&point(step)).unwrap());
            drop(events);
            let whole = fs::read(&path).unwrap();
            let cut = (share * whole.len() as f64) as usize;
            fs::write(&path, &whole[..cut]).unwrap();
            // What is left of it keeps its bytes, and so its times.
            let points: Vec<Point> = (0..kept.min(count)).map(point).collect();
            let mut events = EventsFile::open(&path, &points).unwrap();
            prop_assert_eq!(steps(&path), (0..points.len() as u64).collect::<Vec<_>>());
            let found = fs::read(&path).unwrap();
            let ends = messages(&whole).into_iter().scan(0, |end, message| {
                *end += message.len() + 16;
                Some(*end)
            });
            let intact = ends.take_while(|&end| end <= cut.min(found.len())).last().unwrap_or(0);
            prop_assert_eq!(&found[..intact], &whole[..intact]);
            (points.len() as u64..count).for_each(|step| events.append(&point(step)).unwrap());
            prop_assert_eq!(steps(&path), (0..count).collect::<Vec<_>>());
            prop_assert_eq!(fs::read(&path).unwrap().len(), whole.len());
        }
    }
}
