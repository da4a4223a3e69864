//! Progress of long work: a bar on a terminal, plain lines elsewhere, nothing with `--quiet`.

use std::fmt;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};
use ledger::short_count;
use regrow::count::grouped;

/// A plain line is printed after each tenth of the work, but not more often than this.
const LEAST: Duration = Duration::from_secs(2);
/// A plain line is printed after this time in any case.
const MOST: Duration = Duration::from_secs(10);

/// Progress that counts up to a total.
#[derive(Debug)]
pub(crate) struct ShownProgress {
    label: String,
    total: u64,
    unit: &'static str,
    shown: Display,
}

#[derive(Debug)]
enum Display {
    Bar(ProgressBar),
    Lines { last: Instant, at: u64 },
    Nothing,
}

impl ShownProgress {
    pub(crate) fn new(label: &str, total: u64, unit: &'static str, quiet: bool) -> Self {
        let shown = if quiet {
            Display::Nothing
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(total);
            bar.set_style(style());
            bar.set_prefix(label.to_owned());
            Display::Bar(bar)
        } else {
            // Logs and pipes: no control characters, and few lines.
            Display::Lines { last: Instant::now(), at: 0 }
        };
        Self { label: label.to_owned(), total, unit, shown }
    }

    /// Starts at `done`, the work of an earlier attempt. It does not count for the speed.
    pub(crate) fn start_at(&mut self, done: u64) {
        match &mut self.shown {
            Display::Bar(bar) => {
                bar.set_position(done);
                // The estimate starts from here.
                bar.reset_eta();
            }
            Display::Lines { at, .. } => *at = done,
            Display::Nothing => {}
        }
    }

    /// Sets the progress to `done`. `message` is shown after the count.
    pub(crate) fn at(&mut self, done: u64, message: &str) {
        let text = |unit| format!("{} of {} {unit}", grouped(done), grouped(self.total));
        match &mut self.shown {
            Display::Bar(bar) => {
                bar.set_position(done);
                let gap = if message.is_empty() { "" } else { "  " };
                let [done, total] = [done, self.total].map(|count| short_count(count as f64));
                bar.set_message(format!("{done} of {total} {}{gap}{message}", self.unit));
            }
            Display::Lines { last, at } => {
                let waited = last.elapsed();
                let tenth = done.saturating_sub(*at) >= self.total / 10;
                if waited >= MOST || (tenth && waited >= LEAST) {
                    (*last, *at) = (Instant::now(), done);
                    let gap = if message.is_empty() { "" } else { ", " };
                    eprintln!("{}: {}{gap}{message}", self.label, text(self.unit));
                }
            }
            Display::Nothing => {}
        }
    }

    /// Prints a line during the work. It also delays the next plain progress line.
    pub(crate) fn say(&mut self, text: &str) {
        match &mut self.shown {
            // A line printed over the bar would leave parts of it on the screen.
            Display::Bar(bar) => bar.suspend(|| eprintln!("{text}")),
            Display::Lines { last, .. } => {
                *last = Instant::now();
                eprintln!("{text}");
            }
            Display::Nothing => {}
        }
    }
}

/// One line, also on a terminal of 80 columns: a bar of fixed width, and what does not fit of the
/// message is cut off.
fn style() -> ProgressStyle {
    let left = |state: &ProgressState, out: &mut dyn fmt::Write| {
        // Before anything is done, the estimate is 0.
        if state.eta() > Duration::ZERO {
            // Nothing can be done about an error of the terminal.
            let _ = write!(out, "  {:#} left", HumanDuration(state.eta()));
        }
    };
    let template = "{prefix} {bar:12} {percent:>3} %{left}  {wide_msg}";
    let style = ProgressStyle::with_template(template).expect("the template is a constant");
    style.with_key("left", left)
}

impl Drop for ShownProgress {
    fn drop(&mut self) {
        if let Display::Bar(bar) = &self.shown {
            // The bar is gone once the work has ended, also after an error.
            bar.finish_and_clear();
        }
    }
}
