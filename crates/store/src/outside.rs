//! What a run folder shares with an outside trainer: its job file, what it said, why it stopped,
//! and the curve while it grows.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use disk::io_error;
use ledger::{Format, Point};
use serde::Deserialize;

use crate::curve_file::{of_own, whole_lines};
use crate::error::Result;
use crate::files::read_json;
use crate::folder::RunFolder;
use crate::names::{DONE, METRICS};
use crate::tfevents::{EVENTS, EventsFile};
use crate::writer::RunWriter;

const JOB: &str = "torch.json";
const STOPPED: &str = "stopped.json";

/// Most bytes of a curve that are read at once.
const PIECE: u64 = 16 << 20;

/// `stopped.json`: the trainer has saved, and the run can be resumed.
#[derive(Deserialize)]
struct Stopped {
    #[serde(rename = "format")]
    _format: Format<1>,
    #[serde(rename = "step")]
    _step: u64,
    why: String,
}

impl RunFolder {
    /// The file with what an outside trainer prints.
    pub const OUTSIDE_LOG: &'static str = "torch.log";

    /// The job file of an outside trainer.
    pub fn job_path(&self) -> PathBuf {
        self.path().join(JOB)
    }

    /// Whether an outside trainer said that it stopped, and if so, whether for its time limit.
    pub fn stopped(&self) -> Result<Option<bool>> {
        let path = self.path().join(STOPPED);
        if !path.exists() {
            return Ok(None);
        }
        let stopped: Stopped = read_json(&path, Format::<1>)?;
        Ok(Some(stopped.why == "limit"))
    }

    /// Forgets why an earlier attempt stopped.
    pub fn forget_stop(&self) -> Result<()> {
        self.forget(STOPPED)
    }

    /// Takes back that the run is done, because its result is not what it says.
    pub fn take_back_done(&self) -> Result<()> {
        self.forget(DONE)
    }

    /// Makes the events for TensorBoard agree with the curve. An outside trainer does not write
    /// them.
    pub fn write_events(&self) -> Result<()> {
        EventsFile::open(&self.path().join(EVENTS), &self.points()?).map(drop)
    }

    fn forget(&self, name: &str) -> Result<()> {
        let path = self.path().join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            removed => Ok(removed.map_err(io_error("remove", &path))?),
        }
    }
}

impl RunWriter {
    /// Writes the job file of an outside trainer. The trainer takes the lock once this writer is
    /// dropped.
    pub fn write_job(&self, text: &[u8]) -> Result<()> {
        Ok(disk::write(&self.job_path(), text)?)
    }

    /// Drops every point, also the one before the first step.
    pub fn clear(self) -> Result<()> {
        let path = self.path().join(METRICS);
        disk::write(&path, b"")?;
        EventsFile::open(&self.path().join(EVENTS), &[]).map(drop)
    }
}

/// Reads the points of a curve that another process appends to.
#[derive(Debug)]
pub struct CurveTail {
    path: PathBuf,
    /// Bytes that were read, all of whole lines.
    read: u64,
}

impl CurveTail {
    /// Begins after the points that a folder has now.
    pub fn new(folder: &RunFolder) -> Self {
        let path = folder.path().join(METRICS);
        let read = fs::metadata(&path).map_or(0, |data| data.len());
        Self { path, read }
    }

    /// The points that were appended since, in whole lines. If the curve became shorter, it was
    /// begun again from an earlier point, and all of it is read.
    ///
    /// # Errors
    /// If the file cannot be read, or a whole line is not a point.
    pub fn read(&mut self) -> Result<Vec<Point>> {
        let mut file = match File::open(&self.path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            opened => opened.map_err(io_error("read", &self.path))?,
        };
        let length = file.metadata().map_err(io_error("read", &self.path))?.len();
        if length < self.read {
            self.read = 0;
        }
        file.seek(SeekFrom::Start(self.read)).map_err(io_error("read", &self.path))?;
        let mut bytes = Vec::new();
        file.take(PIECE).read_to_end(&mut bytes).map_err(io_error("read", &self.path))?;
        let (points, ends) = whole_lines(&self.path, &bytes, of_own)?;
        self.read += ends.last().copied().unwrap_or_default() as u64;
        Ok(points)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{create, done, point};

    #[test]
    fn a_curve_is_followed_by_whole_lines_and_from_its_beginning_once_it_shrinks() {
        let root = tempfile::tempdir().unwrap();
        let mut run = create(&root.path().join("run"));
        run.append(&point(0)).unwrap();
        let mut tail = CurveTail::new(&run);
        assert!(tail.read().unwrap().is_empty());
        run.append(&point(1)).unwrap();
        assert_eq!(tail.read().unwrap(), [point(1)]);
        let path = run.path().join(METRICS);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [&whole[..], b"{\"step\":2"].concat()).unwrap();
        assert!(tail.read().unwrap().is_empty());
        fs::write(&path, &whole[..whole.len() / 2 + 1]).unwrap();
        assert_eq!(tail.read().unwrap(), [point(0)]);
        fs::write(&path, [&whole[..], b"no point\n"].concat()).unwrap();
        assert!(tail.read().is_err());
    }

    #[test]
    fn a_stop_is_said_once_and_a_done_run_can_be_taken_back() {
        let root = tempfile::tempdir().unwrap();
        let mut run = create(&root.path().join("run"));
        run.append(&point(0)).unwrap();
        assert_eq!(run.stopped().unwrap(), None);
        for (why, limit) in [("limit", true), ("signal", false)] {
            let text = format!("{{\"format\":1,\"step\":3,\"why\":\"{why}\"}}");
            fs::write(run.path().join(STOPPED), text).unwrap();
            assert_eq!(run.stopped().unwrap(), Some(limit));
        }
        run.forget_stop().unwrap();
        assert_eq!(run.stopped().unwrap(), None);
        run.write_job(b"{}").unwrap();
        let folder = run.finish(&done()).unwrap();
        folder.write_events().unwrap();
        folder.take_back_done().unwrap();
        assert!(!folder.is_done() && folder.job_path().is_file());
    }
}
