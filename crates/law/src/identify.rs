//! What the data can determine, and which form to fit because of it.
//!
//! Structure comes first: with one size, no search can tell how the loss follows the size. Distinct
//! sizes, rates and token counts are counted. The largest form that they can determine is taken,
//! and singular values check it. If the data cannot tell, that is a value, [`Identifiability`], not
//! an error.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::form::{Axis, Follows, Form};
use crate::method::rate_follows_size;
use crate::table::Run;

pub use crate::form::Grid;

/// What the data tell about the constants.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Identifiability {
    /// Codes such as `levels-too-few`. Empty if every constant asked for is known.
    pub(crate) code: Vec<Code>,
    /// The constants of the form asked for that were set, with their values.
    pub(crate) fixed: BTreeMap<String, f64>,
    /// The constants of the form asked for that the data leave open.
    pub(crate) undetermined: Vec<String>,
    /// The form that was fitted.
    pub(crate) form_taken: String,
    /// The same as a sentence.
    pub(crate) sentence: String,
}

/// A singular value below this share of the largest counts as zero. True zeros come out at most
/// 5e-16.
pub const ZERO: f64 = 1e-8;
/// An exponent is undetermined if half its interval is wider than this.
pub const WIDEST_EXPONENT: f64 = 0.5;
/// A constant is undetermined if its interval reaches beyond this factor in either direction.
pub const WIDEST_FACTOR: f64 = 3.0;

impl Grid {
    /// Counts the levels. With an N:M pattern of ours the rate follows the size and counts as one.
    ///
    /// ```
    /// use law::{Table, TableRow, identify::Grid};
    /// let row = |run, rate, tokens| TableRow { tokens, loss: 2.5, ..TableRow::run(run, 1e9, rate, 2.0) };
    /// let table = Table::new([row("a", 0.15, 1e6), row("a", 0.15, 2e6), row("b", 0.25, 1e6), row("b", 0.25, 2e6)])?;
    /// let runs: Vec<_> = table.groups()[0].runs().iter().collect();
    /// let grid = Grid::of(&runs, "depth-list");
    /// assert_eq!(grid, Grid { sizes: 1, rates: 2, counts: 2 });
    /// assert_eq!(grid.form().name(), "p2-one-size-two-counts");
    /// # Ok::<(), law::Error>(())
    /// ```
    pub fn of(runs: &[&Run], method: &str) -> Self {
        let sizes = distinct(runs.iter().map(|run| run.n0), SIZE_TOLERANCE);
        // Rates are compared at one size only: a rate that moves with the size cannot be told from
        // it.
        let at = |size: f64| runs.iter().filter(move |run| same(run.n0, size, SIZE_TOLERANCE));
        let rates_at = |size: f64| distinct(at(size).map(|run| run.rate), RATE_TOLERANCE).len();
        let rates = if rate_follows_size(method) {
            1
        } else {
            sizes.iter().map(|&s| rates_at(s)).max().unwrap_or(1)
        };
        // A run of one point shows no curve: its tokens cannot be told from its other differences.
        let long = runs.iter().filter(|run| run.points.len() > 1);
        let counts =
            distinct(long.flat_map(|run| run.points.iter().map(|point| point.tokens)), 1e-9).len();
        Self { sizes: sizes.len(), rates, counts: counts.max(1) }
    }
}

// Realised sizes and rates differ a little from the wanted ones: within these shares they are one
// level.
pub(crate) const SIZE_TOLERANCE: f64 = 0.01;
pub(crate) const RATE_TOLERANCE: f64 = 0.02;

/// Whether two positive numbers differ by at most a share of the larger one.
pub(crate) fn same(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * a.max(b)
}

/// How many distinct sizes the runs hold.
pub(crate) fn distinct_sizes(runs: &[&Run]) -> usize {
    distinct(runs.iter().map(|run| run.n0), SIZE_TOLERANCE).len()
}

fn distinct(values: impl Iterator<Item = f64>, tolerance: f64) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.dedup_by(|b, a| same(*a, *b, tolerance));
    sorted
}

impl Identifiability {
    /// What structure alone says about the form asked for and the form taken.
    pub(crate) fn structural(asked: &dyn Form, taken: &dyn Form, grid: Grid, method: &str) -> Self {
        let has = |name: &str| taken.position(name).is_some();
        let asks = |name: &str| asked.position(name).is_some();
        let mut found = Self { form_taken: taken.name().to_owned(), ..Self::default() };
        let mut sentences = Vec::new();
        let mut open = |names: &[&str]| {
            for name in names.iter().filter(|name| asks(name) && !has(name)) {
                if !found.undetermined.iter().any(|known| known == name) {
                    found.undetermined.push((*name).to_owned());
                }
            }
        };
        let sized = taken.follows(Axis::N0);
        if asked != taken && sized == Follows::Line {
            open(&["N_C", "E", "alpha"]);
            sentences.push(
                "two sizes fix the floor at each, but not how it follows the size: elsewhere there is a range, no number",
            );
        } else if asked != taken && asks("alpha") && sized == Follows::Not {
            open(&["N_C", "alpha", "delta"]);
            sentences.push(
                "one size cannot tell how the loss follows the size, and E holds the floor at this one",
            );
        } else if asked != taken && asks("alpha") && !has("alpha") {
            open(&["N_C", "alpha"]);
        }
        if asks("gamma") && !has("gamma") {
            found.fixed.insert("gamma".to_owned(), 0.0);
            sentences.push(match rate_follows_size(method) {
                true => "an N:M pattern's rate follows the size: gamma is set to 0 and the other constants absorb it",
                false => "one rate a size cannot tell gamma: it is set to 0 and the other constants absorb it",
            });
        }
        if asks("beta") && !has("beta") {
            open(&["D_C", "beta"]);
            let follows = taken.follows(Axis::Tokens);
            sentences.push(match follows == Follows::Line {
                true => "two token counts cannot tell beta from E: losses are known at these two counts only",
                false => "one point a run cannot tell what tokens buy: there is no number of tokens to give",
            });
            if follows == Follows::Line {
                open(&["E"]);
            }
        }
        if !found.fixed.is_empty() || !found.undetermined.is_empty() {
            found.code.push(Code::LevelsTooFew);
        } else if grid.sizes == 3 && has("alpha") {
            // Three sizes leave no degree of freedom to check `N_C N0^-alpha + E`.
            found.code.push(Code::FloorUnjudged);
            sentences.push(
                "three sizes fix every constant, but nothing judges how the floor follows the size",
            );
        }
        found.sentence = match sentences.is_empty() {
            true => "the data can tell every constant".to_owned(),
            false => sentences.join("; "),
        };
        found
    }

    /// Adds the constants that were set before the fit.
    pub(crate) fn with_set<'a>(mut self, set: impl Iterator<Item = (&'a str, f64)>) -> Self {
        let set: Vec<(&str, f64)> = set.collect();
        if set.is_empty() {
            return self;
        }
        let said: Vec<String> =
            set.iter().map(|(name, value)| format!("{name} to {value}")).collect();
        self.fixed.extend(set.iter().map(|(name, value)| ((*name).to_owned(), *value)));
        self.undetermined.retain(|name| !set.iter().any(|(known, _)| known == name));
        self.add(Code::SetBeforehand, &format!("set beforehand: {}", said.join(", ")));
        self
    }

    /// Adds the constants that their intervals leave open.
    pub(crate) fn practical(&mut self, open: &[&str]) {
        if !open.is_empty() {
            self.undetermined.extend(open.iter().map(|name| (*name).to_owned()));
            self.add(
                Code::ConstantUndetermined,
                &format!("the intervals leave {} open", open.join(", ")),
            );
        }
    }

    /// Adds the constants that a bound of the search held.
    pub(crate) fn held(&mut self, at_bound: &[String]) {
        if !at_bound.is_empty() {
            self.undetermined.extend(at_bound.iter().cloned());
            let verb = if at_bound.len() == 1 {
                "stands at its bound and is"
            } else {
                "stand at their bounds and are"
            };
            let sentence = format!("{} {verb} open", at_bound.join(", "));
            self.add(Code::ParameterAtBound, &sentence);
        }
    }

    /// Adds a code and its sentence, once.
    fn add(&mut self, code: Code, sentence: &str) {
        if self.code.contains(&code) {
            return;
        }
        if self.code.is_empty() {
            // Until the first code the sentence says that every constant is known.
            self.sentence.clear();
        }
        self.code.push(code);
        let joint = if self.sentence.is_empty() { "" } else { "; " };
        self.sentence = format!("{}{joint}{sentence}", self.sentence);
    }
}

impl Identifiability {
    /// Codes such as `levels-too-few`. Empty if every constant asked for is known.
    pub fn code(&self) -> &[Code] {
        &self.code
    }

    /// The constants of the form asked for that were set, with their values.
    pub fn fixed(&self) -> &BTreeMap<String, f64> {
        &self.fixed
    }

    /// The constants of the form asked for that the data leave open.
    pub fn undetermined(&self) -> &[String] {
        &self.undetermined
    }

    /// The form that was fitted.
    pub fn form_taken(&self) -> &str {
        &self.form_taken
    }

    /// The same as a sentence.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }
}
