//! `regrow validate`: what a law is worth on points that it has not seen, and what forms and
//! baselines are.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use clap::Args;
use law::validate::{
    Cannot, Contender, ContenderKind, GroupValidation, Holdout, Validation, validate_heard,
};
use law::{Metrics, Settings};

use super::fit::read_all;
use crate::flags::force::existing;
use crate::flags::group::GroupFlags;
use crate::flags::posterior::PosteriorFlags;
use crate::show::number::{percent, short};
use crate::show::picture;
use crate::show::table::{Align, TextTable};
use crate::terminal::{Exit, Output};

const EXAMPLES: &str = "\
Examples:
  What the law of a sweep's points is worth, with a picture of each held-out curve:
    regrow validate points.csv --out held_out.svg

  Every form and baseline, and all their measures:
    regrow validate points.csv --all

  The same from run folders, for a program; all methods of a series as one group:
    regrow validate out/runs --group-by series --json

The law is the one that `fit` gives with the same flags. It is fitted again without what is held out: the last fifth of
each run's range of ln(tokens), the largest size, the highest rate of every size, every run once, and every base once.
Skill is 1 - error / error of the best baseline there, by mean absolute error. A baseline is a prediction that needs no
law. Where the data allow no way of holding out, the exit status is 3.";

/// Arguments of `regrow validate`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// A points table (CSV; `-` is standard input), a folder of run folders, or one run folder
    points: PathBuf,
    /// The formula that curves and bands are drawn by; `p2` gives way to a reduced form where the
    /// data are too few
    #[arg(long, default_value = "p2")]
    form: String,
    #[command(flatten)]
    group: GroupFlags,
    #[command(flatten)]
    posterior: PosteriorFlags,
    /// Starts of the search
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    starts: u32,
    /// The probability that bands are made for
    #[arg(long, value_name = "P", default_value_t = 0.9, allow_negative_numbers = true)]
    level: f64,
    /// Print every form and baseline, and all measures
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Draw the held-out curves into this file, SVG or PNG by its ending; with
    /// several groups, one file each
    #[arg(short, long, value_name = "PICTURE")]
    out: Option<PathBuf>,
    /// Replace files that exist
    #[arg(long)]
    force: bool,
}

/// Runs `regrow validate`.
///
/// # Errors
/// Where the points cannot be read, no form fits a group, or the picture cannot be written.
pub fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    // Refuses an unknown form before the points are read.
    law::form::by_name(&arguments.form)?;
    let settings = Settings {
        form: arguments.form.clone(),
        starts: arguments.starts as usize,
        level: arguments.level,
        ..arguments.posterior.settings()?
    };
    // All forms are judged, so every column is needed.
    let rows = read_all(&arguments.points, &arguments.form, output)?;
    let rows = arguments.group.all(rows);
    let name = || format!("`{}` cannot be validated", arguments.points.display());
    let table = law::Table::new(rows).with_context(name)?;
    let pictures: Vec<PathBuf> = match &arguments.out {
        Some(out) => {
            (0..table.groups().len()).map(|i| picture_path(out, i, table.groups().len())).collect()
        }
        None => Vec::new(),
    };
    // Before the fits, which can take minutes.
    let existing = existing(arguments.force);
    let read = [arguments.points.as_path()].into_iter().chain(arguments.posterior.prior());
    let inputs: Vec<&Path> = read.collect();
    let check = |path: &PathBuf| picture::check(path, existing, &inputs);
    pictures.iter().try_for_each(check)?;
    let validation = judged(&table, &settings, output).with_context(name)?;
    for (path, group) in pictures.iter().zip(validation.groups()) {
        picture::write_svg(path, &report::validation_picture(group))?;
        output.say(&format!("the held-out curves of {} are in `{}`", label(group), path.display()));
    }
    if arguments.json {
        output.json(&validation)?;
    } else {
        for group in validation.groups() {
            show(group, arguments.all, output)?;
        }
    }
    // One way of holding out is enough for each group.
    let judged =
        |group: &GroupValidation| group.splits().iter().any(|split| split.cannot().is_none());
    Ok(if validation.groups().iter().all(judged) { Exit::Done } else { Exit::CannotTell })
}

/// Judges the table and shows how far that is.
fn judged(table: &law::Table, settings: &Settings, output: &Output) -> law::Result<Validation> {
    let progress = Mutex::new(None);
    validate_heard(table, settings, &|fitted, of| {
        // A thread that panicked leaves its count behind, no broken state.
        let mut shown = progress.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = shown.get_or_insert_with(|| output.progress("judging", of as u64, "laws"));
        shown.at(fitted as u64, "");
    })
}

/// The path of a group's picture: `held_out.svg`, or for example `held_out-2.svg` with several
/// groups.
fn picture_path(out: &std::path::Path, i: usize, groups: usize) -> PathBuf {
    if groups == 1 {
        return out.to_path_buf();
    }
    let stem = out.file_stem().unwrap_or_default().to_string_lossy();
    let ending =
        out.extension().map_or_else(String::new, |ending| format!(".{}", ending.to_string_lossy()));
    out.with_file_name(format!("{stem}-{}{ending}", i + 1))
}

fn label(group: &GroupValidation) -> String {
    format!("{} {}", group.series(), group.method_and_objective())
}

fn show(group: &GroupValidation, all: bool, output: &mut Output) -> anyhow::Result<()> {
    let (runs, points) = (group.runs(), group.points());
    output.data(&format!("{}: {runs} runs, {points} points\n\n", label(group)))?;
    for verdict in group.verdicts() {
        output.data(&format!("{:<7} {}\n", verdict.question().name(), verdict.sentence()))?;
    }
    for split in group.splits() {
        if let Some(cannot) = split.cannot() {
            output.data(&format!("{}: cannot, {}\n", split.name(), cannot.sentence()))?;
        }
    }
    output.data("\n")?;
    if !all {
        output.table(&short_table(group))?;
        return Ok(output.data("\nall forms, baselines and measures: `--all` or `--json`\n\n")?);
    }
    output.table(&table(group))?;
    let mut lines = String::from("\n");
    for split in group.splits().iter().filter(|split| split.cannot().is_none()) {
        lines += &(sentence(split) + "\n");
    }
    for (why, names) in left_out(group) {
        lines += &format!("left out: {} ({})\n", names.join(", "), why.sentence());
    }
    Ok(output.data(&(lines + "\n"))?)
}

/// The law beside the best baseline: a row for each question.
fn short_table(group: &GroupValidation) -> TextTable {
    let mut table = TextTable::new(&[
        ("held out", Align::Left),
        ("points", Align::Right),
        ("error of the law, nats", Align::Right),
        ("best baseline", Align::Left),
        ("its error", Align::Right),
        ("skill", Align::Right),
        ("intervals hold", Align::Right),
        ("interval score", Align::Right),
        ("no number", Align::Right),
    ]);
    let shown = |x: Option<f64>| x.map_or_else(|| "-".to_owned(), short);
    for verdict in group.verdicts() {
        table.row([
            verdict.question().name().to_owned(),
            verdict.points().to_string(),
            shown(verdict.error()),
            verdict.rival().unwrap_or("-").to_owned(),
            shown(verdict.rival_error()),
            shown(verdict.skill()),
            verdict.held().map_or_else(|| "-".to_owned(), percent),
            shown(verdict.interval_score()),
            verdict.withheld().to_string(),
        ]);
    }
    table
}

fn table(group: &GroupValidation) -> TextTable {
    let mut table = TextTable::new(&[
        ("judged on", Align::Left),
        ("form or baseline", Align::Left),
        ("constants", Align::Right),
        ("excess R2", Align::Right),
        ("skill", Align::Right),
        ("excess error", Align::Right),
        ("MAE, nats", Align::Right),
        ("ASD, nats/M tokens", Align::Right),
        ("its noise floor", Align::Right),
        ("Huber", Align::Right),
    ]);
    let shown = |x: Option<f64>| x.map_or_else(|| "-".to_owned(), short);
    let mut rows = |on: &str, of: &dyn Fn(&Contender) -> Option<&Metrics>| {
        let mut found: Vec<(&Contender, &Metrics)> =
            group.entries().iter().filter_map(|entry| Some((entry, of(entry)?))).collect();
        // Best first; contenders without an error go last.
        found.sort_by(|a, b| {
            a.1.mae().unwrap_or(f64::MAX).total_cmp(&b.1.mae().unwrap_or(f64::MAX))
        });
        for (i, (entry, metrics)) in found.into_iter().enumerate() {
            let mark = match entry.kind() {
                ContenderKind::Baseline => " (baseline)",
                ContenderKind::Reduced => " (a factor less)",
                _ => "",
            };
            table.row([
                if i == 0 { on.to_owned() } else { String::new() },
                format!("{}{mark}", entry.name()),
                entry.parameters().map_or_else(|| "-".to_owned(), |count| count.to_string()),
                shown(metrics.excess_r2()),
                shown(metrics.skill()),
                shown(metrics.relative_error()),
                shown(metrics.mae()),
                shown(metrics.asd()),
                shown(metrics.asd_noise_floor()),
                shown(metrics.huber()),
            ]);
        }
    };
    rows("in sample", &|entry| entry.in_sample());
    for split in group.splits() {
        rows(split.name(), &|entry| entry.held_out().get(split.name()));
    }
    table
}

fn sentence(split: &Holdout) -> String {
    let best =
        split.best_baseline().map_or_else(String::new, |name| format!("; best baseline `{name}`"));
    let band = match split.banded() {
        0 => "no band could be given".to_owned(),
        banded => {
            format!("{} of {banded} in their {} band", split.inside(), percent(split.level()))
        }
    };
    format!("{}: {} points in {} fits, {band}{best}", split.name(), split.points(), split.folds())
}

/// Forms that cannot be fitted at all, by reason.
fn left_out(group: &GroupValidation) -> Vec<(&Cannot, Vec<&str>)> {
    let mut found: Vec<(&Cannot, Vec<&str>)> = Vec::new();
    for entry in group
        .entries()
        .iter()
        .filter(|entry| entry.in_sample().is_none() && entry.held_out().is_empty())
    {
        let Some(why) = entry.cannot().get("in-sample") else { continue };
        match found.iter_mut().find(|(known, _)| *known == why) {
            Some((_, names)) => names.push(entry.name()),
            None => found.push((why, vec![entry.name()])),
        }
    }
    found
}
