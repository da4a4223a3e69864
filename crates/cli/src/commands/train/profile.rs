//! `--profile`: the time of a step by operation, compared with the least time possible.

use regrow::heal::StepAccount;

use crate::show::table::{Align, TextTable};

/// The time of a step by operation, as lines for people.
pub(super) fn table(account: &StepAccount) -> String {
    // A run without a timed step must not divide by zero.
    let (steps, seconds) = (account.steps().max(1) as f64, account.seconds());
    let a_step = |seconds: f64| format!("{:.2}", 1e3 * seconds / steps);
    let share = |part: f64| format!("{:.1}", 100.0 * part / seconds.max(1e-9));
    let mut table = TextTable::new(&[
        ("where the time went", Align::Left),
        ("ms a step", Align::Right),
        ("%", Align::Right),
        ("at least, ms", Align::Right),
        ("GFLOP/s", Align::Right),
        ("calls a step", Align::Right),
    ]);
    let (mut known, mut least) = (0.0, 0.0);
    for spent in account.spent() {
        (known, least) = (known + spent.seconds(), least + spent.least());
        let speed = if spent.flop() > 0.0 {
            format!("{:.0}", spent.flop() / spent.seconds().max(1e-9) / 1e9)
        } else {
            String::new()
        };
        let calls = format!("{:.0}", spent.calls() as f64 / steps);
        table.row([
            spent.name().into(),
            a_step(spent.seconds()),
            share(spent.seconds()),
            a_step(spent.least()),
            speed,
            calls,
        ]);
    }
    // The operations are timed one by one; what the whole step takes beyond them is the rest.
    let rest = (seconds - known).max(0.0);
    let empty = String::new;
    table.row(["text, bookkeeping".into(), a_step(rest), share(rest), empty(), empty(), empty()]);
    table.row(["a step".into(), a_step(seconds), share(seconds), a_step(least), empty(), empty()]);
    let (heading, rows) = table.render();
    format!(
        "{}{rows}\"at least\": products at {:.0} GFLOP/s and everything read and written once at {:.1} GB/s, as measured here now; \
         what stays in a cache can be faster",
        heading.unwrap_or_default(),
        account.flop_rate() / 1e9,
        account.byte_rate() / 1e9
    )
}
