//! `regrow fit`: fits a law to measured points.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, ValueEnum};
use law::fit::Loss;
use law::form::{Axis, Form};
use law::levels::{Levels, Priors, quantile};
use law::{GroupLaw, Metrics, Plan, Settings, TableRow, Units};

use super::plan::{WishFlags, sentence};
use super::runs::runs_of;
use crate::flags::force::existing;
use crate::flags::group::GroupFlags;
use crate::flags::known::KnownFlags;
use crate::flags::posterior::PosteriorFlags;
use crate::show::number::{ends, nats, parameters, percent, precise, short, tokens};
use crate::show::table::{Align, TextTable};
use crate::terminal::{Exit, Output};
use regrow::law_file;

const EXAMPLES: &str = "\
Examples:
  A law from the run folders of a sweep, kept for `predict` and `plan`:
    regrow fit out/runs --out law.json

  From a table with the columns n0, rate, loss0, tokens and loss, enough being where a doubling buys 0.005 nats:
    regrow fit points.csv --doubling-gain 0.005

  With a constant set, another bounded, and all methods of a series as one group:
    regrow fit points.csv --fix gamma=-1.2 --bound beta=0.1..1 --group-by series

  Own runs beside imported ones:
    regrow fit out/runs imported/a imported/b

  Points that another program makes:
    duckdb -csv -c 'select * from points' | regrow fit - --out law.json

  A form that reads fewer columns, on a table that has only n0, tokens and loss:
    regrow fit training.csv --form chinchilla --loss log-huber:1e-3

Where the data can tell no number of tokens for a series and method, the exit status is 3.";

/// Arguments of `regrow fit`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Arguments {
    /// Points tables (CSV; `-` is standard input), sweeps, folders of run folders, or run folders,
    /// also imported ones
    #[arg(required = true, value_name = "POINTS")]
    points: Vec<PathBuf>,
    /// The formula; `p2` gives way to a reduced form where the data are too few
    #[arg(long, default_value = "p2")]
    form: String,
    /// What the fit makes small: `least-squares`, `huber:DELTA` in nats, or `log-huber:DELTA` of
    /// logarithms
    #[arg(long, value_name = "LOSS", default_value_t = Loss::LeastSquares)]
    loss: Loss,
    #[command(flatten)]
    group: GroupFlags,
    #[command(flatten)]
    known: KnownFlags,
    /// Units of the constants
    #[arg(long, value_enum, default_value_t = UnitsFlag::Billions)]
    units: UnitsFlag,
    /// Starts of the search
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    starts: u32,
    #[command(flatten)]
    posterior: PosteriorFlags,
    /// The probability that intervals are made for
    #[arg(long, value_name = "P", default_value_t = 0.9, allow_negative_numbers = true)]
    level: f64,
    #[command(flatten)]
    wish: WishFlags,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Keep the law in this file
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum UnitsFlag {
    Billions,
    Counts,
}

/// Runs `regrow fit`.
///
/// # Errors
/// Where the points cannot be read or fitted, or the law cannot be written.
pub fn run(arguments: &Arguments, output: &mut Output) -> anyhow::Result<Exit> {
    if let Some(out) = &arguments.out {
        // Before the fit, which can take minutes.
        let read = arguments.points.iter().map(PathBuf::as_path);
        let inputs: Vec<&Path> = read.chain(arguments.posterior.prior()).collect();
        law_file::KIND.check(out, existing(arguments.force), &inputs)?;
    }
    let form = law::form::by_name(&arguments.form)?;
    let units = match arguments.units {
        UnitsFlag::Billions => Units::Billions,
        UnitsFlag::Counts => Units::Counts,
    };
    let constraints = arguments.known.constraints(units.scale())?;
    // Before the points are read: a constant that the form lacks is a mistake in the command line.
    constraints.check(form)?;
    let settings = Settings {
        form: arguments.form.clone(),
        starts: arguments.starts as usize,
        loss: arguments.loss,
        constraints,
        units,
        level: arguments.level,
        wish: arguments.wish.wish(),
        ..arguments.posterior.settings()?
    };
    let (rows, columns) = read(&arguments.points, form, output)?;
    let rows = arguments.group.all(rows);
    let name = || format!("{} cannot be fitted", quoted(&arguments.points));
    // The table must know which columns are real: missing ones hold 0, not data.
    let table = law::Table::with_columns(rows, &columns).with_context(name)?;
    let law = law::fit(&table, &settings).with_context(name)?;
    if let Some(out) = &arguments.out {
        law_file::write(out, &law)?;
    }
    for group in law.groups() {
        for warning in group.warnings() {
            let runs = if warning.runs().is_empty() {
                String::new()
            } else {
                format!(" ({})", warning.runs().join(", "))
            };
            // Warnings go to stderr, so they are also seen with `--json`.
            output.warn(&format!("{}: {}{runs}", group.label(), warning.sentence()));
        }
    }
    if arguments.json {
        output.json(&law)?;
    } else {
        for group in law.groups() {
            show(group, output)?;
        }
    }
    if !table.controls().is_empty() {
        let names: Vec<&str> = table.controls().iter().map(|(_, run)| run.name()).collect();
        output.say(&format!("unpruned controls, not fitted: {}", names.join(", ")));
    }
    if let Some(out) = &arguments.out {
        output.say(&format!(
            "the law is in `{}`; `regrow predict` and `regrow plan` read it",
            out.display()
        ));
    }
    // With a form that needs fewer columns, a table may lack size, rate or loss before pruning.
    // Then there is no pruned model to plan for, and "cannot tell" would be wrong.
    let asked = columns.len() == Axis::ALL.len();
    let told = |group: &GroupLaw| {
        !asked || group.decisions().iter().any(|plan| plan.enough().value().is_some())
    };
    Ok(if law.groups().iter().all(told) { Exit::Done } else { Exit::CannotTell })
}

/// The points of tables and of the runs in folders, and the number columns that all of them have.
fn read(
    paths: &[PathBuf],
    form: &dyn Form,
    output: &Output,
) -> anyhow::Result<(Vec<TableRow>, Vec<Axis>)> {
    let (folders, tables): (Vec<&Path>, Vec<&Path>) =
        paths.iter().map(PathBuf::as_path).partition(|path| path.is_dir());
    // Run folders always have every column.
    let mut columns = Axis::ALL.to_vec();
    let mut rows = match folders.is_empty() {
        true => Vec::new(),
        false => of_runs(&folders, output)?,
    };
    let needed: Vec<&str> = form.axes().iter().map(|axis| axis.name()).collect();
    for path in tables {
        let table = table(path, form.name(), &needed, output)?;
        warn_of_unnamed_runs(&table, path, output);
        columns.retain(|column| table.columns().contains(&column.name()));
        rows.extend(named_apart(table.into_rows(), path, paths.len()));
    }
    Ok((rows, columns))
}

/// A points table: a file, or standard input as `-`.
fn table(
    path: &Path,
    form: &str,
    needed: &[&str],
    output: &Output,
) -> anyhow::Result<store::PointTable> {
    if path != Path::new("-") {
        return Ok(store::read_columns(path, form, needed)?);
    }
    if io::stdin().is_terminal() {
        output.say("reading a points table (CSV) from the terminal; Ctrl-D ends it");
    }
    Ok(store::read_stdin_columns(form, needed)?)
}

/// The rows of a table beside other tables or runs: a run's name is its own in its file only.
fn named_apart(mut rows: Vec<TableRow>, path: &Path, paths: usize) -> Vec<TableRow> {
    if paths > 1 {
        for row in &mut rows {
            row.run = format!("{} of {}", row.run, path.display());
        }
    }
    rows
}

/// Paths as in a sentence.
fn quoted(paths: &[PathBuf]) -> String {
    let quoted: Vec<String> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
    quoted.join(", ")
}

/// As [`read`], but every column is needed.
pub(super) fn read_all(path: &Path, form: &str, output: &Output) -> anyhow::Result<Vec<TableRow>> {
    match path.is_dir() {
        true => of_runs(&[path], output),
        false => {
            let every: Vec<&str> = Axis::ALL.iter().map(|axis| axis.name()).collect();
            let table = table(path, form, &every, output)?;
            warn_of_unnamed_runs(&table, path, output);
            Ok(table.into_rows())
        }
    }
}

/// Points of one run err together. A table that does not say which belong together makes a law
/// that is far too sure.
fn warn_of_unnamed_runs(table: &store::PointTable, path: &Path, output: &Output) {
    if !table.names_runs() && table.rows().len() > 1 {
        output.warn(&format!(
            "`{}` has no column `run`: every row counts as a run of its own. If rows are points of one curve, give them \
             one name in a column `run`, or intervals will be far too narrow",
            path.display()
        ));
    }
}

fn of_runs(paths: &[&Path], output: &Output) -> anyhow::Result<Vec<TableRow>> {
    let folders: Vec<PathBuf> = paths.iter().map(|path| runs_of(path)).collect();
    let paths: Vec<&Path> = folders.iter().map(PathBuf::as_path).collect();
    let found = store::points_of_runs(&paths)?;
    for run in &found.left_out {
        output.warn(&format!("run `{}` is left out: {}", run.path.display(), run.why));
    }
    for sentence in found.unchecked() {
        output.warn(sentence);
    }
    Ok(found.rows)
}

fn show(group: &GroupLaw, output: &mut Output) -> anyhow::Result<()> {
    let (runs, points) = (group.runs(), group.points());
    output.data(&format!(
        "{}: form `{}` on {runs} runs, {points} points\n",
        group.label(),
        group.form_name()
    ))?;
    let unit = match group.units() {
        Units::Billions => "sizes and tokens in billions",
        Units::Counts => "sizes and tokens one by one",
    };
    output.data(&format!("{}, {unit}\n\n", group.form()?.formula()))?;
    output.table(&constants(group)?)?;
    output.data(&format!("\n{}\n{}\n\n", group.identifiability().sentence(), search(group)))?;
    output.table(&metrics(group))?;
    output.data("\n")?;
    if let Some(levels) = group.levels() {
        let curves = levels.preference().map_or(String::new(), |preference| {
            format!("curves `{}`, {}\n\n", levels.shape(), preference.sentence())
        });
        output.data(&format!("posterior: {}\n\n{curves}", levels.diagnostics().sentence()))?;
        output.table(&posterior(levels))?;
        output
            .data("(in units of the data: levels and floors as shares of the median excess)\n\n")?;
    }
    if !group.decisions().is_empty() {
        output.table(&decisions(group))?;
        output.data(of_losses(group))?;
    }
    let mut said: Vec<String> = Vec::new();
    for plan in group.decisions().iter().filter(|plan| plan.enough().value().is_none()) {
        let line = sentence(plan.enough());
        // Several bases often have the same reason; it is printed once.
        if !said.contains(&line) {
            said.push(line);
        }
    }
    let lines: String = said.iter().map(|line| format!("{line}\n")).collect();
    Ok(output.data(&(lines + "\n"))?)
}

fn constants(group: &GroupLaw) -> anyhow::Result<TextTable> {
    let interval = format!("{} interval", percent(group.level()));
    let mut table = TextTable::new(&[
        ("constant", Align::Left),
        ("value", Align::Right),
        (&interval, Align::Left),
    ]);
    for parameter in group.form()?.parameters() {
        if let Some(estimate) = group.constants().get(parameter.name()) {
            let interval = match group.identifiability().fixed().contains_key(parameter.name()) {
                // A constant from `--fix` has no interval.
                true => "set beforehand".to_owned(),
                false => ends(estimate.interval, short),
            };
            table.row([parameter.name().to_owned(), precise(estimate.value), interval]);
        }
    }
    Ok(table)
}

/// The constants of a posterior beside their priors.
fn posterior(levels: &Levels) -> TextTable {
    let mut table = TextTable::new(&[
        ("posterior", Align::Left),
        ("middle", Align::Right),
        ("90 % interval", Align::Left),
        ("prior", Align::Left),
        ("what it is", Align::Left),
    ]);
    for (name, meaning) in Priors::constants() {
        let (Some(mut draws), Some(prior)) = (levels.constant(name), levels.priors().get(name))
        else {
            continue;
        };
        let mut at = |share: f64| quantile(&mut draws, share);
        let (Some(low), Some(middle), Some(high)) = (at(0.05), at(0.5), at(0.95)) else { continue };
        table.row([
            name.to_owned(),
            format!("{middle:.2}"),
            format!("{low:.2} to {high:.2}"),
            format!("{} ± {}", prior.mean, prior.sd),
            meaning.to_owned(),
        ]);
    }
    table
}

/// How the search for the constants ended, and the value of the objective.
fn search(group: &GroupLaw) -> String {
    let ended = group.convergence();
    let (gradient, starts, agreeing) = (ended.gradient(), ended.starts(), ended.agreeing());
    let bounds: String = group
        .bounds()
        .iter()
        .map(|(name, bound)| {
            let end = |x: Option<f64>| x.map_or_else(String::new, short);
            format!("; {name} held within {}..{}", end(bound.low()), end(bound.high()))
        })
        .collect();
    format!(
        "{agreeing} of {starts} starts end at this law, where the gradient is {} of its own scale; {} is {}{bounds}",
        short(gradient),
        match group.loss() {
            Loss::LeastSquares => "the sum of squares, nats squared,".to_owned(),
            loss => format!("the sum of `{loss}`"),
        },
        short(group.fit_objective())
    )
}

type Measure = fn(&Metrics) -> Option<f64>;

fn metrics(group: &GroupLaw) -> TextTable {
    // Without held-out points every cell of the column shows `-`.
    let held_out = group.held_out().cloned().unwrap_or_default();
    let mut table = TextTable::new(&[
        ("how well", Align::Left),
        ("in sample", Align::Right),
        ("last 20 %, held out", Align::Right),
    ]);
    let measures: [(&str, Measure); 8] = [
        ("R2", |m| m.r2()),
        ("excess R2", |m| m.excess_r2()),
        ("mean absolute error, nats", |m| m.mae()),
        ("relative error of the excess", |m| m.relative_error()),
        ("skill against no law", |m| m.skill()),
        ("Huber loss, nats squared", |m| m.huber()),
        ("ASD, nats per million tokens", |m| m.asd()),
        ("  its noise floor", |m| m.asd_noise_floor()),
    ];
    let shown = |x: Option<f64>| x.map_or_else(|| "-".to_owned(), short);
    for (name, of) in measures {
        table.row([name.to_owned(), shown(of(group.metrics())), shown(of(&held_out))]);
    }
    table
}

/// Groups neighbouring decisions that have the same size, rate and answer. They belong to bases
/// that differ only in their loss.
fn by_answer(group: &GroupLaw) -> impl Iterator<Item = &[Plan]> {
    group.decisions().chunk_by(|a, b| {
        (a.base(), a.place().n0, a.place().rate) == (b.base(), b.place().n0, b.place().rate)
            && a.enough().is_same_as(b.enough())
    })
}

/// A note for the table of [`decisions`], if its losses are means.
pub(super) fn of_losses(group: &GroupLaw) -> &'static str {
    let means = by_answer(group).any(|plans| plans.len() > 1);
    if means { "(losses are means over the bases of a size)\n" } else { "" }
}

/// One row for each answer. Bases that differ only in their loss share a row, with the means of
/// their losses. The last column says how far enough tokens lie outside the measured ones.
pub(super) fn decisions(group: &GroupLaw) -> TextTable {
    let interval = format!("{} interval", percent(group.level()));
    let of_bases = group.decisions().iter().any(|plan| plan.base().is_some());
    let mut columns: Vec<(&str, Align)> = vec![
        ("parameters", Align::Right),
        ("rate", Align::Right),
        ("loss before", Align::Right),
        ("floor", Align::Right),
        ("enough tokens", Align::Right),
        (&interval, Align::Left),
        ("loss then", Align::Right),
        ("outside the data", Align::Right),
    ];
    if of_bases {
        columns.insert(0, ("base", Align::Left));
    }
    let mut table = TextTable::new(&columns);
    let unknown = || "unknown".to_owned();
    for plans in by_answer(group) {
        let mean = |of: fn(&Plan) -> Option<f64>| {
            // One unknown loss makes the mean unknown: a mean over the rest would be of other bases
            // than its row says.
            let losses: Option<Vec<f64>> = plans.iter().map(of).collect();
            losses.map_or_else(unknown, |losses| {
                nats(losses.iter().sum::<f64>() / losses.len() as f64)
            })
        };
        let plan = &plans[0];
        let beyond = plan.enough().outside().iter().find(|found| found.axis() == Axis::Tokens);
        let mut row = vec![
            parameters(plan.place().n0),
            format!("{:.4}", plan.place().rate),
            mean(|plan| Some(plan.place().loss0)),
            mean(|plan| plan.floor().value()),
            plan.enough().value().map_or_else(unknown, tokens),
            ends(plan.enough().interval(), tokens),
            mean(|plan| plan.loss_then()),
            beyond.map_or_else(String::new, |found| format!("{:.1} times", found.factor())),
        ];
        if of_bases {
            row.insert(0, plan.base().unwrap_or_default().to_owned());
        }
        table.row(row);
    }
    table
}
