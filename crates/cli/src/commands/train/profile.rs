//! `--profile`: where a step's time went, against the least that it could take.

use model::backend::Backend;
use model::backend::profiled::{Account, Rates, Work};
use train::Event;

use crate::show::table::{Align, Table};

/// Steps that were timed.
#[derive(Debug, Default)]
pub(super) struct Timed {
    steps: u64,
    seconds: f64,
    tokens: u64,
}

impl Timed {
    /// Counts a step, where that is what happened.
    pub(super) fn hear(&mut self, event: &Event) {
        let Event::Point(point) = event else { return };
        if let Some(speed) = point.tokens_per_second.filter(|&speed| speed > 0.0) {
            let tokens = point.tokens.0.saturating_sub(self.tokens);
            // The first of a run that goes on counts what was seen before: it says nothing of its
            // own step.
            if self.tokens > 0 || point.step == 1 {
                self.steps += 1;
                self.seconds += tokens as f64 / speed;
            }
        }
        self.tokens = point.tokens.0;
    }
}

/// What was spent a step, in lines for people; the speed of `machine` is measured for it.
pub(super) fn table<B: Backend>(
    machine: &B,
    account: &Account,
    timed: &Timed,
) -> model::Result<String> {
    let rates = Rates::measure(machine)?;
    let (steps, seconds) = (timed.steps.max(1) as f64, timed.seconds);
    let a_step = |seconds: f64| format!("{:.2}", 1e3 * seconds / steps);
    let share = |part: f64| format!("{:.1}", 100.0 * part / seconds.max(1e-9));
    let mut table = Table::new(&[
        ("where the time went", Align::Left),
        ("ms a step", Align::Right),
        ("%", Align::Right),
        ("at least, ms", Align::Right),
        ("GFLOP/s", Align::Right),
        ("calls a step", Align::Right),
    ]);
    let (mut known, mut least) = (0.0, 0.0);
    for work in Work::ALL {
        let spent = account.of(work);
        let floor = rates.floor(&spent);
        (known, least) = (known + spent.seconds, least + floor);
        let speed = if spent.flop > 0.0 {
            format!("{:.0}", spent.flop / spent.seconds.max(1e-9) / 1e9)
        } else {
            String::new()
        };
        let calls = format!("{:.0}", spent.calls as f64 / steps);
        table.row([
            work.name().into(),
            a_step(spent.seconds),
            share(spent.seconds),
            a_step(floor),
            speed,
            calls,
        ]);
    }
    let rest = (seconds - known).max(0.0);
    let empty = String::new;
    table.row(["text, bookkeeping".into(), a_step(rest), share(rest), empty(), empty(), empty()]);
    table.row(["a step".into(), a_step(seconds), share(seconds), a_step(least), empty(), empty()]);
    let (heading, rows) = table.render();
    Ok(format!(
        "{}{rows}\"at least\": products at {:.0} GFLOP/s and everything read and written once at {:.1} GB/s, as measured here now; \
         what stays in a cache can be faster",
        heading.unwrap_or_default(),
        rates.flop / 1e9,
        rates.bytes / 1e9
    ))
}
