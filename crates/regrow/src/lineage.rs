//! The lineage of a model: the base, series and method under which its curve is recorded.

use ledger::{CutRecord, Nats, Phase};
use model::folder::ModelFolder;
use shape::catalog;
use store::RunFolder;

use crate::error::Result;
use crate::hub;

/// Where a model folder comes from.
#[derive(Debug)]
pub(crate) struct Lineage {
    /// The record of its cut, if the model was pruned.
    pub(crate) cut: Option<CutRecord>,
    /// The name of the model before pruning.
    pub(crate) base: String,
    /// The series that laws are fitted for.
    pub(crate) series: String,
    /// Its held-out loss, if the model is the result of a run.
    pub(crate) loss: Option<Nats>,
    /// The phase of the learning rate in which that run ended.
    pub(crate) phase: Option<Phase>,
}

/// The lineage of a model folder: from its `cut.json`, or else from its own name.
pub(crate) fn of(folder: &ModelFolder) -> Result<Lineage> {
    let own = own(folder)?;
    Ok(match own.cut {
        Some(cut) => {
            Lineage { base: cut.base.clone(), series: cut.series.clone(), cut: Some(cut), ..own }
        }
        None => own,
    })
}

/// The lineage of a model that is itself the base of what follows, even if it was pruned before.
pub(crate) fn own(folder: &ModelFolder) -> Result<Lineage> {
    let cut = prune::record_of(folder.path())?;
    let path = folder.path().canonicalize().unwrap_or_else(|_| folder.path().to_path_buf());
    // A run folder keeps its models in `model` and `best`, one level below `record.json`.
    let run = path.parent().filter(|run| run.join("record.json").is_file());
    if let Some(run) = run.map(RunFolder::open).transpose()? {
        // Every run names its result `model`, so the run's own name is used.
        let name = run.path().file_name().map(|name| name.to_string_lossy().into_owned());
        let (base, series) =
            (name.unwrap_or_else(|| folder.name()), run.record().series().to_owned());
        let curve = run.curve()?;
        let left = if path == run.best_path() { curve.best() } else { curve.last() };
        // Until `done.json` exists, the folder's weights need not match the last point of the
        // curve.
        let left = left.filter(|_| run.is_done());
        let (loss, phase) = (left.map(|point| point.loss), left.and_then(|point| point.phase));
        return Ok(Lineage { cut, base, series, loss, phase });
    }
    let base = hub::id_of(&path).unwrap_or_else(|| folder.name());
    let known = catalog::find(&base).map_or(folder.config().family().name, |entry| entry.series());
    let series = cut.as_ref().map_or_else(|| known.to_owned(), |cut| cut.series.clone());
    Ok(Lineage { cut, base, series, loss: None, phase: None })
}
