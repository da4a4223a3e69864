//! Candidate tables: models that could be pruned, as CSV.
//!
//! A row needs `loss0`, and `model` or `n0`. `series` and `method` are needed where the law file
//! has several groups. `rate` is needed where it differs from that of the law's own runs. Other
//! columns are ignored.

use std::path::Path;

use csv::{ReaderBuilder, Trim};

use crate::error::{Error, Failure, Result};

/// A row of a candidate table; an empty cell is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CandidateRow {
    /// The model series.
    pub series: Option<String>,
    /// The pruning method.
    pub method: Option<String>,
    /// A public model or a model folder, from which the size is read.
    pub model: Option<String>,
    /// Parameters before pruning.
    pub n0: Option<f64>,
    /// Pruning rate; 0 is the unpruned model.
    pub rate: Option<f64>,
    /// Held-out loss before pruning, nats per token.
    pub loss0: f64,
}

/// The largest table that is read, in bytes. Ten thousand candidates take about 1 MB.
const LIMIT: u64 = 64 << 20;

/// Reads a candidate table.
///
/// # Errors
/// Where the file is not CSV, `loss0` is missing, a row has neither `model` nor `n0`, or a cell is
/// not a number. Rows are counted from 1, without the header.
pub fn read_candidates(path: &Path) -> Result<Vec<CandidateRow>> {
    let malformed = |why: String| Error::from(Failure::Malformed { path: path.to_path_buf(), why });
    let bytes = disk::read(path, LIMIT)?;
    // Spreadsheets often write a UTF-8 byte order mark, which would become part of the first
    // column's name.
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(text);
    let header = reader.headers().map_err(|error| malformed(error.to_string()))?.clone();
    let at = |name: &str| header.iter().position(|found| found == name);
    if at("loss0").is_none() {
        return Err(malformed(
            "it has no column `loss0`, the measured loss before pruning".to_owned(),
        ));
    }
    let mut rows = Vec::new();
    for (number, record) in (1..).zip(reader.records()) {
        let record = record.map_err(|error| malformed(error.to_string()))?;
        let text =
            |name: &str| at(name).and_then(|at| record.get(at)).filter(|text| !text.is_empty());
        let of = |column: &'static str| {
            let Some(text) = text(column) else { return Ok(None) };
            let number_of = text.parse::<f64>().ok().filter(|number| number.is_finite());
            number_of.map(Some).ok_or_else(|| {
                Error::from(Failure::Cell {
                    path: path.to_path_buf(),
                    row: number,
                    column,
                    found: text.chars().take(40).collect::<String>().escape_debug().to_string(),
                    expected: "a finite number",
                })
            })
        };
        let named = |name: &str| text(name).map(str::to_owned);
        let (model, n0) = (named("model"), of("n0")?);
        let loss0 = of("loss0")?
            .ok_or_else(|| malformed(format!("row {number} has no `loss0`: it is measured")))?;
        if model.is_none() && n0.is_none() {
            return Err(malformed(format!("row {number} has neither `model` nor `n0`")));
        }
        let (series, method, rate) = (named("series"), named("method"), of("rate")?);
        rows.push(CandidateRow { series, method, model, n0, rate, loss0 });
    }
    if rows.is_empty() {
        return Err(malformed("it holds no candidates".to_owned()));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(text: impl AsRef<[u8]>) -> Result<Vec<CandidateRow>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        read_candidates(file.path())
    }

    #[test]
    fn rows_hold_what_their_cells_say() {
        let rows = read("note,model,n0,loss0,rate\nx,qwen2.5-7b,,2.1,0.25\n,,3e9,2.4,\n").unwrap();
        let first = CandidateRow {
            model: Some("qwen2.5-7b".into()),
            rate: Some(0.25),
            loss0: 2.1,
            ..CandidateRow::default()
        };
        assert_eq!(
            rows,
            [first, CandidateRow { n0: Some(3e9), loss0: 2.4, ..CandidateRow::default() }]
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_row() {
        for (text, said) in [
            ("", "no column `loss0`"),
            ("n0,loss0\n", "holds no candidates"),
            ("n0,loss0\n1e9,2\n,2\n", "row 2 has neither `model` nor `n0`"),
            ("n0,loss0\n1e9,\n", "row 1 has no `loss0`"),
            ("n0,loss0\n1e9,NaN\n", "row 1: `loss0` is `NaN`, expected a finite number"),
            ("n0,loss0\n1e999,2\n", "row 1: `n0` is `1e999`"),
            ("n0,loss0\nmany,2\n", "row 1: `n0` is `many`"),
            ("n0,loss0\n1,2,3\n", "cannot be understood"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
        assert!(read(b"n0,loss0\n1,\xff\n").is_err());
    }
}
