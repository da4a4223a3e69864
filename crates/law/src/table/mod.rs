//! Measured points, checked and sorted into groups of runs.

mod gathered;
pub(crate) mod phases;
mod rows;
mod run;
mod spoilt;
mod units;

pub use ledger::PointRow as TableRow;
pub use run::{Point, Run};

use std::collections::BTreeMap;

use ledger::{MethodId, Objective};

use self::gathered::Gathered;
use self::rows::{check, with_only};
use crate::error::{Fault, Result};
use crate::form::Axis;
use crate::warning::{Notice, Warning};

/// A points table: groups to fit, and unpruned controls to show.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The groups, sorted by series, method and objective.
    pub(crate) groups: Vec<Group>,
    /// Runs with rate 0, each with its series. They are kept and shown, never fitted.
    pub(crate) controls: Vec<(String, Run)>,
}

/// The runs that one law describes.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The model series.
    pub(crate) series: String,
    /// The pruning method.
    pub(crate) method: String,
    /// What training minimised; `None` for the next-token loss.
    pub(crate) objective: Option<String>,
    /// Whether the method sets weights to zero, if its id does not say so and all runs agree.
    pub(crate) zeroed: Option<bool>,
    /// Its runs, sorted by name. Every run has at least one point.
    pub(crate) runs: Vec<Run>,
    /// The warnings about these runs.
    pub(crate) warnings: Vec<Warning>,
    /// The columns of its table. A form that reads another column cannot be fitted.
    pub(crate) columns: Vec<Axis>,
}

impl Table {
    /// Checks rows and sorts them into groups. The order of the rows does not matter.
    ///
    /// ```
    /// use law::{Table, TableRow};
    /// let row = TableRow { tokens: 0.0, loss: 2.5, ..TableRow::run("a", 1e9, 0.25, 2.0) };
    /// let error = Table::new([row]).unwrap_err();
    /// assert_eq!(error.to_string(), "row 1: `tokens` is 0, expected a token count from 1 to 1e18");
    /// ```
    pub fn new(rows: impl IntoIterator<Item = TableRow>) -> Result<Self> {
        Self::with_columns(rows, &Axis::ALL)
    }

    /// The same for a table that has only some of the columns that forms read. Values in the other
    /// columns are ignored. Without a column `rate` no row is an unpruned control.
    ///
    /// ```
    /// use law::{Settings, Table, TableRow, form::Axis};
    /// // Points of training from nothing know no rate and no loss before pruning.
    /// let row = |n: f64, d: f64| TableRow {
    ///     n0: n, tokens: d, loss: 1.7 + 400.0 * n.powf(-0.34) + 2000.0 * d.powf(-0.37), ..TableRow::run(&format!("{n} {d}"), n, 0.0, 0.0)
    /// };
    /// let rows = [1e8, 3e8, 1e9, 3e9].iter().flat_map(|n| [2e9, 8e9, 3e10, 1e11].map(|d| row(*n, d)));
    /// let table = Table::with_columns(rows, &[Axis::N0, Axis::Tokens])?;
    /// let law = law::fit(&table, &Settings { form: "chinchilla".into(), ..Settings::default() })?;
    /// assert!((law.groups()[0].constants()["alpha"].value - 0.34).abs() < 1e-6);
    /// let error = law::fit(&table, &Settings::default()).unwrap_err();
    /// assert_eq!(error.to_string(), "form `p2` needs the column `rate`, which the table does not have");
    /// # Ok::<(), law::Error>(())
    /// ```
    ///
    /// # Errors
    /// If a row is not a valid point, or nothing is left to fit.
    pub fn with_columns(
        rows: impl IntoIterator<Item = TableRow>,
        columns: &[Axis],
    ) -> Result<Self> {
        let mut runs: BTreeMap<RunKey, Gathered> = BTreeMap::new();
        let mut empty = true;
        for (i, row) in rows.into_iter().enumerate() {
            let row = with_only(row, columns);
            empty = false;
            let number = i + 1;
            check(&row, number)?;
            let is_control = columns.contains(&Axis::Rate) && row.rate == 0.0;
            let method = if is_control { CONTROL.to_owned() } else { row.method.clone() };
            let objective =
                row.objective.clone().filter(|name| name != Objective::LM && !is_control);
            // Runs of different groups may share a name.
            let key = (row.series.clone(), method, objective, row.run.clone());
            match runs.get_mut(&key) {
                Some(gathered) => gathered.add(row, number)?,
                None => {
                    runs.insert(key, Gathered::new(row, number));
                }
            }
        }
        if empty {
            return Err(Fault::Empty.into());
        }
        let (mut groups, mut controls): (Vec<Group>, Vec<(String, Run)>) = (Vec::new(), Vec::new());
        for ((series, method, objective, _), gathered) in runs {
            let zeroed = match MethodId::from(method.as_str()).kind() {
                None => gathered.zeroed(),
                // The id already says it.
                Some(_) => None,
            };
            let (run, warnings) = gathered.finish()?;
            if method == CONTROL && columns.contains(&Axis::Rate) {
                controls.push((series, run));
                continue;
            }
            // The map is sorted, so the runs of a group follow each other.
            match groups.last_mut() {
                Some(group)
                    if (&group.series, &group.method, &group.objective)
                        == (&series, &method, &objective) =>
                {
                    // If the runs disagree, nothing is known.
                    group.zeroed = group.zeroed.filter(|known| Some(*known) == zeroed);
                    group.runs.push(run);
                    group.warnings.extend(warnings);
                }
                _ => groups.push(Group {
                    series,
                    method,
                    objective,
                    zeroed,
                    runs: vec![run],
                    warnings,
                    columns: columns.to_vec(),
                }),
            }
        }
        if groups.is_empty() {
            return Err(Fault::OnlyControls.into());
        }
        for group in &mut groups {
            let is_below = |run: &&Run| run.points.iter().all(|point| point.loss < run.loss0);
            let below: Vec<String> =
                group.runs.iter().filter(is_below).map(|run| run.name.clone()).collect();
            if !below.is_empty() {
                group.warnings.push(Notice::BelowBase { runs: below }.into());
            }
            // A table without one of these columns holds stand-ins there.
            if Axis::ALL.iter().all(|axis| columns.contains(axis)) {
                group.warnings.extend(units::unlikely(&group.runs).into_iter().map(Warning::from));
            }
            group.warnings = Warning::merged(std::mem::take(&mut group.warnings));
        }
        Ok(Self { groups, controls })
    }
}

/// Series, method, objective and name of a run.
type RunKey = (String, String, Option<String>, String);

/// The method of an unpruned run.
const CONTROL: &str = MethodId::NONE;

impl Table {
    /// The groups, sorted by series, method and objective.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Runs with rate 0, each with its series. They are kept and shown, never fitted.
    pub fn controls(&self) -> &[(String, Run)] {
        &self.controls
    }
}

impl Group {
    /// The model series.
    pub fn series(&self) -> &str {
        &self.series
    }

    /// The pruning method.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// What training minimised; `None` for the next-token loss.
    pub fn objective(&self) -> Option<&str> {
        self.objective.as_deref()
    }

    /// Whether the method sets weights to zero, if its id does not say so and all runs agree.
    pub fn zeroed(&self) -> Option<bool> {
        self.zeroed
    }

    /// Its runs, sorted by name. Every run has at least one point.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The warnings about these runs.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The columns of its table. A form that reads another column cannot be fitted.
    pub fn columns(&self) -> &[Axis] {
        &self.columns
    }
}
