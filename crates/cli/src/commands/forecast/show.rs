//! A forecast for a person.

use law::forecast::{Forecast, weak_priors};
use ledger::{Estimate, short_count};

use crate::show::number::{ends, nats, percent};
use crate::show::table::TextTable;
use crate::terminal::Output;

/// The advice, then the numbers that it rests on.
pub(super) fn one(found: &Forecast, output: &mut Output) -> anyhow::Result<()> {
    output.data(&format!("{}\n\n", found.sentence()))?;
    output.table(&table(found))?;
    for alarm in found.alarms() {
        output.warn(alarm.sentence());
    }
    for remark in found.remarks() {
        output.say(remark);
    }
    if !found.prior().constants().is_empty() {
        for (name, prior, meaning) in weak_priors() {
            output.detail(&format!("prior {name}: {} ± {}, {meaning}", prior.mean, prior.sd));
        }
    }
    if let Some(diagnostics) = found.diagnostics() {
        output.detail(&diagnostics.sentence());
    }
    Ok(())
}

fn table(found: &Forecast) -> TextTable {
    let mut table = TextTable::facts();
    if let (Some(tokens), Some(loss)) = (found.tokens(), found.loss()) {
        let last = format!("{}, {} nats at the last", short_count(tokens), nats(loss));
        table.fact("tokens so far", format!("{last} of {} points", found.points()));
    }
    if let Some(expected) = found.expected() {
        let until = short_count(expected.until());
        let level = expected.loss().level.map_or_else(|| "no".to_owned(), percent);
        let of = |estimate: Estimate| {
            format!("{}, {level} interval {}", nats(estimate.value), ends(estimate.interval, nats))
        };
        table.fact(&format!("loss after {until} tokens"), of(expected.loss()));
        let measured = ends(expected.measured().interval, nats);
        table.fact("  as an evaluation measures it", format!("{level} interval {measured}"));
        table.fact("the next doubling buys", format!("{} nats", of(expected.next_doubling())));
        let enough = expected.enough().map_or_else(
            || "cannot be told".to_owned(),
            |enough| {
                let interval = ends(enough.interval, short_count);
                format!("{}, {level} interval {interval}", short_count(enough.value))
            },
        );
        table.fact(&format!("a doubling buys {} nats until", found.gain()), enough);
        let floor = expected.floor().map_or_else(|| "cannot be told".to_owned(), of);
        table.fact("floor, an extrapolation", floor);
    }
    if let Some(target) = found.target() {
        let tokens = target.tokens().map_or_else(
            || "many of the curves never reach it".to_owned(),
            |tokens| {
                let interval = ends(tokens.interval, short_count);
                format!("after {} tokens, interval {interval}", short_count(tokens.value))
            },
        );
        let what = format!("target of {} nats", target.loss());
        table.fact(&what, format!("reached with {}; {tokens}", percent(target.chance())));
    }
    table.fact("prior", found.prior().from());
    table
}
