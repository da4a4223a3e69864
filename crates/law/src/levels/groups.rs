//! What runs have in common, beyond the mean curve: their size, and their base.

use serde::{Deserialize, Serialize};

use crate::identify::{SIZE_TOLERANCE, same};
use crate::table::Run;

/// What runs have in common: their size, and their base.
pub(super) const KINDS: usize = 2;

/// The sizes and bases of some runs, in this order among the effects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Groups {
    /// Parameters before pruning.
    sizes: Vec<f64>,
    bases: Vec<String>,
}

impl Groups {
    pub(super) fn of(runs: &[&Run]) -> Self {
        Self::of_models(runs.iter().map(|run| (run.n0, run.base.as_str())))
    }

    /// The groups of models: their sizes and names.
    pub(super) fn of_models<'a>(models: impl Iterator<Item = (f64, &'a str)>) -> Self {
        let (mut sizes, mut bases): (Vec<f64>, Vec<String>) =
            models.map(|(n0, base)| (n0, base.to_owned())).unzip();
        bases.sort_unstable();
        bases.dedup();
        // In order, so that the order of the runs does not matter.
        sizes.sort_by(f64::total_cmp);
        sizes.dedup_by(|a, b| same(*a, *b, SIZE_TOLERANCE));
        Self { sizes, bases }
    }

    /// The sizes, parameters before pruning.
    pub(super) fn sizes(&self) -> &[f64] {
        &self.sizes
    }

    /// The bases.
    pub(super) fn bases(&self) -> &[String] {
        &self.bases
    }

    pub(super) fn base(&self, base: &str) -> Option<usize> {
        self.bases.iter().position(|known| known == base)
    }

    /// The nearest size, where it counts as the same: sizes of one architecture differ in the last
    /// digits.
    pub(super) fn size(&self, n0: f64) -> Option<usize> {
        let apart = |size: &f64| (size / n0).ln().abs();
        let (place, size) =
            self.sizes.iter().enumerate().min_by(|a, b| apart(a.1).total_cmp(&apart(b.1)))?;
        same(*size, n0, SIZE_TOLERANCE).then_some(place)
    }

    /// How many there are of each kind.
    pub(super) fn counts(&self) -> [usize; KINDS] {
        [self.sizes.len(), self.bases.len()]
    }

    pub(super) fn count(&self) -> usize {
        self.counts().iter().sum()
    }

    /// The groups of a run, among all of them.
    pub(super) fn find(&self, n0: f64, base: Option<&str>) -> [Option<usize>; KINDS] {
        let base = base.and_then(|base| self.base(base));
        [self.size(n0), base.map(|base| self.sizes.len() + base)]
    }

    /// Checks what comes from a file.
    pub(super) fn check(&self) -> Result<(), String> {
        match self.sizes.iter().find(|x| !(x.is_finite() && **x > 0.0)) {
            Some(x) => Err(format!("a size of `levels` is {x}, expected a finite number above 0")),
            None => Ok(()),
        }
    }
}
