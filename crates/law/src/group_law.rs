//! What the law of one group says of itself.

use std::collections::BTreeMap;

use ledger::Estimate;

use crate::fit::Loss;
use crate::fitting::{Bound, Convergence, Profile, Replicate};
use crate::identify::Identifiability;
use crate::law::{GroupLaw, Units};
use crate::levels::{Diagnostics, Levels};
use crate::metric::Metrics;
use crate::plan::decision::Plan;
use crate::uncertainty::Noise;
use crate::warning::Warning;

impl GroupLaw {
    /// The model series.
    pub fn series(&self) -> &str {
        &self.series
    }

    /// The pruning method.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// Whether the method sets weights to zero, where its id does not say so.
    pub fn zeroed(&self) -> Option<bool> {
        self.zeroed
    }

    /// The form fitted.
    pub fn form_name(&self) -> &str {
        &self.form
    }

    /// The units of size and tokens in the constants.
    pub fn units(&self) -> Units {
        self.units
    }

    /// The constants by name, in these units.
    pub fn constants(&self) -> &BTreeMap<String, Estimate> {
        &self.constants
    }

    /// Constants that were bounded from outside, in these units.
    pub fn bounds(&self) -> &BTreeMap<String, Bound> {
        &self.bounds
    }

    /// The loss function that the fit minimised.
    pub fn loss(&self) -> Loss {
        self.loss
    }

    /// The minimum of that function. For least squares it is the sum of squared residuals, nats
    /// squared.
    pub fn fit_objective(&self) -> f64 {
        self.fit_objective
    }

    /// How the search ended.
    pub fn convergence(&self) -> Convergence {
        self.convergence
    }

    /// How well the law describes the points it was fitted to.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The same measures for the last 20 % of each run's checkpoints, from a fit without them. The
    /// baseline of their skill is the better of the last value seen and a power law through each
    /// run.
    pub fn held_out(&self) -> Option<&Metrics> {
        self.held_out.as_ref()
    }

    /// Points fitted.
    pub fn points(&self) -> usize {
        self.points
    }

    /// Runs fitted.
    pub fn runs(&self) -> usize {
        self.runs
    }

    /// Which constants the data determine.
    pub fn identifiability(&self) -> &Identifiability {
        &self.identifiability
    }

    /// The warnings of this fit.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Smallest and largest value by column, in parameters, tokens and nats.
    pub fn ranges(&self) -> &BTreeMap<String, [f64; 2]> {
        &self.ranges
    }

    /// The probability that an interval contains the true value.
    pub fn level(&self) -> f64 {
        self.level
    }

    /// The refits that intervals are computed from, in these units.
    pub fn replicates(&self) -> &[Replicate] {
        &self.replicates
    }

    /// Laws of the fuller form that describe the data equally well. Empty when the data determine
    /// the constants.
    pub fn profile(&self) -> &[Profile] {
        &self.profile
    }

    /// The noise around the law.
    pub fn noise(&self) -> Noise {
        self.noise
    }

    /// The posterior of curves, bases and runs, if it was sampled and its chains have met.
    pub fn levels(&self) -> Option<&Levels> {
        self.levels.as_ref().filter(|levels| levels.diagnostics().is_good())
    }

    /// Whether the chains of the posterior have met; `None` if it was not sampled.
    pub fn diagnostics(&self) -> Option<&Diagnostics> {
        self.levels.as_ref().map(Levels::diagnostics)
    }

    /// A plan for each size, rate and base of the data.
    pub fn decisions(&self) -> &[Plan] {
        &self.decisions
    }
}
