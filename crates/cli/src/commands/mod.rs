//! The subcommands, one file each.

pub mod completions;
pub mod convert;
pub mod design;
pub mod eval;
pub mod fit;
pub mod forecast;
pub mod generate;
pub mod grammar;
pub mod import;
pub mod inspect;
pub mod man;
pub mod plan;
pub mod planner;
pub mod predict;
pub mod prune;
pub mod publish;
pub mod quickstart;
pub mod runs;
pub mod sweep;
pub mod teach;
pub mod tokenize;
pub mod train;
pub mod validate;

use anyhow::Context;
use clap::CommandFactory;

use crate::cli::{Cli, Command};
use crate::terminal::{Exit, Output, interrupt};

/// Runs the subcommand with the requested number of threads.
///
/// # Errors
/// Any error of the subcommand; [`Output::error`] shows it.
pub fn run(cli: Cli, output: &mut Output) -> anyhow::Result<Exit> {
    interrupt::begin()?;
    let threads = cli.globals.threads.map_or(0, |threads| threads.get()); // 0: one a core
    // The main thread takes part in the pool. Otherwise it would pass every loop to another thread
    // and sleep meanwhile, so one more core would be involved.
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .use_current_thread()
        .build_global()
        .context("the threads cannot be started")?;
    let count = rayon::current_num_threads();
    output.detail(&format!("regrow {}, {count} threads", regrow::VERSION));
    let ended = run_command(cli.command, output);
    for sentence in disk::take_leftovers() {
        output.say(&sentence);
    }
    ended
}

fn run_command(command: Command, output: &mut Output) -> anyhow::Result<Exit> {
    match command {
        Command::Tokenize(arguments) => tokenize::run(&arguments, output),
        Command::Teach(arguments) => teach::run(&arguments, output),
        Command::Train(arguments) => train::run(&arguments, output),
        Command::Eval(arguments) => eval::run(&arguments, output),
        Command::Inspect(arguments) => inspect::run(&arguments, output),
        Command::Prune(arguments) => prune::run(&arguments, output),
        Command::Import(arguments) => import::run(&arguments, output),
        Command::Runs(arguments) => runs::run(&arguments, output),
        Command::Generate(arguments) => generate::run(&arguments, output),
        Command::Convert(arguments) => convert::run(&arguments, output),
        Command::Sweep(arguments) => sweep::run(&arguments, output),
        Command::Quickstart(arguments) => quickstart::run(&arguments, output),
        Command::Grammar(arguments) => grammar::run(&arguments, output),
        Command::Fit(arguments) => fit::run(&arguments, output),
        Command::Forecast(arguments) => forecast::run(&arguments, output),
        Command::Predict(arguments) => predict::run(&arguments, output),
        Command::Design(arguments) => design::run(&arguments, output),
        Command::Plan(arguments) => plan::run(&arguments, output),
        Command::Planner(arguments) => planner::run(&arguments, output),
        Command::Validate(arguments) => validate::run(&arguments, output),
        Command::Publish(arguments) => publish::run(&arguments, output),
        Command::Completions(arguments) => completions::run(&arguments, Cli::command(), output),
        Command::Man(arguments) => man::run(&arguments, Cli::command(), output),
    }
}
