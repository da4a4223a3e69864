//! When a run whose time is limited must stop, so that a checkpoint is in place before the time is
//! over.

use std::time::{Duration, Instant};

/// What is taken for the speed of a disk until a checkpoint was measured, in bytes a second.
const DISK: f64 = 50e6;

/// A checkpoint takes as long as the longest so far, and may take half as long again: other jobs
/// write too.
const ROOM: f64 = 1.5;

/// What the process needs beside, to begin to stop and to end.
const REST: Duration = Duration::from_millis(300);

/// A moment, and how long things take: the longest of each so far.
#[derive(Debug)]
pub(crate) struct Limit {
    end: Option<Instant>,
    step: Duration,
    evaluation: Duration,
    save: Duration,
    measured: bool,
}

impl Limit {
    /// For a model of so many weights.
    pub(crate) fn new(end: Option<Instant>, weights: usize) -> Self {
        // Weights and two moments.
        let save = Duration::from_secs_f64(12.0 * weights as f64 / DISK);
        let (step, evaluation) = (Duration::ZERO, Duration::ZERO);
        Self { end, step, evaluation, save, measured: false }
    }

    /// Whether another step, the evaluation after it and a checkpoint might not fit.
    pub(crate) fn is_reached(&self, evaluates: bool) -> bool {
        self.end.is_some_and(|end| Instant::now() + self.needs(evaluates) > end)
    }

    fn needs(&self, evaluates: bool) -> Duration {
        let evaluation = if evaluates { self.evaluation } else { Duration::ZERO };
        self.step + evaluation + self.save.mul_f64(ROOM) + REST
    }

    /// Whether a checkpoint should be written to see how long it takes.
    pub(crate) fn wants_a_save(&self) -> bool {
        self.end.is_some() && !self.measured
    }

    pub(crate) fn stepped(&mut self, took: Duration) {
        self.step = self.step.max(took);
    }

    pub(crate) fn evaluated(&mut self, took: Duration) {
        self.evaluation = self.evaluation.max(took);
    }

    pub(crate) fn saved(&mut self, took: Duration) {
        self.save = if self.measured { self.save.max(took) } else { took };
        self.measured = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_takes_the_place_of_what_was_assumed() {
        let seconds = Duration::from_secs;
        let mut limit = Limit::new(Some(Instant::now() + seconds(60)), 50_000_000);
        assert!(limit.wants_a_save());
        assert_eq!(limit.needs(true), seconds(18) + REST);
        limit.saved(seconds(2));
        limit.stepped(seconds(10));
        limit.evaluated(seconds(20));
        assert!(!limit.wants_a_save());
        assert_eq!(
            (limit.needs(false), limit.needs(true)),
            (seconds(13) + REST, seconds(33) + REST)
        );
        // The longest counts.
        limit.saved(seconds(8));
        limit.saved(seconds(1));
        assert_eq!(limit.needs(false), seconds(22) + REST);
        assert!(!limit.is_reached(true));
        limit.evaluated(seconds(40));
        assert!(limit.is_reached(true) && !limit.is_reached(false));
    }

    #[test]
    fn without_a_limit_nothing_is_reached_or_wanted() {
        let mut limit = Limit::new(None, 1 << 40);
        limit.stepped(Duration::from_secs(1 << 40));
        assert!(!limit.is_reached(true) && !limit.wants_a_save());
    }
}
