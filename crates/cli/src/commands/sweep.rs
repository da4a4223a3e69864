//! `regrow sweep`: bases trained, pruned and healed as a recipe says; their curves in one table, a
//! law, a page.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::Args;
use law::GroupLaw;
use serde::Serialize;

use super::fit::{decisions, of_losses};
use crate::show::table::Table;
use crate::terminal::{Exit, Output, interrupt};
use regrow::hinted::usage;
use regrow::sweep::recipe::Sweep;
use regrow::sweep::{self, Finished, Outcome};

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
struct Report<'a> {
    format: u32,
    out: &'a Path,
    points: &'a Path,
    law: &'a Path,
    report: &'a Path,
    runs: &'a [String],
    left_out: Vec<LeftOut<'a>>,
}

#[derive(Serialize)]
struct LeftOut<'a> {
    job: &'a str,
    why: &'a str,
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    let (recipe, written) = Sweep::read(&arguments.recipe)?;
    if arguments.dry_run {
        output.data(&sweep::listing(&recipe, &arguments.out)?)?;
        return Ok(Exit::Done);
    }
    let name = arguments
        .recipe
        .file_stem()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let title = format!("regrow · {name}");
    execute(&recipe, &written, &arguments.out, &title, arguments.jobs, arguments.json, output)
}

/// Runs a sweep and tells what came of it.
pub(super) fn execute(
    recipe: &Sweep,
    written: &str,
    out: &Path,
    title: &str,
    jobs: Option<NonZeroUsize>,
    json: bool,
    output: &mut Output,
) -> anyhow::Result<Exit> {
    if out.to_str().is_none() {
        return Err(usage("`--out` is not UTF-8, and a sweep writes it into text files"));
    }
    let stop = interrupt::listen()?;
    let threads = jobs.map_or_else(rayon::current_num_threads, NonZeroUsize::get);
    let finished =
        match sweep::run(recipe, written, out, title, threads, &stop, &mut output.listener())? {
            Outcome::Done(finished) => finished,
            Outcome::Interrupted => {
                output.say("stopped: the same command goes on");
                return Ok(Exit::Interrupted);
            }
        };
    if json {
        let left_out = finished.left_out.iter().map(|(job, why)| LeftOut { job, why }).collect();
        let Finished { points, law_file, report, runs, .. } = &*finished;
        output.json(&Report { format: 1, out, points, law: law_file, report, runs, left_out })?;
    } else {
        show(&finished, output)?;
    }
    let told = |group: &GroupLaw| group.decisions.iter().any(|plan| plan.enough.value.is_some());
    Ok(if finished.law.groups.iter().all(told) { Exit::Done } else { Exit::CannotTell })
}

/// What is enough, by series and method, and where the rest stands.
fn show(finished: &Finished, output: &mut Output) -> anyhow::Result<()> {
    for group in &finished.law.groups {
        output.data(&format!(
            "{}: form `{}` on {} runs\n",
            group.label(),
            group.form,
            group.runs
        ))?;
        output.table(&decisions(group))?;
        output.data(of_losses(group))?;
        output.data("\n")?;
    }
    let mut files = Table::facts();
    for (name, path) in
        [("points", &finished.points), ("law", &finished.law_file), ("page", &finished.report)]
    {
        files.fact(name, path.display().to_string());
    }
    Ok(output.table(&files)?)
}
