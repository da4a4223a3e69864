//! The `format = N` that every regrow file starts with.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The format number `N` as a field. It is written as `N`; reading any other number is an error.
///
/// ```
/// use ledger::Format;
/// assert_eq!(serde_json::to_string(&Format::<2>).unwrap(), "2");
/// let error = serde_json::from_str::<Format<2>>("1").unwrap_err();
/// assert_eq!(error.to_string(), "format is 1, expected 2");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Format<const N: u32>;

/// The only field that is read before the format is known. A file of another format may have other
/// fields, so parsing it whole would give a misleading error.
///
/// ```
/// use ledger::{Format, FormatHeader};
/// let header: FormatHeader = serde_json::from_str(r#"{"format":3,"novel":[]}"#).unwrap();
/// let error = header.require(Format::<2>).unwrap_err();
/// assert_eq!((error.found(), error.expected()), (3, 2));
/// assert_eq!(error.to_string(), "format is 3, expected 2");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct FormatHeader {
    // Wider than `N`, so that a negative number is reported as another format, not as bad syntax.
    format: i64,
}

/// A file has a format that this version cannot read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OtherFormat {
    found: i64,
    expected: u32,
}

impl FormatHeader {
    /// Checks that the file has this format.
    pub fn require<const N: u32>(self, _: Format<N>) -> Result<(), OtherFormat> {
        let Self { format: found } = self;
        if found == i64::from(N) { Ok(()) } else { Err(OtherFormat { found, expected: N }) }
    }
}

impl OtherFormat {
    /// The number in the file.
    pub fn found(&self) -> i64 {
        self.found
    }

    /// The number that this version reads.
    pub fn expected(&self) -> u32 {
        self.expected
    }
}

impl<const N: u32> Serialize for Format<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(N)
    }
}

// A type per number: a file of another format cannot be read into the wrong struct by accident.
impl<'de, const N: u32> Deserialize<'de> for Format<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let format = i64::from(u32::deserialize(deserializer)?);
        FormatHeader { format }.require(Self).map_err(serde::de::Error::custom)?;
        Ok(Self)
    }
}

impl<const N: u32> fmt::Display for Format<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{N}")
    }
}

impl fmt::Display for OtherFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "format is {}, expected {}", self.found, self.expected)
    }
}

impl std::error::Error for OtherFormat {}
