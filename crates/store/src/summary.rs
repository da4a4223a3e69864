//! A summary of all runs under a folder.

use std::fs;
use std::path::{Path, PathBuf};

use disk::io_error;
use ledger::{Curve, Done, Facts, Nats};
use rayon::prelude::*;

use crate::error::Result;
use crate::exclusion::exclusion;
use crate::folder::RunFolder;
use crate::import::{ImportedRun, is_imported};
use crate::names::looks_like_run;

/// A summary of one run folder. A broken one has only a path and a reason.
#[derive(Clone, Debug)]
pub struct RunSummary {
    path: PathBuf,
    state: RunState,
    folder: Option<RunFolder>,
    imported: Option<ImportedRun>,
    curve: Curve,
    excluded: Option<String>,
}

/// The state of a run folder.
#[derive(Clone, Debug, PartialEq)]
pub enum RunState {
    /// The run has a `done.json`.
    Done(Done),
    /// The run can be resumed, or is being written now.
    Resumable {
        /// The step of the last checkpoint; 0 where there is none yet.
        step: u64,
    },
    /// Another program trained it, and its log was imported.
    Imported,
    /// The folder cannot be read.
    Broken {
        /// Why, naming the file.
        why: String,
    },
}

impl RunSummary {
    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The state of the run.
    pub fn state(&self) -> &RunState {
        &self.state
    }

    /// Why somebody excluded it, where somebody did.
    pub fn excluded(&self) -> Option<&str> {
        self.excluded.as_deref()
    }

    /// The opened folder; `None` where it is broken or imported.
    pub fn folder(&self) -> Option<&RunFolder> {
        self.folder.as_ref()
    }

    /// The imported run, where it is one.
    pub fn imported(&self) -> Option<&ImportedRun> {
        self.imported.as_ref()
    }

    /// What is known of the model that it trains; nothing where it is broken.
    pub fn facts(&self) -> Facts {
        if let Some(imported) = &self.imported {
            return imported.record().facts().clone();
        }
        let Some(record) = self.folder.as_ref().map(RunFolder::record) else {
            return Facts::default();
        };
        let facts = Facts::default()
            .with_size(record.n0())
            .with_rate(record.rate())
            .with_group(Some(record.series().to_owned()), Some(record.method().to_owned()))
            .with_base(record.base().to_owned());
        match record.loss0() {
            Some(loss0) => facts.with_loss0(loss0, record.loss0_phase()),
            None => facts,
        }
    }

    /// Held-out loss of the freshly pruned model, where it was measured.
    pub fn loss_pruned(&self) -> Option<Nats> {
        match &self.state {
            RunState::Done(done) => done.loss_pruned(),
            RunState::Imported => {
                let first = self.curve.points().first().filter(|point| point.tokens.0 == 0)?;
                (self.facts().rate().is_some_and(|rate| rate.get() > 0.0)).then_some(first.loss)
            }
            RunState::Resumable { .. } | RunState::Broken { .. } => None,
        }
    }

    /// Its held-out points so far; empty where it is broken.
    pub fn curve(&self) -> &Curve {
        &self.curve
    }
}

/// Every run folder directly under `folder`, or `folder` itself if it is one; sorted by path.
///
/// A folder with any file of a run counts as a run, so a broken run is listed with its reason.
/// Other folders are ignored.
pub fn runs(folder: &Path) -> Result<Vec<RunSummary>> {
    if looks_like_run(folder) {
        return Ok(vec![summary(folder)]);
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(io_error("list", folder))? {
        let entry = entry.map_err(io_error("list", folder))?;
        // A hidden folder is still being built, or its process was killed while building it.
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !hidden && looks_like_run(&entry.path()) {
            paths.push(entry.path());
        }
    }
    paths.sort_unstable();
    Ok(paths.par_iter().map(|path| summary(path)).collect())
}

fn summary(path: &Path) -> RunSummary {
    let broken = |why: String| RunSummary {
        path: path.to_path_buf(),
        state: RunState::Broken { why },
        folder: None,
        imported: None,
        curve: Curve::default(),
        excluded: None,
    };
    // Read apart: a run that is broken can be excluded.
    match exclusion(path) {
        Err(error) => broken(error.to_string()),
        Ok(excluded) => {
            let read = read(path).unwrap_or_else(|error| broken(error.to_string()));
            RunSummary { excluded, ..read }
        }
    }
}

fn read(path: &Path) -> Result<RunSummary> {
    let whole = path.to_path_buf();
    if is_imported(path) {
        let run = ImportedRun::open(path)?;
        let curve = run.curve()?;
        let (state, imported) = (RunState::Imported, Some(run));
        return Ok(RunSummary {
            path: whole,
            state,
            folder: None,
            imported,
            curve,
            excluded: None,
        });
    }
    let folder = RunFolder::open(path)?;
    let state = match folder.done()? {
        Some(done) => RunState::Done(done),
        None => {
            RunState::Resumable { step: folder.checkpoints()?.last().map_or(0, |(step, _)| *step) }
        }
    };
    let curve = folder.curve()?;
    let folder = Some(folder);
    Ok(RunSummary { path: whole, state, curve, folder, imported: None, excluded: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::METRICS;
    use crate::sample::{create, done, done_at, point};

    #[test]
    fn every_run_is_listed_with_its_state_and_the_broken_ones_with_their_reason() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        create(&path("a-done")).finish(&done()).unwrap();
        let mut run = create(&path("b-going"));
        run.append(&point(0)).unwrap();
        fs::create_dir(run.checkpoint_path(400)).unwrap();
        create(&path("c-new"));
        create(&path("d-bad-line"));
        fs::write(path("d-bad-line").join(METRICS), "nonsense\n").unwrap();
        fs::create_dir(path("e-curve-only")).unwrap();
        fs::write(path("e-curve-only").join(METRICS), "").unwrap();
        fs::create_dir(path("f-no-run")).unwrap();
        create(&path(".g-hidden"));
        fs::write(path("file"), "").unwrap();

        let runs = runs(root.path()).unwrap();
        let names: Vec<_> =
            runs.iter().map(|run| run.path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["a-done", "b-going", "c-new", "d-bad-line", "e-curve-only"]);
        assert_eq!(runs[0].state, RunState::Done(done_at(&path("a-done"))));
        assert_eq!(runs[1].state, RunState::Resumable { step: 400 });
        assert_eq!(runs[1].curve.points().len(), 1);
        assert_eq!(runs[2].state, RunState::Resumable { step: 0 });
        let why = |i: usize| match &runs[i].state {
            RunState::Broken { why } => why.clone(),
            state => panic!("{state:?}"),
        };
        assert!(why(3).contains("metrics.jsonl` line 1 is not a point"), "{}", why(3));
        assert!(why(4).ends_with("it has no `spec.toml`"), "{}", why(4));
    }

    #[test]
    fn a_run_folder_lists_itself_and_nothing_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("run");
        create(&path);
        assert_eq!(runs(&path).unwrap().len(), 1);
        assert!(runs(&root.path().join("none")).is_err());
    }
}
