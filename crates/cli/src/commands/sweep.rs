//! `regrow sweep`: trains, prunes and heals bases as a recipe says. The result is a table of
//! curves, a law and a page.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use law::GroupLaw;
use serde::Serialize;

use super::fit::{decisions, of_losses};
use crate::show::table::TextTable;
use crate::terminal::{Exit, Output, TerminalObserver, interrupt, usage};
use regrow::executor::{Executor, LocalExecutor};
use regrow::sweep::{self, LeftOutJob, SweepOptions, SweepOutcome, SweepRecipe, SweepResult};
use regrow::{Observer, Stop};

const EXAMPLES: &str = "\
Examples:
  What would be run, without running it:
    regrow sweep recipes/quickstart.toml --out sweep --dry-run

  Run it, two jobs at a time; killed and started again, it goes on:
    regrow sweep recipes/quickstart.toml --out sweep --jobs 2";

/// Arguments of `regrow sweep`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The recipe
    #[arg(value_name = "RECIPE.toml")]
    recipe: PathBuf,
    /// The folder of the sweep; one that this recipe has begun is gone on with
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Jobs at a time, each on one thread [default: one a core]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Print the command lines, run nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the result as JSON
    #[arg(long, conflicts_with = "dry_run")]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct SweepReport<'a> {
    format: u32,
    out: &'a Path,
    points: &'a Path,
    law: &'a Path,
    report: &'a Path,
    runs: &'a [String],
    left_out: Vec<LeftOutRow<'a>>,
}

#[derive(Serialize)]
struct LeftOutRow<'a> {
    job: &'a str,
    why: &'a str,
}

impl<'a> LeftOutRow<'a> {
    fn of(job: &'a LeftOutJob) -> Self {
        Self { job: &job.job, why: &job.why }
    }
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    let recipe = SweepRecipe::read(&arguments.recipe)?;
    let name = arguments.recipe.file_stem().unwrap_or_default().to_string_lossy();
    let options =
        SweepOptions::new(&arguments.out, own_program()?).with_title(format!("regrow · {name}"));
    if arguments.dry_run {
        output.data(&sweep::listing(&recipe, &options)?)?;
        return Ok(Exit::Done);
    }
    execute(&arguments.out, arguments.jobs, arguments.json, output, |executor, stop, observer| {
        sweep::run(&recipe, &options, executor, stop, observer)
    })
}

/// The path of this program. It also runs the jobs, so that all have the same version.
pub(super) fn own_program() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("the program's own file cannot be found")
}

/// Runs a sweep in the folder `out`, `jobs` at a time, and prints the result.
pub(super) fn execute(
    out: &Path,
    jobs: Option<NonZeroUsize>,
    json: bool,
    output: &mut Output,
    run: impl FnOnce(&dyn Executor, &Stop, &mut dyn Observer) -> regrow::Result<SweepOutcome>,
) -> anyhow::Result<Exit> {
    // Checked first: the paths go into recipes and reports, which are text.
    if out.to_str().is_none() {
        return Err(usage("`--out` is not UTF-8, and a sweep writes it into text files"));
    }
    let stop = interrupt::listen();
    // Each job takes one thread, so the number of jobs is the number of threads.
    let threads = jobs.map_or_else(rayon::current_num_threads, NonZeroUsize::get);
    let executor = LocalExecutor::new(sweep::logs(out), threads);
    let SweepOutcome::Done(result) = run(&executor, &stop, &mut TerminalObserver::new(output))?
    else {
        output.say("stopped: the same command goes on");
        return Ok(Exit::Interrupted);
    };
    if json {
        output.json(&SweepReport {
            format: 1,
            out,
            points: result.points(),
            law: result.law_file(),
            report: result.report(),
            runs: result.runs(),
            left_out: result.left_out().iter().map(LeftOutRow::of).collect(),
        })?;
    } else {
        show(&result, output)?;
    }
    let told =
        |group: &GroupLaw| group.decisions().iter().any(|plan| plan.enough().value().is_some());
    Ok(if result.law().groups().iter().all(told) { Exit::Done } else { Exit::CannotTell })
}

/// Prints the answers by series and method, and the paths of the files.
fn show(result: &SweepResult, output: &mut Output) -> anyhow::Result<()> {
    for group in result.law().groups() {
        output.data(&format!(
            "{}: form `{}` on {} runs\n",
            group.label(),
            group.form_name(),
            group.runs()
        ))?;
        output.table(&decisions(group))?;
        output.data(of_losses(group))?;
        output.data("\n")?;
    }
    let mut files = TextTable::facts();
    for (name, path) in
        [("points", &result.points()), ("law", &result.law_file()), ("page", &result.report())]
    {
        files.fact(name, path.display().to_string());
    }
    Ok(output.table(&files)?)
}
