//! How well forms and baselines did, on the points they were fitted to and on held-out points.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::baseline::Baseline;
use super::rival::{JudgedRuns, Rival};
use crate::form::Form;
use crate::judge::{Cannot, Fold, Way};
use crate::metric::{Judged, Metrics};
use crate::parallel;
use crate::table::Run;
use crate::uncertainty::Noise;

/// The key for contenders that cannot be fitted in sample.
const IN_SAMPLE: &str = "in-sample";
/// The starts of fits that leave some runs or one base out. They differ little from the fit to all.
const FOLD_STARTS: usize = 8;

/// A form or a baseline, with its results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contender {
    /// Its name.
    pub(crate) name: String,
    /// Whether it is a form or a baseline.
    pub(crate) kind: ContenderKind,
    /// Its formula.
    pub(crate) formula: String,
    /// How many numbers are fitted; absent if measured curves are used as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parameters: Option<usize>,
    /// The measures on the points it was fitted to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) in_sample: Option<Metrics>,
    /// The measures on held-out points, by split. Skill is against the best baseline of the split.
    pub(crate) held_out: BTreeMap<String, Metrics>,
    /// Why there is no result for a split, or for `in-sample`.
    pub(crate) cannot: BTreeMap<String, Cannot>,
}

/// The kind of a contender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContenderKind {
    /// A form of the registry.
    Form,
    /// The law with one of its factors left out. It shows what the factor is worth.
    Reduced,
    /// What a law must beat: a prediction that needs none.
    Baseline,
}

impl Contender {
    fn new(name: &str, kind: ContenderKind, formula: &str, parameters: Option<usize>) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            formula: formula.to_owned(),
            parameters,
            in_sample: None,
            held_out: BTreeMap::new(),
            cannot: BTreeMap::new(),
        }
    }

    pub(super) fn of_form(form: &dyn Form, kind: ContenderKind) -> Self {
        Self::new(form.name(), kind, form.formula(), Some(form.parameters().len()))
    }

    pub(super) fn of_baseline(baseline: Baseline, runs: usize) -> Self {
        let kind = ContenderKind::Baseline;
        Self::new(baseline.name(), kind, baseline.formula(), baseline.parameters(runs))
    }

    /// Records why there is no result for a split, or for `in-sample`.
    pub(super) fn set_aside(&mut self, place: &str, why: Cannot) {
        self.cannot.insert(place.to_owned(), why);
    }
}

/// Judges every contender on the points that it is fitted to.
pub(super) fn in_sample(
    contenders: &mut [(Rival, Contender)],
    runs: &[&Run],
    noise: &Noise,
    starts: usize,
) {
    let found = parallel::map(contenders, |(rival, _)| rival.in_sample(runs, starts));
    score(contenders, &found, noise, IN_SAMPLE, |contender, metrics| {
        contender.in_sample = Some(metrics);
    });
}

/// The best baseline of a way of holding out, and how it did.
pub(super) struct Best {
    pub(super) name: String,
    pub(super) judged: Vec<Vec<Judged>>,
}

/// Judges every contender on one way of holding out, and returns the best baseline.
pub(super) fn held_out(
    contenders: &mut [(Rival, Contender)],
    way: Way,
    folds: &[Fold],
    noise: &Noise,
    starts: usize,
) -> Option<Best> {
    // A single fold leaves out much more data, so it keeps all starts.
    let starts = if folds.len() > 1 { starts.min(FOLD_STARTS) } else { starts };
    let mut found = parallel::map(contenders, |(rival, _)| rival.held_out(way, folds, starts));
    let best = score(contenders, &found, noise, way.name(), |contender, metrics| {
        contender.held_out.insert(way.name().to_owned(), metrics);
    })?;
    let judged = found.swap_remove(best).ok()?;
    Some(Best { name: contenders[best].1.name.clone(), judged })
}

/// Gives every contender its measures, with skill against the best baseline. Returns the place of
/// that baseline.
fn score(
    contenders: &mut [(Rival, Contender)],
    found: &[JudgedRuns],
    noise: &Noise,
    place: &str,
    put: impl Fn(&mut Contender, Metrics),
) -> Option<usize> {
    let measure = |runs: &JudgedRuns| match runs {
        Ok(judged) => Ok(Metrics::of(judged, noise.point)),
        Err(cannot) => Err(cannot.clone()),
    };
    let measured: Vec<Result<Metrics, Cannot>> = found.iter().map(measure).collect();
    // The baseline with the smallest mean absolute error, and that error.
    let best = contenders
        .iter()
        .zip(&measured)
        .enumerate()
        .filter(|(_, ((_, contender), _))| contender.kind == ContenderKind::Baseline)
        .filter_map(|(i, (_, found))| Some((i, found.as_ref().ok()?.mae?)))
        .min_by(|a, b| a.1.total_cmp(&b.1));
    let skill = |metrics: &Metrics| {
        let error = best?.1;
        // If the best baseline is exact, skill has no value.
        Some(1.0 - metrics.mae? / error).filter(|skill| skill.is_finite())
    };
    for ((_, contender), found) in contenders.iter_mut().zip(measured) {
        match found {
            Ok(metrics) => put(contender, Metrics { skill: skill(&metrics), ..metrics }),
            Err(cannot) => contender.set_aside(place, cannot),
        }
    }
    best.map(|(place, _)| place)
}

impl Contender {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is a form or a baseline.
    pub fn kind(&self) -> ContenderKind {
        self.kind
    }

    /// Its formula.
    pub fn formula(&self) -> &str {
        &self.formula
    }

    /// How many numbers are fitted; absent if measured curves are used as they are.
    pub fn parameters(&self) -> Option<usize> {
        self.parameters
    }

    /// The measures on the points it was fitted to.
    pub fn in_sample(&self) -> Option<&Metrics> {
        self.in_sample.as_ref()
    }

    /// The measures on held-out points, by split. Skill is against the best baseline of the split.
    pub fn held_out(&self) -> &BTreeMap<String, Metrics> {
        &self.held_out
    }

    /// Why there is no result for a split, or for `in-sample`.
    pub fn cannot(&self) -> &BTreeMap<String, Cannot> {
        &self.cannot
    }
}
