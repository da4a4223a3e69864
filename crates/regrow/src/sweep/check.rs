//! Checks that a sweep can give a law: before training, and after jobs have failed.

use std::collections::BTreeMap;
use std::path::Path;

use super::folder::SweepFolder;
use super::plan::{Purpose, SweepGroup, SweepJob, SweepPlan};
use super::recipe::SweepKeys;
use super::result::LeftOutJob;
use crate::error::{Error, ErrorKind, Result, bail};
use crate::executor::JobState;
use ledger::count::grouped;

/// The least number of finished runs in a group, if others of it have failed.
const LEAST_RUNS: usize = 3;

/// The least number of held-out documents that a loss may be measured on.
const LEAST_DOCUMENTS: u64 = 8;

/// Checks, before training, that the text is long enough for every run. A second reading teaches a
/// model less, so a curve with repeated text would not show loss against new tokens.
///
/// # Errors
/// Where the text is too short for the longest run, or too little of it is held out.
pub(super) fn text_is_long_enough(
    sweep: &SweepKeys,
    folder: &SweepFolder,
    plan: &SweepPlan,
) -> Result<()> {
    let heals =
        |job: &&SweepJob| matches!(job.purpose, Purpose::Heal { .. } | Purpose::Control { .. });
    let (own, healing) = (folder.corpus_of(sweep), folder.heal_corpus_of(sweep));
    if own == healing {
        return long_enough(&own, plan.jobs.iter());
    }
    long_enough(&own, plan.jobs.iter().filter(|job| !heals(job)))?;
    long_enough(&healing, plan.jobs.iter().filter(heals))?;
    // One tokenizer for both, or their losses could not be compared.
    let hash =
        |path: &Path| Ok::<_, Error>(text::Corpus::open(path)?.info().tokenizer().to_owned());
    text::Corpus::open(&own)?.require_tokenizer(&hash(&healing)?)?;
    Ok(())
}

/// Checks that a text is long enough for these jobs.
fn long_enough<'a>(corpus: &Path, jobs: impl Iterator<Item = &'a SweepJob>) -> Result<()> {
    let info = text::Corpus::open(corpus)?.info().clone();
    let longest = jobs.max_by_key(|job| (job.tokens(), job.job.name()));
    let (needed, found) = (longest.map_or(0, |job| job.tokens()), info.train().tokens());
    if let Some(job) = longest.filter(|_| found < needed) {
        let bytes =
            // Scaled by the tokens per byte of this very text and tokenizer.
            (info.train().bytes() + info.heldout().bytes()) as f64 * needed as f64 / found.max(1) as f64;
        let message = format!(
            "the text is too short for the sizes: {} training tokens, expected at least {} for `{}`",
            grouped(found),
            grouped(needed),
            job.job.name()
        );
        return Err(Error::new(ErrorKind::TextTooShort { bytes: bytes.round() as u64 }, message));
    }
    // Documents, not tokens, are the independent samples of the loss.
    let documents = info.heldout().documents();
    if documents < LEAST_DOCUMENTS {
        let message = format!(
            "{documents} documents are held out, expected at least {LEAST_DOCUMENTS} to measure a loss on"
        );
        let kind = ErrorKind::TooFewHeldOut {
            documents: info.train().documents() + documents,
            share: info.share(),
        };
        return Err(Error::new(kind, message));
    }
    Ok(())
}

/// The groups that keep too few runs for a law after some have failed, each with a sentence about
/// it.
///
/// # Errors
/// Where every group keeps too few.
pub(super) fn groups_without_a_law<'a>(
    plan: &'a SweepPlan,
    states: &[JobState],
    left_out: &[LeftOutJob],
) -> Result<BTreeMap<&'a SweepGroup, String>> {
    let mut groups: BTreeMap<&SweepGroup, (usize, usize)> = BTreeMap::new();
    for (job, state) in plan.jobs.iter().zip(states) {
        if let Purpose::Heal { group, .. } = &job.purpose {
            let (all, done) = groups.entry(group).or_default();
            *all += 1;
            *done += usize::from(*state == JobState::Done);
        }
    }
    let (planned, mut lacking) = (groups.len(), BTreeMap::new());
    for (group, (all, done)) in groups {
        let SweepGroup { series, method, objective } = group;
        // A group that was planned with fewer runs needs all of them.
        let least = all.min(LEAST_RUNS);
        if done < least {
            // Text alone is what everybody expects.
            let objective = match *objective {
                ledger::Objective::LM => String::new(),
                taught => format!(", objective `{taught}`"),
            };
            lacking.insert(
                group,
                format!(
                    "{done} of {all} runs of series `{series}`, method `{method}`{objective} are done, expected at least \
                     {least}"
                ),
            );
        }
    }
    if lacking.len() == planned
        && let Some(why) = lacking.values().next()
    {
        let names: Vec<String> =
            left_out.iter().map(|left_out| format!("`{}`", left_out.job)).collect();
        bail!("{why}; failed or skipped: {}", names.join(", "));
    }
    Ok(lacking)
}
