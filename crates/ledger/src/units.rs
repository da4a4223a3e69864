//! Quantities with their unit in the type.
//!
//! In files they are plain numbers. For people they are rounded and name their unit.
//!
//! ```
//! use ledger::{Nats, Params, Rate, Tokens};
//! assert_eq!(Params(8_030_261_248).to_string(), "8.03B parameters");
//! assert_eq!(Tokens(1_200_000).to_string(), "1.20M tokens");
//! assert_eq!(Tokens(512).to_string(), "512 tokens");
//! assert_eq!(Nats(2.05141).to_string(), "2.0514 nats");
//! assert_eq!(Rate::realised(Params(1000), Params(850))?.to_string(), "0.1500");
//! # Ok::<(), ledger::RateError>(())
//! ```

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::finite;

/// A number of training tokens: tokens that entered the training loss.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Tokens(pub u64);

/// A number of parameters; a tied embedding counts once.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Params(pub u64);

/// A loss in nats per token.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nats(#[serde(with = "finite")] pub f64);

/// A number of floating-point operations. A multiplication with its addition counts as two.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Flops(#[serde(with = "finite")] pub f64);

/// A pruning rate: the fraction of parameters removed or zeroed, at least 0 and below 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Rate(f64);

/// A number that is not a pruning rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateError {
    found: f64,
}

impl Rate {
    /// Nothing removed: the rate of an unpruned control.
    pub const NONE: Self = Self(0.0);

    /// A checked rate: finite, at least 0, below 1.
    pub fn new(rate: f64) -> Result<Self, RateError> {
        // NaN is in no range, so it is refused too.
        if (0.0..1.0).contains(&rate) {
            // Adding zero turns -0.0 into 0.0, so that equal rates have equal texts.
            Ok(Self(rate + 0.0))
        } else {
            Err(RateError { found: rate })
        }
    }

    /// The realised rate, `(before - after) / before`.
    pub fn realised(before: Params, after: Params) -> Result<Self, RateError> {
        Self::new((before.0 as f64 - after.0 as f64) / before.0 as f64)
    }

    /// The fraction itself.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl Tokens {
    /// The number without its unit: `1.20M`.
    pub fn short(self) -> String {
        short(self.0)
    }
}

impl Params {
    /// The number without its unit: `8.03B`.
    pub fn short(self) -> String {
        short(self.0)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(f64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl fmt::Display for RateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rate is {}, expected at least 0 and below 1", self.found)
    }
}

impl std::error::Error for RateError {}

impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&count(self.0, "token"))
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&count(self.0, "parameter"))
    }
}

impl fmt::Display for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:.4} nats", self.0))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{:.4}", self.0))
    }
}

impl fmt::Display for Flops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, prefix) = scaled(self.0, &["", "k", "M", "G", "T", "P", "E", "Z", "Y"]);
        f.pad(&format!("{number} {prefix}FLOPs"))
    }
}

fn count(value: u64, unit: &str) -> String {
    let plural = if value == 1 { "" } else { "s" };
    format!("{} {unit}{plural}", short(value))
}

/// A whole number for people: exact below a thousand, three digits and a suffix above.
fn short(value: u64) -> String {
    if value < 1000 {
        return value.to_string();
    }
    let (number, suffix) = scaled(value as f64, &["", "K", "M", "B", "T"]);
    format!("{number}{suffix}")
}

/// Three significant digits, and the suffix for the power of a thousand that they stand for.
fn scaled<'a>(value: f64, suffixes: &[&'a str]) -> (String, &'a str) {
    let mut number = value;
    let mut power = 0;
    // 999.5 would round to 1000, so it moves to the next power.
    while number.abs() >= 999.5 && power + 1 < suffixes.len() {
        number /= 1000.0;
        power += 1;
    }
    let decimals = match number.abs() {
        // Whole numbers below a thousand are exact: `12`, not `12.0`.
        _ if power == 0 && number.fract() == 0.0 => 0,
        // Limits lie half a unit of the last digit below 10 and 100, so rounding never adds a
        // fourth digit.
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    (format!("{number:.decimals$}"), suffixes[power])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn counts_are_exact_below_a_thousand_and_short_above() {
        let shown = |n| Tokens(n).to_string();
        assert_eq!(
            [0, 1, 999, 1000, 9_994, 9_995, 99_949, 99_950, 999_499, 999_500].map(shown),
            [
                "0 tokens",
                "1 token",
                "999 tokens",
                "1.00K tokens",
                "9.99K tokens",
                "10.0K tokens",
                "99.9K tokens",
                "100K tokens",
                "999K tokens",
                "1.00M tokens"
            ]
        );
        assert_eq!(Params(70_553_706_496).to_string(), "70.6B parameters");
        // The suffixes end at T, so larger numbers keep more digits.
        assert_eq!(Params(u64::MAX).to_string(), "18446744T parameters");
    }

    #[test]
    fn operations_take_prefixes() {
        assert_eq!(Flops(3.21e18).to_string(), "3.21 EFLOPs");
        assert_eq!(Flops(12.0).to_string(), "12 FLOPs");
        assert_eq!(Flops(6.0e9).to_string(), "6.00 GFLOPs");
    }

    #[test]
    fn a_column_can_be_aligned() {
        assert_eq!(format!("{:>12}", Nats(1.0)), " 1.0000 nats");
    }

    #[test]
    fn numbers_that_are_no_rate_are_refused() {
        for rate in [1.0, 1.5, -0.1, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(Rate::new(rate).is_err(), "{rate}");
        }
        assert_eq!(
            Rate::new(1.2).unwrap_err().to_string(),
            "rate is 1.2, expected at least 0 and below 1"
        );
        assert!(Rate::realised(Params(0), Params(0)).is_err());
        assert!(Rate::realised(Params(5), Params(6)).is_err());
        assert!(serde_json::from_str::<Rate>("1.0").is_err());
        assert!(Rate::new(-0.0).unwrap().get().is_sign_positive());
    }

    #[test]
    fn a_loss_that_is_not_finite_is_not_written() {
        assert!(serde_json::to_string(&Nats(f64::NAN)).is_err());
        assert!(serde_json::to_string(&Flops(f64::INFINITY)).is_err());
        assert_eq!(serde_json::to_string(&Nats(2.5)).unwrap(), "2.5");
    }

    proptest! {
        #[test]
        fn a_shown_count_is_within_half_a_percent(value in 0..u64::MAX / 1_000_000) {
            let shown = Params(value).to_string();
            let (number, _) = shown.split_once(' ').unwrap();
            let digits = number.trim_end_matches(['K', 'M', 'B', 'T']);
            let power = match &number[digits.len()..] { "" => 0, "K" => 3, "M" => 6, "B" => 9, _ => 12 };
            let read = digits.parse::<f64>().unwrap() * 10_f64.powi(power);
            prop_assert!((read - value as f64).abs() <= 0.00501 * value as f64, "{} for {}", shown, value);
        }

        #[test]
        fn a_rate_in_range_survives_a_file(rate in 0.0..1.0_f64) {
            let rate = Rate::new(rate).unwrap();
            prop_assert_eq!(serde_json::from_str::<Rate>(&serde_json::to_string(&rate).unwrap()).unwrap(), rate);
        }
    }
}
