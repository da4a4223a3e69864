//! Writing a run folder. One process at a time can do so.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use disk::kinds::RUN;
use disk::{Existing, Lock, NewFolder, io_error};
use ledger::{Done, Point, RunRecord, RunSpec};

use crate::curve_file::{self, CurveFile};
use crate::error::{Failure, Result};
use crate::extension::{self, Extending};
use crate::files::{to_json, to_toml};
use crate::folder::RunFolder;
use crate::names::{CUT, DONE, LOCK, METRICS, RECIPE, RECORD, SPEC};
use crate::tfevents::{EVENTS, EventsFile};
use crate::trainer_state::trainer_state;

/// A run folder that is locked for writing, from [`RunFolder::create`] or [`RunFolder::resume`]. It
/// can be read like a [`RunFolder`].
#[derive(Debug)]
pub struct RunWriter {
    folder: RunFolder,
    metrics: File,
    // Bytes of complete lines in `metrics`, and the step of the last line.
    length: u64,
    last_step: u64,
    events: EventsFile,
    log: File,
    lock: Lock,
}

impl RunFolder {
    /// Creates a run folder and locks it for writing. The folder appears complete.
    ///
    /// `recipe` and `cut`, if there is one, are stored unchanged. [`Existing::Replace`] replaces a
    /// run that nobody is writing, or an empty folder. Anything else at `path` is refused, and so
    /// is a run folder with files that no run writes.
    ///
    /// # Panics
    /// If `record` belongs to another spec.
    pub fn create(
        path: &Path,
        existing: Existing,
        spec: &RunSpec,
        recipe: &str,
        record: &RunRecord,
        cut: Option<&[u8]>,
    ) -> Result<RunWriter> {
        assert_eq!(record.id(), spec.id(), "a run is created with its own record");
        let replaced = (existing == Existing::Replace).then(|| lock_old(path)).transpose()?;
        let new = NewFolder::create(path, existing, &RUN)?;
        disk::write(&new.path().join(SPEC), &to_toml(&path.join(SPEC), spec)?)?;
        disk::write(&new.path().join(RECIPE), recipe.as_bytes())?;
        disk::write(&new.path().join(RECORD), &to_json(&path.join(RECORD), record)?)?;
        if let Some(cut) = cut {
            disk::write(&new.path().join(CUT), cut)?;
        }
        // The rename: from here on the folder exists, with all its files.
        new.commit()?;
        // The lock of the old run is released only after the new folder has taken its place.
        drop(replaced);
        RunWriter::take(path, spec, Lock::acquire(&path.join(LOCK))?)
    }

    /// Locks an unfinished run for writing. `spec` must be the one that it was started with.
    pub fn resume(path: &Path, spec: &RunSpec) -> Result<RunWriter> {
        // Of a run that was replaced by this one.
        disk::clear_leftovers(path)?;
        // Before the lock, which would leave its file in a folder that is no run.
        Self::open(path)?.check_spec(spec)?;
        RunWriter::take(path, spec, Lock::acquire(&path.join(LOCK))?)
    }

    /// Extends a run that is done to the tokens of `spec`, which is else its own, and locks it for
    /// writing. The curve, the checkpoints and the models stay.
    ///
    /// # Errors
    /// Where `spec` differs in more than its tokens.
    pub fn extend(path: &Path, spec: &RunSpec, recipe: &str) -> Result<RunWriter> {
        disk::clear_leftovers(path)?;
        let lock = Lock::acquire(&path.join(LOCK))?;
        extension::finish(path)?;
        let folder = Self::open(path)?;
        let mut differences = folder.spec().differences(spec);
        differences.retain(|found| found.key() != "tokens");
        if !differences.is_empty() {
            return Err(Failure::Differs { path: path.to_path_buf(), differences }.into());
        }
        if let Some(done) = folder.done()? {
            let record = folder.record().clone().extended(folder.spec(), done.steps(), spec);
            let new = Extending::new(spec.clone(), record, recipe.to_owned());
            extension::begin(path, &new)?;
        }
        RunWriter::take(path, spec, lock)
    }
}

impl RunWriter {
    /// Removes unfinished files of a killed process, finishes what it had begun, and repairs the
    /// end of the curve.
    pub(crate) fn take(path: &Path, spec: &RunSpec, lock: Lock) -> Result<Self> {
        extension::finish(path)?;
        // Read again: whoever held the lock before may have extended the run.
        let folder = RunFolder::open(path)?;
        folder.check_spec(spec)?;
        if folder.is_done() {
            return Err(Failure::Done { path: folder.path().to_path_buf() }.into());
        }
        let path = folder.path().join(METRICS);
        let curve = CurveFile::read(&path)?;
        let metrics = open_to_append(&path)?;
        disk::remove_leftovers(folder.path())?;
        // An incomplete last line is cut off. Otherwise the next point would be appended to it.
        metrics.set_len(curve.length()).map_err(io_error("mend", &path))?;
        let log = open_to_append(&folder.path().join("log.txt"))?;
        let events = EventsFile::open(&folder.path().join(EVENTS), &curve.points)?;
        let last_step = curve.points.last().map_or(0, |point| point.step);
        Ok(Self { folder, metrics, length: curve.length(), last_step, events, log, lock })
    }

    /// Whether the lock keeps other processes out; false where the file system has no locks.
    pub fn is_locked(&self) -> bool {
        self.lock.is_held()
    }

    /// The step of the last point; 0 without points.
    pub fn last_step(&self) -> u64 {
        self.last_step
    }

    /// Appends a point to the curve as one line, without syncing to disk. A number that is not
    /// finite is an error.
    ///
    /// # Panics
    /// If the step is below that of the last point: see [`RunWriter::truncate_after`].
    pub fn append(&mut self, point: &Point) -> Result<()> {
        assert!(point.step >= self.last_step, "step {} after step {}", point.step, self.last_step);
        let path = self.metrics_path();
        let line = curve_file::line(&path, point)?;
        if let Err(error) = self.metrics.write_all(&line) {
            // On a full disk, half a line may have been written. Only whole lines may stay.
            self.metrics.set_len(self.length).map_err(io_error("mend", &path))?;
            return Err(io_error("write", &path)(error).into());
        }
        self.length += line.len() as u64;
        self.last_step = point.step;
        // The curve comes first: the events are made again from it after a crash.
        self.events.append(point)
    }

    /// Syncs the curve to disk. Call it before writing a checkpoint, which must not be newer than
    /// the curve.
    pub fn sync(&self) -> Result<()> {
        Ok(self.metrics.sync_all().map_err(io_error("sync", &self.metrics_path()))?)
    }

    /// Drops the points after `step`. A run that resumes from that checkpoint measures them again.
    pub fn truncate_after(&mut self, step: u64) -> Result<()> {
        let path = self.metrics_path();
        let curve = CurveFile::read(&path)?;
        let kept = curve.until(step);
        // The rename gives the path a new file, so the old handle must be replaced below.
        disk::write(&path, kept)?;
        self.metrics = open_to_append(&path)?;
        self.length = kept.len() as u64;
        let points = curve.points.partition_point(|point| point.step <= step);
        self.events = EventsFile::open(&self.path().join(EVENTS), &curve.points[..points])?;
        self.last_step = self.last_step.min(step);
        Ok(())
    }

    /// Adds a line to `log.txt`.
    pub fn log(&mut self, line: &str) -> Result<()> {
        let text = format!("{}\n", line.trim_end_matches('\n'));
        let path = self.path().join("log.txt");
        Ok(self.log.write_all(text.as_bytes()).map_err(io_error("write", &path))?)
    }

    /// Writes `trainer_state.json` from the points so far; `max_steps` is the last step of the run.
    pub fn write_trainer_state(&self, max_steps: u64) -> Result<()> {
        let path = self.path().join("trainer_state.json");
        let state = trainer_state(&self.points()?, self.spec(), max_steps);
        Ok(disk::write(&path, &to_json(&path, &state)?)?)
    }

    /// Ends the run: syncs the curve, writes `trainer_state.json`, then `done.json`. The model must
    /// already be written.
    pub fn finish(self, done: &Done) -> Result<RunFolder> {
        let path = self.path().join(DONE);
        // `done.json` vouches for the curve by its hash.
        let curve = CurveFile::read(&self.metrics_path())?.hash();
        let text = to_json(&path, &done.clone().with_curve(curve))?;
        // The order matters: `done.json` must not exist before everything that it vouches for.
        self.sync()?;
        self.write_trainer_state(done.steps())?;
        disk::write(&path, &text)?;
        Ok(self.folder)
    }

    fn metrics_path(&self) -> PathBuf {
        self.path().join(METRICS)
    }
}

/// Locks the run that is to be replaced, so that nobody writes it meanwhile. Fails if another
/// process is writing it. `None` if there is no run.
fn lock_old(path: &Path) -> Result<Option<Lock>> {
    if path.join(SPEC).is_file() {
        return Ok(Some(Lock::acquire(&path.join(LOCK))?));
    }
    Ok(None)
}

impl Deref for RunWriter {
    type Target = RunFolder;

    fn deref(&self) -> &RunFolder {
        &self.folder
    }
}

fn open_to_append(path: &Path) -> Result<File> {
    Ok(OpenOptions::new().create(true).append(true).open(path).map_err(io_error("open", path))?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;
    use crate::sample::{create, done, done_after, done_at, point, spec};

    fn steps(folder: &RunFolder) -> Vec<u64> {
        folder.points().unwrap().iter().map(|point| point.step).collect()
    }

    #[test]
    fn a_torn_last_line_does_not_count_and_the_next_point_starts_afresh() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("run");
        let mut run = create(&path);
        (0..3).for_each(|step| run.append(&point(step)).unwrap());
        drop(run);
        let metrics = path.join(METRICS);
        let text = fs::read_to_string(&metrics).unwrap();
        fs::write(&metrics, &text[..text.len() - 1]).unwrap();
        assert_eq!(steps(&RunFolder::open(&path).unwrap()), [0, 1]);
        let mut run = RunFolder::resume(&path, &spec()).unwrap();
        run.append(&point(2)).unwrap();
        assert_eq!(fs::read_to_string(&metrics).unwrap(), text);
    }

    #[test]
    fn a_bad_whole_line_is_named() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("run");
        let mut run = create(&path);
        (0..3).for_each(|step| run.append(&point(step)).unwrap());
        drop(run);
        let metrics = path.join(METRICS);
        let lines: Vec<String> =
            fs::read_to_string(&metrics).unwrap().lines().map(String::from).collect();
        for (bad, why) in [
            (r#"{"step":1,"tok"#, "EOF while parsing a string at column 14"),
            ("", "EOF while parsing a value at column 0"),
            (
                r#"{"step":1,"tokens":-5,"epoch":0.1,"phase":"decay"}"#,
                "invalid value: integer `-5`",
            ),
            (r#"{"step":1,"tokens":5,"epoch":NaN,"phase":"decay"}"#, "expected value"),
            (r#"{"step":1,"tokens":5,"epoch":1e999,"phase":"decay"}"#, "number out of range"),
            (r#"{"step":3,"tokens":5,"epoch":0.1,"phase":"decay"}"#, "step 2 after step 3"),
        ] {
            fs::write(&metrics, format!("{}\n{bad}\n{}\n", lines[0], lines[2])).unwrap();
            let error = RunFolder::open(&path).unwrap().points().unwrap_err();
            let line = if why.starts_with("step") { 3 } else { 2 };
            let said = error.to_string();
            assert!(
                said.contains(&format!("metrics.jsonl` line {line} is not a point"))
                    && said.contains(why),
                "{said}"
            );
            assert!(RunFolder::resume(&path, &spec()).is_err());
        }
    }

    #[test]
    fn a_number_that_is_not_finite_leaves_the_curve_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        let mut run = create(&root.path().join("run"));
        run.append(&point(0)).unwrap();
        let error = run.append(&Point { loss: Some(f64::NAN), ..point(1) }).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("cannot grow: `loss` is NaN at step 1, expected a finite number")
        );
        assert_eq!(steps(&run), [0]);
    }

    #[test]
    #[should_panic(expected = "step 1 after step 2")]
    fn a_curve_does_not_go_back_by_itself() {
        let root = tempfile::tempdir().unwrap();
        let mut run = create(&root.path().join("run"));
        run.append(&point(2)).unwrap();
        let _ = run.append(&point(1));
    }

    #[test]
    fn one_process_writes_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("run");
        let run = create(&path);
        let locked = |error: crate::Error| error.as_disk().is_some_and(disk::Error::is_locked);
        assert!(locked(RunFolder::resume(&path, &spec()).unwrap_err()));
        assert!(RunFolder::open(&path).is_ok());
        drop(run);
        RunFolder::resume(&path, &spec()).unwrap();
    }

    #[test]
    fn done_comes_last_and_ends_the_run() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("run");
        let mut run = create(&path);
        run.append(&point(0)).unwrap();
        // A `done.json` that cannot be written is refused before any file is touched.
        let wrong = done_after(f64::NAN);
        let error = run.finish(&wrong).unwrap_err().to_string();
        assert!(error.contains("cannot be written"), "{error}");
        assert!(!path.join("trainer_state.json").exists());
        // A run whose trainer state cannot be written is not done either.
        let run = RunFolder::resume(&path, &spec()).unwrap();
        fs::create_dir(path.join("trainer_state.json")).unwrap();
        assert!(run.finish(&done()).is_err());
        assert!(!RunFolder::open(&path).unwrap().is_done());
        fs::remove_dir(path.join("trainer_state.json")).unwrap();

        let folder = RunFolder::resume(&path, &spec()).unwrap().finish(&done()).unwrap();
        assert!(folder.is_done() && path.join("trainer_state.json").is_file());
        assert_eq!(folder.done().unwrap(), Some(done_at(&path)));
        let error = RunFolder::resume(&path, &spec()).unwrap_err();
        assert!(error.is_done(), "{error}");
    }

    #[test]
    fn the_log_grows_by_lines_over_several_takes() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("run");
        create(&path).log("started").unwrap();
        RunFolder::resume(&path, &spec()).unwrap().log("resumed\n").unwrap();
        assert_eq!(fs::read_to_string(path.join("log.txt")).unwrap(), "started\nresumed\n");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn a_curve_cut_anywhere_keeps_its_whole_lines(count in 0_u64..12, share in 0.0..=1.0_f64) {
            let root = tempfile::tempdir().unwrap();
            let path = root.path().join("run");
            let mut run = create(&path);
            (0..count).for_each(|step| run.append(&point(step)).unwrap());
            drop(run);
            let bytes = fs::read(path.join(METRICS)).unwrap();
            let cut = &bytes[..(share * bytes.len() as f64) as usize];
            fs::write(path.join(METRICS), cut).unwrap();
            // Only lines that kept their newline count.
            let whole = cut.iter().filter(|&&byte| byte == b'\n').count() as u64;
            let mut run = RunFolder::resume(&path, &spec()).unwrap();
            prop_assert_eq!(steps(&run), (0..whole).collect::<Vec<_>>());
            (whole..count).for_each(|step| run.append(&point(step)).unwrap());
            prop_assert_eq!(fs::read(path.join(METRICS)).unwrap(), bytes);
        }

        #[test]
        fn truncation_keeps_the_steps_up_to_the_checkpoint(count in 0_u64..12, until in 0_u64..14) {
            let root = tempfile::tempdir().unwrap();
            let mut run = create(&root.path().join("run"));
            (0..count).for_each(|step| run.append(&point(step)).unwrap());
            let whole = fs::read(run.path().join(METRICS)).unwrap();
            run.truncate_after(until).unwrap();
            prop_assert_eq!(steps(&run), (0..count.min(until + 1)).collect::<Vec<_>>());
            (until + 1..count).for_each(|step| run.append(&point(step)).unwrap());
            prop_assert_eq!(fs::read(run.path().join(METRICS)).unwrap(), whole);
        }
    }
}
