//! Numbers that look as if they were in another unit than the table's: remarks, never corrections.

use std::collections::BTreeMap;

use ledger::short_count;

use super::run::Run;
use crate::warning::Notice;

/// No text is worse than a guess among this many tokens.
const LARGEST_VOCABULARY: f64 = 1e6;
/// A loss before pruning this many times the run's own losses, or this share of them, is odd: what
/// pruning costs is a part of the loss.
const FAR: f64 = 3.0;
/// Numbers that agree so well in another unit are likely to be in it.
const NEAR: f64 = 0.15;
/// Healing on less than one token for so many parameters is not seen. Tokens in millions are.
const PARAMETERS_A_TOKEN: f64 = 1e5;

/// What seems odd about a group's numbers, with the likely unit.
pub(super) fn unlikely(runs: &[Run]) -> Vec<Notice> {
    let mut notices = tokens(runs);
    notices.extend(perplexity(runs));
    notices.extend(loss0(runs));
    notices.extend(percent(runs));
    notices
}

fn notice(sentence: String, runs: Vec<String>) -> Notice {
    Notice::UnlikelyUnit { sentence, runs }
}

/// Tokens in millions or billions, or steps.
fn tokens(runs: &[Run]) -> Vec<Notice> {
    let last = |run: &Run| run.points.last().map_or(0.0, |point| point.tokens);
    let is_few = |run: &&Run| last(run) * PARAMETERS_A_TOKEN < run.n0;
    let few: Vec<&Run> = runs.iter().filter(is_few).collect();
    let most = few.iter().map(|run| last(run)).fold(0.0, f64::max);
    let names = few.iter().map(|run| run.name.clone()).collect::<Vec<_>>();
    let sentence = format!(
        "at most {} tokens for so many parameters: are these steps, or millions of tokens? The column counts tokens one by one",
        short_count(most)
    );
    (!few.is_empty()).then(|| notice(sentence, names)).into_iter().collect()
}

/// Losses that no model has: perplexities.
fn perplexity(runs: &[Run]) -> Option<Notice> {
    let lowest =
        |run: &Run| run.points.iter().map(|point| point.loss).fold(f64::INFINITY, f64::min);
    let high: Vec<&Run> = runs.iter().filter(|run| lowest(run) > LARGEST_VOCABULARY.ln()).collect();
    let least = high.iter().map(|run| lowest(run)).fold(f64::INFINITY, f64::min);
    (!high.is_empty()).then(|| {
        notice(
            format!(
                "losses from {least:.1} are worse than a guess among a million tokens: is it perplexity? As nats the least would be {:.3}",
                least.ln()
            ),
            high.iter().map(|run| run.name.clone()).collect(),
        )
    })
}

/// A loss before pruning that lies far from the run's own losses. Runs with the same likely unit
/// share a remark.
fn loss0(runs: &[Run]) -> Vec<Notice> {
    let is_near = |a: f64, b: f64| (a / b).ln().abs() < NEAR;
    let mut found: BTreeMap<&str, (String, Vec<String>)> = BTreeMap::new();
    for run in runs {
        let Some(last) = run.points.last().map(|point| point.loss) else { continue };
        let known = run.loss0;
        if known <= 0.0 || (known <= FAR * last && last <= FAR * known) {
            continue;
        }
        // Healed losses lie a little above the loss before pruning.
        let unit = if is_near(known.ln(), last) {
            "a perplexity"
        } else {
            "in another unit, or of another text"
        };
        let example = format!("{known:.4} beside a last loss of {last:.4}");
        found.entry(unit).or_insert((example, Vec::new())).1.push(run.name.clone());
    }
    let say = |(unit, (example, runs)): (&str, (String, Vec<String>))| {
        notice(format!("`loss0` lies far from the losses, {example}: is it {unit}?"), runs)
    };
    found.into_iter().map(say).collect()
}

/// Rates of some thousandths: parts of one where parts of a hundred were divided twice.
fn percent(runs: &[Run]) -> Option<Notice> {
    let highest = runs.iter().map(|run| run.rate).fold(0.0, f64::max);
    (highest > 0.0 && highest < 0.01).then(|| {
        notice(
            format!(
                "the highest rate is {highest}: a quarter of all parameters is 0.25, not 0.0025"
            ),
            Vec::new(),
        )
    })
}
