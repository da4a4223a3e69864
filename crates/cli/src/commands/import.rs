//! `regrow import`: turns another program's log into a run folder.

use std::path::{Path, PathBuf};

use clap::Args;
use disk::kinds::IMPORTED;
use ledger::Point;
use serde::Serialize;
use store::import::{ImportedRun, Log, formats, read_log};

use crate::flags::force::existing;
use crate::flags::log::{FactFlags, LogFlags};
use crate::show::number::nats;
use crate::show::table::TextTable;
use crate::terminal::{Exit, Output};
use regrow::count::grouped;

const EXAMPLES: &str = "\
Examples:
  A run of the Hugging Face Trainer, on a model that `regrow prune` made:
    regrow import output/trainer_state.json --out runs/a --model pruned --loss0 2.31

  TensorBoard events, with what is known of the model:
    regrow import logs/run1 --out runs/b --n0 1.24B --rate 0.25 --loss0 2.31 --series llama-3.2

  A log that states no tokens:
    regrow import train.log --out runs/c --tokens-per-step 4M

  A table under names of its own; `loss` is held out, `training_loss` is not:
    regrow import curve.csv --out runs/d --map tokens=seen,loss=val_nats,learning_rate=lr

The format is told by content. Tokens are stated by the log, derived from what it states, or given; never guessed.";

/// Arguments of `regrow import`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// The log of one run: a file, several of one format, or a folder
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The run folder to make
    #[arg(short, long, value_name = "RUN")]
    out: PathBuf,
    #[command(flatten)]
    log: LogFlags,
    #[command(flatten)]
    facts: FactFlags,
    /// Replace `--out` if it is an imported run
    #[arg(long)]
    force: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    format: u32,
    run: String,
    log: &'a str,
    loss: &'a str,
    held_out: bool,
    tokens_from: &'a str,
    points: usize,
    training_points: usize,
    steps: u64,
    tokens: u64,
    missing: Vec<&'static str>,
    remarks: &'a [String],
}

/// Runs `regrow import`.
///
/// # Errors
/// Where the log cannot be read or is unclear, or the run folder cannot be made.
pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    let paths: Vec<&Path> = arguments.files.iter().map(PathBuf::as_path).collect();
    let existing = existing(arguments.force);
    // Before the log is read, which can take minutes.
    let inputs: Vec<&Path> = paths.iter().copied().chain(arguments.facts.model()).collect();
    IMPORTED.check(&arguments.out, existing, &inputs)?;
    let facts = arguments.facts.facts()?;
    let log = read_log(&paths, &arguments.log.asked()?)?;
    let imported = ImportedRun::create(&arguments.out, existing, &log, facts)?;
    for remark in log.remarks() {
        output.warn(remark);
    }
    let missing = imported.record().facts().missing();
    let count = |has: fn(&Point) -> bool| log.points().iter().filter(|point| has(point)).count();
    let (points, training_points) =
        (count(|point| point.eval_loss.is_some()), count(|point| point.loss.is_some()));
    let last = log.points().last();
    let (steps, tokens) = last.map_or((0, 0), |last| (last.step, last.tokens.0));
    if arguments.json {
        output.json(&Report {
            format: 1,
            run: arguments.out.display().to_string(),
            log: log.format(),
            loss: log.loss().name(),
            held_out: log.loss().is_held_out(),
            tokens_from: log.tokens(),
            points,
            training_points,
            steps,
            tokens,
            missing,
            remarks: log.remarks(),
        })?;
        return Ok(Exit::Done);
    }
    let mut table = TextTable::facts();
    let what = formats().find(|(name, _)| *name == log.format()).map_or("", |(_, what)| what);
    table.fact("format", format!("{}: {what}", log.format()));
    table.fact("held-out loss", losses(&log, true, points));
    table.fact("training loss", losses(&log, false, training_points));
    table.fact("tokens", log.tokens());
    table.fact("ends at", format!("step {steps}, {} tokens", grouped(tokens)));
    output.table(&table)?;
    let (kind, name) = match log.loss().is_held_out() {
        true => ("held-out", log.loss().name()),
        false => ("training", log.loss().name()),
    };
    output.say(&format!("the {kind} loss `{name}` is what is compared with other runs"));
    if !missing.is_empty() {
        let flags: Vec<String> = missing.iter().map(|name| format!("`--{name}`")).collect();
        output.say(&format!(
            "`regrow fit` will leave the run out until {} are given",
            flags.join(", ")
        ));
    }
    output.say(&format!("the run is in `{}`", arguments.out.display()));
    Ok(Exit::Done)
}

/// How many losses there are, and the first and the last.
fn losses(log: &Log, held_out: bool, count: usize) -> String {
    let of = |point: &Point| if held_out { point.eval_loss } else { point.loss };
    let ends = (log.points().iter().find_map(of), log.points().iter().rev().find_map(of));
    let (Some(first), Some(last)) = ends else { return "none".to_owned() };
    format!("{} points, {} to {} nats", grouped(count as u64), nats(first), nats(last))
}
