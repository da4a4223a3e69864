//! The end of a sweep: its points in one table, the law fitted to them, and the page that shows
//! both.

use std::path::{Path, PathBuf};

use anyhow::Context;
use law::{Law, Settings, TableRow};
use report::{Entropy, Fact, PageInput, RunFacts, SkippedRun};
use store::{PointRow, RunFolder};

use super::entropy::entropy;
use super::plan::Layout;
use super::recipe::Sweep;
use crate::law_file;
use crate::observer::{Event, Observer};

/// A sweep whose table, law and page are written.
#[derive(Debug)]
pub struct Finished {
    /// The table of points.
    pub points: PathBuf,
    /// The fitted law.
    pub law_file: PathBuf,
    /// The page.
    pub report: PathBuf,
    /// What `law_file` holds.
    pub law: Law,
    /// Names of the runs in the table.
    pub runs: Vec<String>,
    /// Jobs that failed or were skipped, with the reason.
    pub left_out: Vec<(String, String)>,
}

/// Gathers the runs `runs` and bases `bases`, fits the law, and writes `points.csv`, `law.json`,
/// `report.html` and `curves.svg`.
///
/// # Errors
/// Where a run or base is not done or cannot be read, two runs were not measured alike, or the
/// points cannot be fitted.
pub(super) fn finish(
    sweep: &Sweep,
    layout: &Layout,
    title: &str,
    (runs, bases): (Vec<String>, Vec<String>),
    left_out: Vec<(String, String)>,
    observer: &mut dyn Observer,
) -> anyhow::Result<Finished> {
    let folders = open(&runs, |name| layout.run(name))?;
    let rows = rows(&folders)?;
    let points = layout.path("points.csv");
    disk::write(&points, &store::points_csv(&rows))?;

    let no_law = || format!("no law can be fitted to `{}`", points.display());
    let table = law::Table::new(rows.iter().cloned()).with_context(no_law)?;
    let law = law::fit(&table, &Settings::default()).with_context(no_law)?;
    let entropy = match &sweep.corpus.grammar {
        Some(_) => Some(entropy(layout, read_tokens(&folders))?),
        None => None,
    };
    if let Some(entropy) = entropy {
        above(entropy, &rows, observer);
    }
    let law_path = layout.path("law.json");
    law_file::write_with(&law_path, &law, entropy)?;

    let report = layout.path("report.html");
    let input = PageInput {
        title,
        law: &law,
        rows: &rows,
        runs: &facts(&folders, &runs)?,
        bases: &facts(&open(&bases, |name| layout.base(name))?, &bases)?,
        left_out: &left_out
            .iter()
            .map(|(run, why)| SkippedRun { run: run.clone(), why: why.clone() })
            .collect::<Vec<_>>(),
        entropy,
        facts: &made(sweep, layout, &points, &law_path)?,
    };
    disk::write(&report, report::page(&input).as_bytes())?;
    disk::write(&layout.path("curves.svg"), report::picture(&input).as_bytes())?;
    Ok(Finished { points, law_file: law_path, report, law, runs, left_out })
}

fn open(names: &[String], path: impl Fn(&str) -> PathBuf) -> anyhow::Result<Vec<RunFolder>> {
    names.iter().map(|name| Ok(RunFolder::open(&path(name))?)).collect()
}

/// Every held-out point after the first step. Losses can be compared only where they are of one
/// text, cut into the same tokens and read the same way.
fn rows(folders: &[RunFolder]) -> anyhow::Result<Vec<PointRow>> {
    let mut rows = Vec::new();
    for folder in folders {
        folder.check_alike(&folders[0])?;
        let found = folder.point_rows()?;
        let name = || format!("`{}` gives no point", folder.path().display());
        rows.push((!found.is_empty()).then_some(found).with_context(name)?);
    }
    Ok(rows.concat())
}

/// The most held-out tokens that a curve reads.
fn read_tokens(folders: &[RunFolder]) -> u64 {
    folders.first().map_or(0, |folder| folder.spec().evaluation.tokens.0)
}

/// A loss below the entropy by more than its error would be a mistake in the measurement: it is
/// said aloud.
fn above(entropy: Entropy, rows: &[TableRow], observer: &mut dyn Observer) {
    let least = rows.iter().map(|row| row.loss).fold(f64::INFINITY, f64::min);
    if least < entropy.nats - entropy.standard_error.unwrap_or(0.0) {
        observer.hear(&Event::Warning(&format!(
            "the least held-out loss, {least:.4}, lies below the entropy of the text, {:.4}: \
             something is measured wrongly",
            entropy.nats
        )));
    }
}

/// What runs say of themselves, under the names that points have.
fn facts(folders: &[RunFolder], names: &[String]) -> anyhow::Result<Vec<RunFacts>> {
    let fact = |(folder, name): (&RunFolder, &String)| {
        let mut record = folder.record().clone();
        record.id.clone_from(name);
        Ok(RunFacts { record, done: folder.done()? })
    };
    folders.iter().zip(names).map(fact).collect()
}

/// How it was made.
fn made(sweep: &Sweep, layout: &Layout, points: &Path, law: &Path) -> anyhow::Result<Vec<Fact>> {
    let hash = |path: &Path| -> anyhow::Result<String> {
        Ok(ledger::Sha256::of(disk::read(path, u64::MAX)?).to_string())
    };
    let sizes = sweep.series.iter().flat_map(|series| &series.sizes);
    let mut seeds: Vec<u64> = sizes.flat_map(|size| sweep.seeds(size)).copied().collect();
    seeds.sort_unstable();
    seeds.dedup();
    let seeds: Vec<String> = seeds.iter().map(ToString::to_string).collect();
    let text = match &sweep.corpus.grammar {
        Some(grammar) => format!("a small language of known entropy, seed {}", grammar.seed),
        None => {
            let names: Vec<String> = sweep
                .corpus
                .inputs
                .iter()
                .map(|path| {
                    path.file_name()
                        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
                })
                .collect();
            names.join(", ")
        }
    };
    let file = |name: &str, hash: String| Fact { name: format!("{name}, SHA-256"), value: hash };
    Ok(vec![
        Fact { name: "made by".into(), value: format!("regrow {}", crate::VERSION) },
        Fact { name: "text".into(), value: text },
        Fact { name: "seeds".into(), value: seeds.join(", ") },
        file("recipe.toml", hash(&layout.path("recipe.toml"))?),
        file("points.csv", hash(points)?),
        file("law.json", hash(law)?),
    ])
}
