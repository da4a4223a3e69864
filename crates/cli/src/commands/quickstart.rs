//! `regrow quickstart`: a complete small sweep in one command.

use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;
use regrow::quickstart::{self, QuickstartOptions};

use super::sweep::{execute, local, own_program};

use crate::terminal::{Exit, Output};

const EXAMPLES: &str = "\
Examples:
  Five sizes, nine bases, a law and a page, in some five minutes on two cores:
    regrow quickstart

  On text of your own, 5 MB or more of it: files of text or JSONL, or folders of them:
    regrow quickstart --text books/ --out books-law

Killed and started again, it goes on. Afterwards `OUT/report.html` is the page, and `OUT/law.json` is what `regrow
predict` and `regrow plan` read. `OUT/recipe.toml` is an ordinary recipe for `regrow sweep`.";

/// Arguments of `regrow quickstart`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Text to train on, a file or a folder; may be given several times [default: a small language
    /// of known entropy]
    #[arg(long, value_name = "FILE")]
    text: Vec<PathBuf>,
    /// The folder to make; if the same command was interrupted, it resumes
    #[arg(long, value_name = "DIR", default_value = "quickstart")]
    out: PathBuf,
    /// Chooses text, weights and order
    #[arg(long, value_name = "N", default_value = "1", value_parser = seed)]
    seed: NonZeroU32,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

fn seed(text: &str) -> Result<NonZeroU32, String> {
    text.parse().map_err(|_| format!("`{text}` is no whole number from 1 to {}", u32::MAX))
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    let options =
        QuickstartOptions::default().with_texts(&arguments.text).with_seed(arguments.seed);
    let (out, program) = (&arguments.out, own_program()?);
    execute((out, &local(out, None)), arguments.json, output, |executor, stop, observer| {
        quickstart::run(&options, (out, program.as_ref()), executor, stop, observer)
    })
}
