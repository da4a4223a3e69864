//! Which step each result came from, so that a changed recipe runs only what changed.
//!
//! The folder `steps` holds one small file a job: the hash of its command line, of the recipes and
//! configurations that it names, of the `corpus.json` of a corpus from elsewhere, and of the jobs
//! before it. Texts and models from elsewhere are known by their paths alone. A result of another
//! step is moved to `set-aside`, from where it comes back if the recipe changes back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use disk::Lock;
use ledger::{Sha256, Sha256Hasher};

use super::folder::SweepFolder;
use super::plan::SweepPlan;
use crate::error::{Context, Result};
use crate::executor::Job;
use crate::observer::{Event, Observer};

/// The longest file that is read here, in bytes.
const LIMIT: u64 = 256;

/// The longest `corpus.json` that is read here, in bytes.
const CORPUS_LIMIT: u64 = 64 << 20;

/// The hash of every step of a plan, by the name of its job.
pub(super) struct Steps(BTreeMap<String, Sha256>);

impl Steps {
    pub(super) fn of(plan: &SweepPlan, folder: &SweepFolder) -> Self {
        let mut hashes = BTreeMap::new();
        for job in &plan.jobs {
            let hash = hash(&job.job, plan, folder, &hashes);
            hashes.insert(job.job.name().to_owned(), hash);
        }
        Self(hashes)
    }

    /// Notes the step of every result that was made before steps were noted.
    pub(super) fn adopt(&self, plan: &SweepPlan, folder: &SweepFolder) -> Result<()> {
        for job in plan.jobs.iter().map(|job| &job.job) {
            if job.folder().exists() && noted(folder, job).is_none() {
                self.note(folder, job)?;
            }
        }
        Ok(())
    }

    /// Moves results of other steps out of the way and brings back those of these, and notes the
    /// steps.
    ///
    /// # Errors
    /// Where a run of another step is still being trained, or the disk fails.
    pub(super) fn settle(
        &self,
        plan: &SweepPlan,
        folder: &SweepFolder,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        for job in plan.jobs.iter().map(|job| &job.job) {
            let now = self.0[job.name()].to_string();
            let before = noted(folder, job);
            if before.as_ref() == Some(&now) {
                continue;
            }
            if let Some(before) = before.filter(|_| job.folder().exists()) {
                require_at_rest(job.folder())?;
                let place = set_aside(folder, job, &before);
                move_to(job.folder(), &place)?;
                let (name, place) = (job.name(), place.display());
                observer.hear(&Event::Warning(&format!(
                    "`{name}` is made anew, the recipe has changed; what was there is kept in `{place}`"
                )));
            }
            let kept = set_aside(folder, job, &now);
            if kept.exists() && !job.folder().exists() {
                move_to(&kept, job.folder())?;
            }
            self.note(folder, job)?;
        }
        Ok(())
    }

    /// The names of the jobs that were noted as another step.
    pub(super) fn outdated(&self, plan: &SweepPlan, folder: &SweepFolder) -> Vec<String> {
        let jobs = plan.jobs.iter().map(|job| &job.job);
        let outdated = jobs.filter(|job| !self.is_of_this_step(folder, job));
        outdated.map(|job| job.name().to_owned()).collect()
    }

    /// Whether what is in a job's folder was made by this step.
    pub(super) fn is_of_this_step(&self, folder: &SweepFolder, job: &Job) -> bool {
        noted(folder, job).is_none_or(|noted| noted == self.0[job.name()].to_string())
    }

    fn note(&self, folder: &SweepFolder, job: &Job) -> Result<()> {
        let path = file(folder, job);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(disk::io_error("create", parent))?;
        }
        Ok(disk::write(&path, format!("{}\n", self.0[job.name()]).as_bytes())?)
    }
}

fn file(folder: &SweepFolder, job: &Job) -> PathBuf {
    folder.join("steps").join(job.name())
}

/// The hash that was noted, if it is one.
fn noted(folder: &SweepFolder, job: &Job) -> Option<String> {
    let text = disk::read_to_string(&file(folder, job), LIMIT).ok()?;
    let hash = text.trim();
    let plain = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| hash.to_owned())
}

fn set_aside(folder: &SweepFolder, job: &Job, hash: &str) -> PathBuf {
    folder.join("set-aside").join(format!("{}-{}", job.name(), &hash[..16]))
}

fn move_to(from: &Path, to: &Path) -> Result<()> {
    for parent in [to.parent(), from.parent()].into_iter().flatten() {
        std::fs::create_dir_all(parent).map_err(disk::io_error("create", parent))?;
    }
    Ok(std::fs::rename(from, to).map_err(disk::io_error("move", from))?)
}

/// Checks that no process trains in a run folder.
fn require_at_rest(folder: &Path) -> Result<()> {
    let lock = folder.join(".lock");
    if lock.is_file() {
        Lock::acquire(&lock).with_context(|| {
            format!("`{}` belongs to the recipe before and is still at work", folder.display())
        })?;
    }
    Ok(())
}

/// The hash of one step. The sweep's own folder is left out of it, so that a sweep may be moved; so
/// are the program and its threads, which do not change results.
fn hash(
    job: &Job,
    plan: &SweepPlan,
    folder: &SweepFolder,
    before: &BTreeMap<String, Sha256>,
) -> Sha256 {
    let mut hash = Sha256Hasher::new();
    // Each part under its length, so that no two lists of parts give the same bytes.
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    let mut threads = false;
    for word in job.argv() {
        if std::mem::replace(&mut threads, word == "--threads") || threads {
            continue;
        }
        let path = Path::new(word);
        let own = path.strip_prefix(folder.path()).ok();
        part(own.unwrap_or(path).as_os_str().as_encoded_bytes());
        if let Some((_, contents)) = plan.files.iter().find(|(file, _)| file == path) {
            part(contents);
        }
        // A text from elsewhere is known by what it says of itself.
        if own.is_none()
            && let Ok(corpus) = disk::read(&path.join("corpus.json"), CORPUS_LIMIT)
        {
            part(&corpus);
        }
    }
    for name in job.after() {
        part(before.get(name).map_or(&[][..], |hash| hash.as_bytes()));
    }
    hash.finish()
}
