//! Turns a recipe into jobs.

mod base;
mod command;
mod cut;
mod job;
mod jobs;
mod teacher;
mod variant;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::PathBuf;

use self::base::BaseOrigin;
use self::base::bases;
use self::cut::cuts;
pub(super) use self::job::{PlannedTeacher, Purpose, SweepGroup, SweepJob, Trains};
use self::jobs::{JobMaker, measure_name};
use self::teacher::teach_name;
use self::variant::Cases;
use super::folder::SweepFolder;
use super::recipe::SweepKeys;
use crate::error::{Result, bail};
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
        let (mut trained, mut settled, mut cut) = (vec![], vec![], vec![]);
        let (mut measured, mut taught, mut runs) = (vec![], vec![], vec![]);
        let mut cases = Cases::of(sweep);
        for base in &bases(sweep, folder)? {
            if matches!(base.origin, BaseOrigin::Scratch) {
                let config = folder.join(&format!("configs/{}.json", base.id));
                trained.push(make.base(base, &config)?);
                files.push((config, base.config.to_raw().to_json()));
                if let Some(settle) = &sweep.settle {
                    settled.push(make.settle(base, settle)?);
                }
            }
            if base.control {
                let variants = cases.variants(&base.place("none", ""))?;
                for variant in variants.iter().filter(|variant| variant.is_of_controls()) {
                    runs.push(make.control(base, variant)?);
                }
            }
            for method in &sweep.methods {
                for planned in cuts(base, method)? {
                    let variants = cases.variants(&base.place(&method.name, &planned.name))?;
                    // A cut that nothing heals is not made.
                    if !variants.is_empty() {
                        cut.push(make.cut(base, method, &planned)?);
                    }
                    for variant in &variants {
                        for &objective in variant.objectives(sweep) {
                            let learning = make.learning(base, objective, variant)?;
                            runs.push(make.heal(base, method, &planned, variant, learning)?);
                        }
                    }
                }
            }
            let name = measure_name(base);
            if runs.iter().any(|run| run.job.after().contains(&name)) {
                measured.push(make.measure(base)?);
            }
            let name = teach_name(base);
            if runs.iter().any(|run| run.job.after().contains(&name)) {
                taught.push(make.teach(base)?);
            }
        }
        cases.all_used()?;
        // Long jobs first, so that the sweep does not end with one long job on one thread.
        for list in [&mut trained, &mut settled, &mut runs] {
            list.sort_by(|a, b| b.cost().total_cmp(&a.cost()));
        }
        let jobs = [make.corpus()?, trained, settled, measured, cut, taught, runs].concat();
        let mut names = BTreeSet::new();
        if let Some(twice) = jobs.iter().find(|job| !names.insert(job.job.name())) {
            bail!(
                "two jobs are called `{}`: give a series, model or case another name",
                twice.job.name()
            );
        }
        Ok(Self { jobs, files })
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
    // What is learned from whom stands in the words of each run.
    let mut recipes = vec![("heal", sweep.healing().keys().without_teaching())];
    if let Some(base) = &sweep.base {
        recipes.insert(0, ("base", base.0.keys()));
    }
    if let Some(settle) = &sweep.settle {
        let keys = settle.0.over(&sweep.healing()).keys();
        recipes.push(("settle", keys.without_teaching()));
    }
    let file = |(name, keys): (&str, crate::recipe::Recipe)| {
        Ok((folder.join(&format!("recipes/{name}.toml")), keys.to_toml()?.into_bytes()))
    };
    recipes.into_iter().map(file).collect()
}
