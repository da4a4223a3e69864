//! Leave one out: refits from the optimum without one run, or without all runs of one base.

use super::refit::{FEWEST_BASES, LeftOut, Refit};
use crate::fit::{Fit, refit};
use crate::identify::Grid;
use crate::parallel;
use crate::table::Run;

/// Leaves out each run in turn. `None` if some remainder cannot determine all constants.
pub(super) fn by_run(fit: &Fit, runs: &[&Run], method: &str) -> Option<Vec<Refit>> {
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    leave_out(fit, runs, method, &names, |run| &run.name, LeftOut::Run)
}

/// Leaves out each base in turn. `None` with too few bases, or if some remainder cannot determine
/// all constants.
pub(super) fn by_base(fit: &Fit, runs: &[&Run], method: &str) -> Option<Vec<Refit>> {
    let mut bases: Vec<&str> = runs.iter().map(|run| run.base.as_str()).collect();
    bases.sort_unstable();
    bases.dedup();
    (bases.len() >= FEWEST_BASES).then_some(())?;
    leave_out(fit, runs, method, &bases, |run| &run.base, LeftOut::Base)
}

fn leave_out(
    fit: &Fit,
    runs: &[&Run],
    method: &str,
    names: &[&str],
    key: impl Fn(&Run) -> &str + Sync + Send,
    left_out: fn(String) -> LeftOut,
) -> Option<Vec<Refit>> {
    let needed = Grid::of(runs, method).form();
    let whole = fit.problem(runs);
    let refits = parallel::map(names, |name| {
        let places: Vec<usize> =
            (0..runs.len()).filter(|&place| key(runs[place]) != *name).collect();
        let rest: Vec<&Run> = places.iter().map(|&place| runs[place]).collect();
        let points: usize = rest.iter().map(|run| run.points.len()).sum();
        // A remainder that asks for a smaller form would compare different constants.
        if Grid::of(&rest, method).form() != needed || points < fit.parameters.len() {
            return None;
        }
        let parameters = refit(&whole.chosen(&places), &fit.parameters, &[]).parameters;
        Some(Refit { left_out: left_out((*name).to_owned()), parameters })
    });
    refits.into_iter().collect()
}
