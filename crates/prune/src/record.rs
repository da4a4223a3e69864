//! `cut.json`: the record of a cut beside the smaller model.

use std::path::Path;

use ledger::{Cut, CutRecord, Params, Part};
use model::folder::ModelFolder;
use shape::config::ModelConfig;
use shape::count::Count;
use shape::legal::Widths;

use crate::error::{Error, Result};

/// The name of the record in the folder of the smaller model.
pub(crate) const RECORD: &str = "cut.json";

/// Largest `cut.json` that is read, in bytes.
const RECORD_LIMIT: u64 = 64 << 20;

/// Reads the record of a pruned model folder, or a record file. `None` if a folder has no
/// `cut.json`.
///
/// # Errors
/// If it cannot be read, has another format, describes an impossible cut, or its counts and rates
/// contradict each other.
pub fn record_of(place: &Path) -> Result<Option<CutRecord>> {
    let path = if place.is_file() { place.to_path_buf() } else { place.join(RECORD) };
    let bytes = match disk::read(&path, RECORD_LIMIT) {
        Err(error) if error.is_not_found() => return Ok(None),
        bytes => bytes?,
    };
    let refused = |why: String| {
        let path = path.display();
        Error::other(format!("`{path}` cannot be read as the record of a cut: {why}"))
    };
    let record: CutRecord =
        serde_json::from_slice(&bytes).map_err(|error| refused(error.to_string()))?;
    // A wrong rate would go through training into a law without a sign.
    match record.held.contradiction() {
        Some(why) => Err(refused(why)),
        None => Ok(Some(record)),
    }
}

/// Where a record and the shape of the model that it stands beside do not agree, one sentence each.
/// What was before the cut follows from what is left and what was removed.
pub fn differences(record: &CutRecord, left: &ModelConfig) -> Vec<String> {
    let (held, count) = (&record.held, Count::of(left));
    let sparse = matches!(record.cut, Cut::Sparse { .. });
    let mut told = vec![("parameters".to_owned(), record.stored().0, count.total())];
    if !sparse {
        let without = held.parameters_without_embedding().0;
        let what = "parameters without the embedding".to_owned();
        told.push((what, without, count.without_embedding()));
    }
    told.push((
        "blocks".to_owned(),
        record.cut.kept().len() as u64,
        left.num_hidden_layers() as u64,
    ));
    let shape = Widths::of(left);
    if let Cut::Width(width) = &record.cut {
        for part in Part::ALL {
            if let Some((_, kept)) = width.change(part) {
                told.push((part.to_string(), kept as u64, shape.size(part) as u64));
            }
        }
    }
    let mut found: Vec<String> = told
        .into_iter()
        .filter(|(_, told, found)| told != found)
        .map(|(what, told, found)| {
            format!(
                "`cut.json` leaves {told} {what}, the model has {found}: it tells of another model"
            )
        })
        .collect();
    let before = Count::before(left, &record.cut);
    for (what, told, count) in [
        ("parameters", held.n0().0, before.map(|count| count.total())),
        (
            "parameters without the embedding",
            held.n0_without_embedding().0,
            before.map(|count| count.without_embedding()),
        ),
    ] {
        if Some(told) != count {
            let count = count.map_or("more than can be counted".to_owned(), |n| n.to_string());
            found.push(format!(
                "`cut.json` tells of {told} {what} before the cut, what it removed and what is left make {count}"
            ));
        }
    }
    let zeros = |before: Params, after: Params| before.0.abs_diff(after.0);
    let without = (held.n0_without_embedding(), held.parameters_without_embedding());
    if sparse && zeros(held.n0(), held.parameters()) != zeros(without.0, without.1) {
        found.push(format!(
            "`cut.json` tells of {} zeros, and of {} without the embedding, which has none",
            zeros(held.n0(), held.parameters()),
            zeros(without.0, without.1)
        ));
    }
    found
}

/// Refuses a record whose size before the cut is not that of the model that it is replayed on.
pub(crate) fn check_base(record: &CutRecord, base: &ModelFolder) -> Result<()> {
    let count = Count::of(base.config());
    let held = &record.held;
    for (what, told, found) in [
        ("n0", held.n0().0, count.total()),
        ("n0_without_embedding", held.n0_without_embedding().0, count.without_embedding()),
    ] {
        if told != found {
            return Err(Error::other(format!(
                "`{what}` is {told} in the record of the cut, expected {found} as in `{}`",
                base.path().display()
            )));
        }
    }
    Ok(())
}

/// The bytes of `cut.json`.
pub(crate) fn record_json(record: &CutRecord) -> Vec<u8> {
    let mut text = serde_json::to_vec_pretty(record)
        .expect("counts, names and finite numbers are always JSON");
    text.push(b'\n');
    text
}
