//! `regrow runs`: lists run folders and their states, and excludes runs.

mod exclude;
mod row;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use self::exclude::{Excluding, Including};
use self::row::{RunRow, columns, csv};
use crate::show::table::{Align, TextTable};
use crate::terminal::{Exit, Output};
use regrow::count::grouped;

const EXAMPLES: &str = "\
Examples:
  Every run under a folder:
    regrow runs runs/

  The runs of a sweep that are not done, those with the most tokens last:
    regrow runs sweep/ --state resumable --sort tokens

  What a program would read:
    regrow runs runs/ --json
    regrow runs runs/ --method 2:4-wanda --csv runs.csv
    regrow runs sweep/ --parquet runs.parquet --points points.parquet

  Leave a run out of every fit, and take it in again:
    regrow runs exclude sweep/runs/small-0.3 --reason 'the disk was full'
    regrow runs include sweep/runs/small-0.3";

/// Arguments of `regrow runs`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
#[command(subcommand_negates_reqs = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Change>,
    /// A folder of run folders, one run folder, or the folder of a sweep
    #[arg(required = true)]
    folder: Option<PathBuf>,
    /// Only runs of this series
    #[arg(long, value_name = "NAME")]
    series: Option<String>,
    /// Only runs of this method; controls are `none`
    #[arg(long, value_name = "METHOD")]
    method: Option<String>,
    /// Only runs of this base
    #[arg(long, value_name = "NAME")]
    base: Option<String>,
    /// Only runs in this state
    #[arg(long, value_enum, value_name = "STATE")]
    state: Option<StateName>,
    /// Sort by this column; runs without it come last
    #[arg(long, value_enum, value_name = "COLUMN", default_value_t = SortColumn::Run)]
    sort: SortColumn,
    /// Write the list as CSV into a new file
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    csv: Option<PathBuf>,
    /// Write the list as Parquet into a new file
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    parquet: Option<PathBuf>,
    /// Write the held-out points of all runs of the folder that `fit` would take into a new file:
    /// Parquet where its name ends in `.parquet`, else CSV
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    points: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What can be done with runs besides listing them.
#[derive(Debug, Subcommand)]
enum Change {
    /// Leave runs out of every fit, with a reason
    Exclude(Excluding),
    /// Take excluded runs in again
    Include(Including),
}

/// The state of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StateName {
    Done,
    Resumable,
    Imported,
    Broken,
    Excluded,
}

/// A column to sort by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SortColumn {
    /// The path
    Run,
    /// Parameters before pruning
    N0,
    /// The pruning rate
    Rate,
    /// Tokens so far
    Tokens,
    /// The last held-out loss
    EvalLoss,
}

/// What `--json` prints.
#[derive(Serialize)]
struct RunsReport {
    format: u32,
    runs: Vec<RunRow>,
}

impl RunRow {
    /// Whether the flags ask for it.
    fn is_wanted(&self, arguments: &Arguments) -> bool {
        let is = |asked: &Option<String>, found: &Option<String>| asked.is_none() || asked == found;
        is(&arguments.series, &self.series)
            && is(&arguments.method, &self.method)
            && is(&arguments.base, &self.base)
            && arguments.state.is_none_or(|state| self.is_in(state))
    }

    fn is_in(&self, state: StateName) -> bool {
        match state {
            StateName::Done => self.state == "done",
            StateName::Resumable => self.state == "resumable",
            StateName::Imported => self.state == "imported",
            StateName::Broken => self.state == "broken",
            StateName::Excluded => self.excluded.is_some(),
        }
    }

    /// What it is sorted by; the path decides where all are 0.
    fn sort_key(&self, column: SortColumn) -> f64 {
        let found = match column {
            SortColumn::Run => return 0.0,
            SortColumn::N0 => self.n0.map(|n0| n0 as f64),
            SortColumn::Rate => self.rate,
            SortColumn::Tokens => self.tokens.map(|tokens| tokens as f64),
            SortColumn::EvalLoss => self.eval_loss,
        };
        found.unwrap_or(f64::INFINITY)
    }
}

/// Where the runs of a folder are: a sweep keeps them in `runs`.
pub(super) fn runs_of(folder: &Path) -> PathBuf {
    let runs = folder.join("runs");
    // A run folder has a `recipe.toml` too, and a `spec.toml`.
    let sweep = folder.join("recipe.toml").is_file() && !folder.join("spec.toml").exists();
    if sweep && runs.is_dir() { runs } else { folder.to_path_buf() }
}

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    match &arguments.command {
        Some(Change::Exclude(excluding)) => return excluding.run(output),
        Some(Change::Include(including)) => return including.run(output),
        None => (),
    }
    let folder = arguments.folder.as_deref().expect("it is required without a subcommand");
    for file in [&arguments.csv, &arguments.parquet, &arguments.points].into_iter().flatten() {
        if file.exists() {
            return Err(disk::Error::exists(file).into());
        }
    }
    let place = runs_of(folder);
    let mut runs: Vec<RunRow> = store::runs(&place)?.iter().map(RunRow::from).collect();
    runs.retain(|run| run.is_wanted(arguments));
    // Stable: runs that are alike keep the order of their paths.
    runs.sort_by(|one, other| {
        one.sort_key(arguments.sort).total_cmp(&other.sort_key(arguments.sort))
    });
    if let Some(file) = &arguments.csv {
        disk::write(file, &csv(&runs)?)?;
    }
    if let Some(file) = &arguments.parquet {
        disk::write(file, &store::parquet(&columns(&runs)))?;
    }
    if let Some(file) = &arguments.points {
        write_points(&place, file, output)?;
    }
    if arguments.json {
        output.json(&RunsReport { format: 1, runs })?;
        return Ok(Exit::Done);
    }
    // No runs is an answer, not an error, so the exit status stays 0.
    if runs.is_empty() {
        output.say(&format!("no run folder in `{}`", folder.display()));
        return Ok(Exit::Done);
    }
    let mut table = TextTable::new(&[
        ("run", Align::Left),
        ("state", Align::Left),
        ("series", Align::Left),
        ("method", Align::Left),
        ("n0 (parameters)", Align::Right),
        ("rate", Align::Right),
        ("tokens", Align::Right),
        ("of", Align::Right),
        ("l0 (nats)", Align::Right),
        ("held-out (nats)", Align::Right),
        ("best (nats)", Align::Right),
    ]);
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let whole = |number: Option<u64>| number.map_or("-".to_owned(), grouped);
    let nats = |number: Option<f64>| number.map_or("-".to_owned(), |nats| format!("{nats:.4}"));
    for run in &runs {
        table.row([
            run.run.clone(),
            if run.excluded.is_some() { "excluded" } else { run.state }.to_owned(),
            text(&run.series),
            text(&run.method),
            whole(run.n0),
            nats(run.rate),
            whole(run.tokens),
            whole(run.tokens_planned),
            nats(run.loss0),
            nats(run.eval_loss),
            nats(run.best_eval_loss),
        ]);
    }
    output.table(&table)?;
    for run in &runs {
        if run.training {
            output.say(&format!("`{}` is compared by its training loss", run.run));
        }
        if let Some(end) = &run.ended_early {
            output.say(&format!("`{}` was ended by `{}`: {}", run.run, end.rule, end.reason));
        }
        if let Some(reason) = &run.excluded {
            output.say(&format!("`{}` is excluded: {reason}", run.run));
        }
        if let Some(why) = &run.why {
            output.warn(&format!("`{}` is broken: {why}", run.run));
        }
    }
    Ok(Exit::Done)
}

/// Writes the points of the runs into a table, and says which runs have none.
fn write_points(runs: &Path, file: &Path, output: &mut Output) -> anyhow::Result<()> {
    let found = store::run_points(runs)?;
    let bytes = match file.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("parquet"))
    {
        true => store::points_parquet(&found.rows),
        false => store::points_csv(&found.rows),
    };
    disk::write(file, &bytes)?;
    for run in &found.left_out {
        output.say(&format!("no points of `{}`: {}", run.path.display(), run.why));
    }
    Ok(())
}
