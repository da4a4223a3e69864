//! Held out: fitted to a part of the data, judged on the rest, beside what one would say without a
//! law.

mod baseline;
mod split;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::baseline::{Baseline, power};
use self::split::{Fold, Way};
use crate::fit::{Fit, fit_form};
use crate::form::{self, FORMS, Form};
use crate::identify::{Levels, SIZE_TOLERANCE, ZERO, same};
use crate::infer::fit_group;
use crate::metric::{Judged, Metrics};
use crate::predict::Place;
use crate::table::{Group, Run, Table};
use crate::uncertainty::Noise;
use crate::{Result, Settings, parallel};

/// Every form and baseline, in sample and held out, for every group of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// The number of this file format.
    pub format: u32,
    /// One a series and method.
    pub groups: Vec<GroupValidation>,
}

/// The validation of one series and one method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupValidation {
    /// The model series.
    pub series: String,
    /// The pruning method.
    pub method: String,
    /// Points judged in sample.
    pub points: usize,
    /// Their runs.
    pub runs: usize,
    /// The form that curves and bands are drawn by.
    pub form: String,
    /// Forms and baselines.
    pub entries: Vec<Entry>,
    /// The ways of holding out.
    pub splits: Vec<Split>,
}

/// A form or a baseline and how it did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// What it says.
    pub formula: String,
    /// Numbers fitted; left out where measured curves are carried over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<usize>,
    /// On the points it was fitted to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_sample: Option<Metrics>,
    /// On what was held out, by split; skill is against the split's best baseline.
    pub held_out: BTreeMap<String, Metrics>,
    /// Why there is nothing for a split, or for `in-sample`.
    pub cannot: BTreeMap<String, Cannot>,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A form of the registry.
    Form,
    /// What a form must beat: a prediction without a law, or the law without one of its factors.
    Baseline,
}

/// Why something is left out: a value, not an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cannot {
    /// A kebab-case id.
    pub code: String,
    /// The reason for a person.
    pub sentence: String,
}

/// One way of holding out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Split {
    /// `last-checkpoints`, `largest-size`, `highest-rate`, `leave-one-run-out` or
    /// `leave-one-base-out`.
    pub name: String,
    /// Fits made: one, or one a run or base.
    pub folds: usize,
    /// Points held out.
    pub points: usize,
    /// The baseline with the smallest mean absolute error here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best_baseline: Option<String>,
    /// The probability that bands are made for.
    pub level: f64,
    /// Held-out points that have a band, and how many of them lie in it.
    pub banded: usize,
    /// Held-out points in their band.
    pub inside: usize,
    /// The held-out runs.
    pub curves: Vec<HeldOut>,
    /// Why the design does not allow it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cannot: Option<Cannot>,
}

/// A run, some or all of it held out, and what the law said of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldOut {
    /// The run.
    pub run: String,
    /// Where it stands.
    #[serde(flatten)]
    pub place: Place,
    /// Points of this run that were fitted: tokens and loss.
    pub fitted: Vec<[f64; 2]>,
    /// Points held out: tokens and loss.
    pub held_out: Vec<[f64; 2]>,
    /// The law's curve: tokens and loss. Empty where the data cannot tell.
    pub curve: Vec<[f64; 2]>,
    /// The interval of a new run's points: tokens, low and high end.
    pub band: Vec<[f64; 3]>,
}

impl Cannot {
    fn new(code: &str, sentence: &str) -> Self {
        Self { code: code.to_owned(), sentence: sentence.to_owned() }
    }
}

impl Validation {
    /// The number of this file format.
    pub const FORMAT: u32 = 1;
}

/// Where entries that cannot be fitted in sample say so.
const IN_SAMPLE: &str = "in-sample";
/// Starts of the fits that leave one run or base out: they differ little from the fit to all.
const FOLD_STARTS: usize = 8;
/// Places that a curve is drawn through.
const STEPS: usize = 24;

/// Judges every form and baseline on every group, in sample and in every way held out.
///
/// ```
/// use law::{Settings, Table, TableRow, validate};
/// let loss = |rate: f64, tokens: f64| 2.0 + rate * (1.0 + 100.0 * tokens.powf(-0.5));
/// let mut rows = Vec::new();
/// for rate in [0.1, 0.2, 0.3] {
///     for tokens in [1e4, 2e4, 4e4, 8e4, 16e4, 32e4] {
///         let run = TableRow::run(&rate.to_string(), 1e9, rate, 2.0);
///         rows.push(TableRow { tokens, loss: loss(rate, tokens), ..run });
///     }
/// }
/// let validation = validate::validate(&Table::new(rows)?, &Settings::default())?;
/// let group = &validation.groups[0];
/// let entry = group.entries.iter().find(|entry| entry.name == "p2-one-size").unwrap();
/// assert!(entry.held_out["highest-rate"].mae.unwrap() < 1e-6);
/// assert_eq!(group.splits[1].cannot.as_ref().unwrap().sentence, "the runs hold one size");
/// # Ok::<(), law::Error>(())
/// ```
///
/// # Errors
/// Where no form at all fits a group.
pub fn validate(table: &Table, settings: &Settings) -> Result<Validation> {
    let asked = form::by_name(&settings.form)?;
    let groups =
        table.groups.iter().map(|group| of_group(group, asked, settings)).collect::<Result<_>>()?;
    Ok(Validation { format: Validation::FORMAT, groups })
}

fn of_group(
    group: &Group,
    asked: &'static dyn Form,
    settings: &Settings,
) -> Result<GroupValidation> {
    let runs: Vec<&Run> = group.runs.iter().collect();
    let law = fit_group(group, asked, settings)?;
    let drawn = law.form()?;
    let noise = law.noise;
    let levels = Levels::of(&runs, &group.method);
    let without = without_one_factor(levels);
    let mut entries: Vec<Entry> = FORMS
        .iter()
        .map(|form| {
            let kind = if without.contains(&form.name()) { Kind::Baseline } else { Kind::Form };
            Entry::new(form.name(), kind, form.formula(), Some(form.parameters().len()))
        })
        .collect();
    entries.extend(Baseline::ALL.map(|baseline| {
        Entry::new(
            baseline.name(),
            Kind::Baseline,
            baseline.formula(),
            baseline.parameters(runs.len()),
        )
    }));
    in_sample(&mut entries, &runs, &noise, settings.starts);
    let mut splits = Vec::new();
    for way in Way::ALL {
        splits.push(match way.folds(&runs) {
            Ok(folds) => {
                let best = judge_split(&mut entries, way, &folds, &noise, settings.starts);
                let curves: Vec<HeldOut> =
                    parallel::map(&folds, |fold| curves(group, fold, drawn, settings))
                        .into_iter()
                        .flatten()
                        .collect();
                Split::new(way, &folds, best, settings.level, curves)
            }
            Err(cannot) => {
                entries.iter_mut().for_each(|entry| {
                    drop(entry.cannot.insert(way.name().to_owned(), cannot.clone()))
                });
                Split {
                    cannot: Some(cannot),
                    ..Split::new(way, &[], None, settings.level, Vec::new())
                }
            }
        });
    }
    Ok(GroupValidation {
        series: group.series.clone(),
        method: group.method.clone(),
        points: law.points,
        runs: law.runs,
        form: law.form.clone(),
        entries,
        splits,
    })
}

/// Names of the largest form that the data fix, less one factor each.
fn without_one_factor(levels: Levels) -> Vec<&'static str> {
    let full = levels.form().name();
    let less = [
        Levels { sizes: 1, ..levels },
        Levels { rates: 1, ..levels },
        Levels { counts: 1, ..levels },
    ];
    let mut names: Vec<&'static str> = less.map(|levels| levels.form().name()).to_vec();
    names.extend((full == "p2").then_some("p2-no-delta"));
    names.retain(|name| *name != full);
    names
}

impl Entry {
    fn new(name: &str, kind: Kind, formula: &str, parameters: Option<usize>) -> Self {
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

    fn form(&self) -> Option<&'static dyn Form> {
        form::by_name(&self.name).ok()
    }
}

impl Split {
    fn new(
        way: Way,
        folds: &[Fold],
        best_baseline: Option<String>,
        level: f64,
        curves: Vec<HeldOut>,
    ) -> Self {
        let points = folds.iter().flat_map(|fold| &fold.unseen).map(|run| run.points.len()).sum();
        let at = |curve: &HeldOut, tokens: f64| {
            curve.band.iter().find(|ends| ends[0] == tokens).map(|ends| [ends[1], ends[2]])
        };
        let (mut banded, mut inside) = (0, 0);
        for curve in &curves {
            for [tokens, loss] in &curve.held_out {
                if let Some([low, high]) = at(curve, *tokens) {
                    banded += 1;
                    inside += usize::from((low..=high).contains(loss));
                }
            }
        }
        let name = way.name().to_owned();
        Self {
            name,
            folds: folds.len(),
            points,
            best_baseline,
            level,
            banded,
            inside,
            curves,
            cannot: None,
        }
    }
}

/// Fits a form, where these runs can fix its constants.
fn fitted(
    form: &'static dyn Form,
    runs: &[&Run],
    starts: usize,
) -> std::result::Result<Fit, Cannot> {
    let (points, constants) =
        (runs.iter().map(|run| run.points.len()).sum::<usize>(), form.parameters().len());
    if points <= constants {
        let why = format!("{points} points do not judge {constants} constants");
        return Err(Cannot::new("too-few-points", &why));
    }
    let fit = fit_form(form, runs, starts);
    if !fit.objective.is_finite() || fit.parameters.iter().any(|x| !x.is_finite()) {
        return Err(Cannot::new("no-fit", "no finite fit was found"));
    }
    if fit.singular_values.iter().any(|value| *value < ZERO) {
        let why = "the points fitted to do not vary enough to fix every constant";
        return Err(Cannot::new("levels-too-few", why));
    }
    Ok(fit)
}

fn in_sample(entries: &mut [Entry], runs: &[&Run], noise: &Noise, starts: usize) {
    let found = parallel::map(entries, |entry| match entry.form() {
        Some(form) => {
            let fit = fitted(form, runs, starts)?;
            Ok(runs.iter().map(|run| judge(&fit, run, &run.points)).collect())
        }
        None if entry.name == Baseline::RunPower.name() => {
            let one = |run: &&Run| Ok(beside(run, &power(run, run)?));
            runs.iter().map(one).collect::<std::result::Result<Vec<_>, Cannot>>()
        }
        None => Err(Cannot::new("does-not-apply", "it predicts what was not seen")),
    });
    for (entry, found) in entries.iter_mut().zip(found) {
        match found {
            Ok(judged) => entry.in_sample = Some(Metrics::of(&judged, noise.point)),
            Err(cannot) => drop(entry.cannot.insert(IN_SAMPLE.to_owned(), cannot)),
        }
    }
    let best = best(entries.iter().map(|entry| (entry, entry.in_sample.as_ref())));
    for metrics in entries.iter_mut().filter_map(|entry| entry.in_sample.as_mut()) {
        metrics.skill = skill(metrics, best.as_ref());
    }
}

/// Judges every entry on one split; returns the name of the best baseline.
fn judge_split(
    entries: &mut [Entry],
    way: Way,
    folds: &[Fold],
    noise: &Noise,
    starts: usize,
) -> Option<String> {
    let starts = if folds.len() > 1 { starts.min(FOLD_STARTS) } else { starts };
    let found = parallel::map(entries, |entry| {
        let one = |fold: &Fold| -> std::result::Result<Vec<Vec<Judged>>, Cannot> {
            let predicted =
                match (entry.form(), Baseline::ALL.iter().find(|known| known.name() == entry.name))
                {
                    (Some(form), _) => by_form(form, fold, starts)?,
                    (None, Some(baseline)) => baseline.predict(way, fold)?,
                    (None, None) => unreachable!("an entry is a form or a baseline"),
                };
            Ok(fold
                .unseen
                .iter()
                .zip(predicted)
                .map(|(run, predicted)| beside(run, &predicted))
                .collect())
        };
        let folds: std::result::Result<Vec<Vec<Vec<Judged>>>, Cannot> =
            folds.iter().map(one).collect();
        folds.map(|folds| folds.concat())
    });
    let name = way.name();
    for (entry, found) in entries.iter_mut().zip(found) {
        match found {
            Ok(judged) => {
                drop(entry.held_out.insert(name.to_owned(), Metrics::of(&judged, noise.point)))
            }
            Err(cannot) => drop(entry.cannot.insert(name.to_owned(), cannot)),
        }
    }
    let best = best(entries.iter().map(|entry| (entry, entry.held_out.get(name))));
    for metrics in entries.iter_mut().filter_map(|entry| entry.held_out.get_mut(name)) {
        metrics.skill = skill(metrics, best.as_ref());
    }
    best.map(|(name, _)| name)
}

/// What a form, fitted to what was seen, says of the rest.
fn by_form(
    form: &'static dyn Form,
    fold: &Fold,
    starts: usize,
) -> std::result::Result<Vec<Vec<f64>>, Cannot> {
    let seen: Vec<&Run> = fold.seen.iter().collect();
    let fit = fitted(form, &seen, starts)?;
    let known = |run: &Run| fold.seen.iter().any(|other| same(other.n0, run.n0, SIZE_TOLERANCE));
    // A straight line through two sizes is exact at both and says nothing of a third.
    if form.position("floor_slope").is_some()
        && Levels::of(&seen, "").sizes < 3
        && !fold.unseen.iter().all(known)
    {
        let why = "two sizes leave a range of floors at a third, no number";
        return Err(Cannot::new("levels-too-few", why));
    }
    let predicted: Vec<Vec<f64>> =
        fold.unseen.iter().map(|run| run.rows().map(|row| fit.value(&row)).collect()).collect();
    if predicted.iter().flatten().any(|loss| !loss.is_finite()) {
        return Err(Cannot::new("no-fit", "it gives no finite loss for what is held out"));
    }
    Ok(predicted)
}

/// The baseline with the smallest mean absolute error, and that error.
fn best<'a>(
    found: impl Iterator<Item = (&'a Entry, Option<&'a Metrics>)>,
) -> Option<(String, f64)> {
    found
        .filter(|(entry, _)| entry.kind == Kind::Baseline)
        .filter_map(|(entry, metrics)| Some((entry.name.clone(), metrics?.mae?)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
}

fn skill(metrics: &Metrics, best: Option<&(String, f64)>) -> Option<f64> {
    Some(1.0 - metrics.mae? / best?.1).filter(|skill| skill.is_finite())
}

/// What the law fitted to the seen says of every held-out run: its curve and a new run's band.
fn curves(
    group: &Group,
    fold: &Fold,
    form: &'static dyn Form,
    settings: &Settings,
) -> Vec<HeldOut> {
    let part = Group { runs: fold.seen.clone(), warnings: Vec::new(), ..group.clone() };
    // Where the form cannot be fitted to less, the largest that can is taken, as for any data.
    let asked =
        if form.name().starts_with("p2") && settings.form == "p2" { "p2" } else { form.name() };
    let law = form::by_name(asked).and_then(|form| fit_group(&part, form, settings)).ok();
    let pairs = |run: Option<&Run>| {
        let points = run.into_iter().flat_map(|run| &run.points);
        points.map(|point| [point.tokens, point.loss]).collect::<Vec<_>>()
    };
    let of_run = |run: &Run| {
        let place = Place { n0: run.n0, rate: run.rate, loss0: run.loss0 };
        let fitted = pairs(fold.seen.iter().find(|other| other.name == run.name));
        let held_out = pairs(Some(run));
        let (mut curve, mut band) = (Vec::new(), Vec::new());
        for tokens in places(fitted.first().or(held_out.first()), &held_out) {
            let Some(found) = law.as_ref().and_then(|law| law.predict(place, tokens).ok()) else {
                continue;
            };
            let middle = found.mean.map(|[low, high]| 0.5 * (low + high));
            curve.extend(found.loss.or(middle).map(|loss| [tokens, loss]));
            band.extend(found.new_run.map(|[low, high]| [tokens, low, high]));
        }
        HeldOut { run: run.name.clone(), place, fitted, held_out, curve, band }
    };
    fold.unseen.iter().map(of_run).collect()
}

/// Token counts from the first point to the last, every held-out one among them.
fn places(first: Option<&[f64; 2]>, held_out: &[[f64; 2]]) -> Vec<f64> {
    let (Some([low, _]), Some([high, _])) = (first, held_out.last()) else { return Vec::new() };
    let mut places: Vec<f64> =
        (0..STEPS).map(|i| low * (high / low).powf(i as f64 / STEPS as f64)).collect();
    places.extend(held_out.iter().map(|[tokens, _]| *tokens));
    places.sort_by(f64::total_cmp);
    places.dedup();
    places
}

/// Judges a form on the last 20 % of each run's checkpoints after fitting it to the others; skill
/// is against the last value seen. `None` when too little is left to fit or nothing to judge.
pub fn last_checkpoints(form: &'static dyn Form, runs: &[&Run], starts: usize) -> Option<Metrics> {
    let Fold { seen, unseen } = Way::LastCheckpoints.folds(runs).ok()?.pop()?;
    let points: usize = seen.iter().map(|run| run.points.len()).sum();
    let enough = seen.iter().all(|run| run.points.len() >= 3 || form.token_exponent().is_none());
    if !enough || points <= form.parameters().len() {
        return None;
    }
    let fit = fit_form(form, &seen.iter().collect::<Vec<_>>(), starts);
    let judged: Vec<Vec<Judged>> = unseen.iter().map(|run| judge(&fit, run, &run.points)).collect();
    let last = |run: &Run| run.points.last().map_or(run.loss0, |point| point.loss);
    let baseline: Vec<f64> = seen
        .iter()
        .zip(&unseen)
        .flat_map(|(seen, unseen)| vec![last(seen); unseen.points.len()])
        .collect();
    let skill = crate::metric::skill(&judged.concat(), &baseline);
    Some(Metrics { skill, ..Metrics::of(&judged, None) })
}

/// Points of a run beside what a fit says of them.
pub(crate) fn judge(fit: &Fit, run: &Run, points: &[crate::Point]) -> Vec<Judged> {
    let judged = |point: &crate::Point| Judged {
        tokens: point.tokens,
        loss0: run.loss0,
        measured: point.loss,
        predicted: fit.value(&run.row(point.tokens)),
    };
    points.iter().map(judged).collect()
}

/// Points of a run beside predictions of them.
fn beside(run: &Run, predicted: &[f64]) -> Vec<Judged> {
    let judged = |(point, &predicted): (&crate::Point, &f64)| Judged {
        tokens: point.tokens,
        loss0: run.loss0,
        measured: point.loss,
        predicted,
    };
    run.points.iter().zip(predicted).map(judged).collect()
}
