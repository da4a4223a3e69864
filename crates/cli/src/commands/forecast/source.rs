//! The runs that are asked about: from run folders, points tables and logs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use law::forecast::{Measured, Prior};
use law::levels::Subject;
use law::{Law, Place};
use ledger::{Facts, LossKind, Params, Point, PointRow, Rate, Tokens};
use store::import::{Asked, read_log};
use store::{RunState, RunSummary, read_columns, runs};

use crate::flags::log::{FactFlags, LogFlags};

/// What is asked about, to be read again while it grows.
pub(super) struct Source<'a> {
    inputs: &'a [PathBuf],
    asked: Asked,
    facts: Facts,
    /// The one run that is meant.
    run: Option<&'a str>,
}

/// A run and what is known of its model.
pub(super) struct Watched {
    name: String,
    measured: Measured,
    facts: Facts,
    ended: bool,
}

impl<'a> Source<'a> {
    pub(super) fn new(
        inputs: &'a [PathBuf],
        log: &'a LogFlags,
        facts: &FactFlags,
    ) -> anyhow::Result<Self> {
        Ok(Self { inputs, asked: log.asked()?, facts: facts.facts()?, run: log.run() })
    }

    /// Reads all of it, and what has to be said aloud.
    pub(super) fn read(&self) -> anyhow::Result<(Vec<Watched>, Vec<String>)> {
        let (mut found, mut remarks) = (Vec::new(), Vec::new());
        for path in self.inputs {
            match path {
                folder if folder.is_dir() && !runs(folder)?.is_empty() => {
                    for summary in runs(folder)? {
                        found.push(of_folder(&summary)?);
                    }
                }
                table if is_points_table(table) => found.extend(of_table(table, self.run)?),
                log => {
                    let read = read_log(&[log], &self.asked)?;
                    remarks.extend(read.remarks().iter().cloned());
                    let points = compared(read.points(), read.loss());
                    let name = log.display().to_string();
                    found.push(Watched::new(name, &points, Facts::default()));
                }
            }
        }
        for watched in &mut found {
            watched.facts = over(&self.facts, &watched.facts);
        }
        Ok((found, remarks))
    }
}

impl Watched {
    fn new(name: String, points: &[Point], facts: Facts) -> Self {
        Self { name, measured: Measured::new(points), facts, ended: false }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn measured(&self) -> &Measured {
        &self.measured
    }

    /// Whether it is known to have ended.
    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// What is believed of it before its points.
    ///
    /// # Errors
    /// If the law needs a fact that is not known, or holds no such group.
    pub(super) fn prior<'a>(&'a self, law: Option<&'a Law>) -> anyhow::Result<Prior<'a>> {
        let Some(law) = law else { return Ok(Prior::Weak) };
        let facts = &self.facts;
        let (Some(n0), Some(rate), Some(loss0)) = (facts.n0(), facts.rate(), facts.loss0()) else {
            let missing: Vec<String> =
                facts.missing().iter().map(|name| format!("`--{name}`")).collect();
            anyhow::bail!(
                "`{}` does not say what the law asks for: give {}",
                self.name,
                missing.join(", ")
            );
        };
        // A law of one group is taken whatever it is called.
        let named = law.groups().len() > 1;
        let group =
            law.group(facts.series().filter(|_| named), facts.method().filter(|_| named))?;
        let place = Place::new(n0.0 as f64, rate.get(), loss0.0)?;
        let levels = group.levels();
        let seen = levels.and_then(|levels| {
            levels.runs().iter().find(|run| run.name() == self.name).map(|run| run.name())
        });
        let base = facts.base().filter(|base| {
            levels.is_some_and(|levels| levels.bases().iter().any(|known| known == base))
        });
        let subject = match (seen, base) {
            (Some(run), _) => Subject::Run(run),
            (None, Some(base)) => Subject::KnownBase(base),
            (None, None) => Subject::NewBase,
        };
        Ok(Prior::Law { law: group, subject, place })
    }
}

fn of_folder(summary: &RunSummary) -> anyhow::Result<Watched> {
    let path = summary.path();
    let name = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let name = name.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let facts = summary.facts();
    if let RunState::Broken { why } = summary.state() {
        anyhow::bail!("`{}` is no whole run: {why}", path.display());
    }
    if let Some(imported) = summary.imported() {
        let points = compared(&imported.points()?, imported.record().loss());
        return Ok(Watched { ended: true, ..Watched::new(name, &points, facts) });
    }
    let Some(folder) = summary.folder() else {
        anyhow::bail!("`{}` is no run", path.display());
    };
    let measured = Measured::new(&folder.points()?).planned(Some(folder.spec().tokens.0 as f64));
    Ok(Watched { name, measured, facts, ended: folder.is_done() })
}

/// Points whose `eval_loss` is what is compared.
fn compared(points: &[Point], loss: &LossKind) -> Vec<Point> {
    let mut points = points.to_vec();
    if !loss.is_held_out() {
        points.iter_mut().for_each(|point| point.eval_loss = point.loss.take());
    }
    points
}

/// Whether a file is a points table: one with a column `run`.
fn is_points_table(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    matches!(ending, Some("csv" | "tsv"))
        && read_columns(path, "forecast", &["tokens"]).is_ok_and(|table| table.names_runs())
}

/// The runs of a points table, or the one that is named.
fn of_table(path: &Path, wanted: Option<&str>) -> anyhow::Result<Vec<Watched>> {
    let table = read_columns(path, "forecast", &["tokens"])?;
    let has = |name: &str| table.columns().contains(&name);
    let mut found: BTreeMap<&str, (Facts, Vec<Point>)> = BTreeMap::new();
    for row in table.rows().iter().filter(|row| wanted.is_none_or(|run| row.run == run)) {
        let (_, points) = match found.entry(&row.run) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert((facts_of(row, &has)?, Vec::new()))
            }
        };
        points.push(Point {
            eval_loss: Some(row.loss),
            learning_rate: row.learning_rate,
            phase: row.phase,
            ..Point::logged(points.len() as u64 + 1, Tokens(row.tokens.round() as u64))
        });
    }
    if let (true, Some(run)) = (found.is_empty(), wanted) {
        anyhow::bail!("`{}` holds no run `{run}`", path.display());
    }
    let all = found.into_iter();
    Ok(all.map(|(name, (facts, points))| Watched::new(name.to_owned(), &points, facts)).collect())
}

/// What a row says of its model. A column that the table lacks is 0 in every row.
fn facts_of(row: &PointRow, has: &impl Fn(&str) -> bool) -> anyhow::Result<Facts> {
    let mut facts = Facts::default().with_group(Some(row.series.clone()), Some(row.method.clone()));
    if has("n0") {
        facts = facts.with_size(Params(row.n0.round() as u64));
    }
    if has("rate") {
        facts = facts.with_rate(Rate::new(row.rate)?);
    }
    if has("loss0") {
        facts = facts.with_loss0(ledger::Nats(row.loss0), None);
    }
    Ok(match &row.base {
        Some(base) => facts.with_base(base.clone()),
        None => facts,
    })
}

/// What is known, with what is said over it.
fn over(said: &Facts, known: &Facts) -> Facts {
    let either = |said: Option<&str>, known: Option<&str>| said.or(known).map(str::to_owned);
    let mut facts = Facts::default()
        .with_group(either(said.series(), known.series()), either(said.method(), known.method()));
    if let Some(n0) = said.n0().or(known.n0()) {
        facts = facts.with_size(n0);
    }
    if let Some(rate) = said.rate().or(known.rate()) {
        facts = facts.with_rate(rate);
    }
    if let Some(base) = either(said.base(), known.base()) {
        facts = facts.with_base(base);
    }
    match said
        .loss0()
        .map(|loss0| (loss0, said.loss0_phase()))
        .or_else(|| known.loss0().map(|loss0| (loss0, known.loss0_phase())))
    {
        Some((loss0, phase)) => facts.with_loss0(loss0, phase),
        None => facts,
    }
}
