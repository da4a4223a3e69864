//! The small files of a run folder: JSON and TOML with a format number, read whole.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Larger than any of these files gets: a cut scores each layer once, a spec has some thirty lines.
const LIMIT: u64 = 16 << 20;

pub(crate) fn read_json<T: DeserializeOwned>(path: &Path, expected: u32) -> Result<T> {
    let text = disk::read_to_string(path, LIMIT)?;
    let parse = |error: serde_json::Error| malformed(path, &error);
    check(path, &serde_json::from_str(&text).map_err(parse)?, expected)?;
    serde_json::from_str(&text).map_err(parse)
}

pub(crate) fn read_toml<T: DeserializeOwned>(path: &Path, expected: u32) -> Result<T> {
    let text = disk::read_to_string(path, LIMIT)?;
    let parse = |error: toml::de::Error| malformed(path, &error.message());
    check(path, &toml::from_str(&text).map_err(parse)?, expected)?;
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

/// All that is read before the format is known: another format may have other fields.
#[derive(Deserialize)]
struct Head {
    format: i64,
}

fn check(path: &Path, head: &Head, expected: u32) -> Result<()> {
    if head.format == i64::from(expected) {
        return Ok(());
    }
    Err(Error::Format { path: path.to_path_buf(), found: head.format, expected })
}

fn malformed(path: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::Malformed { path: path.to_path_buf(), why: why.to_string() }
}

fn unwritable(path: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::Unwritable { path: path.to_path_buf(), why: why.to_string() }
}
