//! `law.json`, which `fit` writes and which `predict` and `plan` read.

use std::path::Path;

use disk::FileKind;
use law::Law;
use ledger::{Format, FormatHeader};
use serde::Serialize;

use crate::error::{Context, Error, ErrorKind, Result, bail};

/// The largest law file that is read, in bytes. A law of a thousand runs with all its refits takes
/// about 10 MB.
const LIMIT: u64 = 256 << 20;

/// The files that this module writes.
pub const KIND: FileKind = FileKind::new("a law", "{", "\"groups\"");

/// Reads a law. The format is checked first, then everything else.
pub fn read(path: &Path) -> Result<Law> {
    let text = disk::read_to_string(path, LIMIT)?;
    let no_law = || format!("`{}` is not a law file", path.display());
    let header: FormatHeader = serde_json::from_str(&text)
        .map_err(|error| Error::passed_as(ErrorKind::NotALaw, error))
        .with_context(no_law)?;
    // Format 1 is read too: it only lacks levels.
    if let Err(other) = header.require(Law::FORMAT).or_else(|_| header.require(Format::<1>)) {
        let (found, expected) = (other.found(), Law::FORMAT);
        bail!("`{}` has format {found}, expected {expected}, or 1", path.display());
    }
    serde_json::from_str(&text).with_context(no_law)
}

/// Writes a law. The file appears complete.
pub fn write(path: &Path, law: &Law) -> Result<()> {
    write_with(path, law, None)
}

/// Writes a law, and the entropy of its text if known. The loss of no model can be below this
/// entropy.
pub fn write_with(path: &Path, law: &Law, entropy: Option<report::Entropy>) -> Result<()> {
    #[derive(Serialize)]
    struct File<'a> {
        #[serde(flatten)]
        law: &'a Law,
        #[serde(skip_serializing_if = "Option::is_none")]
        entropy: Option<EntropyField>,
    }
    #[derive(Serialize)]
    struct EntropyField {
        nats: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        standard_error: Option<f64>,
    }
    let entropy = entropy
        .map(|report::Entropy { nats, standard_error }| EntropyField { nats, standard_error });
    let mut text = serde_json::to_vec_pretty(&File { law, entropy })?;
    text.push(b'\n');
    Ok(disk::write(path, &text)?)
}
