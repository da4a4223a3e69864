//! `regrow runs exclude` and `regrow runs include`.

use std::path::PathBuf;

use clap::Args;

use crate::terminal::{Exit, Output};

const EXCLUDE: &str = "\
Examples:
  A run that went wrong:
    regrow runs exclude sweep/runs/small-0.3 --reason 'the disk was full'";

const INCLUDE: &str = "\
Examples:
  All that was excluded before:
    regrow runs include sweep/runs/small-0.3 sweep/runs/small-0.4";

/// Arguments of `regrow runs exclude`.
#[derive(Debug, Args)]
#[command(after_help = EXCLUDE)]
pub(super) struct Excluding {
    /// Run folders
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// Why; it is kept in the run's folder, and shown wherever the run is missing
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    reason: String,
}

/// Arguments of `regrow runs include`.
#[derive(Debug, Args)]
#[command(after_help = INCLUDE)]
pub(super) struct Including {
    /// Run folders
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<PathBuf>,
}

impl Excluding {
    pub(super) fn run(&self, output: &mut Output) -> anyhow::Result<Exit> {
        for run in &self.runs {
            store::exclude(run, &self.reason)?;
            output.say(&format!("`{}` is left out of every fit from now on", run.display()));
        }
        Ok(Exit::Done)
    }
}

impl Including {
    pub(super) fn run(&self, output: &mut Output) -> anyhow::Result<Exit> {
        for run in &self.runs {
            match store::include(run)? {
                true => output.say(&format!("`{}` counts again", run.display())),
                false => output.say(&format!("`{}` was not excluded", run.display())),
            }
        }
        Ok(Exit::Done)
    }
}
