//! Measured points, checked and sorted into groups of runs.

use std::collections::BTreeMap;

use ledger::Phase;

use crate::error::{Error, Result};
use crate::form::Axis;
use crate::row::Row;
use crate::warning::{Notice, Warning};

/// One line of a points table.
pub type TableRow = ledger::PointRow;

/// A points table: groups to fit, and unpruned controls to show.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// By series and method, sorted.
    pub groups: Vec<Group>,
    /// Runs with rate 0, with their series: kept and shown, never fitted.
    pub controls: Vec<(String, Run)>,
}

/// The runs that one law describes.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The model series.
    pub series: String,
    /// The pruning method.
    pub method: String,
    /// Its runs, sorted by name; every run has at least one point.
    pub runs: Vec<Run>,
    /// What was noticed.
    pub warnings: Vec<Warning>,
    /// The columns of its table: a form that reads another cannot be fitted.
    pub columns: Vec<Axis>,
}

/// One run: a place on the axes of size and rate, and its points.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its name.
    pub name: String,
    /// The model it was pruned from.
    pub base: String,
    /// Parameters before pruning.
    pub n0: f64,
    /// Realised pruning rate.
    pub rate: f64,
    /// Loss before pruning, nats per token.
    pub loss0: f64,
    /// In ascending order of tokens.
    pub points: Vec<Point>,
}

/// One measured point of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Post-training tokens.
    pub tokens: f64,
    /// Held-out loss, nats per token.
    pub loss: f64,
    /// How much the squared residual counts.
    pub weight: f64,
}

/// What a law asks of a row.
trait Checked: Sized {
    /// Whether its numbers lie in their ranges.
    fn check(&self, row: usize) -> Result<()>;

    /// The row with a neutral value in every column that its table has not.
    fn with_only(self, columns: &[Axis]) -> Self;

    /// The model that was pruned.
    fn base(&self) -> String;
}

impl Checked for TableRow {
    fn check(&self, row: usize) -> Result<()> {
        let numbers = [
            ("n0", self.n0),
            ("rate", self.rate),
            ("loss0", self.loss0),
            ("tokens", self.tokens),
            ("loss", self.loss),
            ("weight", self.weight.unwrap_or(1.0)),
            ("learning_rate", self.learning_rate.unwrap_or(0.0)),
        ];
        for (column, found) in numbers {
            if !found.is_finite() {
                return Err(Error::NotFinite { row, column, found });
            }
        }
        let refuse =
            |column, found, expected| Err(Error::OutOfRange { row, column, found, expected });
        // Beyond these bounds powers leave the range of floating point.
        match () {
            () if !(1.0..=1e18).contains(&self.n0) => {
                refuse("n0", self.n0, "a parameter count from 1 to 1e18")
            }
            () if !(0.0..1.0).contains(&self.rate) => {
                refuse("rate", self.rate, "at least 0 and below 1")
            }
            () if self.rate > 0.0 && self.rate < 1e-9 => {
                refuse("rate", self.rate, "0 or at least 1e-9")
            }
            () if !(1.0..=1e18).contains(&self.tokens) => {
                refuse("tokens", self.tokens, "a token count from 1 to 1e18")
            }
            () if !(0.0..=1e6).contains(&self.loss0) => {
                refuse("loss0", self.loss0, "from 0 to 1e6 nats")
            }
            () if !(0.0..=1e6).contains(&self.loss) => {
                refuse("loss", self.loss, "from 0 to 1e6 nats")
            }
            () if !(0.0..=1e6).contains(&self.learning_rate.unwrap_or(0.0)) => {
                refuse("learning_rate", self.learning_rate.unwrap_or(0.0), "from 0 to 1e6")
            }
            () => match self.weight {
                Some(weight) if !(1e-12..=1e12).contains(&weight) => {
                    refuse("weight", weight, "from 1e-12 to 1e12")
                }
                _ if self.method == CONTROL && self.rate > 0.0 => {
                    Err(Error::PrunedControl { row, rate: self.rate })
                }
                _ => Ok(()),
            },
        }
    }

    fn with_only(self, columns: &[Axis]) -> Self {
        let has = |column, value: f64, neutral: f64| {
            if columns.contains(&column) { value } else { neutral }
        };
        Self {
            n0: has(Axis::N0, self.n0, 1.0),
            rate: has(Axis::Rate, self.rate, 0.0),
            loss0: has(Axis::Loss0, self.loss0, 0.0),
            tokens: has(Axis::Tokens, self.tokens, 1.0),
            ..self
        }
    }

    fn base(&self) -> String {
        self.base.clone().unwrap_or_else(|| format!("{} {}", self.series, self.n0))
    }
}

impl Table {
    /// Checks rows and sorts them into groups; the order of the rows does not matter.
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

    /// The same of a table that has only some of the columns that forms read; what rows hold in the
    /// others is not looked at. Without a column `rate` no row is an unpruned control.
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
    /// assert!((law.groups[0].constants["alpha"].value - 0.34).abs() < 1e-6);
    /// let error = law::fit(&table, &Settings::default()).unwrap_err();
    /// assert_eq!(error.to_string(), "form `p2` needs the column `rate`, which the table does not have");
    /// # Ok::<(), law::Error>(())
    /// ```
    ///
    /// # Errors
    /// Where a row is no point, or nothing is left to fit.
    pub fn with_columns(
        rows: impl IntoIterator<Item = TableRow>,
        columns: &[Axis],
    ) -> Result<Self> {
        let mut runs: BTreeMap<(String, String, String), Gathered> = BTreeMap::new();
        let mut empty = true;
        for (i, row) in rows.into_iter().enumerate() {
            let row = row.with_only(columns);
            empty = false;
            let number = i + 1;
            row.check(number)?;
            let is_control = columns.contains(&Axis::Rate) && row.rate == 0.0;
            let method = if is_control { CONTROL.to_owned() } else { row.method.clone() };
            let key = (row.series.clone(), method, row.run.clone());
            match runs.get_mut(&key) {
                Some(gathered) => gathered.add(row, number)?,
                None => drop(runs.insert(key, Gathered::new(row, number))),
            }
        }
        if empty {
            return Err(Error::Empty);
        }
        let (mut groups, mut controls): (Vec<Group>, Vec<(String, Run)>) = (Vec::new(), Vec::new());
        for ((series, method, _), gathered) in runs {
            let (run, warnings) = gathered.finish()?;
            if method == CONTROL && columns.contains(&Axis::Rate) {
                controls.push((series, run));
                continue;
            }
            match groups.last_mut() {
                Some(group) if group.series == series && group.method == method => {
                    group.runs.push(run);
                    group.warnings.extend(warnings);
                }
                _ => groups.push(Group {
                    series,
                    method,
                    runs: vec![run],
                    warnings,
                    columns: columns.to_vec(),
                }),
            }
        }
        if groups.is_empty() {
            return Err(Error::OnlyControls);
        }
        for group in &mut groups {
            let is_below = |run: &&Run| run.points.iter().all(|point| point.loss < run.loss0);
            let below: Vec<String> =
                group.runs.iter().filter(is_below).map(|run| run.name.clone()).collect();
            if !below.is_empty() {
                group.warnings.push(Notice::BelowBase { runs: below }.into());
            }
            group.warnings = Warning::merged(std::mem::take(&mut group.warnings));
        }
        Ok(Self { groups, controls })
    }
}

impl Run {
    /// The run's place after some tokens.
    pub fn row(&self, tokens: f64) -> Row {
        Row::new(self.n0, self.rate, self.loss0, tokens)
    }

    /// The places of its points.
    pub fn rows(&self) -> impl Iterator<Item = Row> {
        let row = self.row(1.0);
        self.points.iter().map(move |point| row.at(point.tokens))
    }
}

/// The method of a run that was not pruned.
pub(crate) const CONTROL: &str = "none";

/// Learning rates nearer than this share are the same.
const SAME_RATE: f64 = 1e-6;
/// So many points at the highest learning rate are a constant phase: fewer have no curve.
const FEWEST_CONSTANT: usize = 3;

/// A run while its rows come in.
struct Gathered {
    first: usize,
    run: Run,
    points: Vec<(usize, Point, Option<Phase>)>,
    /// In the order of `points`.
    learning_rates: Vec<Option<f64>>,
    repeated: bool,
}

impl Gathered {
    fn new(row: TableRow, number: usize) -> Self {
        let run = Run {
            name: row.run.clone(),
            base: row.base(),
            n0: row.n0,
            rate: row.rate,
            loss0: row.loss0,
            points: Vec::new(),
        };
        let mut gathered = Self {
            first: number,
            run,
            points: Vec::new(),
            learning_rates: Vec::new(),
            repeated: false,
        };
        gathered.push(&row, number);
        gathered
    }

    fn add(&mut self, row: TableRow, number: usize) -> Result<()> {
        let Run { n0, rate, loss0, .. } = self.run;
        let numbers = [("n0", row.n0, n0), ("rate", row.rate, rate), ("loss0", row.loss0, loss0)];
        let (base, mine) = (row.base(), &self.run.base);
        let changed = numbers
            .iter()
            .find(|(_, found, expected)| found != expected)
            .map(|(column, found, expected)| (*column, found.to_string(), expected.to_string()))
            .or_else(|| (base != *mine).then(|| ("base", base, mine.clone())));
        if let Some((column, found, expected)) = changed {
            return Err(Error::RunChanges {
                row: number,
                first: self.first,
                run: row.run,
                column,
                found,
                expected,
            });
        }
        self.push(&row, number);
        Ok(())
    }

    fn push(&mut self, row: &TableRow, number: usize) {
        let point = Point { tokens: row.tokens, loss: row.loss, weight: row.weight.unwrap_or(1.0) };
        self.points.push((number, point, row.phase));
        self.learning_rates.push(row.learning_rate);
        self.repeated |= row.repeated;
    }

    /// Phases by the learning rate, where no row names one and every row has a rate: at its peak it
    /// is constant, before that it warms up, after that it decays.
    fn name_phases(&mut self) {
        if self.points.iter().any(|(_, _, phase)| phase.is_some()) {
            return;
        }
        let Some(rates) = self.learning_rates.iter().copied().collect::<Option<Vec<f64>>>() else {
            return;
        };
        let peak = rates.iter().copied().fold(0.0, f64::max);
        let is_peak = |rate: f64| rate >= peak * (1.0 - SAME_RATE);
        let at_peak = || self.points.iter().zip(&rates).filter(|(_, rate)| is_peak(**rate));
        let first = at_peak().map(|((_, point, _), _)| point.tokens).fold(f64::INFINITY, f64::min);
        // A schedule that decays from its first step on touches its peak; it does not stay there.
        let stays = at_peak().count() >= FEWEST_CONSTANT || rates.iter().all(|rate| is_peak(*rate));
        for ((_, point, phase), &rate) in self.points.iter_mut().zip(&rates) {
            *phase = Some(match () {
                () if point.tokens < first => Phase::Warmup,
                () if is_peak(rate) && stays => Phase::Constant,
                () => Phase::Decay,
            });
        }
    }

    /// Sorts the points and sets aside those of other phases than the run is fitted by.
    fn finish(mut self) -> Result<(Run, Vec<Warning>)> {
        self.name_phases();
        self.points.sort_by(|a, b| a.1.tokens.total_cmp(&b.1.tokens).then(a.0.cmp(&b.0)));
        for pair in self.points.windows(2) {
            if pair[0].1.tokens == pair[1].1.tokens && pair[0].2 == pair[1].2 {
                return Err(Error::Duplicate {
                    row: pair[1].0,
                    first: pair[0].0,
                    run: self.run.name,
                    tokens: pair[1].1.tokens,
                });
            }
        }
        let mut warnings = Vec::new();
        if self.repeated {
            warnings.push(Notice::RepeatedData { run: self.run.name.clone() }.into());
        }
        let has = |phase| self.points.iter().any(|(_, _, p)| *p == Some(phase));
        let steady = self.points.iter().any(|(_, _, p)| matches!(p, None | Some(Phase::Constant)));
        let wanted = |phase: Option<Phase>| match phase {
            None | Some(Phase::Constant) => true,
            Some(Phase::Decay) => !steady,
            Some(Phase::Warmup) => !steady && !has(Phase::Decay),
        };
        if has(Phase::Warmup) && (steady || has(Phase::Decay)) {
            warnings.push(Notice::WarmUpLeftOut { run: self.run.name.clone() }.into());
        }
        if has(Phase::Decay) {
            let run = self.run.name.clone();
            warnings.push(Warning::from(match steady {
                true => Notice::MixedSchedule { run },
                false => Notice::DecayingSchedule { run },
            }));
        }
        self.run.points = self
            .points
            .iter()
            .filter(|(_, _, phase)| wanted(*phase))
            .map(|(_, point, _)| *point)
            .collect();
        // One end point is worth fitting; the middle of a decay is not where a run of that length
        // would end.
        if !steady && has(Phase::Decay) {
            self.run.points.drain(..self.run.points.len() - 1);
        }
        Ok((self.run, warnings))
    }
}
