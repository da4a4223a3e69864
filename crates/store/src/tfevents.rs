//! TensorBoard events: the curve again, in the file format of TensorBoard.
//!
//! Apart from the times of writing, the file contains nothing that `metrics.jsonl` lacks. A resumed
//! run keeps the records that match its curve and cuts off the rest, so every step appears once.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use disk::io_error;
use ledger::Point;

use crate::Result;
use crate::tfrecord::{ScalarValue, Summary, TensorBoardEvent, record};

/// TensorBoard reads every file with `tfevents` in its name. The name is fixed, so that a resumed
/// run continues in the same file.
pub(crate) const EVENTS: &str = "events.out.tfevents.regrow";

/// The largest file that is read, in bytes; as for the curve, which has the same contents.
const LIMIT: u64 = 2 << 30;

/// The version text in the first record of a file, as TensorFlow writes it.
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
    /// Opens the file and makes it contain exactly these points.
    pub(crate) fn open(path: &Path, points: &[Point]) -> Result<Self> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path);
        let file = file.map_err(io_error("open", path))?;
        let bytes = disk::read(path, LIMIT)?;
        let (length, kept) = agreeing(&bytes, points);
        let mut events = Self { path: path.to_path_buf(), file, length: length as u64 };
        events.cut()?;
        let mut missing = Vec::new();
        // A new file, or one whose first record is damaged.
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
            // On a full disk, half a record may have been written. Only whole records may stay.
            self.cut()?;
            return Err(io_error("write", &self.path)(error).into());
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Cuts off everything after the whole records, and moves to the end.
    fn cut(&mut self) -> Result<()> {
        let cut = self
            .file
            .set_len(self.length)
            .and_then(|()| self.file.seek(SeekFrom::Start(self.length)));
        cut.map(|_| ()).map_err(io_error("mend", &self.path))?;
        Ok(())
    }
}

/// How many bytes at the start of the file agree with `points`, and how many points these are.
fn agreeing(bytes: &[u8], points: &[Point]) -> (usize, usize) {
    let mut at = 0;
    // The version first, then the points in their order.
    let expected = |number: usize, time| match number.checked_sub(1) {
        None => version(time),
        Some(number) => event(&points[number], time),
    };
    for number in 0..=points.len() {
        // The time of writing is the only field that a point does not determine. It is read from
        // the record itself, and then the whole record must match byte for byte.
        let agrees = time(&bytes[at..]).map(|time| record(&expected(number, time)));
        match agrees.filter(|record| bytes[at..].starts_with(record)) {
            Some(record) => at += record.len(),
            None => return (at, number.saturating_sub(1)),
        }
    }
    (at, points.len())
}

/// The time of writing of the record that begins here.
fn time(record: &[u8]) -> Option<f64> {
    // Behind the length (8 bytes), its checksum (4) and the field's tag (1).
    Some(f64::from_le_bytes(record.get(13..21)?.try_into().ok()?))
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

fn version(time: f64) -> TensorBoardEvent {
    let file_version = Some(VERSION.to_owned());
    TensorBoardEvent { wall_time: Some(time), step: None, file_version, summary: None }
}

/// The `Event` of a point: its numbers as scalars, under the names that the Hugging Face Trainer
/// gives them.
fn event(point: &Point, time: f64) -> TensorBoardEvent {
    let numbers = [
        ("train/loss", point.loss),
        ("eval/loss", point.eval_loss),
        ("eval/kl", point.eval_kl),
        ("train/learning_rate", point.learning_rate),
        ("train/grad_norm", point.grad_norm),
        ("train/epoch", point.epoch),
        ("train/tokens", Some(point.tokens.0 as f64)),
        ("train/tokens_per_second", point.tokens_per_second),
    ];
    let scalar = |(tag, number): (&str, Option<f64>)| {
        // TensorBoard stores scalars as `f32`; `metrics.jsonl` keeps all digits.
        number.map(|number| ScalarValue::of(tag, number as f32))
    };
    let scalars = numbers.into_iter().filter_map(scalar).collect();
    TensorBoardEvent {
        wall_time: Some(time),
        step: Some(point.step.cast_signed()),
        file_version: None,
        summary: Some(Summary { scalars }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;
    use prost::Message;

    use super::*;
    use crate::sample::point;
    use crate::tfrecord::masked;

    /// The messages of a file, every checksum checked.
    fn messages(mut bytes: &[u8]) -> Vec<TensorBoardEvent> {
        let word = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap());
        let mut found = Vec::new();
        while !bytes.is_empty() {
            let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
            assert_eq!(word(&bytes[8..12]), masked(&bytes[..8]));
            let message = &bytes[12..12 + length];
            assert_eq!(word(&bytes[12 + length..16 + length]), masked(message));
            found.push(TensorBoardEvent::decode(message).unwrap());
            bytes = &bytes[16 + length..];
        }
        found
    }

    fn steps(path: &Path) -> Vec<u64> {
        let messages = messages(&fs::read(path).unwrap());
        messages[1..].iter().map(|event| event.step.unwrap().cast_unsigned()).collect()
    }

    #[test]
    fn the_bytes_of_records_are_the_golden_ones() {
        let zeros = Point {
            loss: Some(0.0),
            eval_loss: None,
            learning_rate: Some(0.0),
            grad_norm: Some(f64::NAN),
            tokens_per_second: Some(1.5e4),
            ..point(0)
        };
        let time = 1.75e9 + 0.125;
        // Written by earlier code, which built the messages byte by byte without `prost`.
        let golden = [
            "1800000000000000a37f4b220900000860b813da411a0d627261696e2e4576656e743a32ad40f9c3",
            "91000000000000009ed57d430900000860b813da4110ac022a82010a110a0a747261696e2f6c6f737315\
             42ba593c0a100a096576616c2f6c6f737315e966033f0a1a0a13747261696e2f6c6561726e696e675f72\
             6174651552499d390a160a0f747261696e2f677261645f6e6f726d150000403f0a120a0b747261696e2f\
             65706f636815000016420a130a0c747261696e2f746f6b656e7315000016486ba5c6c6",
            "9e00000000000000da84ca4509000000000000000010002a90010a110a0a747261696e2f6c6f73731500\
             0000000a1a0a13747261696e2f6c6561726e696e675f7261746515000000000a160a0f747261696e2f67\
             7261645f6e6f726d150000c07f0a120a0b747261696e2f65706f636815000000000a130a0c747261696e\
             2f746f6b656e7315000000000a1e0a17747261696e2f746f6b656e735f7065725f7365636f6e64150060\
             6a468bbc8350",
        ];
        let events = [version(time), event(&point(300), time), event(&zeros, 0.0)];
        for (event, golden) in events.iter().zip(golden) {
            let hex: String = record(event).iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, golden);
        }
    }

    #[test]
    fn a_point_is_read_back_from_its_record() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(EVENTS);
        let mut events = EventsFile::open(&path, &[]).unwrap();
        events.append(&point(300)).unwrap();
        let [first, second] = &messages(&fs::read(&path).unwrap())[..] else { panic!() };
        assert_eq!(first.file_version.as_deref(), Some(VERSION));
        assert!(second.wall_time.unwrap() > 1.7e9);
        assert_eq!((second.step, &second.file_version), (Some(300), &None));
        let scalars: Vec<(&str, f32)> = second
            .summary
            .iter()
            .flat_map(|summary| &summary.scalars)
            .map(|scalar| (&*scalar.tag, scalar.simple_value.unwrap()))
            .collect();
        let point = point(300);
        let expected = [
            ("train/loss", point.loss.unwrap()),
            ("eval/loss", point.eval_loss.unwrap()),
            ("train/learning_rate", 3e-4),
            ("train/grad_norm", 0.75),
            ("train/epoch", point.epoch.unwrap()),
            ("train/tokens", point.tokens.0 as f64),
        ];
        assert_eq!(scalars, expected.map(|(tag, scalar)| (tag, scalar as f32)));
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
            // Records that survive both cuts must keep their bytes, and with them their times.
            let points: Vec<Point> = (0..kept.min(count)).map(point).collect();
            let mut events = EventsFile::open(&path, &points).unwrap();
            prop_assert_eq!(steps(&path), (0..points.len() as u64).collect::<Vec<_>>());
            let found = fs::read(&path).unwrap();
            let ends = messages(&whole).into_iter().scan(0, |end, message| {
                *end += message.encoded_len() + 16;
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
