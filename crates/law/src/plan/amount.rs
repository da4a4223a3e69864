//! A number with its interval.

use serde::{Deserialize, Serialize};

/// A number with its interval. What is unknown is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Amount {
    /// The number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Its interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
}

impl Amount {
    /// Both ends and the middle times a positive number.
    pub(super) fn times(&self, factor: f64) -> Self {
        let times = |x: f64| x * factor;
        // What is beyond all numbers is not told: a file could not hold it.
        Self {
            value: self.value.map(times).filter(|x| x.is_finite()),
            interval: self
                .interval
                .map(|ends| ends.map(times))
                .filter(|ends| ends.iter().all(|x| x.is_finite())),
        }
    }
}
