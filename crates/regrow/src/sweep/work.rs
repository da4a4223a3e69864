//! Runs the jobs of a plan until all have ended.

use std::time::{Duration, Instant};

use super::plan::SweepPlan;
use super::watch::{Failures, SweepWatch};
use crate::error::Result;
use crate::executor::{Executor, JobState};
use crate::observer::Observer;
use crate::stop::Stop;

/// How often a request to stop is checked.
const ATTENTION: Duration = Duration::from_millis(100);

/// Runs the jobs until all have ended, and returns their states. The answer is `None` where a stop
/// was requested, or jobs were stopped from outside and must be resumed.
///
/// # Errors
/// Where the executor fails. A failed job is not an error, but a state.
pub(super) fn work(
    plan: &SweepPlan,
    failures: Failures,
    executor: &dyn Executor,
    stop: &Stop,
    observer: &mut dyn Observer,
) -> Result<Option<Vec<JobState>>> {
    let ids = executor.attach_or_submit(&plan.to_submit())?;
    let mut watch = SweepWatch::new(plan, failures, observer);
    loop {
        let states = executor.states(&ids)?;
        watch.at(&states);
        let stopped = stop.is_requested();
        if states.iter().all(JobState::has_ended) {
            watch.sum_up();
            // A signal may have reached the jobs too. Some may have ended because of it before we
            // could cancel them, some without saving.
            let unfinished = |state: &JobState| match state {
                JobState::Resumable | JobState::Cancelled => true,
                JobState::Done => false,
                _ => stopped,
            };
            return Ok((!states.iter().any(unfinished)).then_some(states));
        }
        if stopped {
            executor.cancel(&ids)?;
            watch.stop();
            return Ok(None);
        }
        pause(executor.pace(), stop);
    }
}

/// Sleeps for `pace`, but wakes on a request to stop.
fn pause(pace: Duration, stop: &Stop) {
    let begun = Instant::now();
    while !stop.is_requested() {
        match pace.checked_sub(begun.elapsed()) {
            Some(left) if !left.is_zero() => std::thread::sleep(left.min(ATTENTION)),
            _ => break,
        }
    }
}
