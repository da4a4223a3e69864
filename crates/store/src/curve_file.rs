//! `metrics.jsonl`: one point per line. Only the last line may be incomplete.

use std::path::Path;

use ledger::{Point, Sha256};

use crate::error::{Error, Failure, Result};

/// The largest curve that is read, in bytes. A million steps take about 200 MB.
const LIMIT: u64 = 2 << 30;

/// The complete lines of a curve.
#[derive(Debug, Default)]
pub(crate) struct CurveFile {
    /// The points; steps never decrease.
    pub(crate) points: Vec<Point>,
    bytes: Vec<u8>,
    // Where each line ends, its newline included.
    ends: Vec<usize>,
}

impl CurveFile {
    /// Reads the complete lines of a run of regrow's own, which knows the epoch and the phase of
    /// every point. Text after the last newline is a line cut short by a kill, and is ignored.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        Self::read_checked(path, of_own)
    }

    /// Reads the complete lines of an imported run.
    pub(crate) fn read_imported(path: &Path) -> Result<Self> {
        Self::read_checked(path, |_| Ok(()))
    }

    fn read_checked(path: &Path, check: Check) -> Result<Self> {
        let bytes = match disk::read(path, LIMIT) {
            // A run that was killed before its first point has no file yet.
            Err(error) if error.is_not_found() => return Ok(Self::default()),
            bytes => bytes?,
        };
        let (points, ends) = whole_lines(path, &bytes, check)?;
        Ok(Self { points, bytes, ends })
    }

    /// The bytes of the lines up to and including `step`.
    pub(crate) fn until(&self, step: u64) -> &[u8] {
        let lines = self.points.partition_point(|point| point.step <= step);
        &self.bytes[..lines.checked_sub(1).map_or(0, |last| self.ends[last])]
    }

    /// SHA-256 of the complete lines.
    pub(crate) fn hash(&self) -> Sha256 {
        Sha256::of(&self.bytes[..self.length() as usize])
    }

    /// The length of the complete lines in bytes.
    pub(crate) fn length(&self) -> u64 {
        self.ends.last().map_or(0, |&end| end as u64)
    }
}

/// What a point must have: else why it is refused.
type Check = fn(&Point) -> std::result::Result<(), String>;

/// A point of a run of regrow's own knows its epoch and its phase.
pub(crate) fn of_own(point: &Point) -> std::result::Result<(), String> {
    match (point.epoch, point.phase) {
        (None, _) => Err("missing field `epoch`".to_owned()),
        (_, None) => Err("missing field `phase`".to_owned()),
        _ => Ok(()),
    }
}

/// The points in the complete lines of `bytes`, and where each line ends, its newline included.
/// Text after the last newline is ignored.
pub(crate) fn whole_lines(
    path: &Path,
    bytes: &[u8],
    check: Check,
) -> Result<(Vec<Point>, Vec<usize>)> {
    let mut points: Vec<Point> = Vec::new();
    let mut ends = Vec::new();
    let mut end = 0;
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        let Some(text) = line.strip_suffix(b"\n") else { break };
        let bad = |why| {
            Error::from(Failure::Line { path: path.to_path_buf(), line: ends.len() + 1, why })
        };
        let point: Point =
            serde_json::from_slice(text).map_err(|error| bad(within_line(&error)))?;
        check(&point).map_err(bad)?;
        if let Some(before) = points.last().filter(|before| before.step > point.step) {
            return Err(bad(format!("step {} after step {}", point.step, before.step)));
        }
        end += line.len();
        ends.push(end);
        points.push(point);
    }
    Ok((points, ends))
}

/// One line for one point, its newline included.
pub(crate) fn line(path: &Path, point: &Point) -> Result<Vec<u8>> {
    point.validate().map_err(|error| Failure::NotFinite { path: path.to_path_buf(), error })?;
    let mut line = serde_json::to_vec(point).map_err(|error| Failure::Unwritable {
        path: path.to_path_buf(),
        why: error.to_string(),
    })?;
    line.push(b'\n');
    Ok(line)
}

/// The parser's message without its `line 1`. The parser sees each line as a file of one line, so
/// its line number is always 1.
fn within_line(error: &serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column", " at column")
}
