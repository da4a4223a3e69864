//! `regrow grammar`: text from a small language of known entropy. The loss of a model on it can be
//! compared with the least possible loss.

use std::path::PathBuf;

use clap::Args;

use crate::flags::force::existing;
use crate::terminal::{Exit, Output, TerminalObserver};
use regrow::count::{Count, grouped};
use regrow::quickstart::grammar::{self, GrammarOptions};

const EXAMPLES: &str = "\
Examples:
  Text for small models, each with the nats that the best possible reader would pay for it:
    regrow grammar --documents 10000 --seed 1 --out text

  A corpus of it:
    regrow tokenize text/documents.jsonl --vocabulary 512 --out corpus";

/// The most documents that are written; they take a few gigabytes.
const MOST: u64 = 10_000_000;

/// Arguments of `regrow grammar`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Documents to write
    #[arg(long, value_name = "N")]
    documents: Count,
    /// Chooses the texts; the language is the same for every seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// The folder to make: `documents.jsonl` with `text` and `nats`, and `grammar.json`
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace `--out` if it exists
    #[arg(long)]
    force: bool,
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    let count = arguments.documents.0;
    // A slip such as `1e12` would fill the disk.
    if !(1..=MOST).contains(&count) {
        anyhow::bail!("`--documents` is {count}, expected 1 to {MOST}");
    }
    let mut options = GrammarOptions::new(&arguments.out, count);
    options.seed = arguments.seed;
    options.existing = existing(arguments.force);
    let nats = grammar::write(&options, &mut TerminalObserver::new(output))?;
    output.say(&format!(
        "`{}`: {} documents, {:.2} nats each",
        arguments.out.display(),
        grouped(count),
        nats / count as f64
    ));
    Ok(Exit::Done)
}
