//! A sweep: bases are trained, pruned and healed as a recipe says, and their curves become one table.
//!
//! Every step is an ordinary command of this program in a folder of its own, and is done once its result is there. So
//! a sweep that was killed goes on when it is started again.

mod plan;
mod points;
pub(crate) mod recipe;
mod watch;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, bail};
use disk::Lock;

use self::plan::{Kind, Layout, Plan};
use self::recipe::Sweep;
use self::watch::Watch;
use crate::executor::{DryRun, Executor, JobId, JobState, Local};
use crate::hint::hinted;
use crate::output::Output;

/// How often jobs are looked after.
const PAUSE: Duration = Duration::from_millis(25);

/// Runs that a group needs before it is worth fitting when others of it have failed.
const ENOUGH: usize = 3;

/// What came of a sweep.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The table is written.
    Done(Finished),
    /// Stopped by a signal; the same command goes on.
    Interrupted,
}

/// A sweep whose table is written.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The table of points.
    pub(crate) points: PathBuf,
    /// Ids of the runs in it.
    pub(crate) runs: Vec<String>,
    /// Jobs that failed or were skipped, with the reason.
    pub(crate) left_out: Vec<(String, String)>,
}

/// The command lines of a sweep, as text.
///
/// # Errors
/// Where the recipe makes no sense.
pub(crate) fn listing(sweep: &Sweep, out: &Path) -> anyhow::Result<String> {
    let plan = plan::plan(sweep, &Layout { out: out.to_path_buf() })?;
    let executor = DryRun::default();
    executor.submit(&jobs(&plan))?;
    Ok(executor.listing())
}

/// Runs a sweep in the folder `out`, on `threads` threads, from wherever it stands there.
///
/// # Errors
/// Where the recipe makes no sense, `out` holds something else, or too many jobs fail.
pub(crate) fn run(
    sweep: &Sweep,
    written: &str,
    out: &Path,
    threads: usize,
    output: &Output,
) -> anyhow::Result<Outcome> {
    let layout = Layout { out: out.to_path_buf() };
    let plan = plan::plan(sweep, &layout)?;
    let _lock = take(sweep, written, &layout)?;
    for (path, bytes) in &plan.files {
        put(path, bytes)?;
    }
    let program = std::env::current_exe().context("the program's own file cannot be found")?;
    let executor = Local::new(program, layout.path("jobs"), threads)?;
    let stop = listen_to_signals()?;
    let Some(states) = work(&plan, &executor, &stop, output)? else { return Ok(Outcome::Interrupted) };
    let left_out = left_out(&plan, &states);
    enough(&plan, &states, &left_out)?;
    let runs: Vec<String> = done_runs(&plan, &states);
    let table = points::table(&layout.path("runs"), runs.iter().map(String::as_str))?;
    let points = layout.path("points.csv");
    disk::write(&points, table.as_bytes())?;
    Ok(Outcome::Done(Finished { points, runs, left_out }))
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
        let error = disk::Error::Exists { path: layout.out.clone() };
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

/// Writes a file that jobs read, unless it is there as it should be: jobs of before may be reading it.
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
    output: &Output,
) -> anyhow::Result<Option<Vec<JobState>>> {
    let ids: Vec<JobId> = executor.submit(&jobs(plan))?;
    let mut watch = Watch::new(plan, output);
    loop {
        let states = executor.status(&ids)?;
        watch.at(&states);
        if states.iter().all(JobState::has_ended) {
            watch.sum_up();
            return Ok(Some(states));
        }
        if stop.load(Ordering::Relaxed) {
            executor.cancel(&ids)?;
            return Ok(None);
        }
        std::thread::sleep(PAUSE);
    }
}

/// The first signal stops the jobs, which save; the second ends this process at once.
fn listen_to_signals() -> anyhow::Result<Arc<AtomicBool>> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .with_context(|| format!("signal {signal} cannot be listened to"))?;
    }
    Ok(stop)
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

/// Names of the runs that are done, controls too, in the order of their names.
fn done_runs(plan: &Plan, states: &[JobState]) -> Vec<String> {
    let each = plan.jobs.iter().zip(states);
    let done =
        each.filter(|(planned, state)| matches!(planned.kind, Kind::Run { .. }) && **state == JobState::Done);
    let name = |folder: &Path| folder.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut runs: Vec<String> = done.filter_map(|(planned, _)| name(&planned.job.folder)).collect();
    runs.sort_unstable();
    runs
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
