//! `cut.json`: the record of a cut beside the smaller model.

use std::path::Path;

use ledger::CutRecord;

use crate::error::{Error, Result};

/// The name of the record in the folder of the smaller model.
pub(crate) const RECORD: &str = "cut.json";

/// Largest `cut.json` that is read, in bytes.
const RECORD_LIMIT: u64 = 64 << 20;

/// Reads the record of a pruned model folder, or a record file. `None` if a folder has no
/// `cut.json`.
///
/// # Errors
/// If it cannot be read, has another format, or describes an impossible cut.
pub fn record_of(place: &Path) -> Result<Option<CutRecord>> {
    let path = if place.is_file() { place.to_path_buf() } else { place.join(RECORD) };
    let bytes = match disk::read(&path, RECORD_LIMIT) {
        Err(error) if error.is_not_found() => return Ok(None),
        bytes => bytes?,
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        let path = path.display();
        Error::other(format!("`{path}` cannot be read as the record of a cut: {error}"))
    })
}

/// The bytes of `cut.json`.
pub(crate) fn record_json(record: &CutRecord) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(record)
        .expect("counts, names and finite numbers are always JSON");
    text.push(b'\n');
    text
}
