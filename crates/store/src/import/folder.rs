//! The folder of an imported run: `record.json`, of the kind `imported`, and `metrics.jsonl`.
//!
//! It appears whole and does not change, so it has no `done.json`: its record knows the hash of its
//! curve.

use std::path::{Path, PathBuf};

use disk::kinds::IMPORTED;
use disk::{Existing, NewFolder};
use ledger::{Curve, CutRecord, Facts, ImportedRecord, MethodId, Point, PointRow, Sha256Hasher};
use serde::Deserialize;

use super::Log;
use crate::curve_file::{self, CurveFile};
use crate::error::{Failure, Result};
use crate::files::{read_json, to_json};
use crate::names::{CUT, METRICS, RECORD, SPEC};

/// A run that another program trained, imported from its log.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportedRun {
    path: PathBuf,
    record: ImportedRecord,
}

/// Whether a folder holds an imported run, by the kind in its record.
pub(crate) fn is_imported(path: &Path) -> bool {
    #[derive(Deserialize)]
    struct Header {
        kind: String,
    }
    /// The largest record that is read, in bytes.
    const LIMIT: u64 = 16 << 20;
    if path.join(SPEC).exists() {
        return false;
    }
    let text = disk::read(&path.join(RECORD), LIMIT).unwrap_or_default();
    let header = serde_json::from_slice::<Header>(&text);
    header.is_ok_and(|header| header.kind == ImportedRecord::KIND)
}

impl ImportedRun {
    /// Makes the folder of a log, with what is known of its model. It appears whole.
    ///
    /// # Errors
    /// Where the facts contradict each other, or something stands at `path` that must stay.
    pub fn create(path: &Path, existing: Existing, log: &Log, facts: Facts) -> Result<Self> {
        let record = path.join(RECORD);
        if let Some(why) = facts.contradiction() {
            return Err(Failure::Contradicts { path: record, why }.into());
        }
        let new = NewFolder::create(path, existing, &IMPORTED)?;
        let mut lines = Vec::new();
        let mut hash = Sha256Hasher::default();
        for point in log.points() {
            let line = curve_file::line(&path.join(METRICS), point)?;
            hash.update(&line);
            lines.extend(line);
        }
        let written = ImportedRecord::of(log.format(), facts, log.loss().clone())
            .with_tokens(log.tokens().to_owned())
            .with_files(log.files().to_vec())
            .with_remarks(log.remarks().to_vec())
            .with_curve(hash.finish());
        disk::write(&new.path().join(METRICS), &lines)?;
        disk::write(&new.path().join(RECORD), &to_json(&record, &written)?)?;
        new.commit()?;
        Self::open(path)
    }

    /// Opens an imported run.
    pub fn open(path: &Path) -> Result<Self> {
        let file = path.join(RECORD);
        let record: ImportedRecord = read_json(&file, ImportedRecord::FORMAT)?;
        if let Some(why) = record.facts().contradiction() {
            return Err(Failure::Contradicts { path: file, why }.into());
        }
        Ok(Self { path: path.to_path_buf(), record })
    }

    /// What `cut.json` of a pruned model says of it.
    ///
    /// # Errors
    /// Where the folder has no such file, or it contradicts itself.
    pub fn facts_of_model(model: &Path) -> Result<Facts> {
        let path = model.join(CUT);
        let cut: CutRecord = read_json(&path, CutRecord::FORMAT)?;
        match cut.held.contradiction() {
            Some(why) => Err(Failure::Contradicts { path, why }.into()),
            None => Ok(Facts::of_cut(&cut)),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is known of the run.
    pub fn record(&self) -> &ImportedRecord {
        &self.record
    }

    /// Every point, in the order of steps. They must be those that were imported.
    pub fn points(&self) -> Result<Vec<Point>> {
        let path = self.path.join(METRICS);
        let file = CurveFile::read_imported(&path)?;
        let found = file.hash().to_string();
        match self.record.curve() {
            Some(expected) if expected != found => Err(Failure::OtherCurve {
                path,
                what: "SHA-256".to_owned(),
                found,
                expected: expected.to_owned(),
                told_by: RECORD,
            }
            .into()),
            _ => Ok(file.points),
        }
    }

    /// The held-out points; empty where the log holds none.
    pub fn curve(&self) -> Result<Curve> {
        Ok(Curve::from_points(&self.points()?))
    }

    /// The points after step 0 that are compared with those of other runs: held-out ones, or those
    /// of training where the import was told so. Empty where size, rate or the loss before pruning
    /// is unknown.
    pub fn point_rows(&self) -> Result<Vec<PointRow>> {
        let facts = self.record.facts();
        let (Some(n0), Some(rate), Some(loss0)) = (facts.n0(), facts.rate(), facts.loss0()) else {
            return Ok(Vec::new());
        };
        let path = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        let run = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let held_out = self.record.loss().is_held_out();
        let points = self.points()?.into_iter().filter(|point| point.tokens.0 > 0);
        let row = |point: Point| {
            Some(PointRow {
                series: facts.series().unwrap_or(PointRow::UNNAMED).to_owned(),
                method: self.method().to_owned(),
                base: facts.base().map(str::to_owned),
                tokens: point.tokens.0 as f64,
                loss: if held_out { point.eval_loss? } else { point.loss? },
                phase: point.phase,
                learning_rate: point.learning_rate,
                ..PointRow::run(&run, n0.0 as f64, rate.get(), loss0.0)
            })
        };
        Ok(points.filter_map(row).collect())
    }

    /// The pruning method; `unnamed` where it is unknown.
    pub(crate) fn method(&self) -> &str {
        let facts = self.record.facts();
        match facts.rate() {
            Some(rate) if rate.get() == 0.0 => MethodId::NONE,
            _ => facts.method().unwrap_or(PointRow::UNNAMED),
        }
    }

    /// The series; `unnamed` where it is unknown.
    pub(crate) fn series(&self) -> &str {
        self.record.facts().series().unwrap_or(PointRow::UNNAMED)
    }
}
