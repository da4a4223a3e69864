//! `regrow predict`: the loss that a law predicts.

use std::path::PathBuf;

use clap::Args;

use crate::flags::force::existing;
use crate::flags::place::{Foretold, PlaceFlags};
use crate::show::{picture, sheet};
use crate::terminal::{Exit, Output};
use regrow::count::Count;
use regrow::law_file;

const EXAMPLES: &str = "\
Examples:
  The loss of an 8B model, a quarter of it removed, after a billion tokens:
    regrow predict law.json --n0 8.03e9 --rate 0.25 --loss0 2.05 --tokens 1e9

  A public model by its name, from which its parameters follow:
    regrow predict law.json --model qwen2.5-7b --rate 0.25 --loss0 1.95 --tokens 1B

  The same with a picture of the curve around it:
    regrow predict law.json --n0 8.03e9 --rate 0.25 --loss0 2.05 --tokens 1e9 --out curve.svg

  A run that the law has seen, continued to twice its tokens, and a new run from a base that it has seen:
    regrow predict law.json --run llama-1b-3of16 --tokens 2B
    regrow predict law.json --base llama-1b --n0 1.24B --rate 0.25 --loss0 2.4 --tokens 1B

  From a law of several series and methods, as JSON:
    regrow predict law.json --series llama3 --method depth-list --n0 8.03B --rate 0.25 --loss0 2.05 --tokens 1B --json

Where the data cannot tell, no number is given and the exit status is 3.";

/// Arguments of `regrow predict`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// A law, written by `regrow fit`
    law: PathBuf,
    #[command(flatten)]
    place: PlaceFlags,
    /// Post-training tokens
    #[arg(long, value_name = "N")]
    tokens: Count,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Draw the law's curve there, with both intervals, into this file, SVG or PNG by its ending
    #[arg(short, long, value_name = "PICTURE")]
    out: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
}

/// Runs `regrow predict`.
///
/// # Errors
/// Where the law cannot be read, no group matches the question, or its numbers are out of range.
pub fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    if let Some(out) = &arguments.out {
        picture::check(out, existing(arguments.force), &[&arguments.law])?;
    }
    let law = law_file::read(&arguments.law)?;
    let group = arguments.place.group(&law)?;
    let tokens = arguments.tokens.0 as f64;
    let Foretold { place, prediction } = arguments.place.predict(group, tokens)?;
    if let Some(out) = &arguments.out {
        let picture = report::prediction_picture(
            group,
            arguments.place.subject(),
            place,
            tokens,
            &prediction,
        );
        picture::write(out, picture, output)?;
    }
    let told = prediction.loss().is_some();
    if arguments.json {
        output.json(&law::Foretold::new(group, place, arguments.tokens.0, prediction))?;
    } else {
        output.data(&format!("{}\n\n", prediction.sentence()))?;
        output.table(&sheet::facts(&report::plan::prediction(&prediction)))?;
    }
    Ok(if told { Exit::Done } else { Exit::CannotTell })
}
