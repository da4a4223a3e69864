//! The arguments: what every subcommand shares, and the list of subcommands.

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand};

use crate::commands::{
    completions, convert, design, eval, fit, forecast, generate, grammar, import, inspect, man,
    plan, planner, predict, prune, publish, quickstart, runs, sweep, teach, tokenize, train,
    validate,
};
use crate::flags::globals::Globals;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

// This text must agree with `terminal::Exit`, and for 130 with `terminal::interrupt`.
const AFTER_HELP: &str = "\
Exit status: 0 done, 1 error, 2 usage, 3 the data cannot tell or a quality gate failed, 75 interrupted and
resumable, 130 second interrupt, 128 + N ended by signal N with nothing to resume.

`regrow COMMAND --help` ends with examples.";

/// Prune a large language model, train it back to health, keep the record
#[derive(Debug, Parser)]
#[command(name = "regrow", version = regrow::VERSION, styles = STYLES, after_help = AFTER_HELP, max_term_width = 100)]
pub struct Cli {
    /// What every subcommand shares.
    #[command(flatten)]
    pub globals: Globals,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Turn text into a corpus folder: tokens, with documents held out
    Tokenize(tokenize::Arguments),
    /// Write what a teacher says about a corpus into a cache, to train from without the teacher
    Teach(teach::Arguments),
    /// Train a model from scratch, or heal a pruned one
    Train(Box<train::Arguments>),
    /// Measure a model's loss on held-out text
    Eval(eval::Arguments),
    /// Show a model's shape, size and legal pruning rates
    Inspect(inspect::Arguments),
    /// Remove a part of a model; it becomes whole blocks
    Prune(Box<prune::Arguments>),
    /// Turn the log of another trainer into a run folder
    Import(Box<import::Arguments>),
    /// List run folders and how they stand
    Runs(runs::Arguments),
    /// Continue a text greedily, to see that a model works
    Generate(generate::Arguments),
    /// Convert a model of another format into a model folder
    Convert(convert::Arguments),
    /// Train, prune and heal many models as a recipe says, and gather their curves
    Sweep(sweep::Arguments),
    /// See the whole idea in a few minutes: small models, trained, pruned, healed, and a law for
    /// them
    Quickstart(quickstart::Arguments),
    /// Write text from a small language whose entropy is known
    Grammar(grammar::Arguments),
    /// Fit a law to measured curves: how many tokens are enough, and how sure that is
    Fit(fit::Arguments),
    /// Say where a run that is training will end, and whether to stop it
    Forecast(Box<forecast::Arguments>),
    /// Say what loss a law expects
    Predict(predict::Arguments),
    /// Say how many tokens are enough, what they cost, and which model to prune how far
    Plan(Box<plan::Arguments>),
    /// Write a page that answers what a law knows, in any browser and without a network
    Planner(planner::Arguments),
    /// Say which cheap runs to make, so that a wanted number becomes certain
    Design(Box<design::Arguments>),
    /// Hold out a part of measured curves and judge every form and baseline on it
    Validate(validate::Arguments),
    /// Make a folder for the Hugging Face hub: a healed model, its card, its curve
    Publish(publish::Arguments),
    /// Print what a shell needs to complete commands and flags
    Completions(completions::Arguments),
    /// Write manual pages, one a command
    Man(man::Arguments),
}
