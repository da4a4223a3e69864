//! Turns a recipe into jobs.

mod base;
mod command;
mod cut;
mod job;
mod jobs;

use std::ffi::OsStr;
use std::path::PathBuf;

use self::base::bases;
use self::cut::cuts;
pub(super) use self::job::{Purpose, SweepGroup, SweepJob};
use self::jobs::JobMaker;
use super::folder::SweepFolder;
use super::recipe::{SweepKeys, TrainingKeys};
use crate::error::Result;
use crate::executor::Job;

/// A resolved sweep: its jobs, and the files that must exist before the first job.
#[derive(Debug)]
pub(super) struct SweepPlan {
    /// Each comes after its dependencies; within that order, long jobs come first.
    pub(super) jobs: Vec<SweepJob>,
    /// Files to write, with their contents.
    pub(super) files: Vec<(PathBuf, Vec<u8>)>,
}

impl SweepPlan {
    /// Resolves a recipe: `program` will run each job. Nothing is written.
    ///
    /// # Errors
    /// Where a shape is not a valid model, a rate not a valid cut of it, or two rates give the same
    /// cut.
    pub(super) fn new(sweep: &SweepKeys, folder: &SweepFolder, program: &OsStr) -> Result<Self> {
        let make = JobMaker { sweep, folder, program };
        let mut files = recipes(sweep, folder)?;
        let (mut trained, mut settled, mut cut, mut runs) = (vec![], vec![], vec![], vec![]);
        for base in &bases(sweep)? {
            let config = folder.join(&format!("configs/{}.json", base.id));
            trained.push(make.base(base, &config)?);
            files.push((config, base.config.to_raw().to_json()));
            if let Some(settle) = &sweep.settle {
                settled.push(make.settle(base, settle)?);
            }
            if base.control {
                runs.push(make.control(base)?);
            }
            for method in &sweep.methods {
                for planned in cuts(base, method)? {
                    cut.push(make.cut(base, method, &planned)?);
                    runs.push(make.heal(base, method, &planned)?);
                }
            }
        }
        // Long jobs first, so that the sweep does not end with one long job on one thread.
        for list in [&mut trained, &mut settled, &mut runs] {
            list.sort_by(|a, b| b.cost().total_cmp(&a.cost()));
        }
        Ok(Self { jobs: [make.corpus()?, trained, settled, cut, runs].concat(), files })
    }

    /// The jobs that make the text and its tokens.
    pub(super) fn only_corpus(&self) -> Self {
        let of_corpus = |job: &&SweepJob| job.purpose == Purpose::Corpus;
        Self { jobs: self.jobs.iter().filter(of_corpus).cloned().collect(), files: Vec::new() }
    }

    /// The jobs for an executor.
    pub(super) fn to_submit(&self) -> Vec<Job> {
        self.jobs.iter().map(|job| job.job.clone()).collect()
    }
}

/// The recipes of all training. `heal` takes its missing keys from `base`, and `settle` from
/// `heal`.
fn recipes(sweep: &SweepKeys, folder: &SweepFolder) -> Result<Vec<(PathBuf, Vec<u8>)>> {
    let base = &sweep.base.keys;
    let heal = sweep.heal.keys.clone().over(base.clone());
    let mut recipes = vec![("base", base.clone()), ("heal", heal.clone())];
    if let Some(TrainingKeys { keys, .. }) = &sweep.settle {
        recipes.push(("settle", keys.clone().over(heal)));
    }
    let file = |(name, mut keys): (&str, crate::recipe::Recipe)| {
        // Each job gets its tokens as a flag.
        keys.tokens = None;
        Ok((folder.join(&format!("recipes/{name}.toml")), keys.to_toml()?.into_bytes()))
    };
    recipes.into_iter().map(file).collect()
}
