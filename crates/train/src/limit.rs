//! When a run with a time limit must stop, so that its checkpoint is complete before the time is
//! over.

use std::time::{Duration, Instant};

/// Assumed speed of the disk in bytes per second, until the first checkpoint is measured.
const DISK: f64 = 50e6;

/// Safety factor on the time of a checkpoint. The next one may take half as long again as the
/// longest so far, because other jobs write to the same disk.
const ROOM: f64 = 1.5;

/// Time that the process needs to notice the limit and to exit.
const REST: Duration = Duration::from_millis(300);

/// The end of the time, and the longest duration so far of a step, an evaluation and a save.
#[derive(Debug)]
pub(crate) struct Limit {
    end: Option<Instant>,
    step: Duration,
    evaluation: Duration,
    /// What comes after an evaluation: whether the run goes on.
    answer: Duration,
    save: Duration,
    measured: bool,
}

impl Limit {
    /// For a model of `weights` numbers.
    pub(crate) fn new(end: Option<Instant>, weights: usize) -> Self {
        // 12 bytes per weight: the weight and two moments, each an f32.
        let save = Duration::from_secs_f64(12.0 * weights as f64 / DISK);
        let [step, evaluation, answer] = [Duration::ZERO; 3];
        Self { end, step, evaluation, answer, save, measured: false }
    }

    /// Whether another step, its evaluation and a checkpoint may take longer than the time that is
    /// left.
    pub(crate) fn is_reached(&self, evaluates: bool) -> bool {
        self.end.is_some_and(|end| Instant::now() + self.needs(evaluates) > end)
    }

    fn needs(&self, evaluates: bool) -> Duration {
        let evaluation = if evaluates { self.evaluation + self.answer } else { Duration::ZERO };
        self.step + evaluation + self.save.mul_f64(ROOM) + REST
    }

    /// Whether to write a checkpoint only to measure how long it takes.
    pub(crate) fn wants_a_save(&self) -> bool {
        self.end.is_some() && !self.measured
    }

    pub(crate) fn stepped(&mut self, took: Duration) {
        self.step = self.step.max(took);
    }

    pub(crate) fn evaluated(&mut self, took: Duration) {
        self.evaluation = self.evaluation.max(took);
    }

    pub(crate) fn answered(&mut self, took: Duration) {
        self.answer = self.answer.max(took);
    }

    pub(crate) fn saved(&mut self, took: Duration) {
        // The first measurement replaces the guess, even if it is smaller.
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
        limit.evaluated(seconds(35));
        limit.answered(seconds(5));
        assert!(limit.is_reached(true) && !limit.is_reached(false));
    }

    #[test]
    fn without_a_limit_nothing_is_reached_or_wanted() {
        let mut limit = Limit::new(None, 1 << 40);
        limit.stepped(Duration::from_secs(1 << 40));
        assert!(!limit.is_reached(true) && !limit.wants_a_save());
    }
}
