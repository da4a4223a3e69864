//! A number with its interval.

use serde::{Deserialize, Serialize};

/// A number with its interval. Unknown values are left out.
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
    /// Multiplies the number and both ends by a positive factor.
    pub(super) fn times(&self, factor: f64) -> Self {
        let times = |x: f64| x * factor;
        // An infinite product is dropped, because JSON cannot hold it.
        Self {
            value: self.value.map(times).filter(|x| x.is_finite()),
            interval: self
                .interval
                .map(|ends| ends.map(times))
                .filter(|ends| ends.iter().all(|x| x.is_finite())),
        }
    }
}
