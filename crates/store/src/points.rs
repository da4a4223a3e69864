//! Points tables: measured losses as CSV, one row per point, for `fit` and other tools.
//!
//! The columns are `series, method, run, n0, rate, loss0, tokens, loss`, and where known `phase,
//! learning_rate, base, weight, repeated, zeroed, objective`. Without `series` or `method`, a row
//! belongs to the group `unnamed`. Without `run`, each row is its own run. Other columns are
//! ignored. Cells may also be separated by `;`, tabs or `|`, and names of columns may be in
//! capitals.

mod cells;
mod write;

use std::path::Path;

use csv::{ByteRecord, ReaderBuilder, Trim};
use ledger::PointRow;

use self::cells::{Cells, NUMBERS, PointColumns, clipped, delimiter};
pub use self::write::{points_csv, points_parquet};
use crate::error::{Error, Failure, Result};

/// The largest table that is read, in bytes. A million points take about 100 MB.
const LIMIT: u64 = 1 << 30;

/// The rows of a points table, and the names of its number columns.
#[derive(Clone, Debug, PartialEq)]
pub struct PointTable {
    rows: Vec<PointRow>,
    columns: Vec<&'static str>,
    names_runs: bool,
}

impl PointTable {
    /// The rows. A number column that the table lacks is 0 in every row.
    pub fn into_rows(self) -> Vec<PointRow> {
        self.rows
    }

    /// The rows.
    pub fn rows(&self) -> &[PointRow] {
        &self.rows
    }

    /// Whether it has a column `run`. Without one every row counts as a run of its own.
    pub fn names_runs(&self) -> bool {
        self.names_runs
    }

    /// Which of `n0`, `rate`, `loss0` and `tokens` the table has.
    pub fn columns(&self) -> &[&'static str] {
        &self.columns
    }
}

/// Reads a points table for a fit of the form `form`, which needs every number column.
///
/// # Errors
/// As [`read_columns`].
pub fn read_points(path: &Path, form: &str) -> Result<PointTable> {
    read_columns(path, form, &NUMBERS)
}

/// Reads a points table for a fit of the form `form`, which needs the columns `needed` and `loss`.
///
/// The fit checks the ranges of the numbers; this function does not.
///
/// # Errors
/// Where a needed column is missing, a column appears twice, a cell has the wrong type, or the file
/// is not CSV. Rows are counted from 1, without the header.
pub fn read_columns(path: &Path, form: &str, needed: &[&str]) -> Result<PointTable> {
    parse(&disk::read(path, LIMIT)?, path, form, needed)
}

/// As [`read_columns`], from standard input.
///
/// # Errors
/// As [`read_columns`].
pub fn read_stdin_columns(form: &str, needed: &[&str]) -> Result<PointTable> {
    parse(&disk::read_stdin(LIMIT)?, Path::new("standard input"), form, needed)
}

/// Reads a table that stands in memory. Errors name it by `path`.
fn parse(bytes: &[u8], path: &Path, form: &str, needed: &[&str]) -> Result<PointTable> {
    let malformed = |why: String| Error::from(Failure::Malformed { path: path.to_path_buf(), why });
    // Spreadsheets often write a UTF-8 byte order mark, which would become part of the first
    // column's name.
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // Flexible, so that a row of the wrong length gets our message with its row number.
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter(text))
        .trim(Trim::All)
        .flexible(true)
        .from_reader(text);
    let header = reader.byte_headers().map_err(|error| malformed(error.to_string()))?;
    // Spreadsheets like capitals.
    let names: Vec<String> = header.iter().map(|name| clipped(name).to_lowercase()).collect();
    let columns = PointColumns::of(path, &names, form, needed)?;
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
        // Every table has `loss`, so it need not be listed.
        at.map(|_| name).filter(|name| *name != "loss")
    };
    Ok(PointTable {
        rows,
        names_runs: columns.run.is_some(),
        columns: NUMBERS.into_iter().zip(&columns.numbers).filter_map(has).collect(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use ledger::Phase;
    use proptest::prelude::*;

    use super::*;

    fn read(text: impl AsRef<[u8]>) -> Result<Vec<PointRow>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        Ok(read_points(file.path(), "p2")?.into_rows())
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
            (
                "n0,rate,loss0,tokens,loss,zeroed\n1,0.2,2,5,3,2:4\n",
                "row 1: `zeroed` is `2:4`, expected `true` or `false`",
            ),
            ("n0,rate,loss0,tokens,loss,zeroed,zeroed\n", "it has two columns `zeroed`"),
            (&format!("{head}\n1,0.2,2,5\n"), "row 1 has 4 cells, the header has 7"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
        let error = read(b"n0,rate,loss0,tokens,loss\n1,0.2,2,5,\xff\n").unwrap_err().to_string();
        assert!(error.contains("row 1: `loss`") && error.contains("UTF-8"), "{error}");
    }

    #[test]
    fn tables_are_read_as_people_and_spreadsheets_write_them() {
        let expected = read("n0,rate,loss0,tokens,loss\n8030000000,0.25,2,5e8,2.5\n").unwrap();
        for text in [
            "N0;Rate;Loss0;Tokens;Loss\n8.03B;0.25;2;500M;2.5\n",
            "n0\trate\tloss0\ttokens\tloss\r\n8.03B\t0.25\t2\t500M\t2.5\r\n",
            "n0 | rate | loss0 | tokens | loss\n8_030M | 0.25 | 2 | 500M | 2.5\n",
        ] {
            assert_eq!(read(text).unwrap(), expected, "{text}");
        }
        let head = "n0;rate;loss0;tokens;loss";
        for (row, said) in [
            ("8e9;0,25;2;5e8;2.5", "`rate` is `0,25`, expected a number with a decimal point"),
            (
                "8e9;25%;2;5e8;2.5",
                "`rate` is `25%`, expected a number such as 0.25, not in percent",
            ),
            ("8G;0.25;2;5e8;2.5", "`n0` is `8G`, expected a number or a count such as 8.03B"),
            ("8e9;0.25;2;5e8;2.5B", "`loss` is `2.5B`, expected a number"),
        ] {
            let error = read(format!("{head}\n{row}\n")).unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn a_table_says_whether_it_names_runs() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (head, expected) in
            [("run,n0,rate,loss0,tokens,loss", true), ("n0,rate,loss0,tokens,loss", false)]
        {
            fs::write(file.path(), head).unwrap();
            assert_eq!(read_points(file.path(), "p2").unwrap().names_runs(), expected);
        }
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
    fn a_row_may_say_whether_weights_are_zeroed_and_what_was_trained_for() {
        let rows = read(
            "n0,rate,loss0,tokens,loss,zeroed,objective\n1,0.2,2,5,3,true,distil\n1,0.2,2,6,3,,\n",
        );
        let said: Vec<_> =
            rows.unwrap().into_iter().map(|row| (row.zeroed, row.objective)).collect();
        assert_eq!(said, [(Some(true), Some("distil".to_owned())), (None, None)]);
    }

    #[test]
    fn a_column_that_no_row_fills_is_not_written() {
        let header = |row: PointRow| {
            let text = String::from_utf8(points_csv(&[row])).unwrap();
            text.lines().next().unwrap().to_owned()
        };
        let row = || PointRow::run("a", 1e9, 0.25, 2.0);
        let always = "series,method,run,n0,rate,loss0,tokens,loss,phase,learning_rate,base";
        assert_eq!(header(row()), always);
        assert_eq!(header(PointRow { zeroed: Some(false), ..row() }), format!("{always},zeroed"));
        let all = PointRow {
            weight: Some(2.0),
            repeated: true,
            zeroed: Some(true),
            objective: Some("lm".into()),
            ..row()
        };
        assert_eq!(header(all), format!("{always},weight,repeated,zeroed,objective"));
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
            // The reader trims cells, so names with spaces at the ends do not come back.
            prop_assume!(numbers.iter().all(|number| number.is_finite()) && name.trim() == name);
            let [n0, rate, loss0, tokens, loss] = numbers;
            let row = PointRow {
                series: name.clone(), method: "m".into(), run: name.clone(), base: Some(name.clone()), n0, rate, loss0,
                tokens, loss, phase: Some(Phase::Decay), learning_rate: weight, weight, repeated,
                zeroed: weight.map(|_| repeated), objective: weight.map(|_| name),
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
