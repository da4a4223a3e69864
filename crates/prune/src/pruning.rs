//! Prunes a prepared model: decides what goes and writes the smaller model.
//!
//! Everything that is known before measuring is resolved once, in [`PreparedPruning`]: the method,
//! what its target comes to, and the calibration text. Deciding, writing and replaying a record all
//! use it.

use std::path::Path;

use ledger::{Cut, CutRecord, Held, Params};
use model::backend::Backend;
use model::folder::{FolderWriter, ModelFolder};

use crate::apply::{apply, other_count};
use crate::calibration::{CalibrationSettings, Sequences, Source};
use crate::card::card;
use crate::destination::Destination;
use crate::error::{Error, Refused, Result};
use crate::measuring::Measuring;
use crate::methods::Method;
use crate::options::MethodOptions;
use crate::plan::{PruningPlan, Resolved};
use crate::record::{RECORD, record_json};
use crate::scores::Scores;
use crate::select::no_calibration;
use crate::sparse::{self, Ran, SparseRun};
use crate::target::PruningTarget;

/// A pruning with every choice made, ready to measure.
pub(crate) struct PreparedPruning<'a, B> {
    pub(crate) backend: &'a B,
    pub(crate) folder: &'a ModelFolder,
    pub(crate) plan: PruningPlan,
    pub(crate) target: &'a PruningTarget,
    pub(crate) options: &'a MethodOptions,
    /// The calibration text, for a method that reads one.
    pub(crate) sequences: Option<Sequences>,
    /// A folder for activations, if they are not kept in memory.
    pub(crate) spill: Option<&'a Path>,
}

/// What was decided, before anything is written.
pub(crate) struct CutDecision {
    pub(crate) cut: Cut,
    pub(crate) scores: Scores,
}

/// Draws the calibration text, if the method reads one.
pub(crate) fn draw(
    folder: &ModelFolder,
    method: Method,
    calibration: Option<(Source<'_>, CalibrationSettings)>,
) -> Result<Option<Sequences>> {
    if !method.reads_text() {
        return Ok(None);
    }
    let (source, settings) = calibration.ok_or_else(|| no_calibration(&method.name()))?;
    Sequences::draw(source, &settings, folder.config()).map(Some)
}

impl<B: Backend + Clone> PreparedPruning<'_, B> {
    /// Measures and decides what goes. A sparse method chooses its weights only while it writes.
    pub(crate) fn decide(&self, progress: &mut dyn FnMut(usize, usize)) -> Result<CutDecision> {
        let config = self.folder.config();
        match self.plan.resolved() {
            Resolved::Select { select, outcomes } => {
                let outcome = &outcomes[0];
                let sequences = self.sequences.as_ref();
                let mut model = Measuring::new(
                    self.backend,
                    self.folder,
                    sequences,
                    self.options,
                    self.spill,
                    progress,
                );
                let scores = select.measure(&mut model, outcome)?;
                let cut = select.choose(config, &scores, self.target, outcome)?;
                Ok(CutDecision { cut, scores })
            }
            Resolved::Sparse { method, zeros } => {
                // The cut names the rule. The zeros themselves are the mask, so no list of weights
                // is stored.
                let names = zeros.linear().iter().filter_map(|role| role.linear_name());
                let cut = Cut::Sparse {
                    layers: config.num_hidden_layers(),
                    pattern: method.pattern(),
                    score: method.score().name().to_owned(),
                    linear: names.map(str::to_owned).collect(),
                };
                Ok(CutDecision { cut, scores: Scores::None })
            }
        }
    }

    /// Writes what was decided. `progress` gets the tensors written, or the blocks done if the
    /// method is sparse; and of how many. The folder appears with [`commit`]. The returned record
    /// also holds what only writing tells.
    pub(crate) fn write(
        &self,
        record: CutRecord,
        destination: &Destination<'_>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(FolderWriter, CutRecord)> {
        let Resolved::Sparse { method, zeros } = self.plan.resolved() else {
            return Ok((apply(self.folder, &record, destination, progress)?, record));
        };
        let run = SparseRun {
            machine: self.backend,
            folder: self.folder,
            plan: zeros,
            score: method.score(),
            sequences: self.sequences.as_ref(),
            spill: self.spill,
        };
        let (writer, ran) = sparse::write(&run, destination, progress)?;
        Ok((writer, with_what_ran(record, ran)))
    }
}

/// Adds the record and the model card, and makes the folder appear.
pub(crate) fn commit(
    mut writer: FolderWriter,
    folder: &ModelFolder,
    record: &CutRecord,
) -> Result<()> {
    writer.add_file(RECORD, &record_json(record))?;
    writer.add_file("README.md", card(folder, record).as_bytes())?;
    writer.commit()?;
    Ok(())
}

/// The record with the zeros that were found. They may be more than the pattern asks for: weights
/// that were zero before, or that only read zeros.
fn with_what_ran(record: CutRecord, ran: Ran) -> CutRecord {
    let left = |before: Params| Params(before.0 - ran.zeros.0);
    let (all, inner) = (record.held.n0(), record.held.n0_without_embedding());
    let held = Held::of((all, inner), (left(all), left(inner)))
        .expect("norms stay, so less than all goes");
    CutRecord {
        held,
        // A base without zeros leaves the field out of the file.
        already_zero: (ran.already_zero.0 > 0).then_some(ran.already_zero),
        fallbacks: ran.fallbacks,
        ..record
    }
}

/// Refuses a result that differs from its record.
pub(crate) fn check_same(
    folder: &ModelFolder,
    made: &CutRecord,
    expected: &CutRecord,
) -> Result<()> {
    if made == expected {
        return Ok(());
    }
    Err(other_count(folder, expected, made.held.parameters().0))
}

/// The error of a record that was made on another model or another text.
pub(crate) fn other_hash(refusal: Refused, what: &str, found: &str, expected: &str) -> Error {
    let message = format!("{what} the hash {found}, expected {expected} as in the cut");
    Error::refused(refusal, message)
}
