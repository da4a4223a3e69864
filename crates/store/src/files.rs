//! The small files of a run folder: JSON and TOML with a format number.

use std::path::Path;

use ledger::{Format, FormatHeader};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Failure, Result};

/// The largest file that is read, in bytes. A spec has about thirty lines, and a cut one score per
/// layer.
const LIMIT: u64 = 16 << 20;

pub(crate) fn read_json<T: DeserializeOwned, const N: u32>(
    path: &Path,
    format: Format<N>,
) -> Result<T> {
    let text = disk::read_to_string(path, LIMIT)?;
    let parse = |error: serde_json::Error| malformed(path, &error);
    // Parsed twice: the header alone first, because another format may have other fields.
    check(path, serde_json::from_str(&text).map_err(parse)?, format)?;
    serde_json::from_str(&text).map_err(parse)
}

pub(crate) fn read_toml<T: DeserializeOwned, const N: u32>(
    path: &Path,
    format: Format<N>,
) -> Result<T> {
    let text = disk::read_to_string(path, LIMIT)?;
    let parse = |error: toml::de::Error| malformed(path, &error.message());
    // Twice, as in `read_json`.
    check(path, toml::from_str(&text).map_err(parse)?, format)?;
    toml::from_str(&text).map_err(parse)
}

pub(crate) fn to_json<T: Serialize>(path: &Path, value: &T) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value).map_err(|error| unwritable(path, &error))?;
    text.push(b'\n');
    Ok(text)
}

pub(crate) fn to_toml<T: Serialize>(path: &Path, value: &T) -> Result<Vec<u8>> {
    toml::to_string(value).map(String::into_bytes).map_err(|error| unwritable(path, &error))
}

fn check<const N: u32>(path: &Path, header: FormatHeader, format: Format<N>) -> Result<()> {
    header.require(format).map_err(|other| {
        let (found, expected) = (other.found(), other.expected());
        Failure::Format { path: path.to_path_buf(), found, expected }.into()
    })
}

fn malformed(path: &Path, why: &dyn std::fmt::Display) -> Error {
    Failure::Malformed { path: path.to_path_buf(), why: why.to_string() }.into()
}

fn unwritable(path: &Path, why: &dyn std::fmt::Display) -> Error {
    Failure::Unwritable { path: path.to_path_buf(), why: why.to_string() }.into()
}
