//! Requests: prune a folder, or decide and write nothing.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ledger::{CutRecord, Nats, Phase};
use model::backend::Backend;
use model::folder::ModelFolder;

use crate::calibration::{CalibrationSettings, LENGTH, Sequences, Source};
use crate::cost::TextSize;
use crate::destination::{Destination, check_clear, check_disk};
use crate::error::Result;
use crate::hash_beside::hash_beside;
use crate::methods::Method;
use crate::options::MethodOptions;
use crate::plan::{PruningPlan, Resolved};
use crate::pruning::{CutDecision, PreparedPruning, commit, draw};
use crate::target::PruningTarget;
use shape::legal::Smaller;

/// What to prune, and how to decide it.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The method.
    pub method: Method,
    /// How much is removed.
    pub target: PruningTarget,
    /// The version of the program that prunes, for the record and the card.
    pub version: String,
    /// The calibration text and how sequences are drawn from it. Only methods that score on text
    /// read it.
    ///
    /// The caller must make sure that the text was made by the tokenizer of the model.
    pub calibration: Option<(Source<'a>, CalibrationSettings)>,
    /// Options of the method besides the target.
    pub options: MethodOptions,
    /// A folder for activations while they are needed, instead of memory.
    pub spill: Option<PathBuf>,
    /// The name of the model before the cut; the name of its folder if `None`.
    pub base: Option<String>,
    /// The model series that laws are fitted for; the name of the family if `None`.
    pub series: Option<String>,
    /// Held-out loss of the model before the cut, if it was measured.
    pub loss0: Option<Nats>,
    /// The phase of the learning rate at which its training ended, if it is known.
    pub loss0_phase: Option<Phase>,
}

/// How far pruning is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PruningProgress {
    /// Blocks are scored, or made sparse.
    Scoring {
        /// Blocks done ...
        done: usize,
        /// ... of this many.
        of: usize,
    },
    /// The model's weights are hashed, from here on while the model is written.
    Hashing,
    /// The smaller model is written.
    Writing {
        /// Tensors written ...
        done: usize,
        /// ... of this many.
        of: usize,
    },
}

/// The result of pruning.
#[derive(Clone, Debug, PartialEq)]
pub struct Pruned {
    record: CutRecord,
    outcomes: Vec<Smaller>,
}

impl Pruned {
    /// What `cut.json` holds: method, counts, rates asked and realised, scores, hashes.
    pub fn record(&self) -> &CutRecord {
        &self.record
    }

    /// The legal models for the target, best first. The first was made.
    pub fn outcomes(&self) -> &[Smaller] {
        &self.outcomes
    }

    /// The record alone: what `cut.json` holds.
    pub fn into_record(self) -> CutRecord {
        self.record
    }
}

impl Request<'_> {
    /// A request without calibration text, named after the folder and its family. `version` is that
    /// of the program that prunes.
    pub fn new(method: Method, target: PruningTarget, version: impl Into<String>) -> Self {
        Self {
            method,
            target,
            version: version.into(),
            calibration: None,
            options: MethodOptions::default(),
            spill: None,
            base: None,
            series: None,
            loss0: None,
            loss0_phase: None,
        }
    }

    fn plan(&self, folder: &ModelFolder) -> Result<PruningPlan> {
        let settings = self.calibration.map(|(_, settings)| settings).unwrap_or_default();
        let config = folder.config();
        let text = TextSize {
            sequences: settings.sequences,
            // The text is not read for a plan, so it is assumed to be long enough.
            length: settings.length.unwrap_or(LENGTH.min(config.max_position_embeddings())),
            spilled: self.spill.is_some(),
        };
        let bytes = folder.dtype().size();
        PruningPlan::new(config, self.method, &self.target, &self.options, text, bytes)
    }

    fn prepare<'a, B: Backend + Clone>(
        &'a self,
        backend: &'a B,
        folder: &'a ModelFolder,
        plan: PruningPlan,
    ) -> Result<PreparedPruning<'a, B>> {
        Ok(PreparedPruning {
            backend,
            folder,
            plan,
            target: &self.target,
            options: &self.options,
            sequences: draw(folder, self.method, self.calibration)?,
            spill: self.spill.as_deref(),
        })
    }
}

/// Decides what goes and writes the smaller model, with the cut's record as `cut.json` and a model
/// card as `README.md`.
///
/// A model that was pruned before is a base like any other. The record counts from the parameters
/// of this folder and names this folder, not the one before it.
///
/// # Errors
/// The errors of [`decide`]. Also if the folder is not clearly one model, or if the disk fails or
/// is too small. A target that exists is refused before anything is computed.
pub fn prune<B: Backend + Clone>(
    backend: &B,
    folder: &ModelFolder,
    request: &Request<'_>,
    destination: &Destination<'_>,
    progress: &mut dyn FnMut(PruningProgress),
) -> Result<Pruned> {
    destination.check(&[folder.path()])?;
    check_clear(folder)?;
    // All cheap checks come first: measuring may take hours.
    let plan = request.plan(folder)?;
    check_disk(destination.path(), plan.output(), "the smaller model")?;
    if let Some(spill) = &request.spill {
        check_disk(spill, plan.spilled(), "the activations")?;
    }
    let pruning = request.prepare(backend, folder, plan)?;
    let record = decide_record(&pruning, request, progress)?;
    progress(PruningProgress::Hashing);
    let sparse = matches!(pruning.plan.resolved(), Resolved::Sparse { .. });
    // Hashing and writing both read every weight, so they run together and share the reads.
    let record = hash_beside(folder, |hash| {
        let (writer, record) = pruning.write(record, destination, &mut |done, of| {
            progress(match sparse {
                true => PruningProgress::Scoring { done, of },
                false => PruningProgress::Writing { done, of },
            });
        })?;
        let record = CutRecord { base_hash: hash()?, ..record };
        commit(writer, folder, &record)?;
        Ok(record)
    })?;
    Ok(Pruned { record, outcomes: pruning.plan.outcomes() })
}

/// Decides what goes and writes nothing. A sparse method decides only while it writes, so its
/// record lacks what only writing tells.
///
/// # Errors
/// If the method does not take the target or no legal model meets it. If calibration text is
/// missing, too short or of another vocabulary. If weights cannot be read.
pub fn decide<B: Backend + Clone>(
    backend: &B,
    folder: &ModelFolder,
    request: &Request<'_>,
    progress: &mut dyn FnMut(PruningProgress),
) -> Result<Pruned> {
    let pruning = request.prepare(backend, folder, request.plan(folder)?)?;
    let record = decide_record(&pruning, request, progress)?;
    progress(PruningProgress::Hashing);
    let record = CutRecord { base_hash: folder.weights_hash()?, ..record };
    Ok(Pruned { record, outcomes: pruning.plan.outcomes() })
}

/// Decides. The hash of the base is empty and filled in by the caller.
fn decide_record<B: Backend + Clone>(
    pruning: &PreparedPruning<'_, B>,
    request: &Request<'_>,
    progress: &mut dyn FnMut(PruningProgress),
) -> Result<CutRecord> {
    let CutDecision { cut, scores } =
        pruning.decide(&mut |done, of| progress(PruningProgress::Scoring { done, of }))?;
    let (config, base_name) = (pruning.folder.config(), || pruning.folder.name());
    Ok(CutRecord {
        format: CutRecord::FORMAT,
        method: request.method.name(),
        base: request.base.clone().unwrap_or_else(base_name),
        base_hash: String::new(),
        series: request.series.clone().unwrap_or_else(|| config.family().name.to_owned()),
        held: pruning.plan.outcome().held,
        asked_rate: request.target.rate(),
        loss0: request.loss0,
        loss0_phase: request.loss0_phase,
        calibration: pruning.sequences.as_ref().map(Sequences::record),
        options: match pruning.plan.resolved() {
            Resolved::Select { select, .. } => select.recorded_options(&request.options),
            Resolved::Sparse { .. } => BTreeMap::new(),
        },
        scores: scores.recorded(),
        already_zero: None,
        fallbacks: Vec::new(),
        regrow: request.version.clone(),
        cut,
    })
}
