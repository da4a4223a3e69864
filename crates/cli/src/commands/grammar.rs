//! `regrow grammar`: text from a small language whose entropy is known, to see how near a model
//! comes to it.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use disk::{Existing, NewFolder};
use serde_json::json;

use crate::terminal::{Exit, Output};
use regrow::count::{Count, grouped};
use regrow::quickstart::grammar::{Grammar, LANGUAGE};

const EXAMPLES: &str = "\
Examples:
  Text for small models, each with the nats that the best possible reader would pay for it:
    regrow grammar --documents 10000 --seed 1 --out text

  A corpus of it:
    regrow tokenize text/documents.jsonl --vocabulary 512 --out corpus";

/// The most documents that are written: some gigabytes.
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
    if !(1..=MOST).contains(&count) {
        anyhow::bail!("`--documents` is {count}, expected 1 to {MOST}");
    }
    let existing = if arguments.force { Existing::Replace } else { Existing::Refuse };
    let folder = NewFolder::create(&arguments.out, existing)?;
    let mut file = disk::Aside::create(&folder.path().join("documents.jsonl"))?;
    let mut progress = output.progress("telling", count, "documents");
    let grammar = Grammar::new();
    let mut line = String::new();
    let mut nats = 0.0;
    for number in 0..count {
        let told = grammar.tell(arguments.seed, number);
        nats += told.nats;
        line.clear();
        writeln!(line, "{}", json!({ "text": told.text, "nats": told.nats }))?;
        std::io::Write::write_all(&mut file, line.as_bytes())?;
        progress.at(number + 1, "");
    }
    drop(progress);
    file.commit()?;
    let about = json!({
        "format": 1, "language": LANGUAGE, "seed": arguments.seed, "documents": count, "nats": nats,
    });
    disk::write(&folder.path().join("grammar.json"), &serde_json::to_vec_pretty(&about)?)?;
    folder.commit()?;
    output.say(&format!(
        "`{}`: {} documents, {:.2} nats each",
        arguments.out.display(),
        grouped(count),
        nats / count as f64
    ));
    Ok(Exit::Done)
}
