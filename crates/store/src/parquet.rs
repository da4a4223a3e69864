//! Writes tables as Parquet, uncompressed, with a dictionary for repeated values.

use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

/// A column of a table. `None` is an unknown value.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Column {
    /// UTF-8 text.
    Text(Vec<Option<String>>),
    /// Whole numbers, as signed 64-bit integers.
    Whole(Vec<Option<u64>>),
    /// Real numbers, as doubles.
    Real(Vec<Option<f64>>),
    /// True or false.
    Flag(Vec<Option<bool>>),
}

impl Column {
    /// A cell as text, counted from 0; empty where it is unknown.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn cell(&self, row: usize) -> String {
        fn shown<T: ToString>(cell: &Option<T>) -> String {
            cell.as_ref().map_or_else(String::new, T::to_string)
        }
        match self {
            Self::Text(cells) => shown(&cells[row]),
            Self::Whole(cells) => shown(&cells[row]),
            Self::Real(cells) => shown(&cells[row]),
            Self::Flag(cells) => shown(&cells[row]),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Text(cells) => cells.len(),
            Self::Whole(cells) => cells.len(),
            Self::Real(cells) => cells.len(),
            Self::Flag(cells) => cells.len(),
        }
    }

    fn schema(&self, name: &str) -> Result<Arc<Type>, ParquetError> {
        let (physical, logical) = match self {
            Self::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Self::Whole(_) => (Physical::INT64, None),
            Self::Real(_) => (Physical::DOUBLE, None),
            Self::Flag(_) => (Physical::BOOLEAN, None),
        };
        Type::primitive_type_builder(name, physical)
            .with_logical_type(logical)
            .with_repetition(Repetition::OPTIONAL)
            .build()
            .map(Arc::new)
    }
}

/// A table with these named columns as a Parquet file.
///
/// # Panics
/// If the columns differ in length, or a whole number is above `i64::MAX`.
pub fn parquet(columns: &[(&str, Column)]) -> Vec<u8> {
    let rows = columns.first().map_or(0, |(_, column)| column.len());
    assert!(columns.iter().all(|(_, column)| column.len() == rows), "columns are of one length");
    written(columns).expect("a vector takes all that is written")
}

fn written(columns: &[(&str, Column)]) -> Result<Vec<u8>, ParquetError> {
    let fields = columns.iter().map(|(name, column)| column.schema(name));
    let schema = Type::group_type_builder("table")
        .with_fields(fields.collect::<Result<Vec<_>, _>>()?)
        .build()?;
    let mut bytes = Vec::new();
    let properties = Arc::new(WriterProperties::builder().build());
    let mut file = SerializedFileWriter::new(&mut bytes, Arc::new(schema), properties)?;
    let mut group = file.next_row_group()?;
    for (_, column) in columns {
        let mut writer = group.next_column()?.expect("the schema has as many columns");
        match (writer.untyped(), column) {
            (ColumnWriter::ByteArrayColumnWriter(writer), Column::Text(cells)) => {
                let (known, levels) = known(cells, |text| ByteArray::from(text.as_str()));
                writer.write_batch(&known, Some(&levels), None)?;
            }
            (ColumnWriter::Int64ColumnWriter(writer), Column::Whole(cells)) => {
                let whole = |number: &u64| i64::try_from(*number).expect("it fits 63 bits");
                let (known, levels) = known(cells, whole);
                writer.write_batch(&known, Some(&levels), None)?;
            }
            (ColumnWriter::DoubleColumnWriter(writer), Column::Real(cells)) => {
                let (known, levels) = known(cells, |number| *number);
                writer.write_batch(&known, Some(&levels), None)?;
            }
            (ColumnWriter::BoolColumnWriter(writer), Column::Flag(cells)) => {
                let (known, levels) = known(cells, |flag| *flag);
                writer.write_batch(&known, Some(&levels), None)?;
            }
            _ => unreachable!("the schema is made of these columns"),
        }
        writer.close()?;
    }
    group.close()?;
    file.close()?;
    Ok(bytes)
}

/// The known values, and for every cell whether it is one: Parquet's definition levels.
fn known<T, V>(cells: &[Option<T>], value: impl Fn(&T) -> V) -> (Vec<V>, Vec<i16>) {
    let values = cells.iter().flatten().map(value).collect();
    (values, cells.iter().map(|cell| i16::from(cell.is_some())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;

    fn read(bytes: &[u8]) -> SerializedFileReader<std::fs::File> {
        use std::io::Write;
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        SerializedFileReader::new(file).unwrap()
    }

    #[test]
    fn a_table_reads_back_with_its_unknown_cells() {
        let text = |cells: &[Option<&str>]| {
            Column::Text(cells.iter().map(|cell| cell.map(str::to_owned)).collect())
        };
        let bytes = parquet(&[
            ("run", text(&[Some("ä"), None, Some("")])),
            ("tokens", Column::Whole(vec![Some(u64::from(u32::MAX) + 1), None, Some(0)])),
            ("loss", Column::Real(vec![None, Some(2.5), Some(-0.0)])),
            ("repeated", Column::Flag(vec![Some(true), Some(false), None])),
        ]);
        let reader = read(&bytes);
        let rows: Vec<Vec<Field>> = reader
            .get_row_iter(None)
            .unwrap()
            .map(|row| row.unwrap().get_column_iter().map(|(_, field)| field.clone()).collect())
            .collect();
        let expected = [
            [Field::Str("ä".into()), Field::Long(4_294_967_296), Field::Null, Field::Bool(true)],
            [Field::Null, Field::Null, Field::Double(2.5), Field::Bool(false)],
            [Field::Str(String::new()), Field::Long(0), Field::Double(-0.0), Field::Null],
        ];
        assert_eq!(rows, expected);
        let empty = parquet(&[("run", Column::Text(Vec::new()))]);
        assert_eq!(read(&empty).metadata().file_metadata().num_rows(), 0);
    }
}
