//! What people and programs see: data on stdout, everything else on stderr.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::builder::styling::{AnsiColor, Style};
use serde::Serialize;

use super::hint::{hint, with_flags};
use super::problem::is_usage;
use super::progress::ShownProgress;
use crate::flags::globals::{Color, Globals};
use crate::show::table::TextTable;

/// How a command ended; the numbers are part of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0
    Done,
    /// 1
    Failed,
    /// 2: the command line cannot be run.
    Usage,
    /// 3: the data cannot tell.
    CannotTell,
    /// 75: stopped by a signal after saving; `--resume` goes on.
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

/// Where a command speaks.
#[derive(Debug)]
pub struct Output {
    quiet: bool,
    verbose: bool,
    /// Colours on stdout and on stderr.
    colors: (bool, bool),
}

const BAD: Style = AnsiColor::Red.on_default().bold();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
const HELPFUL: Style = AnsiColor::Cyan.on_default().bold();
const HEADING: Style = Style::new().bold();

impl Output {
    /// Speaks as the flags say.
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

    /// Data: a text on stdout, as it is.
    pub(crate) fn data(&mut self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }

    /// Data: a table on stdout.
    pub(crate) fn table(&mut self, table: &TextTable) -> io::Result<()> {
        let (heading, rows) = table.render();
        let heading = heading.map_or_else(String::new, |text| {
            styled(self.colors.0, HEADING, text.trim_end()) + "\n"
        });
        self.data(&(heading + &rows))
    }

    /// Data: one JSON object on stdout.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(value)?;
        Ok(self.data(&(text + "\n"))?)
    }

    /// A sentence about what happened, on stderr; silent with `--quiet`.
    pub(crate) fn say(&self, text: &str) {
        if !self.quiet {
            stderr(text);
        }
    }

    /// A detail, on stderr, only with `--verbose`.
    pub(crate) fn detail(&self, text: &str) {
        if self.verbose {
            stderr(text);
        }
    }

    /// Something doubtful, on stderr, also with `--quiet`.
    pub(crate) fn warn(&self, text: &str) {
        stderr(&format!("{} {text}", styled(self.colors.1, DOUBTFUL, "warning:")));
    }

    /// Progress of something that counts up to `total` in `unit`.
    pub(crate) fn progress(&self, label: &str, total: u64, unit: &'static str) -> ShownProgress {
        ShownProgress::new(label, total, unit, self.quiet)
    }

    /// Says what went wrong and what helps, and how the process ends for it.
    pub fn error(&self, error: &anyhow::Error) -> Exit {
        // Whoever read our data has gone, as `head` does; that is no failure.
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
            // Transparent errors repeat their cause.
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

/// Nothing can be done when stderr is closed.
fn stderr(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

fn styled(color: bool, style: Style, text: &str) -> String {
    if color { format!("{style}{text}{style:#}") } else { text.to_owned() }
}
