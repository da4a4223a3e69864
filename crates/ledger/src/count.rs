//! Counts as people write them: `250000`, `1_000_000`, `1e6`, `20M`, `1.5B`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, de};

/// A whole number, as flags and recipes write it.
///
/// ```
/// use ledger::count::Count;
/// assert_eq!("1.5B".parse(), Ok(Count(1_500_000_000)));
/// assert_eq!("1e6".parse(), Ok(Count(1_000_000)));
/// assert!("1.5".parse::<Count>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Count(pub u64);

/// 2^53. Above it, a float cannot represent every whole number.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl FromStr for Count {
    type Err = String;

    fn from_str(written: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{written}` is not a count such as 250000, 1_000_000, 1e6, 20M or 1.5B");
        let text: String = written.chars().filter(|&letter| letter != '_').collect();
        let (digits, unit) = match text.char_indices().last() {
            Some((at, 'k' | 'K')) => (&text[..at], 1_000),
            Some((at, 'M')) => (&text[..at], 1_000_000),
            Some((at, 'B')) => (&text[..at], 1_000_000_000),
            Some((at, 'T')) => (&text[..at], 1_000_000_000_000),
            _ => (text.as_str(), 1_u64),
        };
        // `f64::from_str` would also accept `inf`, `nan`, `+1` and `.5`.
        if !digits.starts_with(|letter: char| letter.is_ascii_digit()) {
            return Err(wrong());
        }
        // Whole numbers stay exact; only `1.5B` and `1e6` go through a float.
        if let Ok(whole) = digits.parse::<u64>() {
            return whole.checked_mul(unit).map(Count).ok_or_else(wrong);
        }
        let number: f64 = digits.parse().map_err(|_| wrong())?;
        let product = number * unit as f64;
        // 8.03 is no sum of halves, so `8.03B` is whole up to rounding only.
        let whole = product.round();
        let is_whole = (product - whole).abs() <= 4.0 * f64::EPSILON * whole;
        Self::from_float(if is_whole { whole } else { product }).ok_or_else(wrong)
    }
}

impl Count {
    fn from_float(number: f64) -> Option<Self> {
        (number.fract() == 0.0 && (0.0..=EXACT).contains(&number)).then_some(Count(number as u64))
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a count such as 250000, 1e6 or \"1.5B\"")
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Count, E> {
                Ok(Count(number))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Count, E> {
                let wrong = |_| E::invalid_value(de::Unexpected::Signed(number), &self);
                u64::try_from(number).map(Count).map_err(wrong)
            }
            // TOML reads `1e6` as a float.
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Count, E> {
                Count::from_float(number)
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Float(number), &self))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Count, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A whole number with a comma between thousands, for tables.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_as_people_write_them() {
        for (text, number) in [
            ("0", 0),
            ("250000", 250_000),
            ("1_000_000", 1_000_000),
            ("1e6", 1_000_000),
            ("2.5e3", 2_500),
            ("20k", 20_000),
            ("20K", 20_000),
            ("3M", 3_000_000),
            ("1.5B", 1_500_000_000),
            ("8.03B", 8_030_000_000),
            ("0.494B", 494_000_000),
            ("1T", 1_000_000_000_000),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(text.parse(), Ok(Count(number)), "{text}");
        }
    }

    #[test]
    fn what_is_no_count_is_refused() {
        for text in [
            "",
            "-1",
            "1.5",
            "1e-3",
            "M",
            "k",
            "1G",
            "nan",
            "inf",
            "1e30",
            "20000000000B",
            "+5",
            "1 M",
            "é",
        ] {
            let message = text.parse::<Count>().unwrap_err();
            assert!(message.contains("is not a count such as"), "{text}: {message}");
        }
    }

    #[test]
    fn a_recipe_may_say_numbers_or_text() {
        #[derive(Deserialize)]
        struct WithTokens {
            tokens: Count,
        }
        let read = |text: &str| toml::from_str::<WithTokens>(text).map(|recipe| recipe.tokens.0);
        assert_eq!(read("tokens = 5_000").unwrap(), 5_000);
        assert_eq!(read("tokens = 1e6").unwrap(), 1_000_000);
        assert_eq!(read("tokens = \"1.5B\"").unwrap(), 1_500_000_000);
        for text in
            ["tokens = -1", "tokens = 0.5", "tokens = nan", "tokens = \"many\"", "tokens = true"]
        {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(
            [0, 12, 999, 1000, 1_234_567].map(grouped),
            ["0", "12", "999", "1,000", "1,234,567"]
        );
    }
}
