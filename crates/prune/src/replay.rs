//! Makes a cut again from its record.

use std::path::Path;

use disk::Existing;
use ledger::{Cut, CutRecord};
use model::folder::ModelFolder;
use shape::tensors::Role;

use crate::apply::{apply, check_clear, check_cut, check_disk, check_target};
use crate::calibration::{Calibration, Sequences, Source};
use crate::error::{Error, Result};
use crate::methods::{Method, Target, method};
use crate::sparse::{self, Writing};

/// Makes a cut again from its record: the same bytes, if `folder` is the model that it was decided
/// on. A sparse cut whose score reads text reads it again from `source`.
///
/// # Errors
/// [`Error::OtherBase`] where its weights have another hash, [`Error::OtherCalibration`] where the
/// text has; and those of [`crate::prune`].
pub fn replay(
    folder: &ModelFolder,
    record: &CutRecord,
    source: Option<Source<'_>>,
    out: &Path,
    existing: Existing,
    shard_limit: u64,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<()> {
    check_target(folder, out, existing)?;
    check_clear(folder)?;
    check_cut(folder, &record.cut)?;
    check_disk(
        out,
        record.stored().0.saturating_mul(folder.dtype().size() as u64),
        "the smaller model",
    )?;
    let found = folder.weights_hash()?;
    if found != record.base_hash {
        let (path, expected) = (folder.path().to_path_buf(), record.base_hash.clone());
        return Err(Error::OtherBase { path, found, expected });
    }
    let Cut::Sparse { pattern, score, linear, .. } = &record.cut else {
        return apply(folder, record, out, existing, shard_limit, progress);
    };
    let name = format!("{pattern}-{score}");
    let method = method(&name)?;
    let Method::Sparse(_, score) = method else {
        unreachable!("a pattern and a score are a sparse method")
    };
    let target = record
        .asked_rate
        .map_or(Target::Pattern, |rate| Target::Rate { rate, tolerance: f64::INFINITY });
    let roles = Role::LINEAR
        .into_iter()
        .filter(|role| linear.iter().any(|name| role.linear_name() == Some(name)));
    let roles: Vec<Role> = roles.collect();
    if roles.len() != linear.len() {
        let known =
            |name: &&String| Role::LINEAR.iter().any(|role| role.linear_name() == Some(name));
        let found = linear.iter().find(|name| !known(name)).cloned().unwrap_or_default();
        return Err(Error::UnknownLinear { found });
    }
    let plan = sparse::plan(folder.config(), &method, &target, &roles)?;
    let sequences = sequences_again(folder, &method, record, source)?;
    let writing = Writing {
        plan: &plan,
        score,
        sequences: sequences.as_ref(),
        spill: None,
        out,
        existing,
        shard_limit,
        again: Some(record),
    };
    sparse::write(folder, record.clone(), &writing, progress, Ok)?;
    Ok(())
}

/// The calibration sequences of a record, drawn again.
fn sequences_again(
    folder: &ModelFolder,
    method: &Method,
    record: &CutRecord,
    source: Option<Source<'_>>,
) -> Result<Option<Sequences>> {
    if !method.needs_text() {
        return Ok(None);
    }
    let (Some(source), Some(then)) = (source, &record.calibration) else {
        return Err(Error::NoCalibration { method: method.name() });
    };
    let settings =
        Calibration { sequences: then.sequences, length: Some(then.length), seed: then.seed };
    let sequences = Sequences::draw(source, &settings, folder.config())?;
    let found = sequences.record().hash;
    if found != then.hash {
        return Err(Error::OtherCalibration { found, expected: then.hash.clone() });
    }
    Ok(Some(sequences))
}
