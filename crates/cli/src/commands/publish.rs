//! `regrow publish`: a healed model as a folder for the Hugging Face hub.

use std::path::{Path, PathBuf};

use clap::Args;
use disk::kinds::PUBLISHED;
use regrow::law_file;
use regrow::publish::{Foretold, Publication, PublishOptions};
use serde::Serialize;

use crate::flags::force::existing;
use crate::terminal::{Exit, Output};

const EXAMPLES: &str = "\
Examples:
  The model of a run, with its card, its curve, and what the pilots' law expected of it:
    regrow publish runs/8b-75 --law law.json --base-model meta-llama/Llama-3.1-8B --license llama3.1 --out upload

  What the card would say; nothing is written:
    regrow publish runs/8b-75 --dry-run

regrow sends nothing anywhere. The program of the hub does: `hf upload ORGANISATION/NAME upload`.";

/// Arguments of `regrow publish`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// A run folder that is done
    run: PathBuf,
    /// The folder to make
    #[arg(long, value_name = "DIR", required_unless_present = "dry_run")]
    out: Option<PathBuf>,
    /// Say on the card what this law expected of the run
    #[arg(long, value_name = "FILE")]
    law: Option<PathBuf>,
    /// The model's name on the card [default: that of the run's folder]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The repository of the model before pruning [default: its name in the record]
    #[arg(long, value_name = "REPOSITORY")]
    base_model: Option<String>,
    /// The licence as the hub names it, for example `llama3.1` or `apache-2.0`
    #[arg(long, value_name = "NAME")]
    license: Option<String>,
    /// Print the card and name the files; write nothing
    #[arg(long)]
    dry_run: bool,
    /// Replace `--out` if it is such a folder
    #[arg(long)]
    force: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    format: u32,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    out: Option<&'a Path>,
    files: Vec<&'a str>,
    bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    foretold: Option<&'a Foretold>,
    card: &'a str,
}

/// Runs `regrow publish`.
///
/// # Errors
/// Where the run is not done, the law cannot be asked about it, or the folder cannot be made.
pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    let existing = existing(arguments.force);
    let out = arguments.out.as_deref().filter(|_| !arguments.dry_run);
    if let Some(out) = out {
        // Before the weights are hashed, which can take minutes.
        let inputs = [Some(arguments.run.as_path()), arguments.law.as_deref()];
        PUBLISHED.check(out, existing, &inputs.into_iter().flatten().collect::<Vec<_>>())?;
    }
    let law = arguments.law.as_deref().map(law_file::read).transpose()?;
    let options = PublishOptions::default()
        .with_law(law.as_ref())
        .with_name(arguments.name.as_deref())
        .with_base_model(arguments.base_model.as_deref())
        .with_licence(arguments.license.as_deref());
    let publication = Publication::of(&arguments.run, &options)?;
    if arguments.license.is_none() {
        output.warn("the card names no licence: give that of the base with `--license`");
    }
    if let Some(out) = out {
        publication.write(out, existing)?;
    }
    let bytes = publication.files().iter().map(|(_, bytes)| bytes).sum::<u64>();
    if arguments.json {
        output.json(&Report {
            format: 1,
            name: publication.name(),
            out,
            files: publication.files().iter().map(|(name, _)| name.as_str()).collect(),
            bytes,
            foretold: publication.foretold(),
            card: publication.card(),
        })?;
        return Ok(Exit::Done);
    }
    match out {
        Some(out) => {
            let (shown, megabytes) = (out.display(), bytes as f64 / 1e6);
            output.say(&format!("`{shown}` is ready, {megabytes:.1} MB: look at its `README.md`"));
            output.say(&format!("send it with `hf upload ORGANISATION/NAME {shown}`"));
        }
        None => {
            output.data(publication.card())?;
            let names: Vec<&str> =
                publication.files().iter().map(|(name, _)| name.as_str()).collect();
            output.say(&format!("beside the card: {}; nothing is written", names.join(", ")));
        }
    }
    Ok(Exit::Done)
}
