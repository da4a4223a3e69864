//! The table of `sweep --dry-run`.

use regrow::count::grouped;
use regrow::sweep::SweepRow;

use crate::show::number::duration;
use crate::show::table::{Align, TextTable};
use crate::terminal::Output;

/// Prints what every job takes, and the sum of what is left.
pub(super) fn show(rows: &[SweepRow], output: &mut Output) -> anyhow::Result<()> {
    let mut table = TextTable::new(&[
        ("job", Align::Left),
        ("parameters", Align::Right),
        ("tokens", Align::Right),
        ("operations", Align::Right),
        ("memory (MB)", Align::Right),
        ("time here", Align::Right),
        ("", Align::Left),
    ]);
    let whole = |number: Option<u64>| number.map_or("-".to_owned(), grouped);
    let power = |number: Option<f64>| number.map_or("-".to_owned(), |found| format!("{found:.2e}"));
    for row in rows {
        table.row([
            row.job().to_owned(),
            whole(row.parameters()),
            whole(row.tokens()),
            power(row.operations()),
            row.memory().map_or("-".to_owned(), |bytes| grouped(bytes.div_ceil(1_000_000))),
            row.seconds().map_or("-".to_owned(), duration),
            if row.is_done() { "done" } else { "" }.to_owned(),
        ]);
    }
    output.table(&table)?;
    let left = || rows.iter().filter(|row| !row.is_done());
    let tokens: u64 = left().filter_map(SweepRow::tokens).sum();
    let operations: f64 = left().filter_map(SweepRow::operations).sum();
    output.data(&format!(
        "\n{} of {} jobs are left: {} tokens, {operations:.2e} operations\n",
        left().count(),
        rows.len(),
        grouped(tokens),
    ))?;
    let seconds: Vec<f64> = left().filter_map(SweepRow::seconds).collect();
    if !seconds.is_empty() {
        let trained = left().filter(|row| row.tokens().is_some()).count();
        let of = if seconds.len() == trained { "" } else { " of those with a time" };
        output.data(&format!(
            "training{of} takes {} on this machine, one job after another, by a probe of its speed now; held-out losses \
             come on top\n",
            duration(seconds.iter().sum()),
        ))?;
    }
    Ok(())
}
