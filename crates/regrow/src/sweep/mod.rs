//! A sweep: bases are trained, pruned and healed as a recipe says, and their curves become one
//! table, one law and one page.
//!
//! Every step is an ordinary command of this program in a folder of its own, and is done once its
//! result is there. So a sweep that was killed goes on when it is started again.

mod entropy;
mod finish;
mod plan;
pub mod recipe;
mod watch;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use disk::Lock;

pub use self::finish::Finished;
use self::plan::{Kind, Layout, Plan};
use self::recipe::Sweep;
use self::watch::Watch;
use crate::count::grouped;
use crate::executor::{DryRun, Executor, JobId, JobState, Local};
use crate::hinted::hinted;
use crate::observer::{Event, Observer};
use crate::without_locks;

/// How often jobs are looked after.
const PAUSE: Duration = Duration::from_millis(25);

/// Runs that a group needs before it is worth fitting when others of it have failed.
const ENOUGH: usize = 3;

/// Held-out documents that a loss is measured on, at least.
const HELD_OUT: u64 = 8;

/// What came of a sweep.
#[derive(Debug)]
pub enum Outcome {
    /// The table, the law and the page are written.
    Done(Box<Finished>),
    /// Stopped by a signal; the same command goes on.
    Interrupted,
}

/// The command lines of a sweep, as text.
///
/// # Errors
/// Where the recipe makes no sense.
pub fn listing(sweep: &Sweep, out: &Path) -> anyhow::Result<String> {
    let plan = plan::plan(sweep, &Layout { out: out.to_path_buf() })?;
    let executor = DryRun::default();
    executor.submit(&jobs(&plan))?;
    Ok(executor.listing())
}

/// Runs a sweep in the folder `out`, on `threads` threads, from wherever it stands there; its page
/// is headed `title`. Once `stop` is set, the jobs save and end.
///
/// # Errors
/// Where the recipe makes no sense, `out` holds something else, or too many jobs fail.
pub fn run(
    sweep: &Sweep,
    written: &str,
    out: &Path,
    title: &str,
    threads: usize,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> anyhow::Result<Outcome> {
    let layout = Layout { out: out.to_path_buf() };
    let plan = plan::plan(sweep, &layout)?;
    let lock = take(sweep, written, &layout)?;
    if !lock.is_held() {
        observer.hear(&Event::Warning(&without_locks(&layout.out)));
    }
    for (path, bytes) in &plan.files {
        put(path, bytes)?;
    }
    let program = std::env::current_exe().context("the program's own file cannot be found")?;
    let executor = || Local::new(program.clone(), layout.path("jobs"), threads);
    // The text first, and alone: whether it lasts is known before anything is trained on it.
    let text = plan.only(&Kind::Corpus);
    let Some(states) = work(&text, &executor()?, stop, observer)? else {
        return Ok(Outcome::Interrupted);
    };
    if let Some((job, why)) = left_out(&text, &states).first() {
        bail!("`{job}` failed: {why}");
    }
    long_enough(sweep, &layout, &plan)?;
    let Some(states) = work(&plan, &executor()?, stop, observer)? else {
        return Ok(Outcome::Interrupted);
    };
    let left_out = left_out(&plan, &states);
    enough(&plan, &states, &left_out)?;
    let runs = done(&plan, &states, |kind| matches!(kind, Kind::Run { .. }));
    let bases = done(&plan, &states, |kind| matches!(kind, Kind::Base { settled: true, .. }));
    let finished = finish::finish(sweep, &layout, title, (runs, bases), left_out, observer)?;
    Ok(Outcome::Done(Box::new(finished)))
}

/// Takes the folder of a sweep: a new one, or one that the same recipe has begun.
fn take(sweep: &Sweep, written: &str, layout: &Layout) -> anyhow::Result<Lock> {
    let recipe = layout.path("recipe.toml");
    let begun = recipe.is_file();
    if !begun
        && std::fs::read_dir(&layout.out).is_ok_and(|mut entries| {
            entries.any(|entry| entry.is_ok_and(|entry| entry.file_name() != ".lock"))
        })
    {
        let error = disk::Error::exists(&layout.out);
        return Err(hinted(error, "it holds no sweep; choose another `--out`"));
    }
    std::fs::create_dir_all(&layout.out).map_err(disk::io_error("create", &layout.out))?;
    let lock = Lock::acquire(&layout.path(".lock"))?;
    if begun {
        let (found, _) = Sweep::read(&recipe)?;
        if found != *sweep {
            let error = anyhow::anyhow!(
                "`{}` was begun with another recipe, `{}`",
                layout.out.display(),
                recipe.display()
            );
            return Err(hinted(error, "go on with that recipe, or choose another `--out`"));
        }
    } else {
        disk::write(&recipe, written.as_bytes())?;
    }
    Ok(lock)
}

/// Writes a file that jobs read, unless it is there as it should be: jobs of before may be reading
/// it.
fn put(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    if disk::read(path, bytes.len() as u64 + 1).is_ok_and(|found| found == bytes) {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(disk::io_error("create", parent))?;
    }
    Ok(disk::write(path, bytes)?)
}

fn jobs(plan: &Plan) -> Vec<crate::executor::Job> {
    plan.jobs.iter().map(|planned| planned.job.clone()).collect()
}

/// Runs the jobs until all have ended; nothing when a signal came first.
fn work(
    plan: &Plan,
    executor: &dyn Executor,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> anyhow::Result<Option<Vec<JobState>>> {
    let ids: Vec<JobId> = executor.submit(&jobs(plan))?;
    let mut watch = Watch::new(plan, observer);
    loop {
        let states = executor.status(&ids)?;
        watch.at(&states);
        if states.iter().all(JobState::has_ended) {
            watch.sum_up();
            return Ok(Some(states));
        }
        if stop.load(Ordering::Relaxed) {
            executor.cancel(&ids)?;
            watch.stop();
            return Ok(None);
        }
        std::thread::sleep(PAUSE);
    }
}

/// Makes sure before anything is trained that the text lasts: what a model reads twice teaches it
/// less, and a curve that says nothing of it is no curve of tokens.
fn long_enough(sweep: &Sweep, layout: &Layout, plan: &Plan) -> anyhow::Result<()> {
    let info = text::Corpus::open(&layout.corpus())?.info().clone();
    let longest =
        plan.jobs.iter().filter_map(|planned| Some((planned.kind.work()?.0, &planned.job.id)));
    let Some((needed, job)) = longest.max() else { return Ok(()) };
    let found = info.train.tokens;
    if found < needed {
        let bytes =
            (info.train.bytes + info.heldout.bytes) as f64 * needed as f64 / found.max(1) as f64;
        let error = anyhow::anyhow!(
            "the text is too short for the sizes: {} training tokens, expected at least {} for `{job}`",
            grouped(found),
            grouped(needed)
        );
        let hint = format!(
            "some {:.1} MB of text like this are enough; or ask for fewer tokens in the recipe",
            bytes / 1e6
        );
        return Err(hinted(error, hint));
    }
    // A few documents say little, whatever their length.
    let documents = info.heldout.documents;
    if documents < HELD_OUT {
        let error = anyhow::anyhow!(
            "{documents} documents are held out, expected at least {HELD_OUT} to measure a loss on"
        );
        let hint = format!(
            "the text has {} documents and `heldout_share` is {}: more documents, or a larger share",
            grouped(info.train.documents + documents),
            sweep.corpus.heldout_share
        );
        return Err(hinted(error, hint));
    }
    Ok(())
}

fn left_out(plan: &Plan, states: &[JobState]) -> Vec<(String, String)> {
    let reason = |state: &JobState| match state {
        JobState::Failed { why } => Some(why.clone()),
        JobState::Skipped { because } => Some(format!("`{because}` failed")),
        _ => None,
    };
    let each = plan.jobs.iter().zip(states);
    each.filter_map(|(planned, state)| Some((planned.job.id.clone(), reason(state)?))).collect()
}

/// Names of the folders of jobs of a kind that are done, in their order.
fn done(plan: &Plan, states: &[JobState], of: impl Fn(&Kind) -> bool) -> Vec<String> {
    let each = plan.jobs.iter().zip(states);
    let done = each.filter(|(planned, state)| of(&planned.kind) && **state == JobState::Done);
    let name = |folder: &Path| folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut names: Vec<String> =
        done.filter_map(|(planned, _)| name(&planned.job.folder)).collect();
    names.sort_unstable();
    names
}

/// Makes sure that every group keeps the runs it needs, where some have failed.
fn enough(plan: &Plan, states: &[JobState], left_out: &[(String, String)]) -> anyhow::Result<()> {
    let mut groups: BTreeMap<&(String, String), (usize, usize)> = BTreeMap::new();
    for (planned, state) in plan.jobs.iter().zip(states) {
        if let Kind::Run { group: Some(group), .. } = &planned.kind {
            let (all, done) = groups.entry(group).or_default();
            *all += 1;
            *done += usize::from(*state == JobState::Done);
        }
    }
    for ((series, method), (all, done)) in groups {
        if done < all.min(ENOUGH) {
            let names: Vec<String> = left_out.iter().map(|(id, _)| format!("`{id}`")).collect();
            bail!(
                "{done} of {all} runs of series `{series}`, method `{method}` are done, expected at least {}; failed or skipped: {}",
                all.min(ENOUGH),
                names.join(", ")
            );
        }
    }
    Ok(())
}
