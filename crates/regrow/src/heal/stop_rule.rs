//! Rules by which a run ends before its tokens are used up.

use std::fmt;
use std::str::FromStr;

use law::forecast::{Advice, Measured, Prior, Question, SURE, forecast};
use ledger::{Point, RunSpec};

use crate::error::{Error, ErrorKind, Result};

/// When a run has had enough, judged after each held-out evaluation from its own points.
///
/// ```
/// use regrow::heal::StopRule;
/// let rule: StopRule = "doubling-gain<0.005".parse()?;
/// assert_eq!(rule, StopRule::DoublingGain(0.005));
/// assert_eq!(rule.to_string(), "doubling-gain<0.005");
/// assert_eq!("loss < 2.45".parse::<StopRule>()?, StopRule::Loss(2.45));
/// # Ok::<(), regrow::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum StopRule {
    /// Doubling the tokens would lower the held-out loss by less than this many nats.
    DoublingGain(f64),
    /// The held-out loss is this or less, nats per token.
    Loss(f64),
}

impl StopRule {
    /// Why a run ends after these points, if it does: the rule holds with a probability of at least
    /// [`SURE`], or the held-out loss rises. The same points always give the same answer.
    pub(super) fn reason(self, points: &[Point], spec: &RunSpec) -> law::Result<Option<String>> {
        let run = Measured::new(points).planned(Some(spec.tokens.0 as f64));
        let question = match self {
            Self::DoublingGain(nats) => Question::default().gain(nats),
            Self::Loss(nats) => Question::default().target(Some(nats)),
        };
        let found = forecast(&run, Prior::Weak, &question)?;
        if let Some(target) = found.target() {
            // A target that will be missed is no reason: the rule waits until it is reached.
            let is_reached = target.chance_now() >= SURE;
            return Ok(
                is_reached.then(|| format!("the target of {} nats is reached", target.loss()))
            );
        }
        let (advice, said) = (found.advice(), found.sentence());
        let reason = said.strip_prefix(&format!("{advice}: ")).unwrap_or(said);
        Ok((advice == Advice::StopNow).then(|| reason.to_owned()))
    }
}

impl FromStr for StopRule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refuse = |expected: &str| {
            let message = format!("`stop_when` is `{text}`, expected {expected}");
            Error::new(ErrorKind::Usage, message).about("stop_when")
        };
        let expected = "`doubling-gain<NATS` or `loss<NATS`, for example `doubling-gain<0.005`";
        let (name, number) = text.split_once('<').ok_or_else(|| refuse(expected))?;
        let rule = match name.trim() {
            "doubling-gain" => Self::DoublingGain,
            "loss" => Self::Loss,
            _ => return Err(refuse(expected)),
        };
        let nats = number.trim().parse().ok().filter(|nats: &f64| nats.is_finite() && *nats > 0.0);
        nats.map(rule).ok_or_else(|| {
            refuse("a positive number of nats after `<`, for example `doubling-gain<0.005`")
        })
    }
}

impl fmt::Display for StopRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DoublingGain(nats) => write!(f, "doubling-gain<{nats}"),
            Self::Loss(nats) => write!(f, "loss<{nats}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use ledger::testing::run_spec;
    use ledger::{Phase, Tokens};

    use super::*;

    /// A run whose loss falls by a power of the tokens, to a floor; twice the tokens a point.
    fn falling(count: u64) -> Vec<Point> {
        let tokens = |i: u64| 100_000 * (1 << i);
        let loss = |tokens: u64| 2.0 + 30.0 * (tokens as f64).powf(-0.3);
        (1..=count).map(|i| point(i, tokens(i), loss(tokens(i)))).collect()
    }

    /// A point with a training loss that falls.
    fn point(i: u64, tokens: u64, loss: f64) -> Point {
        Point {
            eval_loss: Some(loss),
            loss: Some(3.0 - 0.1 * i as f64),
            ..Point::new(i, Tokens(tokens), 0.0, Phase::Constant)
        }
    }

    fn reason(rule: StopRule, points: &[Point]) -> Option<String> {
        rule.reason(points, &run_spec()).unwrap()
    }

    #[test]
    fn a_run_ends_once_a_doubling_buys_too_little_and_not_before() {
        let ends = |count| reason(StopRule::DoublingGain(0.01), &falling(count));
        let first = (1..=18).find(|&count| ends(count).is_some()).unwrap();
        // The true gain of a doubling falls below 0.01 nats between points 13 and 14.
        assert!((13..=16).contains(&first), "{first}");
        let said = ends(first).unwrap();
        assert!(said.starts_with("twice the tokens buy 0.0"), "{said}");
        assert!(said.contains("less than 0.01 with a probability of "), "{said}");
        assert_eq!(ends(first), ends(first));
        assert_eq!(reason(StopRule::DoublingGain(1e-6), &falling(16)), None);
    }

    #[test]
    fn a_loss_ends_a_run_once_it_is_reached_and_not_when_it_is_out_of_reach() {
        let ends = |nats, count| reason(StopRule::Loss(nats), &falling(count));
        let reached = falling(8)[7].eval_loss.unwrap() + 0.02;
        assert_eq!(ends(reached, 8).unwrap(), format!("the target of {reached} nats is reached"));
        assert_eq!((ends(reached, 5), ends(1.0, 16)), (None, None));
    }

    #[test]
    fn a_loss_that_rises_ends_a_run_by_any_rule_and_the_reason_says_so() {
        let losses = [3.0, 2.8, 2.7, 2.65, 2.66, 2.69, 2.73, 2.78];
        let rises: Vec<Point> =
            (1..).zip(losses).map(|(i, loss)| point(i, 100_000 * i, loss)).collect();
        for rule in [StopRule::DoublingGain(1e-6), StopRule::Loss(1.0)] {
            assert_eq!(reason(rule, &rises[..4]), None);
            let said = reason(rule, &rises).unwrap();
            assert!(said.ends_with("the run learns its text by heart"), "{said}");
        }
    }

    #[test]
    fn two_points_say_nothing() {
        assert_eq!(reason(StopRule::DoublingGain(10.0), &falling(2)), None);
        assert_eq!(reason(StopRule::Loss(10.0), &[]), None);
    }

    #[test]
    fn a_rule_that_is_none_says_what_was_found_and_expected() {
        for text in ["", "0.005", "gain<0.005", "doubling-gain>0.005", "loss"] {
            let said = text.parse::<StopRule>().unwrap_err().to_string();
            let found = format!("`stop_when` is `{text}`, expected `doubling-gain<NATS` or ");
            assert!(said.starts_with(&found), "{said}");
        }
        for text in ["loss<", "loss<0", "loss<-1", "loss<nan", "doubling-gain<inf", "loss<2 nats"] {
            let said = text.parse::<StopRule>().unwrap_err().to_string();
            let found = format!("`stop_when` is `{text}`, expected a positive number of nats");
            assert!(said.starts_with(&found), "{said}");
        }
    }
}
