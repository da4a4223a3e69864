//! Writes points as CSV and as Parquet.

use csv::WriterBuilder;
use ledger::PointRow;

use super::cells::{ALWAYS, WHERE_FILLED};
use crate::parquet::{Column, parquet};

/// The rows as CSV. The columns `weight`, `repeated`, `zeroed` and `objective` are written only if
/// some row has a value.
///
/// ```
/// use ledger::PointRow;
/// let row = PointRow { series: "a,b".into(), tokens: 1e6, loss: 2.25, ..PointRow::run("r", 1e9, 0.0, 2.5) };
/// let text = String::from_utf8(store::points_csv(&[row])).unwrap();
/// assert_eq!(text.lines().nth(1), Some("\"a,b\",unnamed,r,1000000000,0,2.5,1000000,2.25,,,"));
/// ```
pub fn points_csv(rows: &[PointRow]) -> Vec<u8> {
    let filled = [
        rows.iter().any(|row| row.weight.is_some()),
        rows.iter().any(|row| row.repeated),
        rows.iter().any(|row| row.zeroed.is_some()),
        rows.iter().any(|row| row.objective.is_some()),
    ];
    let mut writer = WriterBuilder::new().from_writer(Vec::new());
    let mut put = |always: [String; 11], where_filled: [String; 4]| {
        let optional =
            where_filled.into_iter().zip(filled).filter_map(|(cell, put)| put.then_some(cell));
        let cells: Vec<String> = always.into_iter().chain(optional).collect();
        writer.write_record(cells).expect("every row has the header's cells");
    };
    put(ALWAYS.map(str::to_owned), WHERE_FILLED.map(str::to_owned));
    for row in rows {
        let [n0, rate, loss0, tokens, loss] =
            [row.n0, row.rate, row.loss0, row.tokens, row.loss].map(|x| x.to_string());
        let (series, method, run) = (row.series.clone(), row.method.clone(), row.run.clone());
        let (phase, learning_rate) = (shown(row.phase), shown(row.learning_rate));
        let base = row.base.clone().unwrap_or_default();
        put(
            [series, method, run, n0, rate, loss0, tokens, loss, phase, learning_rate, base],
            [
                shown(row.weight),
                row.repeated.to_string(),
                shown(row.zeroed),
                row.objective.clone().unwrap_or_default(),
            ],
        );
    }
    writer.into_inner().expect("a vector takes all that is written")
}

/// The rows as Parquet: the columns of [`points_csv`], all of them.
pub fn points_parquet(rows: &[PointRow]) -> Vec<u8> {
    let text =
        |cell: fn(&PointRow) -> Option<String>| Column::Text(rows.iter().map(cell).collect());
    let real = |cell: fn(&PointRow) -> Option<f64>| Column::Real(rows.iter().map(cell).collect());
    let flag = |cell: fn(&PointRow) -> Option<bool>| Column::Flag(rows.iter().map(cell).collect());
    let columns = [
        text(|row| Some(row.series.clone())),
        text(|row| Some(row.method.clone())),
        text(|row| Some(row.run.clone())),
        real(|row| Some(row.n0)),
        real(|row| Some(row.rate)),
        real(|row| Some(row.loss0)),
        real(|row| Some(row.tokens)),
        real(|row| Some(row.loss)),
        text(|row| row.phase.map(|phase| phase.to_string())),
        real(|row| row.learning_rate),
        text(|row| row.base.clone()),
        real(|row| row.weight),
        flag(|row| Some(row.repeated)),
        flag(|row| row.zeroed),
        text(|row| row.objective.clone()),
    ];
    let names = ALWAYS.into_iter().chain(WHERE_FILLED);
    parquet(&names.zip(columns).collect::<Vec<_>>())
}

/// The text of a cell; an unknown value is an empty cell.
fn shown<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}
