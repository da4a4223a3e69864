//! `regrow forecast`: where a run ends, what the next doubling buys, and whether to stop.

mod show;
mod source;
mod watch;

use std::path::{Path, PathBuf};

use clap::Args;
use disk::FileKind;
use law::Law;
use law::forecast::{Advice, Forecast, Question, forecast};
use report::ForecastRun;
use serde::Serialize;

use self::source::{Source, Watched};
use crate::flags::force::existing;
use crate::flags::log::{FactFlags, LogFlags};
use crate::show::picture;
use crate::terminal::{Exit, Output, usage};
use regrow::count::Count;
use regrow::law_file;

const EXAMPLES: &str = "\
Examples:
  Where a run ends, and whether to stop it; nothing else is needed than its own points:
    regrow forecast runs/healed

  The same of another trainer's log, after ten billion tokens, with a page:
    regrow forecast output/trainer_state.json --until 10B --out forecast.html

  Whether a target is reached, with what a law knows of such runs:
    regrow forecast runs/healed --law law.json --target 2.45

  Follow a run that is training, until a doubling buys less than 0.005 nats:
    regrow forecast runs/healed --gain 0.005 --watch

Exit status 0: every run is told to go on or to stop. 3: the points of one cannot tell yet.
With `--watch`: 0 once it is told to stop or has ended, 3 if it ended before that was clear.";

/// Arguments of `regrow forecast`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Run folders, folders of runs, points tables, or logs of other trainers, one run each
    #[arg(required = true, value_name = "RUN|LOG|POINTS")]
    inputs: Vec<PathBuf>,
    /// Begin from what this law says of such runs. Without it the run's own points are judged under
    /// weak priors, which `--verbose` lists
    #[arg(long, value_name = "LAW")]
    law: Option<PathBuf>,
    /// Forecast to so many tokens [default: the planned end of the run, else twice its tokens]
    #[arg(long, value_name = "TOKENS")]
    until: Option<Count>,
    /// A doubling of tokens is worth it if it buys this many nats
    #[arg(long, value_name = "NATS", default_value_t = 0.01, conflicts_with = "target")]
    gain: f64,
    /// Ask whether and when the run reaches this loss instead
    #[arg(long, value_name = "NATS")]
    target: Option<f64>,
    /// Follow the run while it grows, until it is told to stop or ends
    #[arg(long, conflicts_with_all = ["json", "out"])]
    watch: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Write a picture or a page of points, curve and interval into this file
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
    /// The seed of the draws: the same seed gives the same answer
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    log: LogFlags,
    #[command(flatten)]
    facts: FactFlags,
}

/// The pages that this command writes.
const PAGE: FileKind = FileKind::new("a page", "<!DOCTYPE html>", "content=\"regrow\"");

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    format: u32,
    runs: Vec<Told<'a>>,
}

#[derive(Serialize)]
struct Told<'a> {
    run: &'a str,
    #[serde(flatten)]
    forecast: &'a Forecast,
}

/// Runs `regrow forecast`.
///
/// # Errors
/// Where an input or the law cannot be read, or a number is out of range.
pub(super) fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    if let Some(out) = &arguments.out {
        let inputs = arguments.inputs.iter().chain(&arguments.law);
        let inputs: Vec<&Path> = inputs.map(PathBuf::as_path).collect();
        match is_page(out)? {
            true => PAGE.check(out, existing(arguments.force), &inputs)?,
            false => picture::check(out, existing(arguments.force), &inputs)?,
        }
    }
    let law = arguments.law.as_deref().map(law_file::read).transpose()?;
    let source = Source::new(&arguments.inputs, &arguments.log, &arguments.facts)?;
    if arguments.watch {
        return watch::follow(&source, |watched| arguments.ask(watched, law.as_ref()), output);
    }
    let (watched, remarks) = source.read()?;
    remarks.iter().for_each(|remark| output.warn(remark));
    let found: Vec<Forecast> = watched
        .iter()
        .map(|watched| arguments.ask(watched, law.as_ref()))
        .collect::<anyhow::Result<_>>()?;
    if let Some(out) = &arguments.out {
        let shown: Vec<ForecastRun<'_>> = watched
            .iter()
            .zip(&found)
            .map(|(watched, found)| ForecastRun::new(watched.name(), watched.measured(), found))
            .collect();
        if is_page(out)? {
            disk::write(out, report::forecast_page(&shown).as_bytes())?;
            output.say(&format!("the page is in `{}`", out.display()));
        } else {
            picture::write(out, report::forecast_picture(&shown), output)?;
        }
    }
    if arguments.json {
        let told = watched.iter().zip(&found);
        let runs = told.map(|(watched, forecast)| Told { run: watched.name(), forecast });
        output.json(&Report { format: 1, runs: runs.collect() })?;
    } else {
        let found_many = watched.len() > 1;
        for (i, (watched, found)) in watched.iter().zip(&found).enumerate() {
            if found_many {
                output.data(&format!("{}{}\n", if i > 0 { "\n" } else { "" }, watched.name()))?;
            }
            show::one(found, output)?;
        }
    }
    let is_told = found.iter().all(|found| found.advice() != Advice::CannotTell);
    Ok(if is_told { Exit::Done } else { Exit::CannotTell })
}

impl Arguments {
    fn ask(&self, watched: &Watched, law: Option<&Law>) -> anyhow::Result<Forecast> {
        let question = Question::default()
            .until(self.until.map(|until| until.0 as f64))
            .gain(self.gain)
            .target(self.target)
            .seed(self.seed);
        let prior = watched.prior(law)?;
        Ok(forecast(watched.measured(), prior, &question)?)
    }
}

/// Whether a file is to hold a page, by its ending; otherwise a picture.
fn is_page(path: &Path) -> anyhow::Result<bool> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("svg" | "png") => Ok(false),
        Some("html") => Ok(true),
        _ => Err(usage(
            "the file of `--out` has no known ending: expected `.svg` or `.png` for a picture, or `.html` for a page",
        )),
    }
}
