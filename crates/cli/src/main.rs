//! The `regrow` command.

use std::process::ExitCode;

use clap::Parser;
use regrow_cli::{Cli, Output, commands};

fn main() -> ExitCode {
    let cli = Cli::parse();
    disk::name_lost_maps();
    let mut output = Output::new(&cli.globals);
    // The only place that turns an error into an exit status.
    match commands::run(cli, &mut output) {
        Ok(exit) => exit.into(),
        Err(error) => output.error(&error).into(),
    }
}
