//! `regrow quickstart`: the whole idea in one command.

use std::path::PathBuf;

use clap::Args;

use crate::terminal::{Exit, Output};
use regrow::quickstart::recipe;
use regrow::sweep::recipe::Sweep;

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
    /// The folder to make; one that the same command has begun is gone on with
    #[arg(long, value_name = "DIR", default_value = "quickstart")]
    out: PathBuf,
    /// Chooses text, weights and order
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    seed: u32,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    let written = recipe(&arguments.text, arguments.seed)?;
    let sweep = Sweep::parse(&written)?;
    let title = "regrow quickstart: how many tokens bring a pruned model back";
    super::sweep::execute(&sweep, &written, &arguments.out, title, None, arguments.json, output)
}
