//! Curves: the loss against tokens, point by point.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::finite;
use crate::units::{Nats, Tokens};

/// The phase of a step in the learning-rate schedule.
///
/// Losses of different phases cannot be compared: a decay lowers the loss at the same number of
/// tokens. Laws therefore fit each phase by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The learning rate rises. The point before the first step counts as warm-up too.
    Warmup,
    /// The learning rate stays the same.
    Constant,
    /// The learning rate falls to zero.
    Decay,
}

/// One line of `metrics.jsonl`, in the words of the Hugging Face Trainer.
///
/// ```
/// use ledger::{Phase, Point, Tokens};
/// let point = Point { eval_loss: Some(2.5), ..Point::new(8, Tokens(4096), 0.25, Phase::Constant) };
/// point.validate()?;
/// let line = serde_json::to_string(&point).unwrap();
/// assert_eq!(line, r#"{"step":8,"tokens":4096,"eval_loss":2.5,"epoch":0.25,"phase":"constant"}"#);
/// # Ok::<(), ledger::NotFinite>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Optimiser steps taken; 0 is the state before the first.
    pub step: u64,
    /// Training tokens seen: step x batch x context.
    pub tokens: Tokens,
    /// Training loss of the step, nats per token: what the run's objective minimises.
    #[serde(default, with = "finite::option", skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Held-out loss after the step, nats per token.
    #[serde(default, with = "finite::option", skip_serializing_if = "Option::is_none")]
    pub eval_loss: Option<f64>,
    /// Held-out divergence from the teacher after the step, KL(teacher ‖ model) at temperature 1,
    /// nats per token.
    #[serde(default, with = "finite::option", skip_serializing_if = "Option::is_none")]
    pub eval_kl: Option<f64>,
    /// The learning rate of the step.
    #[serde(default, with = "finite::option", skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// The global norm of the gradient before clipping.
    #[serde(default, with = "finite::option", skip_serializing_if = "Option::is_none")]
    pub grad_norm: Option<f64>,
    /// Passes over the training text so far. regrow's own runs know it; an imported log may not.
    #[serde(default, with = "finite::option", skip_serializing_if = "Option::is_none")]
    pub epoch: Option<f64>,
    /// Training speed. It is not a result: it differs between two runs of the same spec.
    #[serde(default, with = "finite::option", skip_serializing_if = "Option::is_none")]
    pub tokens_per_second: Option<f64>,
    /// The phase of the learning rate. regrow's own runs know it; an imported log may not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// Whether text was seen a second time before this point.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub repeated: bool,
}

/// A measured number that is NaN or infinite, which no file can hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NotFinite {
    /// The step at which it was measured.
    step: u64,
    /// Its name in the file.
    field: &'static str,
    /// The number.
    found: f64,
}

/// Held-out loss at a moment of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeldOut {
    /// Optimiser steps taken.
    pub step: u64,
    /// Training tokens seen.
    pub tokens: Tokens,
    /// Held-out loss.
    pub loss: Nats,
    /// The phase of the learning rate, where it is known.
    pub phase: Option<Phase>,
    /// Whether text was seen a second time before this point.
    pub repeated: bool,
}

/// The held-out points of one run, in the order of their tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    points: Vec<HeldOut>,
}

impl Point {
    /// A point with nothing measured yet; `epoch` counts passes over the training text.
    pub fn new(step: u64, tokens: Tokens, epoch: f64, phase: Phase) -> Self {
        Self { epoch: Some(epoch), phase: Some(phase), ..Self::logged(step, tokens) }
    }

    /// A point of another program's log, with nothing known but its step and tokens.
    pub fn logged(step: u64, tokens: Tokens) -> Self {
        Self {
            step,
            tokens,
            loss: None,
            eval_loss: None,
            eval_kl: None,
            learning_rate: None,
            grad_norm: None,
            epoch: None,
            tokens_per_second: None,
            phase: None,
            repeated: false,
        }
    }

    /// Checks that every number is finite. The error names the first one that is not.
    pub fn validate(&self) -> Result<(), NotFinite> {
        let numbers = [
            ("loss", self.loss),
            ("eval_loss", self.eval_loss),
            ("eval_kl", self.eval_kl),
            ("learning_rate", self.learning_rate),
            ("grad_norm", self.grad_norm),
            ("epoch", self.epoch),
            ("tokens_per_second", self.tokens_per_second),
        ];
        for (field, number) in numbers {
            if let Some(found) = number.filter(|number| !number.is_finite()) {
                return Err(NotFinite { step: self.step, field, found });
            }
        }
        Ok(())
    }
}

impl Curve {
    /// The held-out points among all points of a run.
    pub fn from_points<'a>(points: impl IntoIterator<Item = &'a Point>) -> Self {
        let held_out = |point: &Point| {
            Some(HeldOut {
                step: point.step,
                tokens: point.tokens,
                loss: Nats(point.eval_loss?),
                phase: point.phase,
                repeated: point.repeated,
            })
        };
        let mut points: Vec<_> = points.into_iter().filter_map(held_out).collect();
        // Windows of `gained_after` and `last` rely on this order, whatever order the file had.
        points.sort_by_key(|point| point.tokens);
        Self { points }
    }

    /// The points, in the order of their tokens.
    pub fn points(&self) -> &[HeldOut] {
        &self.points
    }

    /// The point with the most tokens.
    pub fn last(&self) -> Option<&HeldOut> {
        self.points.last()
    }

    /// The point with the least loss; the first of several equal ones.
    pub fn best(&self) -> Option<&HeldOut> {
        self.points.iter().min_by(|a, b| a.loss.0.total_cmp(&b.loss.0))
    }

    /// By how much the loss fell after the first `share` of all tokens, in nats. Between two
    /// points, the loss is interpolated linearly in the logarithm of tokens. The answer is `None`
    /// where no point after the start lies that early.
    ///
    /// ```
    /// use ledger::{Curve, Phase, Point, Tokens};
    /// let point = |tokens, loss| Point { eval_loss: Some(loss), ..Point::new(tokens, Tokens(tokens), 0.0, Phase::Constant) };
    /// let curve = Curve::from_points(&[point(100, 3.0), point(200, 2.5), point(400, 2.25)]);
    /// assert_eq!(curve.gained_after(0.5).unwrap().0, 0.25);
    /// assert!(curve.gained_after(0.2).is_none());
    /// ```
    pub fn gained_after(&self, share: f64) -> Option<Nats> {
        let last = self.last()?;
        let at = share * last.tokens.0 as f64;
        // The point before training has 0 tokens, and 0 has no logarithm.
        let trained: Vec<&HeldOut> =
            self.points.iter().filter(|point| point.tokens.0 > 0).collect();
        let pair = trained
            .windows(2)
            .find(|pair| pair[0].tokens.0 as f64 <= at && at <= pair[1].tokens.0 as f64)?;
        let [x, y] = [pair[0], pair[1]].map(|point| (point.tokens.0 as f64).ln());
        // Two points with equal tokens would divide by zero; the later one then counts.
        let along = if x < y { (at.ln() - x) / (y - x) } else { 1.0 };
        let loss = pair[0].loss.0 + along * (pair[1].loss.0 - pair[0].loss.0);
        Some(Nats(loss - last.loss.0))
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Warmup => "warmup",
            Self::Constant => "constant",
            Self::Decay => "decay",
        })
    }
}

impl fmt::Display for NotFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is {} at step {}, expected a finite number",
            self.field, self.found, self.step
        )
    }
}

impl std::error::Error for NotFinite {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn held_out(step: u64, loss: f64) -> Point {
        Point {
            eval_loss: Some(loss),
            ..Point::new(step, Tokens(step * 512), 0.0, Phase::Constant)
        }
    }

    type Set = fn(&mut Point, f64);

    /// Every number of a point: each must be refused when it is not finite.
    const NUMBERS: [(&str, Set); 7] = [
        ("loss", |point, x| point.loss = Some(x)),
        ("eval_loss", |point, x| point.eval_loss = Some(x)),
        ("eval_kl", |point, x| point.eval_kl = Some(x)),
        ("learning_rate", |point, x| point.learning_rate = Some(x)),
        ("grad_norm", |point, x| point.grad_norm = Some(x)),
        ("epoch", |point, x| point.epoch = Some(x)),
        ("tokens_per_second", |point, x| point.tokens_per_second = Some(x)),
    ];

    #[test]
    fn a_number_that_is_not_finite_is_named_and_never_written() {
        for (field, set) in NUMBERS {
            for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let mut point = held_out(3, 2.0);
                set(&mut point, bad);
                assert_eq!(point.validate().unwrap_err().field, field);
                // JSON has no NaN: `serde_json` alone would write `null`, and the number would be
                // lost.
                assert!(serde_json::to_string(&point).is_err(), "{field}");
            }
        }
        let error = Point { loss: Some(f64::NAN), ..held_out(3, 2.0) }.validate().unwrap_err();
        assert_eq!(error.to_string(), "`loss` is NaN at step 3, expected a finite number");
    }

    #[test]
    fn a_null_number_is_read_as_missing() {
        let line = r#"{"step":1,"tokens":2,"loss":null,"epoch":0.5,"phase":"decay"}"#;
        assert_eq!(serde_json::from_str::<Point>(line).unwrap().loss, None);
        let bare = serde_json::from_str::<Point>(r#"{"step":1,"tokens":2}"#).unwrap();
        assert_eq!(bare, Point::logged(1, Tokens(2)));
        assert!(serde_json::from_str::<Point>(&line.replace("decay", "rise")).is_err());
    }

    #[test]
    fn a_curve_holds_the_held_out_points_in_order() {
        let train = Point { loss: Some(1.0), ..Point::new(5, Tokens(2560), 0.0, Phase::Constant) };
        let points =
            [held_out(4, 2.0), train, held_out(0, 9.0), held_out(8, 2.5), held_out(6, 2.0)];
        let curve = Curve::from_points(&points);
        assert_eq!(curve.points().iter().map(|point| point.step).collect::<Vec<_>>(), [0, 4, 6, 8]);
        assert_eq!(curve.last().unwrap().step, 8);
        assert_eq!(curve.best().unwrap().step, 4);
        assert_eq!(Curve::from_points([]).best(), None);
    }

    proptest! {
        #[test]
        fn a_line_is_read_back_bit_for_bit(
            step in any::<u64>(), numbers in any::<[f64; 7]>(), known in any::<[bool; 7]>(), repeated in any::<bool>(),
        ) {
            let mut point = Point { repeated, ..Point::new(step, Tokens(step / 2), 0.0, Phase::Warmup) };
            for (i, (_, set)) in NUMBERS.iter().enumerate() {
                if known[i] && numbers[i].is_finite() {
                    set(&mut point, numbers[i]);
                }
            }
            let line = serde_json::to_string(&point).unwrap();
            prop_assert!(!line.contains("null") && !line.contains('\n'));
            prop_assert_eq!(serde_json::from_str::<Point>(&line).unwrap(), point);
        }
    }
}
