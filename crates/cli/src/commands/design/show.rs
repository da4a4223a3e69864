//! A design for a person.

use law::design::{Check, Design, Wanted};
use law::plan::{Bill, Cost};
use ledger::short_count;

use super::pilots::Model;
use crate::show::number::{parameters, percent};
use crate::show::table::{Align, TextTable};
use crate::terminal::Output;

/// The runs in order, with the expected interval after each, and one sentence.
pub(super) fn design(
    found: &Design,
    of: &Model,
    bill: &Bill,
    tried: Option<Check>,
    output: &mut Output,
) -> anyhow::Result<()> {
    let what = match found.wanted() {
        Wanted::Enough { gain } => {
            format!("the tokens from which a doubling buys less than {gain} nats")
        }
        Wanted::Loss { tokens } => format!("the loss after {} tokens", short_count(tokens)),
    };
    let rate = share(of.rates()[0].realised);
    let level = percent(found.level());
    output.data(&format!(
        "{}\n\nWanted: {what}, of {} ({} parameters) with {rate} removed.\n",
        sentence(found),
        of.name(),
        parameters(of.n0())
    ))?;
    if !found.runs().is_empty() {
        let interval = format!("{level} interval then");
        let mut table = TextTable::new(&[
            ("run", Align::Right),
            ("model", Align::Left),
            ("rate", Align::Right),
            ("tokens", Align::Right),
            ("seed", Align::Right),
            ("cost", Align::Right),
            ("cost so far", Align::Right),
            (interval.as_str(), Align::Right),
        ]);
        table.row(
            ["", "before any", "", "", "", "", "", &found.before().to_string()].map(str::to_owned),
        );
        for (i, run) in found.runs().iter().enumerate() {
            let pilot = run.pilot();
            table.row([
                (i + 1).to_string(),
                pilot.base().to_owned(),
                share(pilot.rate()),
                short_count(pilot.tokens()),
                pilot.seed().to_string(),
                cost(&bill.cost(pilot.cost())),
                cost(&bill.cost(run.spent())),
                run.after().to_string(),
            ]);
        }
        output.data("\n")?;
        output.table(&table)?;
    }
    if let Some(sentence) = first_runs(found, bill) {
        output.data(&format!("\n{sentence}"))?;
    }
    if let Some(tried) = tried {
        let width = tried.width().map_or_else(|| "none".to_owned(), |width| width.to_string());
        output.data(&format!(
            "\nTried on {} made tables: {} gave an interval, the middle one {width}; {} of them held the number.\n",
            tried.tables(),
            tried.answered(),
            tried.held()
        ))?;
    }
    let [used, left_out] = found.worlds();
    output.detail(&format!("judged in {used} worlds; {left_out} more have no such number"));
    output.say(
        "the intervals are for a new run of that model, and hold if what is believed does; how much bases and runs differ is \
         believed, not learnt from the pilots",
    );
    Ok(())
}

fn sentence(found: &Design) -> String {
    let (before, after) = (found.before(), found.after());
    let runs = match found.runs().len() {
        0 => {
            return format!(
                "It is enough: no run within the budget narrows the interval, {before}, by a twentieth."
            );
        }
        _ if found.is_enough() => {
            return format!(
                "It is enough: all runs within the budget narrow the interval from {before} to {after}, less than a \
                 twentieth."
            );
        }
        1 => "One run narrows".to_owned(),
        n => format!("{n} runs narrow"),
    };
    format!("{runs} the interval from {before} to {after}.")
}

/// The first runs that bring nearly all, if they cost less than half.
fn first_runs(found: &Design, bill: &Bill) -> Option<String> {
    let [before, after] = [found.before(), found.after()].map(|width| width.half());
    let nearly = after + 0.1 * (before - after);
    let (count, last) = (1..).zip(found.runs()).find(|(_, run)| run.after().half() <= nearly)?;
    (2.0 * last.spent() < found.spent()).then(|| {
        let runs = if count == 1 { "run brings" } else { "runs bring" };
        format!(
            "The first {count} {runs} nine tenths of that, for {} of {}.\n",
            cost(&bill.cost(last.spent())),
            cost(&bill.cost(found.spent()))
        )
    })
}

/// A share with one digit of a percent: rates of whole blocks are no round numbers.
fn share(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// A cost in the most telling unit that is known, to three digits.
pub(super) fn cost(cost: &Cost) -> String {
    let three = |x: f64| match x {
        x if x >= 100.0 => format!("{x:.0}"),
        x if x >= 10.0 => format!("{x:.1}"),
        x => format!("{x:.2}"),
    };
    match (cost.usd(), cost.gpu_hours()) {
        (Some(usd), _) => format!("{} usd", three(usd)),
        (None, Some(hours)) => format!("{} gpu-hours", three(hours)),
        (None, None) => format!("{:.1e} flop", cost.flops()),
    }
}
