//! Makes a cut again from its record.

use ledger::{Cut, CutRecord};
use model::backend::Backend;
use model::folder::ModelFolder;
use shape::tensors::Role;

use crate::apply::{apply, check_cut};
use crate::calibration::{CalibrationSettings, Sequences, Source};
use crate::cost::TextSize;
use crate::destination::{Destination, check_clear, check_disk};
use crate::error::{Error, Refused, Result};
use crate::methods::{Method, method};
use crate::options::MethodOptions;
use crate::plan::PruningPlan;
use crate::pruning::{PreparedPruning, check_same, commit, draw, other_hash};
use crate::record::check_base;
use crate::select::no_calibration;
use crate::target::PruningTarget;

/// Makes a cut again from its record. The bytes are the same if `folder` is the model that it was
/// decided on. A sparse cut whose score reads text reads it again from `source`. `progress` gets
/// the tensors written, or the blocks made sparse; and of how many.
///
/// # Errors
/// [`Refused::OtherBase`] if the weights have another hash, [`Refused::OtherCalibration`] if the
/// text has; and the errors of [`crate::prune`].
pub fn replay<B: Backend + Clone>(
    backend: &B,
    folder: &ModelFolder,
    record: &CutRecord,
    source: Option<Source<'_>>,
    destination: &Destination<'_>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<()> {
    destination.check(&[folder.path()])?;
    check_clear(folder)?;
    check_cut(folder, &record.cut)?;
    check_base(record, folder)?;
    let bytes = folder.dtype().size();
    let stored = record.stored().0.saturating_mul(bytes as u64);
    check_disk(destination.path(), stored, "the smaller model")?;
    let found = folder.weights_hash()?;
    if found != record.base_hash {
        let what = format!("the weights of `{}` have", folder.path().display());
        return Err(other_hash(Refused::OtherBase, &what, &found, &record.base_hash));
    }
    let Cut::Sparse { pattern, score, linear, .. } = &record.cut else {
        return commit(apply(folder, record, destination, progress)?, folder, record);
    };
    let method = method(&format!("{pattern}-{score}"))?;
    let target = record.asked_rate.map_or(PruningTarget::Pattern, |rate| PruningTarget::Rate {
        rate,
        // The record has passed the tolerance once; it is not checked again.
        tolerance: f64::INFINITY,
    });
    let options = MethodOptions { linear: roles(linear)?, ..MethodOptions::default() };
    // The cost is not needed here, so any size of text will do.
    let text = TextSize { sequences: 0, length: 0, spilled: false };
    let plan = PruningPlan::new(folder.config(), method, &target, &options, text, bytes)?;
    let sequences = sequences_again(folder, method, record, source)?;
    let (target, options) = (&target, &options);
    let pruning =
        PreparedPruning { backend, folder, plan, target, options, sequences, spill: None };
    let (writer, made) = pruning.write(record.clone(), destination, progress)?;
    // A sparse cut is chosen anew, so its result must match the record.
    check_same(folder, &made, record)?;
    commit(writer, folder, record)
}

/// The linear layers that a record names.
fn roles(names: &[String]) -> Result<Vec<Role>> {
    let role = |name: &String| {
        let known = Role::LINEAR.into_iter().find(|role| role.linear_name() == Some(name));
        known.ok_or_else(|| {
            let expected = Role::LINEAR.iter().filter_map(|role| role.linear_name());
            let expected: Vec<String> = expected.map(|name| format!("`{name}`")).collect();
            let (found, expected) = (name.escape_debug(), expected.join(", "));
            Error::other(format!("unknown linear layer `{found}`, expected {expected}"))
        })
    };
    names.iter().map(role).collect()
}

/// Draws the calibration sequences of a record again, and checks their hash.
fn sequences_again(
    folder: &ModelFolder,
    method: Method,
    record: &CutRecord,
    source: Option<Source<'_>>,
) -> Result<Option<Sequences>> {
    if !method.reads_text() {
        return Ok(None);
    }
    let (Some(source), Some(then)) = (source, &record.calibration) else {
        return Err(no_calibration(&method.name()));
    };
    let settings = CalibrationSettings {
        sequences: then.sequences(),
        length: Some(then.length()),
        seed: then.seed(),
    };
    let sequences = draw(folder, method, Some((source, settings)))?;
    let found =
        sequences.as_ref().map_or_else(String::new, |drawn| drawn.record().hash().to_owned());
    if found != then.hash() {
        let what = "the calibration sequences have";
        return Err(other_hash(Refused::OtherCalibration, what, &found, then.hash()));
    }
    Ok(sequences)
}
