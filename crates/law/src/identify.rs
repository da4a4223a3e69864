//! What the data can and cannot fix, and which form to take for it.
//!
//! Structure first: with one size, no search can tell how the loss follows the size. Distinct
//! sizes, rates and token counts are counted and the largest form that they can fix is taken;
//! singular values then check it. That the data cannot tell is a value, [`Identifiability`], never
//! an error.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::code::Code;
use crate::form::{Axis, Follows, Form};
use crate::method::rate_follows_size;
use crate::table::Run;

pub use crate::form::Levels;

/// What the data say about the constants.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Identifiability {
    /// Such as `levels-too-few`; empty when everything asked for is known.
    pub(crate) code: Vec<Code>,
    /// Constants of the form asked for that were set, and to what.
    pub(crate) fixed: BTreeMap<String, f64>,
    /// Constants of the form asked for that the data leave open.
    pub(crate) undetermined: Vec<String>,
    /// The form that was fitted.
    pub(crate) form_taken: String,
    /// All this for a person.
    pub(crate) sentence: String,
}

/// Singular values below this share of the largest are zeros. True zeros come out at most 5e-16.
pub const ZERO: f64 = 1e-8;
/// An exponent whose interval is half as wide as this is undetermined.
pub const WIDEST_EXPONENT: f64 = 0.5;
/// A constant whose interval reaches further than this factor either way is undetermined.
pub const WIDEST_FACTOR: f64 = 3.0;

impl Levels {
    /// Counts the levels; with an N:M pattern of ours the rate follows the size and is never
    /// counted.
    ///
    /// ```
    /// use law::{Table, TableRow, identify::Levels};
    /// let row = |run, rate, tokens| TableRow { tokens, loss: 2.5, ..TableRow::run(run, 1e9, rate, 2.0) };
    /// let table = Table::new([row("a", 0.15, 1e6), row("a", 0.15, 2e6), row("b", 0.25, 1e6), row("b", 0.25, 2e6)])?;
    /// let runs: Vec<_> = table.groups[0].runs.iter().collect();
    /// let levels = Levels::of(&runs, "depth-list");
    /// assert_eq!(levels, Levels { sizes: 1, rates: 2, counts: 2 });
    /// assert_eq!(levels.form().name(), "p2-one-size-two-counts");
    /// # Ok::<(), law::Error>(())
    /// ```
    pub fn of(runs: &[&Run], method: &str) -> Self {
        let sizes = distinct(runs.iter().map(|run| run.n0), SIZE_TOLERANCE);
        let at = |size: f64| runs.iter().filter(move |run| same(run.n0, size, SIZE_TOLERANCE));
        let rates_at = |size: f64| distinct(at(size).map(|run| run.rate), RATE_TOLERANCE).len();
        let rates = if rate_follows_size(method) {
            1
        } else {
            sizes.iter().map(|&s| rates_at(s)).max().unwrap_or(1)
        };
        let long = runs.iter().filter(|run| run.points.len() > 1);
        let counts =
            distinct(long.flat_map(|run| run.points.iter().map(|point| point.tokens)), 1e-9).len();
        Self { sizes: sizes.len(), rates, counts: counts.max(1) }
    }
}

pub(crate) const SIZE_TOLERANCE: f64 = 0.01;
pub(crate) const RATE_TOLERANCE: f64 = 0.02;

/// Whether two positive numbers differ by no more than a share of the larger.
pub(crate) fn same(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * a.max(b)
}

/// How many sizes some runs hold.
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
    /// What structure alone says, for the form asked for and the one taken.
    pub(crate) fn structural(
        asked: &dyn Form,
        taken: &dyn Form,
        levels: Levels,
        method: &str,
    ) -> Self {
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
        } else if levels.sizes == 3 && has("alpha") {
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

    /// Adds the constants that were set from outside.
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

    /// Adds the constants that the intervals leave open.
    pub(crate) fn practical(&mut self, open: &[&str]) {
        if !open.is_empty() {
            self.undetermined.extend(open.iter().map(|name| (*name).to_owned()));
            self.add(
                Code::ConstantUndetermined,
                &format!("the intervals leave {} open", open.join(", ")),
            );
        }
    }

    /// Adds a code once, and its sentence.
    fn add(&mut self, code: Code, sentence: &str) {
        if self.code.contains(&code) {
            return;
        }
        if self.code.is_empty() {
            self.sentence.clear();
        }
        self.code.push(code);
        let joint = if self.sentence.is_empty() { "" } else { "; " };
        self.sentence = format!("{}{joint}{sentence}", self.sentence);
    }
}

impl Identifiability {
    /// Such as `levels-too-few`; empty when everything asked for is known.
    pub fn code(&self) -> &[Code] {
        &self.code
    }

    /// Constants of the form asked for that were set, and to what.
    pub fn fixed(&self) -> &BTreeMap<String, f64> {
        &self.fixed
    }

    /// Constants of the form asked for that the data leave open.
    pub fn undetermined(&self) -> &[String] {
        &self.undetermined
    }

    /// The form that was fitted.
    pub fn form_taken(&self) -> &str {
        &self.form_taken
    }

    /// All this for a person.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }
}
