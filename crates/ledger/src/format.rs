//! The `format` number that every file of our own carries.

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// Reads a format number and refuses any but `EXPECTED`.
pub(crate) fn only<'de, D: Deserializer<'de>, const EXPECTED: u32>(
    deserializer: D,
) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        found if found == EXPECTED => Ok(found),
        found => Err(D::Error::custom(format_args!("format is {found}, expected {EXPECTED}"))),
    }
}
