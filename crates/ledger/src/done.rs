//! How a run ended.

use serde::{Deserialize, Serialize};

use crate::count::grouped;
use crate::curve::Curve;
use crate::finite;
use crate::format::Format;
use crate::record::RunRecord;
use crate::sha256::Sha256;
use crate::spec::RunSpec;
use crate::units::{Nats, Tokens};

/// The contents of `done.json`. The file is written last, so a run is done exactly when it exists.
/// Its losses come from the run's curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    format: Format<1>,
    steps: u64,
    tokens: Tokens,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    loss_pruned: Option<Nats>,
    eval_loss: Nats,
    best_eval_loss: Nats,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_quarter: Option<Nats>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_doubling: Option<Nats>,
    #[serde(with = "finite")]
    seconds: f64,
    #[serde(with = "finite")]
    tokens_per_second: f64,
    weights: String,
    /// Held-out loss of the model as it was written, where that is not in f32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    written_loss: Option<Nats>,
    /// SHA-256 of `metrics.jsonl`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    curve: Option<String>,
    /// Why the run ended before the tokens of its spec, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_early: Option<EarlyEnd>,
}

/// Why a run ended before the tokens of its spec: a rule said so after a held-out evaluation.
///
/// The rule is no part of the spec. Up to this point, the weights and the training losses are those
/// of the run without a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlyEnd {
    /// The rule, for example `doubling-gain<0.005`.
    pub rule: String,
    /// What it found, as a sentence.
    pub reason: String,
    /// Training tokens seen by then.
    pub tokens: Tokens,
}

impl Done {
    /// The format that this version writes and reads.
    pub const FORMAT: Format<1> = Format;

    /// The end of a run: its steps and tokens, its training time in seconds, and the SHA-256 of its
    /// final weights. The answer is `None` where the curve has no held-out point.
    pub fn of(
        record: &RunRecord,
        curve: &Curve,
        (steps, tokens): (u64, Tokens),
        seconds: f64,
        weights: String,
    ) -> Option<Self> {
        let last = curve.last()?;
        Some(Self {
            format: Format,
            steps,
            tokens,
            loss_pruned: record.loss_pruned(curve),
            eval_loss: last.loss,
            // A curve with a last point also has a best one; `last` is only a fallback for the
            // type.
            best_eval_loss: curve.best().unwrap_or(last).loss,
            // Shares of the tokens: the last quarter begins at 3/4, and the last doubling at 1/2.
            last_quarter: curve.gained_after(0.75),
            last_doubling: curve.gained_after(0.5),
            seconds,
            // A run of no measurable length must not write an infinite speed: JSON cannot hold it.
            tokens_per_second: tokens.0 as f64 / seconds.max(1e-9),
            weights,
            written_loss: None,
            curve: None,
            ended_early: None,
        })
    }

    /// Sets the held-out loss of the model as it was written. It differs from that of the weights
    /// that were trained where a number format of fewer digits rounds them.
    pub fn with_written_loss(self, loss: Nats) -> Self {
        Self { written_loss: Some(loss), ..self }
    }

    /// Sets the SHA-256 of the file that holds the curve.
    pub fn with_curve(self, hash: Sha256) -> Self {
        Self { curve: Some(hash.to_string()), ..self }
    }

    /// Says that a rule ended the run before the tokens of its spec.
    pub fn with_early_end(self, end: EarlyEnd) -> Self {
        Self { ended_early: Some(end), ..self }
    }

    /// Why the run ended before the tokens of its spec; `None` where it saw all of them.
    pub fn ended_early(&self) -> Option<&EarlyEnd> {
        self.ended_early.as_ref()
    }

    /// Where the end of a run from a file contradicts its spec or itself.
    pub fn contradiction(&self, spec: &RunSpec) -> Option<String> {
        let [found, planned] = [self.tokens, spec.tokens].map(|tokens| grouped(tokens.0));
        let is_short = self.tokens < spec.tokens;
        match &self.ended_early {
            Some(end) if end.tokens != self.tokens => Some(format!(
                "`ended_early` is after {} tokens, expected {found} as in `tokens`",
                grouped(end.tokens.0)
            )),
            Some(_) if !is_short => {
                Some(format!("it ended early after {found} tokens, and its spec has {planned}"))
            }
            None if is_short => Some(format!(
                "it ended after {found} tokens, expected {planned} as in its spec, or `ended_early`"
            )),
            Some(_) | None => None,
        }
    }

    /// The SHA-256 of the file that holds the curve; unknown in older runs.
    pub fn curve(&self) -> Option<&str> {
        self.curve.as_deref()
    }

    /// Held-out loss of the model as it was written, where that is not in f32.
    pub fn written_loss(&self) -> Option<Nats> {
        self.written_loss
    }

    /// SHA-256 of the final weights.
    pub fn weights(&self) -> &str {
        &self.weights
    }

    /// Optimiser steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Training tokens seen.
    pub fn tokens(&self) -> Tokens {
        self.tokens
    }

    /// Held-out loss of the freshly pruned model, before the first step; `None` for an unpruned
    /// one.
    pub fn loss_pruned(&self) -> Option<Nats> {
        self.loss_pruned
    }

    /// Held-out loss after the last step.
    pub fn eval_loss(&self) -> Nats {
        self.eval_loss
    }

    /// The least held-out loss of the whole curve.
    pub fn best_eval_loss(&self) -> Nats {
        self.best_eval_loss
    }

    /// By how much the held-out loss fell in the last quarter of the tokens. Unknown where no point
    /// lies before that quarter.
    pub fn last_quarter(&self) -> Option<Nats> {
        self.last_quarter
    }

    /// By how much the held-out loss fell in the last doubling of the tokens, that is, their second
    /// half.
    pub fn last_doubling(&self) -> Option<Nats> {
        self.last_doubling
    }

    /// Training tokens per second, without the time of held-out evaluation.
    pub fn tokens_per_second(&self) -> f64 {
        self.tokens_per_second
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curve::{Phase, Point};
    use crate::testing::{run_record, run_spec};

    fn curve() -> Curve {
        let losses = [4.5, 2.5, 1.75, 2.0];
        let points = losses.iter().zip([0, 1, 2, 4]).map(|(&loss, step)| Point {
            eval_loss: Some(loss),
            ..Point::new(step, Tokens(step * 512), 0.0, Phase::Constant)
        });
        Curve::from_points(&points.collect::<Vec<_>>())
    }

    fn done(record: &RunRecord, seconds: f64) -> Done {
        Done::of(record, &curve(), (4, Tokens(2048)), seconds, "e".into()).unwrap()
    }

    #[test]
    fn the_end_of_a_run_is_read_from_its_curve() {
        let done = done(&run_record(), 1.0);
        assert_eq!((done.loss_pruned(), done.eval_loss()), (Some(Nats(4.5)), Nats(2.0)));
        assert_eq!((done.best_eval_loss(), done.tokens_per_second()), (Nats(1.75), 2048.0));
        // The loss rose from 1.75 to 2.0 in the second half.
        assert_eq!(done.last_doubling(), Some(Nats(-0.25)));
        let none = Done::of(&run_record(), &Curve::default(), (0, Tokens(0)), 1.0, "e".into());
        assert_eq!(none, None);
    }

    #[test]
    fn a_model_that_was_not_pruned_has_no_loss_of_the_pruned_one() {
        let spec = crate::RunSpec { method: "none".into(), ..run_spec() };
        let provenance = crate::testing::provenance();
        let control = RunRecord::of(&spec, crate::Params(9), crate::Params(9), provenance);
        assert_eq!(done(&control, 1.0).loss_pruned(), None);
    }

    #[test]
    fn an_end_before_the_tokens_of_the_spec_needs_a_reason() {
        let spec = |tokens: u64| RunSpec { tokens: Tokens(tokens), ..run_spec() };
        let (done, end) = (done(&run_record(), 1.0), |tokens: u64| EarlyEnd {
            rule: "doubling-gain<0.005".into(),
            reason: "twice the tokens buy little".into(),
            tokens: Tokens(tokens),
        });
        // The last step may reach beyond the tokens that were asked for.
        assert_eq!(done.contradiction(&spec(2048)).or(done.contradiction(&spec(2000))), None);
        let said = |done: &Done, tokens| done.contradiction(&spec(tokens)).unwrap();
        assert!(said(&done, 4096).contains("after 2,048 tokens, expected 4,096 as in its spec"));
        let early = done.clone().with_early_end(end(2048));
        assert_eq!(early.contradiction(&spec(4096)), None);
        assert!(said(&early, 2048).contains("it ended early after 2,048 tokens"));
        assert!(said(&done.with_early_end(end(1024)), 4096).contains("is after 1,024 tokens"));
        let text = serde_json::to_string(&early).unwrap();
        assert_eq!(serde_json::from_str::<Done>(&text).unwrap(), early);
    }

    #[test]
    fn a_file_keeps_it_and_holds_no_number_that_is_not_finite() {
        let done = done(&run_record(), 1.5);
        let text = serde_json::to_string(&done).unwrap();
        assert_eq!(serde_json::from_str::<Done>(&text).unwrap(), done);
        // As older versions wrote it.
        assert!(!text.contains("ended_early") && done.ended_early().is_none(), "{text}");
        assert!(serde_json::from_str::<Done>(&text.replace(":1,", ":2,")).is_err());
        assert!(serde_json::to_string(&Done { seconds: f64::NAN, ..done.clone() }).is_err());
        assert!(serde_json::to_string(&Done { eval_loss: Nats(f64::INFINITY), ..done }).is_err());
    }
}
