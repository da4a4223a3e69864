//! The columns of a points table, and the parsing of their cells.

use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr;

use csv::ByteRecord;
use ledger::{Phase, PointRow};

use crate::error::{Error, Failure, Result};

/// Number columns. Each form needs some of them.
pub(super) const NUMBERS: [&str; 5] = ["n0", "rate", "loss0", "tokens", "loss"];
/// Columns that are always written.
pub(super) const ALWAYS: [&str; 11] = [
    "series",
    "method",
    "run",
    "n0",
    "rate",
    "loss0",
    "tokens",
    "loss",
    "phase",
    "learning_rate",
    "base",
];

/// Columns that are written only if some row has a value.
pub(super) const WHERE_FILLED: [&str; 4] = ["weight", "repeated", "zeroed", "objective"];

/// The position of each known column.
pub(super) struct PointColumns {
    /// The columns of [`NUMBERS`].
    pub(super) numbers: [Option<usize>; 5],
    series: Option<usize>,
    method: Option<usize>,
    run: Option<usize>,
    base: Option<usize>,
    phase: Option<usize>,
    learning_rate: Option<usize>,
    weight: Option<usize>,
    repeated: Option<usize>,
    zeroed: Option<usize>,
    objective: Option<usize>,
}

impl PointColumns {
    /// Finds the columns of a table. Those in `needed`, and `loss`, must exist.
    pub(super) fn of(path: &Path, names: &[String], form: &str, needed: &[&str]) -> Result<Self> {
        let at = |name: &str| names.iter().position(|found| found == name);
        let mut seen = BTreeSet::new();
        let known = |name: &str| ALWAYS.contains(&name) || WHERE_FILLED.contains(&name);
        // Of two equal columns one would be ignored without a word.
        if let Some(twice) = names.iter().find(|name| known(name) && !seen.insert(name.as_str())) {
            let why = format!("it has two columns `{twice}`");
            return Err(Failure::Malformed { path: path.to_path_buf(), why }.into());
        }
        let is_needed = |name: &&str| *name == "loss" || needed.contains(name);
        let missing: Vec<&'static str> =
            NUMBERS.into_iter().filter(is_needed).filter(|name| at(name).is_none()).collect();
        if !missing.is_empty() {
            let found = names.iter().take(20).cloned().collect();
            return Err(Failure::Columns {
                path: path.to_path_buf(),
                missing,
                form: form.to_owned(),
                found,
            }
            .into());
        }
        Ok(Self {
            numbers: NUMBERS.map(at),
            series: at("series"),
            method: at("method"),
            run: at("run"),
            base: at("base"),
            phase: at("phase"),
            learning_rate: at("learning_rate"),
            weight: at("weight"),
            repeated: at("repeated"),
            zeroed: at("zeroed"),
            objective: at("objective"),
        })
    }
}

/// One row of a file.
pub(super) struct Cells<'a> {
    pub(super) path: &'a Path,
    /// Counted from 1, without the header.
    pub(super) row: usize,
    pub(super) record: &'a ByteRecord,
}

impl Cells<'_> {
    /// Parses the row.
    pub(super) fn read(&self, columns: &PointColumns) -> Result<PointRow> {
        let mut numbers = [0.0; 5];
        for ((number, at), name) in numbers.iter_mut().zip(&columns.numbers).zip(NUMBERS) {
            // A missing column keeps its 0: the form at hand does not need it.
            let Some(at) = *at else { continue };
            *number = self
                .parsed(Some(at), name, "a number")?
                .ok_or_else(|| self.bad(at, name, "a number"))?;
        }
        let [n0, rate, loss0, tokens, loss] = numbers;
        let series =
            self.text(columns.series, "series")?.unwrap_or_else(|| PointRow::UNNAMED.to_owned());
        let method =
            self.text(columns.method, "method")?.unwrap_or_else(|| PointRow::UNNAMED.to_owned());
        let phase = match self.text(columns.phase, "phase")?.as_deref() {
            None => None,
            Some("warmup") => Some(Phase::Warmup),
            Some("constant") => Some(Phase::Constant),
            Some("decay") => Some(Phase::Decay),
            Some(_) => {
                let at = columns.phase.expect("it holds something");
                return Err(self.bad(at, "phase", "`warmup`, `constant` or `decay`"));
            }
        };
        Ok(PointRow {
            series,
            method,
            run: self.text(columns.run, "run")?.unwrap_or_else(|| self.row.to_string()),
            base: self.text(columns.base, "base")?,
            n0,
            rate,
            loss0,
            tokens,
            loss,
            phase,
            learning_rate: self.parsed(columns.learning_rate, "learning_rate", "a number")?,
            weight: self.parsed(columns.weight, "weight", "a number")?,
            repeated: self
                .parsed(columns.repeated, "repeated", "`true` or `false`")?
                .unwrap_or(false),
            zeroed: self.parsed(columns.zeroed, "zeroed", "`true` or `false`")?,
            objective: self.text(columns.objective, "objective")?,
        })
    }

    /// The text of a cell; `None` where the column is missing or the cell is empty.
    fn text(&self, at: Option<usize>, column: &'static str) -> Result<Option<String>> {
        let Some((at, cell)) = at.and_then(|at| Some((at, self.record.get(at)?))) else {
            return Ok(None);
        };
        let text = std::str::from_utf8(cell).map_err(|_| self.bad(at, column, "text in UTF-8"))?;
        Ok((!text.is_empty()).then(|| text.to_owned()))
    }

    fn parsed<T: FromStr>(
        &self,
        at: Option<usize>,
        column: &'static str,
        expected: &'static str,
    ) -> Result<Option<T>> {
        let Some(text) = self.text(at, column)? else { return Ok(None) };
        let value = text.parse().map_err(|_| self.bad(at.unwrap_or_default(), column, expected))?;
        Ok(Some(value))
    }

    fn bad(&self, at: usize, column: &'static str, expected: &'static str) -> Error {
        let found = clipped(self.record.get(at).unwrap_or_default());
        let (path, row) = (self.path.to_path_buf(), self.row);
        Failure::Cell { path, row, column, found, expected }.into()
    }
}

/// Shortens and escapes a text for a message, so that it fits on one line whatever the file
/// contains.
pub(super) fn clipped(text: &[u8]) -> String {
    let text: String =
        // 40 characters take at most 160 bytes of UTF-8, so a huge cell is not copied.
        String::from_utf8_lossy(&text[..text.len().min(160)]).chars().take(40).collect();
    text.escape_debug().to_string()
}
