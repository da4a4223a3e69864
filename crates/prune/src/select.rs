//! The seam of methods that decide which parts of a model go.

use std::collections::BTreeMap;

use ledger::Cut;
use shape::config::ModelConfig;

use crate::cost::{MeasuringCost, TextSize};
use crate::error::{Error, Refused, Result};
use crate::measuring::Measuring;
use crate::options::MethodOptions;
use crate::scores::Scores;
use crate::target::{PruningTarget, Takes};
use shape::legal::Smaller;

/// A method that decides which blocks, channels or heads go. It changes nothing itself.
///
/// It is asked in this order: what the target comes to, what measuring costs, the measurement, the
/// decision.
pub trait Select: Sync {
    /// Its id in files, flags and laws, as in `depth-block-influence`.
    fn name(&self) -> &'static str;
    /// What it does, in one line.
    fn summary(&self) -> &'static str;
    /// Where it was published, where it was.
    fn paper(&self) -> Option<&'static str>;
    /// How it can be told how much goes.
    fn takes(&self) -> &'static [Takes];
    /// Whether it measures on calibration text.
    fn reads_text(&self) -> bool;
    /// Those of the options that it reads, as `cut.json` has them; what the cut itself shows is
    /// left out.
    fn recorded_options(&self, options: &MethodOptions) -> BTreeMap<String, String> {
        let _ = options;
        BTreeMap::new()
    }
    /// What a target comes to, best first: the first is what pruning makes. Never empty.
    ///
    /// # Errors
    /// Where the target is not what it takes, or no legal model comes near it.
    fn outcomes(
        &self,
        config: &ModelConfig,
        target: &PruningTarget,
        options: &MethodOptions,
    ) -> Result<Vec<Smaller>>;
    /// What measuring takes.
    ///
    /// # Errors
    /// For a configuration whose parameters cannot be counted.
    fn cost(
        &self,
        config: &ModelConfig,
        outcome: &Smaller,
        options: &MethodOptions,
        text: TextSize,
    ) -> Result<MeasuringCost>;
    /// Measures what it decides by.
    ///
    /// # Errors
    /// Where weights or activations are not finite, the disk fails or memory is short.
    fn measure(&self, model: &mut Measuring<'_>, outcome: &Smaller) -> Result<Scores>;
    /// Decides what goes, so that `outcome` is left.
    ///
    /// # Errors
    /// Where the scores are not what it needs or order nothing.
    fn choose(
        &self,
        config: &ModelConfig,
        scores: &Scores,
        target: &PruningTarget,
        outcome: &Smaller,
    ) -> Result<Cut>;
}

/// The error of a method that reads text where there is none.
pub(crate) fn no_calibration(method: &str) -> Error {
    let message = format!("`{method}` scores on calibration text, found none");
    Error::refused(Refused::NoCalibration, message)
}

/// The error of a method that was not given what it decides by.
pub(crate) fn no_scores(method: &dyn Select) -> Error {
    if method.reads_text() {
        return no_calibration(method.name());
    }
    Error::other(format!(
        "`{}` decides by scores of channels, neurons and groups of heads, found none",
        method.name()
    ))
}

/// Scores of another number of blocks than the model has.
pub(crate) fn check_block_count(found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    let message = format!("there are scores for {found} layers, expected {expected}, one for each");
    Err(Error::other(message))
}
