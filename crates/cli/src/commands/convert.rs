//! `regrow convert`: converts models of other formats into model folders.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use ledger::Params;
use shape::count::Count;

use crate::flags::force::existing;
use crate::terminal::{Exit, Output};

const EXAMPLES: &str = "\
Examples:
  A model of the llama2.c family with its tokenizer:
    regrow convert llama2c stories260K.bin --tokenizer tok512.bin --out stories260K";

/// Arguments of `regrow convert`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The format that comes in.
    #[command(subcommand)]
    format: SourceFormat,
}

#[derive(Debug, Subcommand)]
enum SourceFormat {
    /// The old `.bin` files of the llama2.c family, without a version or of version 1
    Llama2c(Llama2c),
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
struct Llama2c {
    /// The weights
    #[arg(value_name = "FILE.bin")]
    weights: PathBuf,
    /// The tokenizer
    #[arg(long, value_name = "TOK.bin")]
    tokenizer: PathBuf,
    /// The model folder to make
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace `--out` if it exists
    #[arg(long)]
    force: bool,
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    let SourceFormat::Llama2c(arguments) = &arguments.format;
    let existing = existing(arguments.force);
    let config = model::llama2c::convert(
        &arguments.weights,
        &arguments.tokenizer,
        &arguments.out,
        existing,
    )?;
    let count = Params(Count::of(&config).total());
    output.say(&format!(
        "`{}`: {} of the {} family, {} blocks",
        arguments.out.display(),
        count,
        config.family().name,
        config.num_hidden_layers()
    ));
    Ok(Exit::Done)
}
