//! Ascending indices, written as runs: `0-3,7`.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A set of indices, stored as runs of consecutive ones. It takes as little memory as its text in a
/// file, even when a file claims a run of billions.
///
/// ```
/// use ledger::Indices;
/// let kept = Indices::of([0, 1, 2, 3, 7]);
/// assert_eq!(kept.to_string(), "0-3,7");
/// assert_eq!("0-3,7".parse(), Ok(kept.clone()));
/// assert_eq!((kept.len(), kept.last()), (5, Some(7)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Indices {
    /// Ascending; no run is empty, and no two touch.
    runs: Vec<Range<usize>>,
}

/// A text that is not an ascending list of runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotIndices {
    /// The run that cannot be read or does not ascend, cut short.
    found: String,
}

impl Indices {
    /// The set of these indices, which must ascend.
    ///
    /// # Panics
    /// Where one is not larger than the one before it.
    pub fn of(indices: impl IntoIterator<Item = usize>) -> Self {
        let mut runs: Vec<Range<usize>> = Vec::new();
        for index in indices {
            match runs.last_mut() {
                // The index continues the last run.
                Some(last) if last.end == index => last.end += 1,
                Some(last) if last.end > index => panic!("{index} does not ascend"),
                _ => runs.push(index..index + 1),
            }
        }
        Self { runs }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.runs.iter().map(Range::len).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The largest.
    pub fn last(&self) -> Option<usize> {
        Some(self.runs.last()?.end - 1)
    }

    /// The runs, ascending; no two touch.
    pub fn runs(&self) -> &[Range<usize>] {
        &self.runs
    }

    /// Every index, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        // A range is an iterator itself, so cloning the runs flattens them.
        self.runs.iter().cloned().flatten()
    }
}

impl fmt::Display for Indices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, run) in self.runs.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            match run.len() {
                // A single index has no dash: `7`, not `7-7`.
                1 => write!(f, "{comma}{}", run.start)?,
                _ => write!(f, "{comma}{}-{}", run.start, run.end - 1)?,
            }
        }
        Ok(())
    }
}

impl FromStr for Indices {
    type Err = NotIndices;

    fn from_str(text: &str) -> Result<Self, NotIndices> {
        let mut runs: Vec<Range<usize>> = Vec::new();
        // `split` gives one empty piece for an empty text, but the empty set has no runs.
        for piece in text.split(',').filter(|_| !text.is_empty()) {
            let wrong = || NotIndices { found: piece.chars().take(40).collect() };
            let number = |digits: &str| {
                // `usize::from_str` would also accept `+1`.
                let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
                // The end of a run is one more than its last index.
                digits
                    .parse::<usize>()
                    .ok()
                    .filter(|&number| plain && number < usize::MAX)
                    .ok_or_else(wrong)
            };
            let (first, last) = piece.split_once('-').unwrap_or((piece, piece));
            let run = number(first)?..number(last)? + 1;
            // A set has one spelling, so that equal cuts are equal files: runs that touch are
            // refused.
            if run.is_empty() || runs.last().is_some_and(|before| before.end >= run.start) {
                return Err(wrong());
            }
            runs.push(run);
        }
        Ok(Self { runs })
    }
}

impl From<Indices> for String {
    fn from(indices: Indices) -> Self {
        indices.to_string()
    }
}

impl TryFrom<String> for Indices {
    type Error = NotIndices;

    fn try_from(text: String) -> Result<Self, NotIndices> {
        text.parse()
    }
}

impl fmt::Display for NotIndices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no run of ascending indices, as in `0-3,7`", self.found.escape_debug())
    }
}

impl std::error::Error for NotIndices {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_does_not_ascend_or_is_no_number_is_refused() {
        for wrong in [
            "3,1",
            "0-3,3",
            "0-3,4",
            "1-1,2",
            "4-2",
            "-1",
            "1-",
            "a",
            "1, 2",
            ",",
            "0,",
            "+1",
            "0-1-2",
            // `usize::MAX` is too large as well: its run would end one above it.
            "18446744073709551615",
            "99999999999999999999999",
        ] {
            let said = wrong.parse::<Indices>().unwrap_err().to_string();
            assert!(said.contains("is no run of ascending indices"), "{wrong}: {said}");
        }
        assert_eq!("".parse(), Ok(Indices::default()));
    }

    #[test]
    fn a_run_beyond_any_memory_takes_none() {
        let far: Indices = "0-18446744073709551613".parse().unwrap();
        assert_eq!(far.len(), usize::MAX - 1);
    }

    proptest! {
        #[test]
        fn text_and_set_are_the_same(set in proptest::collection::btree_set(0_usize..200, 0..100)) {
            let indices = Indices::of(set.iter().copied());
            prop_assert_eq!(indices.to_string().parse::<Indices>().unwrap(), indices.clone());
            prop_assert_eq!(indices.iter().collect::<Vec<_>>(), set.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!((indices.len(), indices.last()), (set.len(), set.last().copied()));
        }
    }
}
