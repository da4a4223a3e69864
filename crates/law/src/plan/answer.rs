//! A number with everything that must be read with it.

use serde::{Deserialize, Serialize};

use super::cost::Spend;
use crate::code::Code;
use crate::prediction::Outside;

/// A number, its uncertainty and the reasons for doubt. Unknown values are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) interval: Option<[f64; 2]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) new_run: Option<[f64; 2]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hull: Option<[f64; 2]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cost: Option<Spend>,
    pub(crate) code: Vec<Code>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) outside: Vec<Outside>,
    pub(crate) sentence: String,
}

impl Answer {
    /// The number.
    pub fn value(&self) -> Option<f64> {
        self.value
    }

    /// The interval of the number, from the law's mean curve.
    pub fn interval(&self) -> Option<[f64; 2]> {
        self.interval
    }

    /// The interval for a new run, if the question is when a run reaches a loss.
    pub fn new_run(&self) -> Option<[f64; 2]> {
        self.new_run
    }

    /// The range of the laws that the data cannot tell apart.
    pub fn hull(&self) -> Option<[f64; 2]> {
        self.hull
    }

    /// The cost of the number and of both ends of its interval.
    pub fn cost(&self) -> Option<Spend> {
        self.cost
    }

    /// The reasons for doubt.
    pub fn code(&self) -> &[Code] {
        &self.code
    }

    /// The axes along which the place or the number lies outside the data.
    pub fn outside(&self) -> &[Outside] {
        &self.outside
    }

    /// The same as a sentence.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    /// Whether two answers agree except for the last digits: number, intervals and codes.
    pub fn is_same_as(&self, other: &Self) -> bool {
        // Six digits: a calculation from another loss rounds differently, and a search stops
        // elsewhere.
        let near = |a: f64, b: f64| a == b || (a - b).abs() < 1e-6 * a.abs().max(b.abs());
        let ends = |a: Option<[f64; 2]>, b: Option<[f64; 2]>| match (a, b) {
            (Some(a), Some(b)) => near(a[0], b[0]) && near(a[1], b[1]),
            (None, None) => true,
            _ => false,
        };
        let value = match (self.value, other.value) {
            (Some(a), Some(b)) => near(a, b),
            (None, None) => true,
            _ => false,
        };
        let intervals = [
            (self.interval, other.interval),
            (self.new_run, other.new_run),
            (self.hull, other.hull),
        ];
        value && intervals.into_iter().all(|(a, b)| ends(a, b)) && self.code == other.code
    }
}

impl Answer {
    /// Whether there is a number, or certainty that none exists.
    ///
    /// ```
    /// let below = r#"{"code": ["below-floor"], "sentence": "the target is below the floor"}"#;
    /// let below: law::Answer = serde_json::from_str(below).unwrap();
    /// assert!(below.is_told() && !law::Answer::default().is_told());
    /// ```
    pub fn is_told(&self) -> bool {
        self.value.is_some() || self.code.contains(&Code::BelowFloor)
    }

    /// Writes the sentence: the question, the answer and the caveats.
    pub(super) fn say(&mut self, what: &str, caveats: &[String], show: impl Fn(f64) -> String) {
        let answer = match (self.value, self.interval, self.hull) {
            (Some(x), Some([low, high]), _) => {
                format!("{}, between {} and {}", show(x), show(low), show(high))
            }
            (Some(x), None, _) => show(x),
            (None, Some([low, high]), _) | (None, None, Some([low, high])) => {
                format!("anything from {} to {}", show(low), show(high))
            }
            (None, None, None) => "the data cannot tell".to_owned(),
        };
        self.sentence = [format!("{what}: {answer}")]
            .iter()
            .chain(caveats)
            .cloned()
            .collect::<Vec<_>>()
            .join("; ");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_the_same_but_for_their_last_digits() {
        let answer =
            Answer { value: Some(1e6), interval: Some([5e5, f64::INFINITY]), ..Answer::default() };
        let near = Answer { value: Some(1e6 + 0.5), ..answer.clone() };
        assert!(answer.is_same_as(&near) && answer.is_same_as(&answer));
        for other in [
            Answer { value: Some(1.01e6), ..answer.clone() },
            Answer { value: None, ..answer.clone() },
            Answer { interval: Some([5e5, 9e6]), ..answer.clone() },
            Answer { hull: Some([1.0, 2.0]), ..answer.clone() },
            Answer { code: vec![Code::Extrapolation], ..answer.clone() },
        ] {
            assert!(!answer.is_same_as(&other), "{other:?}");
        }
    }
}
