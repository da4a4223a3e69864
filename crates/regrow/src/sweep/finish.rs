//! The end of a sweep: writes the table of points, the fitted law, its validation and the page.

use std::path::PathBuf;

use law::Settings;
use law::uncertainty::{FEWEST_RUNS, Intervals};
use report::{Entropy, PageInput, SkippedRun};
use store::{PointRow, RunFolder};

use super::entropy::entropy;
use super::facts::{how_it_was_made, of_runs};
use super::folder::SweepFolder;
use super::recipe::SweepKeys;
use super::result::{LeftOutJob, SweepResult};
use crate::error::{Context, Result};
use crate::law_file;
use crate::observer::{Event, Observer};

/// Collects the points of `runs`, fits the law, and writes `points.csv`, `law.json`,
/// `validation.json`, `report.html` and `curves.svg`. The page also shows `bases`. With fewer than
/// [`FEWEST_RUNS`] runs the law is not validated, and the file holds `null`.
///
/// # Errors
/// Where a run or base is not done or cannot be read, two runs were evaluated differently, or the
/// points cannot be fitted.
pub(super) fn finish(
    sweep: &SweepKeys,
    folder: &SweepFolder,
    title: &str,
    (runs, bases): (Vec<String>, Vec<String>),
    left_out: Vec<LeftOutJob>,
    observer: &mut dyn Observer,
) -> Result<SweepResult> {
    let folders = open(&runs, |name| folder.run(name))?;
    let rows = rows(&folders)?;
    let points = folder.join("points.csv");
    // Written before the fit, so that the points survive if no law can be fitted.
    disk::write(&points, &store::points_csv(&rows))?;

    let no_law = || format!("no law can be fitted to `{}`", points.display());
    let table = law::Table::new(rows.iter().cloned()).with_context(no_law)?;
    let settings = Settings { intervals: Intervals::Posterior, ..Settings::default() };
    let law = law::fit(&table, &settings).with_context(no_law)?;
    let validation = (folders.len() >= FEWEST_RUNS)
        .then(|| law::validate::validate(&table, &settings))
        .transpose()
        .with_context(no_law)?;
    let entropy = match &sweep.corpus.grammar {
        Some(_) => Some(entropy(folder, heldout_tokens_read(&folders))?),
        None => None,
    };
    if let Some(entropy) = entropy {
        warn_of_losses_below(entropy, &rows, observer);
    }
    let law_path = folder.join("law.json");
    law_file::write_with(&law_path, &law, entropy)?;
    let validation_path = folder.join("validation.json");
    // `null` with too few runs, so that none of an earlier recipe stays.
    disk::write(&validation_path, &serde_json::to_vec(&validation)?)?;

    let report = folder.join("report.html");
    let input = PageInput {
        title,
        law: &law,
        validation: validation.as_ref(),
        rows: &rows,
        runs: &of_runs(&folders, &runs)?,
        bases: &of_runs(&open(&bases, |name| folder.base(name))?, &bases)?,
        left_out: &left_out
            .iter()
            .map(|LeftOutJob { job, why }| SkippedRun { run: job.clone(), why: why.clone() })
            .collect::<Vec<_>>(),
        entropy,
        facts: &how_it_was_made(sweep, folder, &points, &law_path)?,
    };
    disk::write(&report, report::page(&input).as_bytes())?;
    disk::write(&folder.join("curves.svg"), report::picture(&input).as_bytes())?;
    Ok(SweepResult { points, law_file: law_path, report, law, runs, left_out })
}

fn open(names: &[String], path: impl Fn(&str) -> PathBuf) -> Result<Vec<RunFolder>> {
    names.iter().map(|name| Ok(RunFolder::open(&path(name))?)).collect()
}

/// Every held-out point after step 0. All runs must have the same held-out text, tokenizer and
/// evaluation settings, or their losses cannot be compared.
fn rows(folders: &[RunFolder]) -> Result<Vec<PointRow>> {
    let mut rows = Vec::new();
    for folder in folders {
        // The first run stands for all: being alike is transitive.
        folder.check_alike(&folders[0])?;
        let found = folder.point_rows()?;
        let name = || format!("`{}` gives no point", folder.path().display());
        rows.push((!found.is_empty()).then_some(found).with_context(name)?);
    }
    Ok(rows.concat())
}

/// The held-out tokens that each point reads. `check_alike` has made sure that all runs agree.
fn heldout_tokens_read(folders: &[RunFolder]) -> u64 {
    folders.first().map_or(0, |folder| folder.spec().evaluation.tokens.0)
}

/// Warns of a loss below the entropy of the text by more than the entropy's standard error. No
/// model can have one, so something was measured wrongly.
fn warn_of_losses_below(entropy: Entropy, rows: &[PointRow], observer: &mut dyn Observer) {
    let least = rows.iter().map(|row| row.loss).fold(f64::INFINITY, f64::min);
    if least < entropy.nats - entropy.standard_error.unwrap_or(0.0) {
        observer.hear(&Event::Warning(&format!(
            "the least held-out loss, {least:.4}, lies below the entropy of the text, {:.4}: \
             something is measured wrongly",
            entropy.nats
        )));
    }
}
