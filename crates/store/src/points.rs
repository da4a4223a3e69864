//! Points tables: measured losses as CSV, a row a point, for the fit and for any other tool.
//!
//! `series, method, run, n0, rate, loss0, tokens, loss`, and if known `phase, learning_rate, base,
//! weight, repeated`. Without `series` or `method` a row is of the group `unnamed`, without `run`
//! it is a run of its own. Columns of other names are passed over.

use std::collections::BTreeSet;
use std::path::Path;
use std::str::FromStr;

use csv::{ByteRecord, ReaderBuilder, Trim, WriterBuilder};
use ledger::Phase;

use crate::{Error, Result};

/// One measured point of a run, as a row of a points table.
#[derive(Clone, Debug, PartialEq)]
pub struct PointRow {
    /// The model series.
    pub series: String,
    /// The pruning method; `none` marks an unpruned control.
    pub method: String,
    /// The run.
    pub run: String,
    /// The model that was pruned.
    pub base: Option<String>,
    /// Parameters before pruning.
    pub n0: f64,
    /// Realised pruning rate; 0 for an unpruned control.
    pub rate: f64,
    /// Held-out loss before pruning, nats per token.
    pub loss0: f64,
    /// Post-training tokens.
    pub tokens: f64,
    /// Held-out loss after them, nats per token.
    pub loss: f64,
    /// The phase of the learning rate.
    pub phase: Option<Phase>,
    /// The learning rate.
    pub learning_rate: Option<f64>,
    /// How much the squared residual counts.
    pub weight: Option<f64>,
    /// Whether text was seen a second time before this point.
    pub repeated: bool,
}

/// A table of a million points is about 100 MB.
const LIMIT: u64 = 1 << 30;
/// The group of rows that name none.
const UNNAMED: &str = "unnamed";
const NUMBERS: [&str; 5] = ["n0", "rate", "loss0", "tokens", "loss"];
const ALWAYS: [&str; 11] = [
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

/// The rows of a points table, and which of its columns of numbers it has.
#[derive(Clone, Debug, PartialEq)]
pub struct PointTable {
    /// The rows; in a column that the table has not they hold 0.
    pub rows: Vec<PointRow>,
    /// Those of `n0`, `rate`, `loss0` and `tokens` that the table has.
    pub columns: Vec<&'static str>,
}

/// Reads a points table that a law of the form `form` is to be fitted to, which reads every column.
///
/// # Errors
/// As [`read_columns`].
pub fn read_points(path: &Path, form: &str) -> Result<Vec<PointRow>> {
    Ok(read_columns(path, form, &NUMBERS)?.rows)
}

/// Reads a points table that a law of the form `form` is to be fitted to, which reads the columns
/// `needed` and `loss`.
///
/// Whether the numbers lie in their ranges is not looked at here.
///
/// # Errors
/// Where a needed column is missing, a column is named twice, a cell is not what its column holds,
/// or the file is no CSV; rows are counted from 1, without the header.
pub fn read_columns(path: &Path, form: &str, needed: &[&str]) -> Result<PointTable> {
    let bytes = disk::read(path, LIMIT)?;
    let malformed = |why: String| Error::Malformed { path: path.to_path_buf(), why };
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut reader = ReaderBuilder::new().trim(Trim::All).flexible(true).from_reader(text);
    let header = reader.byte_headers().map_err(|error| malformed(error.to_string()))?;
    let names: Vec<String> = header.iter().map(clipped).collect();
    let columns = Columns::of(path, &names, form, needed)?;
    let mut rows = Vec::new();
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(|error| malformed(error.to_string()))? {
        let row = rows.len() + 1;
        if record.len() != names.len() {
            let (found, expected) = (record.len(), names.len());
            return Err(malformed(format!(
                "row {row} has {found} cells, the header has {expected}"
            )));
        }
        rows.push(Cells { path, row, record: &record }.read(&columns)?);
    }
    let has = |(name, at): (&'static str, &Option<usize>)| {
        at.map(|_| name).filter(|name| *name != "loss")
    };
    Ok(PointTable {
        rows,
        columns: NUMBERS.into_iter().zip(&columns.numbers).filter_map(has).collect(),
    })
}

/// The rows as CSV. Weights and repetition get their columns only where a row has them.
///
/// ```
/// let row = store::PointRow {
///     series: "a,b".into(), method: "none".into(), run: "r".into(), base: None,
///     n0: 1e9, rate: 0.0, loss0: 2.5, tokens: 1e6, loss: 2.25,
///     phase: None, learning_rate: None, weight: None, repeated: false,
/// };
/// let text = String::from_utf8(store::points_csv(&[row])).unwrap();
/// assert_eq!(text.lines().nth(1), Some("\"a,b\",none,r,1000000000,0,2.5,1000000,2.25,,,"));
/// ```
pub fn points_csv(rows: &[PointRow]) -> Vec<u8> {
    let weighted = rows.iter().any(|row| row.weight.is_some());
    let repeated = rows.iter().any(|row| row.repeated);
    let mut writer = WriterBuilder::new().from_writer(Vec::new());
    let mut put =
        |cells: Vec<String>| writer.write_record(cells).expect("every row has the header's cells");
    let optional = |columns: [String; 2]| {
        let [weight, repeat] = columns;
        weighted.then_some(weight).into_iter().chain(repeated.then_some(repeat))
    };
    let header = ALWAYS.map(str::to_owned).into_iter();
    put(header.chain(optional(["weight".to_owned(), "repeated".to_owned()])).collect());
    let number = |number: Option<f64>| number.map_or_else(String::new, |number| number.to_string());
    for row in rows {
        let [n0, rate, loss0, tokens, loss] =
            [row.n0, row.rate, row.loss0, row.tokens, row.loss].map(|x| x.to_string());
        let (series, method, run) = (row.series.clone(), row.method.clone(), row.run.clone());
        let phase = row.phase.map_or_else(String::new, |phase| phase.to_string());
        let base = row.base.clone().unwrap_or_default();
        let rate_of_learning = number(row.learning_rate);
        let cells =
            [series, method, run, n0, rate, loss0, tokens, loss, phase, rate_of_learning, base];
        put(cells
            .into_iter()
            .chain(optional([number(row.weight), row.repeated.to_string()]))
            .collect());
    }
    writer.into_inner().expect("a vector takes all that is written")
}

/// Where each known column stands.
struct Columns {
    numbers: [Option<usize>; 5],
    series: Option<usize>,
    method: Option<usize>,
    run: Option<usize>,
    base: Option<usize>,
    phase: Option<usize>,
    learning_rate: Option<usize>,
    weight: Option<usize>,
    repeated: Option<usize>,
}

impl Columns {
    fn of(path: &Path, names: &[String], form: &str, needed: &[&str]) -> Result<Self> {
        let at = |name: &str| names.iter().position(|found| found == name);
        let mut seen = BTreeSet::new();
        let known = |name: &str| ALWAYS.contains(&name) || name == "weight" || name == "repeated";
        if let Some(twice) = names.iter().find(|name| known(name) && !seen.insert(name.as_str())) {
            let why = format!("it has two columns `{twice}`");
            return Err(Error::Malformed { path: path.to_path_buf(), why });
        }
        let is_needed = |name: &&str| *name == "loss" || needed.contains(name);
        let missing: Vec<&'static str> =
            NUMBERS.into_iter().filter(is_needed).filter(|name| at(name).is_none()).collect();
        if !missing.is_empty() {
            let found = names.iter().take(20).cloned().collect();
            return Err(Error::Columns {
                path: path.to_path_buf(),
                missing,
                form: form.to_owned(),
                found,
            });
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
        })
    }
}

/// One row of a file.
struct Cells<'a> {
    path: &'a Path,
    row: usize,
    record: &'a ByteRecord,
}

impl Cells<'_> {
    fn read(&self, columns: &Columns) -> Result<PointRow> {
        let mut numbers = [0.0; 5];
        for ((number, at), name) in numbers.iter_mut().zip(&columns.numbers).zip(NUMBERS) {
            let Some(at) = *at else { continue };
            *number = self
                .parsed(Some(at), name, "a number")?
                .ok_or_else(|| self.bad(at, name, "a number"))?;
        }
        let [n0, rate, loss0, tokens, loss] = numbers;
        let series = self.text(columns.series, "series")?.unwrap_or_else(|| UNNAMED.to_owned());
        let method = self.text(columns.method, "method")?.unwrap_or_else(|| UNNAMED.to_owned());
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
        })
    }

    /// The text of a cell; nothing where the column is missing or the cell empty.
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
        Error::Cell { path: self.path.to_path_buf(), row: self.row, column, found, expected }
    }
}

/// A text for a message: whatever the file says, it stays on one short line.
fn clipped(text: &[u8]) -> String {
    let text: String =
        String::from_utf8_lossy(&text[..text.len().min(160)]).chars().take(40).collect();
    text.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    fn read(text: impl AsRef<[u8]>) -> Result<Vec<PointRow>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        read_points(file.path(), "p2")
    }

    #[test]
    fn what_is_missing_has_its_default_and_other_columns_are_passed_over() {
        let rows =
            read("\u{feff}loss, n0,note,rate,loss0,tokens\n2.5,1e9,\"a, b\",0.25,2,1e6\n").unwrap();
        let row = &rows[0];
        assert_eq!((row.n0, row.rate, row.loss0, row.tokens, row.loss), (1e9, 0.25, 2.0, 1e6, 2.5));
        assert_eq!(
            (row.series.as_str(), row.method.as_str(), row.run.as_str()),
            ("unnamed", "unnamed", "1")
        );
        assert_eq!(
            (row.phase, row.learning_rate, row.weight, row.repeated),
            (None, None, None, false)
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let head = "n0,rate,loss0,tokens,loss,phase,repeated";
        for (text, said) in [
            ("", "has no column `n0`, `rate`, `loss0`, `tokens`, `loss`"),
            ("n0,rate,tokens,loss\n", "has no column `loss0`, which form `p2` needs"),
            ("n0,rate,loss0,tokens,loss,n0\n", "it has two columns `n0`"),
            (
                &format!("{head}\n1,0.2,2,5,3,,\n1,0.2,2,many,3,,\n"),
                "row 2: `tokens` is `many`, expected a number",
            ),
            (&format!("{head}\n1,0.2,,5,3,,\n"), "row 1: `loss0` is ``, expected a number"),
            (
                &format!("{head}\n1,0.2,2,5,3,rise,\n"),
                "row 1: `phase` is `rise`, expected `warmup`",
            ),
            (&format!("{head}\n1,0.2,2,5,3,,maybe\n"), "row 1: `repeated` is `maybe`"),
            (&format!("{head}\n1,0.2,2,5\n"), "row 1 has 4 cells, the header has 7"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        let error = read(b"n0,rate,loss0,tokens,loss\n1,0.2,2,5,\xff\n").unwrap_err().to_string();
        assert!(error.contains("row 1: `loss`") && error.contains("UTF-8"), "{error}");
    }

    #[test]
    fn only_the_columns_that_a_form_names_are_needed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "n0,tokens,loss\n1e9,2e9,2.5\n").unwrap();
        let table = read_columns(file.path(), "chinchilla", &["n0", "tokens"]).unwrap();
        assert_eq!(table.columns, ["n0", "tokens"]);
        assert_eq!((table.rows[0].n0, table.rows[0].tokens, table.rows[0].loss), (1e9, 2e9, 2.5));
        let error =
            read_columns(file.path(), "pruning", &["rate", "loss0"]).unwrap_err().to_string();
        let said = "has no column `rate`, `loss0`, which form `pruning` needs; it has `n0`, `tokens`, `loss`";
        assert!(error.contains(said), "{error}");
        fs::write(file.path(), "n0,tokens\n1e9,2e9\n").unwrap();
        let error =
            read_columns(file.path(), "chinchilla", &["n0", "tokens"]).unwrap_err().to_string();
        assert!(error.contains("has no column `loss`, which form `chinchilla` needs"), "{error}");
    }

    #[test]
    fn a_table_without_rows_is_empty() {
        assert!(read("n0,rate,loss0,tokens,loss\n").unwrap().is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_table_is_read_back_bit_for_bit(
            numbers in any::<[f64; 5]>(), name in "[a-z,\"\n]{1,12}", weight in proptest::option::of(1e-9..1e9_f64),
            repeated in any::<bool>(),
        ) {
            prop_assume!(numbers.iter().all(|number| number.is_finite()) && name.trim() == name);
            let [n0, rate, loss0, tokens, loss] = numbers;
            let row = PointRow {
                series: name.clone(), method: "m".into(), run: name.clone(), base: Some(name), n0, rate, loss0, tokens,
                loss, phase: Some(Phase::Decay), learning_rate: weight, weight, repeated,
            };
            prop_assert_eq!(read(points_csv(std::slice::from_ref(&row))).unwrap(), [row]);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read([b"n0,rate,loss0,tokens,loss\n".as_slice(), &bytes].concat());
            let _ = read(bytes);
        }
    }
}
