//! Reports the progress of a sweep: tokens, running jobs, and failures as soon as they happen.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::plan::{SweepJob, SweepPlan};
use crate::executor::JobState;
use crate::observer::{Event, Observer};

/// How many bytes at the end of a curve are read; no line is longer.
const TAIL: u64 = 4096;

/// Who reports that a job has failed. Each failure is told once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failures {
    /// The watch, as soon as it happens.
    Warn,
    /// The caller, whose error it becomes.
    Leave,
}

/// Reports the progress of a sweep to an observer.
pub(super) struct SweepWatch<'a> {
    plan: &'a SweepPlan,
    failures: Failures,
    observer: &'a mut dyn Observer,
    begun: Instant,
    /// Work that was already done at the start.
    before: Option<f64>,
    seen: Vec<JobState>,
}

impl<'a> SweepWatch<'a> {
    pub(super) fn new(
        plan: &'a SweepPlan,
        failures: Failures,
        observer: &'a mut dyn Observer,
    ) -> Self {
        let tokens = plan.jobs.iter().map(SweepJob::tokens).sum();
        observer.hear(&Event::Begun { stage: "sweep", total: tokens, unit: "tokens", done: 0 });
        let seen = vec![JobState::Waiting; plan.jobs.len()];
        Self { plan, failures, observer, begun: Instant::now(), before: None, seen }
    }

    /// Reports the current states of the jobs.
    pub(super) fn at(&mut self, states: &[JobState]) {
        let (mut tokens, mut work, mut all, mut ended) = (0, 0.0, 0.0, 0);
        let mut working = Vec::new();
        for ((job, state), seen) in self.plan.jobs.iter().zip(states).zip(&mut self.seen) {
            let name = job.job.name();
            if let (JobState::Failed { why }, false, Failures::Warn) =
                (state, seen.has_ended(), self.failures)
            {
                self.observer.hear(&Event::Warning(&format!("`{name}` failed: {why}")));
            }
            seen.clone_from(state);
            ended += usize::from(state.has_ended());
            let of = job.tokens();
            let share = match state {
                // A running job reports no progress by itself; its curve on disk does.
                JobState::Running if of > 0 => {
                    let share = tokens_seen(job.job.folder()).min(of) as f64 / of as f64;
                    working.push(format!("{name} {:.0} %", 100.0 * share));
                    share
                }
                JobState::Running => {
                    working.push(name.to_owned());
                    0.0
                }
                JobState::Waiting => 0.0,
                _ => 1.0,
            };
            tokens += (share * of as f64) as u64;
            // Time follows cost, not tokens: a token of a large model takes longer.
            (work, all) = (work + share * job.cost(), all + job.cost());
        }
        // A resumed sweep did not spend our time on its earlier work, so that work must not enter
        // the speed.
        let before = *self.before.get_or_insert(work);
        let left = (work > before).then(|| {
            let seconds = self.begun.elapsed().as_secs_f64() * (all - work) / (work - before);
            Duration::from_secs_f64(seconds.max(0.0))
        });
        self.observer.hear(&Event::Jobs {
            tokens,
            ended,
            jobs: states.len(),
            left,
            working: &working,
        });
    }

    /// Reports that the jobs were stopped before all had ended.
    pub(super) fn stop(self) {
        self.observer.hear(&Event::Ended);
    }

    /// Reports the result, once all jobs have ended.
    pub(super) fn sum_up(self) {
        let Self { observer, seen, plan, .. } = self;
        observer.hear(&Event::Ended);
        for (job, state) in plan.jobs.iter().zip(&seen) {
            let name = job.job.name();
            let warning = match state {
                // A failure was reported when it happened.
                JobState::Skipped { because } => {
                    format!("`{name}` was skipped, it needs `{because}`")
                }
                JobState::Resumable => format!("`{name}` was stopped, and has saved"),
                _ => continue,
            };
            observer.hear(&Event::Warning(&warning));
        }
    }
}

/// Tokens that a run has trained on, from the last complete line of its curve.
fn tokens_seen(folder: &Path) -> u64 {
    #[derive(Deserialize)]
    struct CurveLine {
        tokens: u64,
    }
    let read = || -> Option<u64> {
        let mut file = File::open(folder.join("metrics.jsonl")).ok()?;
        let length = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
        let mut tail = Vec::new();
        file.take(TAIL).read_to_end(&mut tail).ok()?;
        let whole = &tail[..tail.iter().rposition(|&byte| byte == b'\n')?];
        let last = whole.rsplit(|&byte| byte == b'\n').next()?;
        Some(serde_json::from_slice::<CurveLine>(last).ok()?.tokens)
    };
    read().unwrap_or(0)
}
