//! The columns of a points table, and the parsing of their cells.

use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr;

use csv::ByteRecord;
use ledger::count::Count;
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

/// What stands between cells: whatever of these makes most known columns of a header. A comma, if
/// none does better.
pub(super) fn delimiter(text: &[u8]) -> u8 {
    let header = text.split(|byte| matches!(byte, b'\n' | b'\r')).next().unwrap_or_default();
    let header = header[..header.len().min(1 << 16)].to_ascii_lowercase();
    let known = |delimiter: u8| {
        let names = header.split(|byte| *byte == delimiter).map(<[u8]>::trim_ascii);
        names.filter(|name| NUMBERS.iter().any(|known| known.as_bytes() == *name)).count()
    };
    [b';', b'\t', b'|'].into_iter().fold(b',', |best, other| match known(other) > known(best) {
        true => other,
        false => best,
    })
}

/// The position of each known column.
pub(super) struct PointColumns {
    /// The columns of [`NUMBERS`].
    pub(super) numbers: [Option<usize>; 5],
    series: Option<usize>,
    method: Option<usize>,
    pub(super) run: Option<usize>,
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
            *number = self.number(at, name)?;
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

    /// A number of one of the columns [`NUMBERS`]. Sizes and tokens may be written as flags write
    /// them: `8.03B`, `500M`.
    fn number(&self, at: usize, name: &'static str) -> Result<f64> {
        let counts = matches!(name, "n0" | "tokens");
        let text = self.text(Some(at), name)?.unwrap_or_default();
        let plain = text.parse().ok();
        let count = || text.parse().ok().filter(|_| counts).map(|Count(count)| count as f64);
        plain.or_else(count).ok_or_else(|| {
            let comma = text.contains(',');
            self.bad(
                at,
                name,
                match name {
                    _ if comma => "a number with a decimal point, such as 2.5",
                    "rate" => "a number such as 0.25, not in percent",
                    _ if counts => "a number or a count such as 8.03B or 500M",
                    _ => "a number",
                },
            )
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
