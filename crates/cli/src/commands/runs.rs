//! `regrow runs`: lists run folders and their states.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use ledger::Rate;
use serde::Serialize;
use store::{RunState, RunSummary};

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
    regrow runs runs/ --method 2:4-wanda --csv runs.csv";

/// Arguments of `regrow runs`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// A folder of run folders, one run folder, or the folder of a sweep
    folder: PathBuf,
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
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The state of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StateName {
    Done,
    Resumable,
    Imported,
    Broken,
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

/// One run. Unknown fields are left out.
#[derive(Serialize, Default)]
#[serde(default)]
struct RunRow {
    run: String,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    series: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n0: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    loss0: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens_planned: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    eval_loss: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    best_eval_loss: Option<f64>,
    points: usize,
    /// Whether its training losses are compared, and not its held-out ones.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    training: bool,
}

impl From<&RunSummary> for RunRow {
    fn from(run: &RunSummary) -> Self {
        let (state, why) = match run.state() {
            RunState::Done(_) => ("done", None),
            RunState::Resumable { .. } => ("resumable", None),
            RunState::Imported => ("imported", None),
            RunState::Broken { why } => ("broken", Some(why.clone())),
        };
        let (folder, last) = (run.folder(), run.curve().last());
        let facts = run.facts();
        let training = run.imported().is_some_and(|run| !run.record().loss().is_held_out());
        Self {
            run: run.path().display().to_string(),
            state,
            why,
            id: folder.map(|folder| folder.record().id().to_owned()),
            series: facts.series().map(str::to_owned),
            method: facts.method().map(str::to_owned),
            base: facts.base().map(str::to_owned),
            n0: facts.n0().map(|n0| n0.0),
            rate: facts.rate().map(Rate::get),
            loss0: facts.loss0().map(|loss| loss.0),
            tokens: last.map(|point| point.tokens.0),
            tokens_planned: folder.map(|folder| folder.spec().tokens.0),
            eval_loss: last.map(|point| point.loss.0),
            best_eval_loss: run.curve().best().map(|point| point.loss.0),
            points: run.curve().points().len(),
            training,
        }
    }
}

impl RunRow {
    /// Whether the flags ask for it.
    fn is_wanted(&self, arguments: &Arguments) -> bool {
        let is = |asked: &Option<String>, found: &Option<String>| asked.is_none() || asked == found;
        let state = arguments.state.map(|state| match state {
            StateName::Done => "done",
            StateName::Resumable => "resumable",
            StateName::Imported => "imported",
            StateName::Broken => "broken",
        });
        is(&arguments.series, &self.series)
            && is(&arguments.method, &self.method)
            && is(&arguments.base, &self.base)
            && state.is_none_or(|state| state == self.state)
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

    /// Its cells in a CSV file; empty where nothing is known.
    fn cells(&self) -> [String; 15] {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let whole =
            |number: Option<u64>| number.map_or_else(String::new, |found| found.to_string());
        let real = |number: Option<f64>| number.map_or_else(String::new, |found| found.to_string());
        [
            self.run.clone(),
            self.state.to_owned(),
            text(&self.why),
            text(&self.id),
            text(&self.series),
            text(&self.method),
            text(&self.base),
            whole(self.n0),
            real(self.rate),
            real(self.loss0),
            whole(self.tokens),
            whole(self.tokens_planned),
            real(self.eval_loss),
            real(self.best_eval_loss),
            self.points.to_string(),
        ]
    }
}

/// The names of the columns of `--csv`, as in `--json`.
const CSV_HEADING: [&str; 15] = [
    "run",
    "state",
    "why",
    "id",
    "series",
    "method",
    "base",
    "n0",
    "rate",
    "loss0",
    "tokens",
    "tokens_planned",
    "eval_loss",
    "best_eval_loss",
    "points",
];

/// The list as CSV (RFC 4180).
fn csv(runs: &[RunRow]) -> anyhow::Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(CSV_HEADING)?;
    for run in runs {
        writer.write_record(run.cells())?;
    }
    Ok(writer.into_inner()?)
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
    let mut runs: Vec<RunRow> =
        store::runs(&runs_of(&arguments.folder))?.iter().map(RunRow::from).collect();
    runs.retain(|run| run.is_wanted(arguments));
    // Stable: runs that are alike keep the order of their paths.
    runs.sort_by(|one, other| {
        one.sort_key(arguments.sort).total_cmp(&other.sort_key(arguments.sort))
    });
    if let Some(file) = &arguments.csv {
        if file.exists() {
            return Err(disk::Error::exists(file).into());
        }
        disk::write(file, &csv(&runs)?)?;
    }
    if arguments.json {
        output.json(&RunsReport { format: 1, runs })?;
        return Ok(Exit::Done);
    }
    // No runs is an answer, not an error, so the exit status stays 0.
    if runs.is_empty() {
        output.say(&format!("no run folder in `{}`", arguments.folder.display()));
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
            run.state.to_owned(),
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
        if let Some(why) = &run.why {
            output.warn(&format!("`{}` is broken: {why}", run.run));
        }
    }
    Ok(Exit::Done)
}
