//! The trait of methods that decide which parts of a model go.

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

/// What is known of a method before it sees a model.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Its id.
    pub(crate) name: &'static str,
    /// What the method does, in one line.
    pub(crate) summary: &'static str,
    /// The paper that describes it, if there is one.
    pub(crate) paper: Option<&'static str>,
    /// The kinds of targets that it takes.
    pub(crate) takes: &'static [Takes],
    /// Whether it measures on calibration text.
    pub(crate) reads_text: bool,
}

/// A method that decides which blocks, channels or heads go. It changes nothing itself.
///
/// Its methods are called in this order: `outcomes`, `cost`, `measure`, `choose`.
pub trait Select: Sync {
    /// What is known of it before it sees a model.
    fn about(&self) -> &'static About;
    /// Its id in files, flags and laws, as in `depth-block-influence`.
    fn name(&self) -> &'static str {
        self.about().name
    }
    /// The options that it reads, as `cut.json` has them. What the cut itself shows is left out.
    fn recorded_options(&self, options: &MethodOptions) -> BTreeMap<String, String> {
        let _ = options;
        BTreeMap::new()
    }
    /// The legal models for a target, best first. Pruning makes the first. Never empty.
    ///
    /// # Errors
    /// If it does not take this target, or no legal model comes near it.
    fn outcomes(
        &self,
        config: &ModelConfig,
        target: &PruningTarget,
        options: &MethodOptions,
    ) -> Result<Vec<Smaller>>;
    /// What measuring costs.
    ///
    /// # Errors
    /// If the parameters of the configuration cannot be counted.
    fn cost(
        &self,
        config: &ModelConfig,
        outcome: &Smaller,
        options: &MethodOptions,
        text: TextSize,
    ) -> Result<MeasuringCost>;
    /// Measures the scores.
    ///
    /// # Errors
    /// If weights or activations are not finite, the disk fails or memory is short.
    fn measure(&self, model: &mut Measuring<'_>, outcome: &Smaller) -> Result<Scores>;
    /// Chooses what goes, so that `outcome` is left.
    ///
    /// # Errors
    /// If the scores are of another kind than it needs, or cannot be ordered.
    fn choose(
        &self,
        config: &ModelConfig,
        scores: &Scores,
        target: &PruningTarget,
        outcome: &Smaller,
    ) -> Result<Cut>;
}

/// The error of a method that needs text and got none.
pub(crate) fn no_calibration(method: &str) -> Error {
    let message = format!("`{method}` scores on calibration text, found none");
    Error::refused(Refused::NoCalibration, message)
}

/// The error of a method that got no scores.
pub(crate) fn no_scores(method: &dyn Select) -> Error {
    if method.about().reads_text {
        return no_calibration(method.name());
    }
    Error::other(format!(
        "`{}` decides by scores of channels, neurons and groups of heads, found none",
        method.name()
    ))
}

/// Refuses scores for another number of blocks than the model has.
pub(crate) fn check_block_count(found: usize, expected: usize) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    let message = format!("there are scores for {found} layers, expected {expected}, one for each");
    Err(Error::other(message))
}
