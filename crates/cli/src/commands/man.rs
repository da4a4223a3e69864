//! `regrow man`: the help of every command as manual pages.

use std::path::PathBuf;

use clap::{Args, Command};
use disk::NewFolder;
use disk::kinds::PAGES;

use crate::flags::force::existing;
use crate::terminal::{Exit, Output};

const EXAMPLES: &str = "\
Examples:
  Pages for `man`, one a command:
    regrow man --out man1
    man ./man1/regrow-prune.1";

/// Arguments of `regrow man`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The folder to make: `regrow.1`, and a page for every command
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace `--out` if it exists
    #[arg(long)]
    force: bool,
}

/// Runs the subcommand; `command` is the whole command line that is described.
pub(super) fn run(
    arguments: &Arguments,
    command: Command,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let existing = existing(arguments.force);
    let folder = NewFolder::create(&arguments.out, existing, &PAGES)?;
    // Manual pages are made from the command itself, without terminal colours or width.
    clap_mangen::generate_to(command, folder.path())?;
    let pages = std::fs::read_dir(folder.path())?.count();
    folder.commit()?;
    output.say(&format!("`{}`: {pages} manual pages", arguments.out.display()));
    Ok(Exit::Done)
}
