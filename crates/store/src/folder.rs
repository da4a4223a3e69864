//! Reading a run folder.

use std::fs;
use std::path::{Path, PathBuf};

use disk::io_error;
use ledger::{Curve, CutRecord, Done, Point, RunRecord, RunSpec};

use crate::curve_file::CurveFile;
use crate::error::{Failure, Result};
use crate::extension;
use crate::files::{read_json, read_toml};
use crate::names::{CUT, DONE, EXTENDING, METRICS, RECORD, SPEC};

const CHECKPOINT: &str = "checkpoint-";

/// A run folder that exists. Reading needs no lock; only a [`crate::RunWriter`] takes one.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
    spec: RunSpec,
    record: RunRecord,
}

impl RunFolder {
    /// Opens a run for reading, and holds its spec, its record and its cut against each other.
    pub fn open(path: &Path) -> Result<Self> {
        match Self::read(path) {
            // Another process may have extended it between two files.
            Err(error) if error.is_other_run() => Self::read(path),
            read => read,
        }
    }

    fn read(path: &Path) -> Result<Self> {
        if crate::import::is_imported(path) {
            return Err(Failure::Imported { path: path.to_path_buf() }.into());
        }
        for missing in [SPEC, RECORD] {
            if !path.join(missing).is_file() {
                return Err(Failure::NotARun { path: path.to_path_buf(), missing }.into());
            }
        }
        let (spec, record) = match extension::pending(path)? {
            Some(new) => (new.spec, new.record),
            None => (
                read_toml::<RunSpec, _>(&path.join(SPEC), RunSpec::FORMAT)?,
                read_json::<RunRecord, _>(&path.join(RECORD), RunRecord::FORMAT)?,
            ),
        };
        // A `spec.toml` edited by hand, or files copied from another run, would give wrong facts
        // for a curve.
        if record.id() != spec.id() {
            return Err(Failure::OtherRun {
                path: path.join(RECORD),
                found: record.id().to_owned(),
                expected: spec.id(),
            }
            .into());
        }
        let cut = path.join(CUT);
        let cut = match cut.exists() {
            true => Some(read_json(&cut, CutRecord::FORMAT)?),
            false => None,
        };
        // A wrong size or rate would move a law without a sign.
        if let Some(why) = record.contradiction(&spec, cut.as_ref()) {
            return Err(Failure::Contradicts { path: path.join(RECORD), why }.into());
        }
        Ok(Self { path: path.to_path_buf(), spec, record })
    }

    /// Checks that the run was started with `spec`.
    ///
    /// # Errors
    /// Names the fields that differ.
    pub fn check_spec(&self, spec: &RunSpec) -> Result<()> {
        let differences = self.spec.differences(spec);
        if differences.is_empty() {
            return Ok(());
        }
        Err(Failure::Differs { path: self.path.clone(), differences }.into())
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The spec of the run.
    pub fn spec(&self) -> &RunSpec {
        &self.spec
    }

    /// The record: what was known at the start.
    pub fn record(&self) -> &RunRecord {
        &self.record
    }

    /// Every point so far. An incomplete last line is ignored; any other bad line is an error that
    /// names the line. Of a run that is done, the points must be those that it ended with.
    pub fn points(&self) -> Result<Vec<Point>> {
        let path = self.path.join(METRICS);
        let file = CurveFile::read(&path)?;
        let Some(done) = self.done()? else { return Ok(file.points) };
        let differs = |what: &str, found: String, expected: String| {
            Err(Failure::OtherCurve {
                path: path.clone(),
                what: what.to_owned(),
                found,
                expected,
                told_by: DONE,
            }
            .into())
        };
        if let Some(expected) = done.curve() {
            let found = file.hash().to_string();
            if found != expected {
                return differs("SHA-256", found, expected.to_owned());
            }
            return Ok(file.points);
        }
        // Older runs keep no hash, but some of the losses.
        let curve = Curve::from_points(&file.points);
        for (what, found, expected) in [
            ("last held-out loss", curve.last(), done.eval_loss()),
            ("least held-out loss", curve.best(), done.best_eval_loss()),
        ] {
            if found.is_none_or(|found| found.loss != expected) {
                let found = found.map_or_else(|| "missing".to_owned(), |at| at.loss.0.to_string());
                return differs(what, found, expected.0.to_string());
            }
        }
        Ok(file.points)
    }

    /// The held-out points so far.
    pub fn curve(&self) -> Result<Curve> {
        Ok(Curve::from_points(&self.points()?))
    }

    /// Whether the run is done.
    pub fn is_done(&self) -> bool {
        // While it is being extended, the old end may still be there.
        self.path.join(DONE).is_file() && !self.path.join(EXTENDING).exists()
    }

    /// How the run ended, if it did. An end before the tokens of its spec is believed only with its
    /// reason.
    pub fn done(&self) -> Result<Option<Done>> {
        if !self.is_done() {
            return Ok(None);
        }
        let path = self.path.join(DONE);
        let done: Done = read_json(&path, Done::FORMAT)?;
        match done.contradiction(&self.spec) {
            Some(why) => Err(Failure::Contradicts { path, why }.into()),
            None => Ok(Some(done)),
        }
    }

    /// The folder of the final model.
    pub fn model_path(&self) -> PathBuf {
        self.path.join("model")
    }

    /// The folder of the model with the least held-out loss. It exists only if that is not the
    /// final model.
    pub fn best_path(&self) -> PathBuf {
        self.path.join("best")
    }

    /// The folder of the checkpoint at a step. Write it as a [`disk::NewFolder`], so that it
    /// appears complete.
    pub fn checkpoint_path(&self, step: u64) -> PathBuf {
        self.path.join(format!("{CHECKPOINT}{step}"))
    }

    /// The checkpoints, sorted by step. Unfinished ones still have hidden names and are not listed.
    pub fn checkpoints(&self) -> Result<Vec<(u64, PathBuf)>> {
        let mut checkpoints = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(io_error("list", &self.path))? {
            let entry = entry.map_err(io_error("list", &self.path))?;
            let name = entry.file_name();
            let digits = name.to_str().and_then(|name| name.strip_prefix(CHECKPOINT));
            let Some(step) = digits.and_then(|digits| digits.parse::<u64>().ok()) else { continue };
            // regrow writes `checkpoint-7`; a folder `checkpoint-07` comes from something else.
            if entry.path() == self.checkpoint_path(step) && entry.path().is_dir() {
                checkpoints.push((step, entry.path()));
            }
        }
        checkpoints.sort_unstable();
        Ok(checkpoints)
    }
}

#[cfg(test)]
mod tests {
    use disk::Existing;

    use super::*;
    use crate::sample::{create, done, point, record, record_of, spec};

    #[test]
    fn a_new_run_holds_its_files_as_given() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("runs/a");
        let recipe = "# mine\nseed = 7\n";
        let run =
            RunFolder::create(&path, Existing::Refuse, &spec(), recipe, &record(), None).unwrap();
        assert_eq!((run.spec(), run.record()), (&spec(), &record()));
        assert_eq!(fs::read_to_string(path.join("recipe.toml")).unwrap(), recipe);
        assert!(!path.join("cut.json").exists());
        assert!(run.points().unwrap().is_empty() && run.done().unwrap().is_none());
        assert_eq!(run.spec().id(), run.record().id());
    }

    #[test]
    fn an_existing_run_is_refused_and_kept() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("run");
        create(&path).append(&point(0)).unwrap();
        let error =
            RunFolder::create(&path, Existing::Refuse, &spec(), "", &record(), None).unwrap_err();
        assert!(error.as_disk().is_some_and(disk::Error::is_exists), "{error}");
        assert_eq!(RunFolder::open(&path).unwrap().points().unwrap().len(), 1);
    }

    #[test]
    fn only_a_run_that_nobody_writes_is_replaced() {
        let root = tempfile::tempdir().unwrap();
        let replace =
            |path: &Path| RunFolder::create(path, Existing::Replace, &spec(), "", &record(), None);
        let path = root.path().join("run");
        let mut run = create(&path);
        run.append(&point(0)).unwrap();
        let error = replace(&path).unwrap_err();
        assert!(error.as_disk().is_some_and(disk::Error::is_locked), "{error}");
        drop(run);
        assert!(replace(&path).unwrap().points().unwrap().is_empty());

        let photos = root.path().join("photos");
        fs::create_dir(&photos).unwrap();
        // A mistyped `--out` must never delete a folder of something else.
        fs::write(photos.join("cat"), "meow").unwrap();
        let error = replace(&photos).unwrap_err().to_string();
        assert!(
            error.contains("is not a run folder made by regrow: it has no `spec.toml`"),
            "{error}"
        );
        assert!(photos.join("cat").exists());
        fs::remove_file(photos.join("cat")).unwrap();
        drop(replace(&photos).unwrap());
        // A file that no run writes keeps a run, also one in the folder of its model.
        fs::create_dir_all(path.join("model")).unwrap();
        fs::write(path.join("model/tokenizer.json"), "{}").unwrap();
        for mine in ["notes.txt", "model/ggml.bin", "model/old/config.json"] {
            fs::create_dir_all(path.join("model/old")).unwrap();
            fs::write(path.join(mine), "mine").unwrap();
            let error = replace(&path).unwrap_err().to_string();
            assert!(error.ends_with(&format!("it holds `{mine}`")), "{error}");
            fs::remove_file(path.join(mine)).unwrap();
        }
        replace(&path).unwrap();
    }

    #[test]
    fn another_format_is_refused_by_name_whatever_else_the_file_holds() {
        for (name, text, found) in [
            (SPEC, "format = 2\nnovel = true\n", 2),
            (RECORD, r#"{"novel":[],"format":0}"#, 0),
            // Another format may have any other fields, so only `format` may be read before it is
            // checked.
            (DONE, r#"{"format":-1}"#, -1),
        ] {
            let root = tempfile::tempdir().unwrap();
            let path = root.path().join("run");
            drop(create(&path));
            fs::write(path.join(name), text).unwrap();
            let error = RunFolder::open(&path).and_then(|folder| folder.done()).unwrap_err();
            let said = error.to_string();
            assert!(said.ends_with(&format!("{name}` has format {found}, expected 1")), "{said}");
        }
    }

    #[test]
    fn an_end_before_the_tokens_of_the_spec_is_believed_only_with_its_reason() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("run");
        let longer = RunSpec { tokens: ledger::Tokens(6000), ..spec() };
        let record = record_of(&longer);
        let mut run =
            RunFolder::create(&path, Existing::Refuse, &longer, "", &record, None).unwrap();
        run.append(&point(0)).unwrap();
        run.finish(&done()).unwrap();
        let folder = RunFolder::open(&path).unwrap();
        for error in [folder.done().map(|_| ()), folder.points().map(|_| ())] {
            let said = error.unwrap_err().to_string();
            assert!(said.contains("done.json` cannot be believed: it ended after 5,120"), "{said}");
        }
        let end = ledger::EarlyEnd {
            rule: "loss<2".into(),
            reason: "the target of 2 nats is reached".into(),
            tokens: ledger::Tokens(5120),
        };
        fs::remove_file(path.join(DONE)).unwrap();
        let run = RunFolder::resume(&path, &longer).unwrap();
        run.finish(&done().with_early_end(end.clone())).unwrap();
        assert_eq!(folder.done().unwrap().unwrap().ended_early(), Some(&end));
        assert_eq!(folder.points().unwrap().len(), 1);
    }

    #[test]
    fn files_without_a_format_or_of_another_run_are_refused() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("run");
        drop(create(&path));
        let said = |name: &str, from: &str, to: &str| {
            let text = fs::read_to_string(path.join(name)).unwrap();
            assert!(text.contains(from), "{text}");
            fs::write(path.join(name), text.replacen(from, to, 1)).unwrap();
            let error = RunFolder::open(&path).unwrap_err().to_string();
            fs::write(path.join(name), text).unwrap();
            error
        };
        assert!(
            said(SPEC, "format = 1\n", "")
                .ends_with("cannot be understood: missing field `format`")
        );
        assert!(said(SPEC, "seed = 7", "seed = 8").contains("record.json` is of run"));
        assert!(said(SPEC, "seed = 7", "seed = 7\nsead = 8").contains("unknown field `sead`"));
        assert!(said(SPEC, "beta1 = 0.9", "beta1 = nan").contains("expected a finite number"));
        assert!(
            said(RECORD, "\"seed\": 7", "\"seed\": -7").contains("invalid value: integer `-7`")
        );
        assert!(said(RECORD, "}", "").contains("record.json` cannot be understood"));
        fs::remove_file(path.join(RECORD)).unwrap();
        let error = RunFolder::open(&path).unwrap_err().to_string();
        assert!(error.ends_with("is not a run folder: it has no `record.json`"), "{error}");
    }

    #[test]
    fn a_spec_that_no_file_can_hold_is_refused_before_anything_is_made() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("run");
        let mut spec = spec();
        spec.optimizer.epsilon = f64::NAN;
        let record = record_of(&spec);
        let error =
            RunFolder::create(&path, Existing::Refuse, &spec, "", &record, None).unwrap_err();
        assert!(error.to_string().contains("cannot be written"), "{error}");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_largest_seed_is_kept() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("run");
        let spec = RunSpec { seed: u64::MAX, ..spec() };
        let record = record_of(&spec);
        RunFolder::create(&path, Existing::Refuse, &spec, "", &record, None).unwrap();
        let folder = RunFolder::open(&path).unwrap();
        assert_eq!((folder.spec(), folder.record()), (&spec, &record));
    }

    #[test]
    fn resuming_with_another_spec_names_the_fields() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("run");
        drop(create(&path));
        let mut other = RunSpec { seed: 8, ..spec() };
        other.optimizer.learning_rate = 0.001;
        let error = RunFolder::resume(&path, &other).unwrap_err().to_string();
        let fields =
            "another recipe: `optimizer.learning_rate` was 0.0003, is 0.001; `seed` was 7, is 8";
        assert!(error.ends_with(fields), "{error}");
    }

    #[test]
    fn checkpoints_are_sorted_by_number_and_partial_ones_left_out() {
        let root = tempfile::tempdir().unwrap();
        let run = create(&root.path().join("run"));
        for name in [
            "checkpoint-10",
            "checkpoint-9",
            ".checkpoint-11.x.aside",
            "checkpoint-07",
            "checkpoint-",
        ] {
            fs::create_dir(run.path().join(name)).unwrap();
        }
        fs::write(run.path().join("checkpoint-12"), "a file").unwrap();
        let expected = [(9, run.checkpoint_path(9)), (10, run.checkpoint_path(10))];
        assert_eq!(run.checkpoints().unwrap(), expected);
    }
}
