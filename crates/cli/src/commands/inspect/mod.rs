//! `regrow inspect`: shows the shape, size and legal pruning rates of a model, and checks its
//! folder.

mod facts;
mod show;

use std::path::PathBuf;

use clap::Args;
use regrow::inspect::{InspectOptions, inspect};

use self::facts::Facts;
use crate::terminal::{Exit, Output, TerminalObserver};

const EXAMPLES: &str = "\
Examples:
  A model folder, or one that holds only a `config.json`:
    regrow inspect llama-1b

  The same with every weight read: numbers that are none, zeros where none are listed, a cut of another model:
    regrow inspect llama-1b-2-4 --verify --base llama-1b

  A public size by its name, without having it:
    regrow inspect qwen2.5-7b --json";

/// Arguments of `regrow inspect`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// A model folder, a `config.json`, the name of a public model, or an id of the hub
    model: PathBuf,
    /// Read every weight; status 3 where anything disagrees
    #[arg(long)]
    verify: bool,
    /// With `--verify`: the model that this one was pruned from, whose hash `cut.json` holds
    #[arg(long, value_name = "DIR", requires = "verify")]
    base: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    let mut options = InspectOptions::new().verify(arguments.verify);
    if let Some(base) = &arguments.base {
        options = options.base(base);
    }
    let found = inspect(&arguments.model, &options, &mut TerminalObserver::new(output))?;
    let facts = Facts::of(&found);
    if arguments.json {
        output.json(&facts)?;
    } else {
        show::show(&facts, output)?;
    }
    for problem in found.problems() {
        output.warn(problem);
    }
    let passed = found.problems().is_empty();
    if arguments.verify && passed {
        output.say("every weight was read, nothing disagrees");
    }
    // Problems without `--verify` are only warnings: the command was asked to describe, not to
    // judge.
    Ok(if passed || !arguments.verify { Exit::Done } else { Exit::CannotTell })
}
