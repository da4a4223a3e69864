//! The pattern of zeros in a sparse weight.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The zeros of a sparse `[out, in]` weight, written `2:4` or `unstructured`.
///
/// ```
/// use ledger::Pattern;
/// let pattern: Pattern = "2:4".parse()?;
/// assert_eq!(pattern, Pattern::Groups { keep: 2, of: 4 });
/// assert_eq!(pattern.to_string(), "2:4");
/// assert_eq!("4:2".parse::<Pattern>().unwrap_err().to_string(), "pattern is `4:2`, expected `N:M` with N below M as in `2:4`, or `unstructured`");
/// # Ok::<(), ledger::PatternError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Pattern {
    /// N:M: of every `of` consecutive input columns of a row, at most `keep` are not zero.
    Groups {
        /// N, at least 1.
        keep: u16,
        /// M, above N and at most [`Pattern::WIDEST`].
        of: u16,
    },
    /// Zeros anywhere.
    Unstructured,
}

/// A text that is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternError {
    found: String,
}

impl Pattern {
    /// The pattern that graphics processors of 2020 and later can compute with.
    pub const TWO_FOUR: Self = Self::Groups { keep: 2, of: 4 };

    /// The largest group size, M.
    pub const WIDEST: u16 = 256;

    /// Checks that every group in a row-major matrix has at most as many non-zero numbers as the
    /// pattern allows. The error is the row and the first column of the first group with more.
    ///
    /// [`Pattern::Unstructured`] allows everything. Columns left over at the end of a row form a
    /// shorter group.
    pub fn check(self, values: &[f32], columns: usize) -> Result<(), (usize, usize)> {
        let Self::Groups { keep, of } = self else { return Ok(()) };
        // `chunks_exact(0)` would panic; a matrix without columns has nothing to check.
        for (row, values) in values.chunks_exact(columns.max(1)).enumerate() {
            for (group, values) in values.chunks(usize::from(of)).enumerate() {
                if values.iter().filter(|&&value| value != 0.0).count() > usize::from(keep) {
                    return Err((row, group * usize::from(of)));
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Groups { keep, of } => write!(f, "{keep}:{of}"),
            Self::Unstructured => f.write_str("unstructured"),
        }
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let error = || PatternError { found: text.chars().take(40).collect() };
        if text == "unstructured" {
            return Ok(Self::Unstructured);
        }
        // A pattern has one spelling, because it is a part of names and hashes: no sign, no zero in
        // front.
        let number = |digits: &str| {
            let plain =
                digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
            digits.parse::<u16>().ok().filter(|_| plain)
        };
        let (keep, of) = text.split_once(':').ok_or_else(error)?;
        let (keep, of) = number(keep).zip(number(of)).ok_or_else(error)?;
        // `4:4` would be no pruning at all.
        if keep < of && of <= Self::WIDEST { Ok(Self::Groups { keep, of }) } else { Err(error()) }
    }
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        text.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.to_string()
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.found.escape_debug();
        write!(
            f,
            "pattern is `{found}`, expected `N:M` with N below M as in `2:4`, or `unstructured`"
        )
    }
}

impl std::error::Error for PatternError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_read_as_they_are_written() {
        for text in ["2:4", "1:4", "4:8", "1:2", "128:256", "unstructured"] {
            assert_eq!(text.parse::<Pattern>().unwrap().to_string(), text);
            let json = serde_json::to_string(&text.parse::<Pattern>().unwrap()).unwrap();
            assert_eq!(serde_json::from_str::<Pattern>(&json).unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_words_are_no_pattern() {
        for text in [
            "",
            "2",
            ":",
            "2:",
            ":4",
            "0:4",
            "4:4",
            "5:4",
            "2:257",
            "+2:4",
            "02:4",
            "2:4 ",
            "2:4:8",
            "Unstructured",
        ] {
            assert!(text.parse::<Pattern>().is_err(), "{text}");
        }
        assert!(serde_json::from_str::<Pattern>("\"9:8\"").is_err());
    }

    #[test]
    fn a_group_with_too_many_numbers_is_named() {
        let rows =
            // Two rows of eight columns. The second group of row 1 has three non-zero numbers; -0.0
            // counts as zero.
            [1.0, 0.0, 2.0, 0.0, 0.0, 0.0, 3.0, 4.0, 1.0, 0.0, 0.0, 0.0, 1.0, -0.0, 5.0, 6.0];
        assert_eq!(Pattern::TWO_FOUR.check(&rows[..8], 8), Ok(()));
        assert_eq!(Pattern::TWO_FOUR.check(&rows, 8), Err((1, 4)));
        assert_eq!(Pattern::Groups { keep: 1, of: 4 }.check(&rows, 8), Err((0, 0)));
        assert_eq!(Pattern::Unstructured.check(&rows, 8), Ok(()));
    }
}
