//! Output: data goes to stdout, everything else to stderr.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Style};
use serde::Serialize;

use super::hint::{hint, with_flags};
use super::problem::is_usage;
use super::progress::ShownProgress;
use crate::flags::globals::{Color, Globals};
use crate::show::table::TextTable;

/// How a command ended. The exit statuses are part of the interface and must not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0
    Done,
    /// 1
    Failed,
    /// 2: the command line cannot be run.
    Usage,
    /// 3: the data are not enough for an answer, or a check failed.
    CannotTell,
    /// 75: stopped by a signal or time limit after saving; `--resume` continues.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::CannotTell => 3,
            Exit::Interrupted => 75,
        })
    }
}

/// The output of a command.
#[derive(Debug)]
pub struct Output {
    quiet: bool,
    verbose: bool,
    /// Whether to use colours on stdout and on stderr.
    colors: (bool, bool),
}

const BAD: Style = AnsiColor::Red.on_default().bold();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
const HELPFUL: Style = AnsiColor::Cyan.on_default().bold();
const HEADING: Style = Style::new().bold();

impl Output {
    /// Output with the settings of the flags.
    pub fn new(globals: &Globals) -> Self {
        let color = |terminal: bool| match globals.color {
            Color::Always => true,
            Color::Never => false,
            // The convention of no-color.org: set and not empty.
            Color::Auto => {
                terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            }
        };
        let colors = (color(io::stdout().is_terminal()), color(io::stderr().is_terminal()));
        Self { quiet: globals.quiet, verbose: globals.verbose, colors }
    }

    /// Writes data to stdout: a text, unchanged.
    pub(crate) fn data(&mut self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        // Flushed each time, so that data and messages appear in order.
        stdout.flush()
    }

    /// Writes data to stdout: a table.
    pub(crate) fn table(&mut self, table: &TextTable) -> io::Result<()> {
        let (heading, rows) = table.render();
        let heading = heading.map_or_else(String::new, |text| {
            styled(self.colors.0, HEADING, text.trim_end()) + "\n"
        });
        self.data(&(heading + &rows))
    }

    /// Writes data to stdout: one JSON object.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(value)?;
        Ok(self.data(&(text + "\n"))?)
    }

    /// Writes information to stderr; silent with `--quiet`.
    pub(crate) fn say(&self, text: &str) {
        if !self.quiet {
            stderr(text);
        }
    }

    /// Writes a detail to stderr, only with `--verbose`.
    pub(crate) fn detail(&self, text: &str) {
        if self.verbose {
            stderr(text);
        }
    }

    /// Writes a warning to stderr, even with `--quiet`.
    pub(crate) fn warn(&self, text: &str) {
        stderr(&format!("{} {text}", styled(self.colors.1, DOUBTFUL, "warning:")));
    }

    /// Starts to show progress that counts up to `total` in `unit`.
    pub(crate) fn progress(&self, label: &str, total: u64, unit: &'static str) -> ShownProgress {
        ShownProgress::new(label, total, unit, self.quiet)
    }

    /// Writes an error and its hint to stderr, and returns the exit status.
    pub fn error(&self, error: &anyhow::Error) -> Exit {
        // The reader of our output has closed the pipe, as `head` does. That is not a failure.
        let broken = |cause: &(dyn std::error::Error + 'static)| {
            cause
                .downcast_ref::<io::Error>()
                .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
        };
        if broken(error.root_cause()) {
            return Exit::Done;
        }
        let mut said = with_flags(error.as_ref());
        let mut text = format!("{} {said}", styled(self.colors.1, BAD, "error:"));
        for cause in error.chain().skip(1) {
            let cause = with_flags(cause);
            // A transparent error has the same text as its cause, so a text that was printed is
            // skipped.
            if !said.contains(&cause) {
                text += &format!("\n  caused by: {cause}");
                said += &cause;
            }
        }
        if let Some(hint) = hint(error) {
            text += &format!("\n\n{} {hint}", styled(self.colors.1, HELPFUL, "hint:"));
        }
        stderr(&text);
        if is_usage(error) { Exit::Usage } else { Exit::Failed }
    }
}

/// Writes a line to stderr. If stderr is closed, nothing can be done about it.
fn stderr(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

fn styled(color: bool, style: Style, text: &str) -> String {
    if color { format!("{style}{text}{style:#}") } else { text.to_owned() }
}
