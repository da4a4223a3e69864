//! Prints plans as tables.

use law::plan::Decisions;
use ledger::ShortNumber;
use report::plan as sheets;

use crate::show::number::short;
use crate::show::sheet::table;
use crate::terminal::Output;

/// The most offers of the Pareto front that are printed; `--json` has them all.
const FRONT: usize = 12;
/// How numbers in the questions are shown.
const SHORT: ShortNumber = ShortNumber::terminal(4);

/// The answers about one candidate, the choice among several.
pub(super) fn all(found: &Decisions<'_>, output: &mut Output) -> anyhow::Result<()> {
    let plans = found.plans();
    let level = plans.first().map_or(0.9, |decided| decided.group().level());
    if let [decided] = plans {
        let plan = decided.plan();
        output.data(&format!("{}\n\n", plan.enough().sentence()))?;
        output.table(&table(&sheets::answers(plan, level, SHORT)))?;
        if let Some(costs) = sheets::costs(plan, level, SHORT) {
            output.data("\n")?;
            output.table(&table(&costs))?;
        }
        if let Some(doublings) = sheets::doublings(plan, level) {
            output.data("\n")?;
            output.table(&table(&doublings))?;
        }
    }
    let Some(found) = found.allocation() else { return Ok(()) };
    if plans.len() == 1 {
        output.data("\n")?;
    }
    output.data(&format!("{}\n", sheets::best_offer(found)))?;
    if !found.best().is_empty() {
        output.data("\nthe best offer of each candidate, after post-training\n")?;
        output.table(&table(&sheets::offers(found.best(), level)))?;
    }
    let (front, step) = found.thinned(FRONT);
    if !front.is_empty() {
        output.data(&format!("\n{}\n", of_front(found.front().len(), front.len(), step)))?;
        output.table(&table(&sheets::offers(front, level)))?;
    }
    if plans.len() > 1 {
        output
            .data("\neach candidate by itself, enough being where a doubling buys too little\n")?;
        output.table(&table(&sheets::candidates(plans)))?;
    }
    for refusal in found.refused() {
        output.data(&format!("\n{}", sheets::not_offered(refusal)))?;
    }
    if !found.refused().is_empty() {
        output.data("\n")?;
    }
    for warning in found.warnings() {
        output.warn(warning.sentence());
    }
    Ok(())
}

/// The heading of the front's table.
fn of_front(all: usize, shown: usize, step: f64) -> String {
    let front = "the front: no other has less loss, size and cost; cheapest first";
    match all - shown {
        0 => front.to_owned(),
        left => format!(
            "{front}; {left} more, each within {} nats of one that is no dearer and no larger, are in `--json`",
            short(step)
        ),
    }
}
