//! Turns run folders into points, and checks that their losses can be compared.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ledger::PointRow;

use crate::error::{Failure, Result};
use crate::folder::RunFolder;
use crate::import::ImportedRun;
use crate::summary::{RunState, RunSummary, runs};

/// The points of many runs, and the runs without usable points.
#[derive(Clone, Debug, Default)]
pub struct RunPoints {
    /// The points, ordered by run and tokens.
    pub rows: Vec<PointRow>,
    /// Runs that were left out.
    pub left_out: Vec<LeftOutRun>,
    unchecked: Vec<String>,
}

impl RunPoints {
    /// What could not be checked, because a run does not know it; a sentence each.
    pub fn unchecked(&self) -> &[String] {
        &self.unchecked
    }
}

/// A run that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOutRun {
    /// Its folder.
    pub path: PathBuf,
    /// Why, for a person.
    pub why: String,
}

/// Every held-out point of the runs under `folder`, or of `folder` itself if it is a run.
///
/// Runs that are not done or that somebody excluded are left out. So are runs without a known loss
/// before pruning, such as training from scratch.
///
/// # Errors
/// Where there is no run, a run cannot be read, or runs of one series and method were evaluated
/// differently.
pub fn run_points(folder: &Path) -> Result<RunPoints> {
    points_of_runs(&[folder])
}

/// The same of several folders. A run that has the name of another is told by its path.
///
/// # Errors
/// As [`run_points`].
pub fn points_of_runs(folders: &[&Path]) -> Result<RunPoints> {
    let mut found = RunPoints::default();
    let mut compared: Vec<Measured> = Vec::new();
    let mut names: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut imported: Vec<String> = Vec::new();
    for folder in folders {
        let summaries = runs(folder)?;
        if summaries.is_empty() {
            return Err(Failure::NoRuns { path: folder.to_path_buf() }.into());
        }
        for summary in summaries {
            let path = summary.path().to_path_buf();
            if let Some(reason) = summary.excluded() {
                let why = format!("it is excluded: {reason}");
                found.left_out.push(LeftOutRun { path, why });
                continue;
            }
            if let RunState::Broken { why } = summary.state() {
                return Err(Failure::Broken { path, why: why.clone() }.into());
            }
            if let Some(why) = left_out(&summary) {
                found.left_out.push(LeftOutRun { path, why });
                continue;
            }
            let measured = match (summary.imported(), summary.folder()) {
                (Some(run), _) => Measured::Imported(Box::new(run.clone())),
                (None, Some(run)) => Measured::Own(Box::new(run.clone())),
                (None, None) => unreachable!("a run that is not broken was opened"),
            };
            // Laws are fitted per series and method, so only runs of one group must agree. The
            // first run of each group stands for the others: of regrow's own runs, and of all.
            for other in compared.iter().filter(|other| other.group() == measured.group()) {
                measured.check_alike(other)?;
            }
            let mut rows = measured.point_rows()?;
            // The same folder may be named twice, or hold the name of another one's run.
            let real = path.canonicalize().unwrap_or_else(|_| path.clone());
            if let Some(name) = rows.first().map(|row| row.run.clone()) {
                match names.get(&name) {
                    Some(known) if *known == real => continue,
                    Some(_) => {
                        rows.iter_mut().for_each(|row| row.run = path.display().to_string());
                    }
                    None => {
                        names.insert(name, real);
                    }
                }
            }
            if let Measured::Imported(_) = measured {
                imported.push(format!("`{}`", path.display()));
            }
            if !compared.iter().any(|other| other.stands_for(&measured)) {
                compared.push(measured);
            }
            found.rows.extend(rows);
        }
    }
    // A single run has nothing to be compared with.
    if !imported.is_empty() && names.len() > 1 {
        found.unchecked.push(format!(
            "held-out text, tokenizer and evaluation are not known of imported runs, so they were not compared: {}",
            imported.join(", ")
        ));
    }
    Ok(found)
}

/// Why a run gives no points.
fn left_out(summary: &RunSummary) -> Option<String> {
    let missing = summary.facts().missing();
    match summary.state() {
        RunState::Broken { why } => Some(why.clone()),
        RunState::Resumable { step } => {
            Some(format!("it is not done; its last checkpoint is of step {step}"))
        }
        RunState::Done(_) if missing.is_empty() => None,
        RunState::Done(_) => Some("it does not know the loss before pruning".to_owned()),
        RunState::Imported if missing.is_empty() => None,
        RunState::Imported => {
            let missing: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
            Some(format!("it was imported without {}", missing.join(", ")))
        }
    }
}

/// A run whose points are used.
enum Measured {
    Own(Box<RunFolder>),
    Imported(Box<ImportedRun>),
}

impl Measured {
    fn path(&self) -> &Path {
        match self {
            Self::Own(run) => run.path(),
            Self::Imported(run) => run.path(),
        }
    }

    fn group(&self) -> (String, String) {
        match self {
            Self::Own(run) => (run.record().series().to_owned(), run.method()),
            Self::Imported(run) => (run.series().to_owned(), run.method().to_owned()),
        }
    }

    fn point_rows(&self) -> Result<Vec<PointRow>> {
        match self {
            Self::Own(run) => run.point_rows(),
            Self::Imported(run) => run.point_rows(),
        }
    }

    /// Whether comparing with this run is as good as comparing with the other.
    fn stands_for(&self, other: &Self) -> bool {
        let same_kind = std::mem::discriminant(self) == std::mem::discriminant(other);
        same_kind && self.group() == other.group()
    }

    /// Checks what both runs know. Of an imported run, that is whether its losses are held out.
    fn check_alike(&self, other: &Self) -> Result<()> {
        if let (Self::Own(run), Self::Own(other)) = (self, other) {
            return run.check_alike(other);
        }
        let held_out = |run: &Self| match run {
            Self::Own(_) => true,
            Self::Imported(run) => run.record().loss().is_held_out(),
        };
        if held_out(self) == held_out(other) {
            return Ok(());
        }
        let (first, second) = (other.path().to_path_buf(), self.path().to_path_buf());
        let what = "kind of loss (held-out and training loss)";
        Err(Failure::NotAlike { first, second, what }.into())
    }
}

impl RunFolder {
    /// The held-out points after step 0; empty where the loss before pruning is unknown.
    pub fn point_rows(&self) -> Result<Vec<PointRow>> {
        let record = self.record();
        let Some(loss0) = record.loss0() else { return Ok(Vec::new()) };
        let objective = &self.spec().objective;
        // Rows without one are of next-token loss, as those of every older table.
        let objective = (objective.weight() > 0.0).then(|| objective.name().to_owned());
        let path = self.path().canonicalize().unwrap_or_else(|_| self.path().to_path_buf());
        let run = path
            .file_name()
            .map_or_else(|| record.id().to_owned(), |name| name.to_string_lossy().into_owned());
        let rows =
            self.points()?.into_iter().filter(|point| point.tokens.0 > 0).filter_map(|point| {
                Some(PointRow {
                    series: record.series().to_owned(),
                    method: self.method(),
                    run: run.clone(),
                    base: Some(record.base().to_owned()),
                    n0: record.n0().0 as f64,
                    rate: record.rate().get(),
                    loss0: loss0.0,
                    tokens: point.tokens.0 as f64,
                    loss: point.eval_loss?,
                    phase: point.phase,
                    learning_rate: point.learning_rate,
                    weight: None,
                    repeated: point.repeated,
                    // Left open: the method's id says whether regrow's own methods zero weights.
                    zeroed: None,
                    objective: objective.clone(),
                })
            });
        Ok(rows.collect())
    }

    /// Checks that the held-out losses of two runs can be compared: the same text, tokenizer and
    /// evaluation settings.
    pub fn check_alike(&self, other: &RunFolder) -> Result<()> {
        let (x, y) = (self.spec(), other.spec());
        let (a, b) = (&x.evaluation, &y.evaluation);
        let way = |e: &ledger::Evaluation| (e.convention, e.context, e.stride, e.tokens);
        for (what, same) in [
            ("held-out text", x.heldout == y.heldout),
            ("tokenizer", x.tokenizer == y.tokenizer),
            ("way to measure held-out loss", way(a) == way(b)),
        ] {
            if !same {
                let (first, second) = (other.path().to_path_buf(), self.path().to_path_buf());
                return Err(Failure::NotAlike { first, second, what }.into());
            }
        }
        Ok(())
    }

    /// The pruning method; `none` where nothing was pruned.
    fn method(&self) -> String {
        let record = self.record();
        if record.rate().get() == 0.0 { "none".to_owned() } else { record.method().to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ledger::testing::provenance;
    use ledger::{Params, RunRecord, RunSpec};

    use super::*;
    use crate::Existing;
    use crate::sample::{done, point, record, record_of, spec};

    fn make(path: &Path, spec: &RunSpec, record: &RunRecord, is_done: bool) {
        let mut run = RunFolder::create(path, Existing::Refuse, spec, "", record, None).unwrap();
        (0..5).for_each(|step| run.append(&point(step)).unwrap());
        if is_done {
            run.finish(&done()).unwrap();
        }
    }

    fn without_loss0() -> RunRecord {
        RunRecord::of(&spec(), Params(1000), Params(1000), provenance())
    }

    #[test]
    fn done_runs_give_their_held_out_points_and_the_others_are_named() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        make(&path("a"), &spec(), &record(), true);
        make(&path("b-killed"), &spec(), &record(), false);
        make(&path("c-scratch"), &spec(), &without_loss0(), true);
        let found = run_points(root.path()).unwrap();
        let rows: Vec<_> =
            found.rows.iter().map(|row| (row.run.as_str(), row.tokens, row.loss)).collect();
        assert_eq!(rows, [("a", 1024.0, 4.0 / 3.0 + 0.5), ("a", 2048.0, 4.0 / 5.0 + 0.5)]);
        let row = &found.rows[0];
        assert_eq!(
            (row.n0, row.rate, row.loss0, row.method.as_str()),
            (1000.0, 0.15, 1.25, "depth-list")
        );
        let names: Vec<_> = found.left_out.iter().map(|run| run.path.clone()).collect();
        assert_eq!(names, [path("b-killed"), path("c-scratch")]);
        assert!(found.left_out[0].why.contains("not done"), "{found:?}");
    }

    #[test]
    fn a_run_that_a_rule_ended_gives_its_points() {
        let root = tempfile::tempdir().unwrap();
        let longer = RunSpec { tokens: ledger::Tokens(6000), ..spec() };
        make(&root.path().join("a"), &longer, &record_of(&longer), false);
        let end = ledger::EarlyEnd {
            rule: "doubling-gain<0.01".into(),
            reason: "twice the tokens buy 0.0050 nats".into(),
            tokens: ledger::Tokens(5120),
        };
        let run = RunFolder::resume(&root.path().join("a"), &longer).unwrap();
        run.finish(&done().with_early_end(end)).unwrap();
        let found = run_points(root.path()).unwrap();
        assert_eq!((found.rows.len(), found.left_out.len()), (2, 0));
    }

    #[test]
    fn a_curve_or_a_record_that_was_changed_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a");
        make(&path, &spec(), &record(), true);
        let said = |name: &str, from: &str, to: &str| {
            let text = fs::read_to_string(path.join(name)).unwrap();
            assert!(text.contains(from), "{text}");
            fs::write(path.join(name), text.replacen(from, to, 1)).unwrap();
            let error = run_points(root.path()).unwrap_err().to_string();
            fs::write(path.join(name), text).unwrap();
            error
        };
        // A point in the middle, neither the last nor the least.
        let error = said("metrics.jsonl", "1.8333", "1.9333");
        assert!(error.contains("metrics.jsonl`: its SHA-256 is "), "{error}");
        assert!(error.contains("as in `done.json`"), "{error}");
        let error = said("record.json", "\"rate\": 0.15", "\"rate\": 0.5");
        assert!(error.contains("record.json` cannot be believed: `rate` is 0.5"), "{error}");
        let error = said("record.json", "\"n0\": 1000", "\"n0\": 1100");
        assert!(error.contains("for 850 of 1100 parameters"), "{error}");
        assert_eq!(run_points(root.path()).unwrap().rows.len(), 2);
        // A run of an older version: its end keeps losses and no hash.
        let done = fs::read_to_string(path.join("done.json")).unwrap();
        let start = done.find(",\n  \"curve\"").unwrap();
        fs::write(path.join("done.json"), done[..start].to_owned() + "\n}\n").unwrap();
        let error = run_points(root.path()).unwrap_err().to_string();
        assert!(error.contains("its last held-out loss is 1.3, expected 0.9444444444444444"));
    }

    #[test]
    fn runs_measured_differently_are_refused_and_so_are_broken_ones() {
        type Spoil = fn(&mut RunSpec);
        let other: [(Spoil, &str); 3] = [
            (|spec| spec.heldout = "zz".into(), "held-out text"),
            (|spec| spec.tokenizer = "zz".into(), "tokenizer"),
            (|spec| spec.evaluation.context = 32, "way to measure"),
        ];
        for (change, what) in other {
            let root = tempfile::tempdir().unwrap();
            let mut changed = spec();
            change(&mut changed);
            make(&root.path().join("a"), &spec(), &record(), true);
            make(&root.path().join("b"), &changed, &record_of(&changed), true);
            let error = run_points(root.path()).unwrap_err().to_string();
            assert!(
                error.contains(what) && error.contains("/a`") && error.contains("/b`"),
                "{error}"
            );
        }
        let root = tempfile::tempdir().unwrap();
        let error = run_points(root.path()).unwrap_err().to_string();
        assert!(error.ends_with("holds no run folder"), "{error}");
        make(&root.path().join("a"), &spec(), &record(), true);
        let file = root.path().join("a/record.json");
        let text = fs::read_to_string(&file).unwrap().replacen("\"format\": 1", "\"format\": 9", 1);
        fs::write(&file, text).unwrap();
        let error = run_points(root.path()).unwrap_err().to_string();
        assert!(error.contains("record.json` has format 9, expected 1"), "{error}");
    }
}
