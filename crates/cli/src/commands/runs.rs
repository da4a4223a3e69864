//! `regrow runs`: lists run folders and their states.

use std::path::PathBuf;

use clap::Args;
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

  What a program would read:
    regrow runs runs/ --json";

/// Arguments of `regrow runs`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// A folder of run folders, or one run folder
    folder: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
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

/// Runs the subcommand.
pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    let runs: Vec<RunRow> = store::runs(&arguments.folder)?.iter().map(RunRow::from).collect();
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
