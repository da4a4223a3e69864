//! Validation: fits a part of the data, judges the rest, and compares with predictions that need no
//! law.

mod baseline;
mod contender;
mod holdout_curves;
mod rival;
mod verdict;

pub use crate::judge::Cannot;
pub use contender::{Contender, ContenderKind};
pub use holdout_curves::{HeldOutCurve, Holdout};
pub use verdict::{Question, Verdict};

use std::sync::{Mutex, PoisonError};

use ledger::Format;
use serde::{Deserialize, Serialize};

use self::baseline::Baseline;
use self::holdout_curves::curves;
use self::rival::Rival;
use crate::error::Result;
use crate::form::{self, FORMS, Form};
use crate::identify::Grid;
use crate::infer::{Settings, fit_group};
use crate::judge::Way;
use crate::levels::Levels;
use crate::method::method_and_objective;
use crate::parallel;
use crate::table::{Group, Run, Table};
use crate::uncertainty::Intervals;

/// The results of every form and baseline, in sample and held out, for every group of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    /// The version of the file format.
    pub(crate) format: Format<1>,
    /// One for each series and method.
    pub(crate) groups: Vec<GroupValidation>,
}

/// The validation of one series and one method.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupValidation {
    /// The model series.
    pub(crate) series: String,
    /// The pruning method.
    pub(crate) method: String,
    /// What training minimised; `None` for the next-token loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) objective: Option<String>,
    /// How many points were judged in sample.
    pub(crate) points: usize,
    /// How many runs they come from.
    pub(crate) runs: usize,
    /// The form of the curves and bands.
    pub(crate) form: String,
    /// What the law is worth, as [`crate::fit()`] gives it with the same settings.
    pub(crate) verdicts: Vec<Verdict>,
    /// Forms and baselines. Every form is fitted as one curve for all bases and runs.
    pub(crate) entries: Vec<Contender>,
    /// The ways of holding out.
    pub(crate) splits: Vec<Holdout>,
}

impl Validation {
    /// The version of the file format.
    pub const FORMAT: Format<1> = Format;
}

/// Judges every form and baseline on every group, in sample and with every way of holding out.
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
/// let group = &validation.groups()[0];
/// let entry = group.entries().iter().find(|entry| entry.name() == "p2-one-size").unwrap();
/// assert!(entry.held_out()["highest-rate"].mae().unwrap() < 1e-6);
/// assert_eq!(group.splits()[1].cannot().as_ref().unwrap().sentence(), "the runs hold one size");
/// # Ok::<(), law::Error>(())
/// ```
///
/// # Errors
/// If no form fits a group.
pub fn validate(table: &Table, settings: &Settings) -> Result<Validation> {
    validate_heard(table, settings, &|_, _| ())
}

/// As [`validate`], which can take minutes: `heard` is told how many laws are fitted, and of how
/// many. It is called from several threads, each time with a larger number or the same.
///
/// # Errors
/// As [`validate`].
pub fn validate_heard(
    table: &Table,
    settings: &Settings,
    heard: &(dyn Fn(usize, usize) + Sync),
) -> Result<Validation> {
    let asked = form::by_name(&settings.form)?;
    let laws = |group: &Group| {
        let runs: Vec<&Run> = group.runs.iter().collect();
        // One of all points, and one for each part that is held out.
        1 + Way::ALL
            .iter()
            .map(|way| way.folds(&runs).map_or(0, |folds| folds.len()))
            .sum::<usize>()
    };
    let of = table.groups.iter().map(laws).sum();
    // Counted and told under one lock, so that the numbers do not fall.
    let fitted = Mutex::new(0);
    let count = || {
        let mut fitted = fitted.lock().unwrap_or_else(PoisonError::into_inner);
        *fitted += 1;
        heard(*fitted, of);
    };
    heard(0, of);
    let judge = |group| of_group(group, asked, settings, &count);
    let groups = table.groups.iter().map(judge).collect::<Result<_>>()?;
    Ok(Validation { format: Validation::FORMAT, groups })
}

fn of_group(
    group: &Group,
    asked: &'static dyn Form,
    settings: &Settings,
    fitted: &(dyn Fn() + Sync),
) -> Result<GroupValidation> {
    let runs: Vec<&Run> = group.runs.iter().collect();
    // Form and noise need no posterior; which curves the data prefer does.
    let choose = settings.shape.is_none() && settings.intervals == Intervals::Posterior;
    let fast = Settings { intervals: Intervals::Jackknife, ..settings.clone() };
    let law = fit_group(group, asked, if choose { settings } else { &fast })?;
    fitted();
    let drawn = law.form()?;
    let noise = law.noise;
    let grid = Grid::of(&runs, &group.method);
    let without_one = grid.less_one_factor();
    let of_form = |form: &&'static dyn Form| {
        let kind = match without_one.iter().any(|less| less == form) {
            true => ContenderKind::Reduced,
            false => ContenderKind::Form,
        };
        (Rival::Form(*form), Contender::of_form(*form, kind))
    };
    // Leaving out one base or run of many does not change which curves are preferred. Where more is
    // left out, the choice must not have seen it.
    let shape = settings.shape.or_else(|| law.levels().map(Levels::shape));
    let chosen = Settings { shape, ..settings.clone() };
    let mut contenders: Vec<(Rival, Contender)> = FORMS.iter().map(of_form).collect();
    contenders.extend(
        Baseline::ALL.map(|baseline| {
            (Rival::Baseline(baseline), Contender::of_baseline(baseline, runs.len()))
        }),
    );
    contender::in_sample(&mut contenders, &runs, &noise, settings.starts);
    let (mut splits, mut verdicts) = (Vec::new(), Vec::new());
    for way in Way::ALL {
        splits.push(match way.folds(&runs) {
            Ok(folds) => {
                let best =
                    contender::held_out(&mut contenders, way, &folds, &noise, settings.starts);
                let settings = if folds.len() > 1 { &chosen } else { settings };
                let curves = parallel::map(&folds, |fold| {
                    let curves = curves(group, fold, asked, drawn, settings);
                    fitted();
                    curves
                });
                let name = best.as_ref().map(|best| best.name.clone());
                let holdout = Holdout::new(way, &folds, name, settings.level, curves.concat());
                verdicts.push(Verdict::new(way, &holdout, best.as_ref()));
                holdout
            }
            Err(cannot) => {
                // Every contender says why, so that its row in a table has no gap.
                for (_, contender) in &mut contenders {
                    contender.set_aside(way.name(), cannot.clone());
                }
                Holdout {
                    cannot: Some(cannot),
                    ..Holdout::new(way, &[], None, settings.level, Vec::new())
                }
            }
        });
    }
    Ok(GroupValidation {
        series: group.series.clone(),
        method: group.method.clone(),
        objective: group.objective.clone(),
        points: law.points,
        runs: law.runs,
        form: law.form.clone(),
        verdicts,
        entries: contenders.into_iter().map(|(_, contender)| contender).collect(),
        splits,
    })
}

impl Validation {
    /// The version of the file format.
    pub fn format(&self) -> Format<1> {
        self.format
    }

    /// One for each series and method.
    pub fn groups(&self) -> &[GroupValidation] {
        &self.groups
    }
}

impl GroupValidation {
    /// The model series.
    pub fn series(&self) -> &str {
        &self.series
    }

    /// The pruning method.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The method, and what training minimised where that is not the next-token loss.
    pub fn method_and_objective(&self) -> String {
        method_and_objective(&self.method, self.objective.as_deref())
    }

    /// How many points were judged in sample.
    pub fn points(&self) -> usize {
        self.points
    }

    /// How many runs they come from.
    pub fn runs(&self) -> usize {
        self.runs
    }

    /// The form of the curves and bands.
    pub fn form(&self) -> &str {
        &self.form
    }

    /// What the law is worth, as [`crate::fit()`] gives it with the same settings: one line for
    /// each question that the data allow.
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    /// Forms and baselines.
    pub fn entries(&self) -> &[Contender] {
        &self.entries
    }

    /// The ways of holding out.
    pub fn splits(&self) -> &[Holdout] {
        &self.splits
    }
}
