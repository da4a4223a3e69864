//! `regrow sweep`: trains, prunes and heals bases as a recipe says. The result is a table of
//! curves, a law and a page.

mod plan;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use law::GroupLaw;
use serde::Serialize;

use super::fit::{decisions, of_losses};
use crate::flags::whole::at_least_one;
use crate::show::table::TextTable;
use crate::terminal::{Exit, Output, TerminalObserver, interrupt, usage};
use regrow::executor::{Executor, LocalExecutor, SlurmExecutor, has_records};
use regrow::sweep::{
    self, ExecutorName, LeftOutJob, SweepOptions, SweepOutcome, SweepRecipe, SweepResult,
};
use regrow::{Observer, Stop};

const EXAMPLES: &str = "\
Examples:
  What would be run and what it takes, without running it:
    regrow sweep recipes/quickstart.toml --out sweep --dry-run

  Run it, two jobs at a time; killed and started again, it goes on:
    regrow sweep recipes/quickstart.toml --out sweep --jobs 2

  On a Slurm cluster: what would be submitted; submit it and leave; come back:
    regrow sweep pilots.toml --out pilots --executor slurm --dry-run
    regrow sweep pilots.toml --out pilots --executor slurm --detach
    regrow sweep --attach pilots

Ctrl-C asks all jobs to save and stop, on a cluster too. A process that is killed leaves jobs on a cluster at work.";

/// Arguments of `regrow sweep`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The recipe
    #[arg(value_name = "RECIPE.toml", required_unless_present = "attach", requires = "out")]
    recipe: Option<PathBuf>,
    /// The folder of the sweep. One that was begun before resumes; where the recipe has changed,
    /// only what changed runs again
    #[arg(long, value_name = "DIR", required_unless_present = "attach")]
    out: Option<PathBuf>,
    /// Come back to a sweep whose jobs run on a cluster, with its own recipe
    #[arg(long, value_name = "DIR", conflicts_with_all = ["recipe", "out", "detach", "dry_run"])]
    attach: Option<PathBuf>,
    /// Jobs at a time, each on one thread [default: one a core]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    jobs: Option<NonZeroUsize>,
    /// What runs the jobs: local or slurm [default: as `executor` of the recipe says, else local]
    #[arg(long, value_name = "NAME")]
    executor: Option<ExecutorName>,
    /// Submit all jobs to the cluster and leave
    #[arg(long, conflicts_with_all = ["dry_run", "json"])]
    detach: bool,
    /// Print what each run takes and the command lines, run nothing
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
    let (file, out) = place(arguments)?;
    let recipe = SweepRecipe::read(&file)?;
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    let options = SweepOptions::new(&out, own_program()?).with_title(format!("regrow · {name}"));
    let slurm = match arguments.executor.unwrap_or_else(|| recipe.executor()) {
        ExecutorName::Slurm => Some(SlurmExecutor::new(sweep::logs(&out), recipe.slurm().clone())),
        ExecutorName::Local => None,
    };
    if arguments.dry_run {
        let mut rows = sweep::table(&recipe, &options)?;
        sweep::probe(&mut rows)?;
        plan::show(&rows, output)?;
        output.data("\n")?;
        match &slurm {
            Some(slurm) => {
                let again = sweep::changed(&recipe, &options)?;
                for stage in sweep::stages(&recipe, &options)? {
                    output.data(&slurm.listing(&stage, &again))?;
                }
            }
            None => output.data(&sweep::listing(&recipe, &options)?)?,
        }
        return Ok(Exit::Done);
    }
    let Some(slurm) = slurm else {
        if arguments.detach || arguments.attach.is_some() {
            return Err(usage(
                "only jobs on a cluster can be left and found again: `--executor slurm`",
            ));
        }
        let executor = local(&out, arguments.jobs);
        return execute((&out, &executor), arguments.json, output, |executor, stop, observer| {
            sweep::run(&recipe, &options, executor, stop, observer)
        });
    };
    if arguments.detach {
        let left = sweep::detach(&recipe, &options, &slurm, &mut TerminalObserver::new(output))?;
        output.say(&format!(
            "{left} jobs are submitted: `regrow sweep --attach {}` comes back",
            out.display()
        ));
        return Ok(Exit::Done);
    }
    execute((&out, &slurm), arguments.json, output, |executor, stop, observer| {
        sweep::run(&recipe, &options, executor, stop, observer)
    })
}

/// The recipe, and the folder of the sweep.
fn place(arguments: &Arguments) -> anyhow::Result<(PathBuf, PathBuf)> {
    if let Some(folder) = &arguments.attach {
        if !has_records(&sweep::logs(folder)) {
            anyhow::bail!("`{}` is no sweep that was submitted to a cluster", folder.display());
        }
        return Ok((folder.join("recipe.toml"), folder.clone()));
    }
    let file = arguments.recipe.clone().context("the recipe is missing")?;
    Ok((file, arguments.out.clone().context("`--out` is missing")?))
}

/// Runs jobs on this machine.
pub(super) fn local(out: &Path, jobs: Option<NonZeroUsize>) -> LocalExecutor {
    // By default one job a core, as each takes one thread.
    let threads = jobs.map_or_else(rayon::current_num_threads, NonZeroUsize::get);
    LocalExecutor::new(sweep::logs(out), threads)
}

/// The path of this program. It also runs the jobs, so that all have the same version.
pub(super) fn own_program() -> anyhow::Result<PathBuf> {
    std::env::current_exe().context("the program's own file cannot be found")
}

/// Runs a sweep in the folder `out` with an executor, and prints the result.
pub(super) fn execute(
    (out, executor): (&Path, &dyn Executor),
    json: bool,
    output: &mut Output,
    run: impl FnOnce(&dyn Executor, &Stop, &mut dyn Observer) -> regrow::Result<SweepOutcome>,
) -> anyhow::Result<Exit> {
    // Checked first: the paths go into recipes and reports, which are text.
    if out.to_str().is_none() {
        return Err(usage("`--out` is not UTF-8, and a sweep writes it into text files"));
    }
    let stop = interrupt::listen();
    let SweepOutcome::Done(result) = run(executor, &stop, &mut TerminalObserver::new(output))?
    else {
        output.say("stopped: run the same command again to resume");
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
