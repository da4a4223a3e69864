//! A number with its interval.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::finite;

/// A value, and the interval that contains the true value with a stated probability.
///
/// ```
/// use ledger::Estimate;
/// let estimate = Estimate { value: 0.41, interval: Some([0.35, 0.47]), level: Some(0.9) };
/// assert_eq!(serde_json::to_string(&estimate).unwrap(), r#"{"value":0.41,"interval":[0.35,0.47],"level":0.9}"#);
/// assert!(serde_json::from_str::<Estimate>(r#"{"value":1.0,"interval":[2.0,1.0]}"#).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The value.
    #[serde(with = "finite")]
    pub value: f64,
    /// Lower and upper end; `None` where no interval was computed.
    #[serde(default, with = "interval", skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// The probability that the interval was made for, between 0 and 1.
    #[serde(default, with = "finite::option", skip_serializing_if = "Option::is_none")]
    pub level: Option<f64>,
}

impl Estimate {
    /// A value without an interval.
    pub fn bare(value: f64) -> Self {
        Self { value, interval: None, level: None }
    }
}

/// Checks on reading and on writing that both ends are finite and that the lower comes first.
mod interval {
    use super::{Deserialize, Deserializer, Serialize, Serializer};
    use serde::de::Error as _;
    use serde::ser::Error as _;

    const EXPECTED: &str = "an interval needs two finite ends, the lower first";

    pub(super) fn serialize<S: Serializer>(
        ends: &Option<[f64; 2]>,
        out: S,
    ) -> Result<S::Ok, S::Error> {
        match ends {
            Some(ends) if !ascend(ends) => Err(S::Error::custom(EXPECTED)),
            ends => ends.serialize(out),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<[f64; 2]>, D::Error> {
        match Option::<[f64; 2]>::deserialize(from)? {
            Some(ends) if !ascend(&ends) => Err(D::Error::custom(EXPECTED)),
            ends => Ok(ends),
        }
    }

    fn ascend(ends: &[f64; 2]) -> bool {
        ends.iter().all(|end| end.is_finite()) && ends[0] <= ends[1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_that_does_not_ascend_is_neither_written_nor_read() {
        for ends in [[2.0, 1.0], [f64::NAN, 1.0], [0.0, f64::INFINITY]] {
            let estimate = Estimate { interval: Some(ends), ..Estimate::bare(1.0) };
            assert!(serde_json::to_string(&estimate).is_err(), "{ends:?}");
        }
        assert!(serde_json::from_str::<Estimate>(r#"{"value":1.0,"interval":[2.0,1.0]}"#).is_err());
    }

    #[test]
    fn what_is_unknown_is_left_out() {
        let text = serde_json::to_string(&Estimate::bare(1.5)).unwrap();
        assert_eq!(text, r#"{"value":1.5}"#);
        assert_eq!(serde_json::from_str::<Estimate>(&text).unwrap(), Estimate::bare(1.5));
    }
}
