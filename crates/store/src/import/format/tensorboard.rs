//! TensorBoard's events: records of scalars, from any program that writes them.

use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use disk::io_error;
use prost::Message;

use crate::Result;
use crate::import::asked::Asked;
use crate::import::gathered::Gathered;
use crate::import::reader::{Import, chosen};
use crate::import::source::{Head, entries, name_of, open};
use crate::import::spot::Spot;
use crate::tfrecord::{self, TensorBoardEvent};

pub(in crate::import) struct TensorBoard;

const NAME: &str = "tensorboard";
/// Folders that Keras and others put beside each other for the parts of one run.
const PARTS: [&str; 8] =
    ["train", "training", "eval", "evaluation", "val", "valid", "validation", "test"];
/// The longest record that is decoded. Scalars are short; pictures are passed over.
const RECORD: u64 = 1 << 20;

impl Import for TensorBoard {
    fn name(&self) -> &'static str {
        NAME
    }

    fn what(&self) -> &'static str {
        "events of TensorBoard, a file or the folder of one run"
    }

    fn recognises(&self, head: &Head) -> bool {
        match head.is_folder {
            true => has_events(&head.path) || parts(&head.path).next().is_some(),
            false => tfrecord::begins(&head.bytes) || is_events(&head.path),
        }
    }

    fn read(&self, path: &Path, asked: &Asked, into: &mut Gathered) -> Result<()> {
        if !path.is_dir() {
            return read_file(path, "", into);
        }
        if has_events(path) || parts(path).any(|(name, _)| PARTS.contains(&&*name)) {
            return read_folder(path, into);
        }
        let runs = parts(path).map(|(name, _)| name).collect();
        read_folder(&path.join(chosen(runs, asked.run.as_deref())?), into)
    }
}

fn is_events(path: &Path) -> bool {
    name_of(path).contains("tfevents") && path.is_file()
}

fn has_events(folder: &Path) -> bool {
    entries(folder).is_ok_and(|entries| entries.iter().any(|path| is_events(path)))
}

/// The folders below that hold events.
fn parts(folder: &Path) -> impl Iterator<Item = (String, PathBuf)> {
    let entries = entries(folder).unwrap_or_default();
    entries
        .into_iter()
        .filter(|path| path.is_dir() && has_events(path))
        .map(|path| (name_of(&path), path))
}

/// The events of one run: its own files, and those of its parts under their names.
fn read_folder(folder: &Path, into: &mut Gathered) -> Result<()> {
    for path in entries(folder)?.iter().filter(|path| is_events(path)) {
        read_file(path, "", into)?;
    }
    for (name, part) in parts(folder).filter(|(name, _)| PARTS.contains(&&**name)) {
        for path in entries(&part)?.iter().filter(|path| is_events(path)) {
            read_file(path, &format!("{name}/"), into)?;
        }
    }
    Ok(())
}

fn read_file(path: &Path, prefix: &str, into: &mut Gathered) -> Result<()> {
    let spot = Spot { path, format: NAME };
    let mut reader = BufReader::with_capacity(64 << 10, open(path)?);
    let mut number = 0_u64;
    loop {
        number += 1;
        let place = || format!("record {number}");
        let mut head = [0; tfrecord::HEAD];
        let read = read_full(&mut reader, &mut head).map_err(io_error("read", path))?;
        if read == 0 {
            break;
        }
        if read < head.len() {
            cut_short(path, number, into);
            break;
        }
        let length = tfrecord::length(&head)
            .ok_or_else(|| spot.damaged(&place(), "the checksum of its length is another"))?;
        let mut body = Vec::new();
        let mut check = tfrecord::Checksum::default();
        let mut left = length;
        while left > 0 {
            let mut piece = vec![0; left.min(64 << 10) as usize];
            let read = read_full(&mut reader, &mut piece).map_err(io_error("read", path))?;
            check.add(&piece[..read]);
            if length <= RECORD {
                body.extend_from_slice(&piece[..read]);
            }
            left -= read as u64;
            if read < piece.len() {
                break;
            }
        }
        let mut end = [0; 4];
        let read = read_full(&mut reader, &mut end).map_err(io_error("read", path))?;
        if left > 0 || read < end.len() {
            cut_short(path, number, into);
            break;
        }
        if !check.agrees(end) {
            return Err(spot.damaged(&place(), "its checksum is another: the file is damaged"));
        }
        if length > RECORD {
            continue;
        }
        let event = TensorBoardEvent::decode(body.as_slice())
            .map_err(|error| spot.damaged(&place(), error.to_string()))?;
        take(&event, prefix, into, || spot.damaged(&place(), "its step is below 0"))?;
    }
    if number == 1 {
        return Err(spot.damaged("", "it holds no whole record"));
    }
    Ok(())
}

fn take(
    event: &TensorBoardEvent,
    prefix: &str,
    into: &mut Gathered,
    below_zero: impl Fn() -> crate::Error,
) -> Result<()> {
    let step = event.step();
    for (tag, value) in event.numbers() {
        let step = u64::try_from(step).map_err(|_| below_zero())?;
        let name = format!("{prefix}{tag}");
        into.row(step, &[(&name, value)])?;
    }
    Ok(())
}

fn cut_short(path: &Path, number: u64, into: &mut Gathered) {
    into.remark(format!(
        "`{}` ends within record {number}: its writer was killed or is still at work; {} whole records are read",
        name_of(path),
        number - 1
    ));
}

/// Reads until the buffer is full or the file ends.
fn read_full(reader: &mut impl Read, into: &mut [u8]) -> std::io::Result<usize> {
    let mut length = 0;
    while length < into.len() {
        match reader.read(&mut into[length..])? {
            0 => break,
            read => length += read,
        }
    }
    Ok(length)
}
