//! `regrow completions`: what a shell needs to complete commands and flags.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::terminal::{Exit, Output};

const EXAMPLES: &str = "\
Examples:
  For every new shell of a user:
    regrow completions bash > ~/.local/share/bash-completion/completions/regrow
    regrow completions zsh > ~/.zfunc/_regrow
    regrow completions fish > ~/.config/fish/completions/regrow.fish";

/// Arguments of `regrow completions`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The shell that will read it
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Runs the subcommand; `command` is the whole command line that is completed.
pub(super) fn run(
    arguments: &Arguments,
    mut command: Command,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "regrow", &mut script);
    // Through `Output`, so that a closed pipe counts as success, as for all data.
    output.data(&String::from_utf8(script)?)?;
    Ok(Exit::Done)
}
