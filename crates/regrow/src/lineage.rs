//! Whose child a model is: the name, series and method that its curve goes by.

use ledger::{CutRecord, Nats, Phase};
use model::folder::ModelFolder;
use shape::catalog;
use store::RunFolder;

use crate::error::Result;
use crate::hub;

/// Where a model folder comes from.
#[derive(Debug)]
pub(crate) struct Lineage {
    /// What was cut, where the model was pruned.
    pub(crate) cut: Option<CutRecord>,
    /// The name of the model before pruning.
    pub(crate) base: String,
    /// The series that laws are fitted for.
    pub(crate) series: String,
    /// Its held-out loss, where the model is the result of a run.
    pub(crate) loss: Option<Nats>,
    /// The phase of the learning rate in which that run ended.
    pub(crate) phase: Option<Phase>,
}

/// Reads a folder's `cut.json`, or else goes by what the folder itself is called.
pub(crate) fn of(folder: &ModelFolder) -> Result<Lineage> {
    let own = own(folder)?;
    Ok(match own.cut {
        Some(cut) => {
            Lineage { base: cut.base.clone(), series: cut.series.clone(), cut: Some(cut), ..own }
        }
        None => own,
    })
}

/// The model itself as the base of what comes after it, whatever it was made from.
pub(crate) fn own(folder: &ModelFolder) -> Result<Lineage> {
    let cut = prune::record_of(folder.path())?;
    let path = folder.path().canonicalize().unwrap_or_else(|_| folder.path().to_path_buf());
    let run = path.parent().filter(|run| run.join("record.json").is_file());
    if let Some(run) = run.map(RunFolder::open).transpose()? {
        // Every run calls its result `model`: the run's own name tells more.
        let name = run.path().file_name().map(|name| name.to_string_lossy().into_owned());
        let (base, series) =
            (name.unwrap_or_else(|| folder.name()), run.record().series().to_owned());
        let curve = run.curve()?;
        let left = if path == run.best_path() { curve.best() } else { curve.last() };
        let left = left.filter(|_| run.is_done());
        let (loss, phase) = (left.map(|point| point.loss), left.map(|point| point.phase));
        return Ok(Lineage { cut, base, series, loss, phase });
    }
    let base = hub::id_of(&path).unwrap_or_else(|| folder.name());
    let known = catalog::find(&base).map_or(folder.config().family().name, |entry| entry.series);
    let series = cut.as_ref().map_or_else(|| known.to_owned(), |cut| cut.series.clone());
    Ok(Lineage { cut, base, series, loss: None, phase: None })
}
