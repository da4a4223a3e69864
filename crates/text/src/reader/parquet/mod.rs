//! Parquet: each row is a document, and one column holds its text.
//!
//! The library reads footers and decodes values. This file checks what a footer promises before the
//! library relies on it. `pages` unpacks pages with limits, since a page of a hostile file may
//! promise anything.

mod delta;
mod pages;
mod thrift;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use parquet::basic::{ConvertedType, LogicalType, Type as Physical};
use parquet::column::reader::ColumnReaderImpl;
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader};
use parquet::schema::types::Type;

use self::pages::{CODECS, Pages, can_unpack};
use self::thrift::{FieldKind, Thrift};
use crate::error::{Error, Result, TextFailure};

/// The magic number at both ends. Before the last one is the length of the footer.
const MAGIC: &[u8; 4] = b"PAR1";
const ENCRYPTED: &[u8; 4] = b"PARE";
const TAIL: u64 = 8;
/// The largest footer that is read, in bytes. Files with a hundred thousand column chunks have
/// smaller ones.
const LARGEST_FOOTER: u64 = 64 << 20;
/// The deepest nesting of columns. The library follows it by recursion.
const DEEPEST: usize = 64;
/// Rows decoded at a time.
const ROWS: usize = 256;
/// Names of columns that a message shows.
const SHOWN: usize = 8;

/// A file of rows. Memory holds the current page and the dictionary of its column chunk.
pub(super) struct Parquet {
    path: PathBuf,
    file: File,
    length: u64,
    column: usize,
    field: String,
    metadata: ParquetMetaData,
    /// Row groups begun.
    groups: usize,
    rows: Option<ColumnReaderImpl<ByteArrayType>>,
    /// Rows of this group that are still to be decoded.
    left: u64,
    decoded: VecDeque<Option<ByteArray>>,
    row: u64,
    total: u64,
}

impl Parquet {
    /// Opens a file and checks its whole footer.
    pub(super) fn open(path: &Path, field: &str) -> Result<Self> {
        let mut file = File::open(path).map_err(disk::io_error("open", path))?;
        let length = file.metadata().map_err(disk::io_error("read", path))?.len();
        let bad = |found: String, expected: &str| bad(path, found, expected);
        let footer = footer(&mut file, length, path)?;
        // Checked before the library sees the schema: it follows groups by recursion, without a
        // limit.
        check_depth(&footer)
            .map_err(|error| bad(format!("a footer with {error}"), "a Parquet footer"))?;
        let metadata =
            guarded(|| ParquetMetaDataReader::decode_metadata(&footer)).map_err(|why| {
                bad(format!("a footer that cannot be read ({why})"), "a Parquet footer")
            })?;

        let column = find(&metadata, path, field)?;
        // Data lies between the magic number at the start and the footer.
        let data_end = length - TAIL - footer.len() as u64;
        let mut total = 0u64;
        for (group, row_group) in metadata.row_groups().iter().enumerate() {
            let chunk = row_group.columns().get(column).ok_or_else(|| {
                bad(format!("row group {group} without column `{field}`"), "all columns")
            })?;
            let rows = u64::try_from(row_group.num_rows());
            let rows = rows.map_err(|_| {
                bad(format!("row group {group} of {} rows", row_group.num_rows()), "0 or more")
            })?;
            total = total
                .checked_add(rows)
                .ok_or_else(|| bad("more rows than 64 bits count".into(), "fewer"))?;
            // A column outside lists has exactly one value, or null, per row.
            if chunk.num_values() != row_group.num_rows() {
                let found =
                    format!("row group {group} with {} values for its rows", chunk.num_values());
                return Err(bad(found, &rows.to_string()));
            }
            if !can_unpack(chunk.compression_codec()) {
                let found = format!("column `{field}` packed as {:?}", chunk.compression_codec());
                return Err(bad(found, CODECS));
            }
            // A path here could name any file of the machine.
            if chunk.file_path().is_some() {
                return Err(bad(
                    format!("row group {group} in another file"),
                    "its data in this one",
                ));
            }
            match range(chunk) {
                Some((start, size))
                    if start.checked_add(size).is_some_and(|end| end <= data_end) => {}
                found => {
                    let found = found.map_or("below zero".to_owned(), |(start, size)| {
                        format!("{start} + {size}")
                    });
                    let found = format!("row group {group} with column `{field}` at bytes {found}");
                    return Err(bad(found, &format!("data between bytes 4 and {data_end}")));
                }
            }
        }
        Ok(Self {
            path: path.to_owned(),
            file,
            length,
            column,
            field: field.to_owned(),
            metadata,
            groups: 0,
            rows: None,
            left: 0,
            decoded: VecDeque::new(),
            row: 0,
            total,
        })
    }

    /// The text of the next row; `None` at the end of the file. After an error of a row, the next
    /// row can be read.
    pub(super) fn next(&mut self, longest: u64) -> Result<Option<String>> {
        // Rows are decoded in batches. A row group may be empty.
        while self.decoded.is_empty() {
            if self.left == 0 && !self.next_group(longest)? {
                return Ok(None);
            }
            if self.left > 0 {
                self.decode()?;
            }
        }
        let Some(value) = self.decoded.pop_front() else { return Ok(None) };
        self.row += 1;
        let bad = |found| {
            Error::from(TextFailure::BadRow {
                path: self.path.clone(),
                row: self.row,
                found,
                field: self.field.clone(),
            })
        };
        let value = value.ok_or_else(|| bad("null".to_owned()))?;
        let bytes = value.data();
        if bytes.len() as u64 > longest {
            return Err(bad(format!("text of more than {longest} bytes")));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text.to_owned())),
            Err(error) => {
                let at = error.valid_up_to();
                Err(bad(format!("bytes that are not UTF-8 ({:#04x} at byte {at})", bytes[at])))
            }
        }
    }

    /// The share of the file that its rows so far make up, in bytes. Every row counts the same.
    pub(super) fn read_bytes(&self) -> u64 {
        if self.row == self.total {
            return if self.total > 0 || self.groups > 0 { self.length } else { 0 };
        }
        // In 128 bits, since the product may not fit 64.
        (u128::from(self.length) * u128::from(self.row) / u128::from(self.total)) as u64
    }

    fn next_group(&mut self, longest: u64) -> Result<bool> {
        let Some(group) = self.metadata.row_groups().get(self.groups) else {
            self.groups = self.groups.max(1);
            return Ok(false);
        };
        let chunk = group.column(self.column);
        let descriptor = chunk.column_descr_ptr();
        // The range and the number of rows were checked when the file was opened.
        let place = range(chunk).unwrap_or_default();
        self.left = u64::try_from(group.num_rows()).unwrap_or_default();
        let file = self.file.try_clone().map_err(disk::io_error("open", &self.path))?;
        let nullable = descriptor.max_def_level() > 0;
        let pages = Pages::new(file, place, chunk.compression_codec(), nullable, longest);
        let pages = pages.map_err(disk::io_error("read", &self.path))?;
        self.rows = Some(ColumnReaderImpl::new(descriptor, Box::new(pages)));
        self.groups += 1;
        Ok(true)
    }

    fn decode(&mut self) -> Result<()> {
        let group = self.groups - 1;
        let Some(rows) = &mut self.rows else { return Ok(()) };
        let wanted = usize::try_from(self.left).unwrap_or(ROWS).min(ROWS);
        let nullable =
            self.metadata.row_group(group).column(self.column).column_descr().max_def_level();
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        let read = guarded(|| rows.read_records(wanted, Some(&mut levels), None, &mut values));
        let path = &self.path;
        let (read, _, _) =
            read.map_err(|why| bad(path, format!("{why} in row group {group}"), "pages of text"))?;
        if read == 0 {
            let found =
                format!("the end of row group {group} with {} of its rows missing", self.left);
            return Err(bad(path, found, "as many rows as the footer says"));
        }
        self.left -= read as u64;
        if self.left == 0 {
            // The footer may promise fewer rows than the pages hold. That is an error too:
            // otherwise text would be lost silently.
            let more =
                guarded(|| rows.read_records(1, Some(&mut Vec::new()), None, &mut Vec::new()));
            let (more, _, _) =
                more.map_err(|why| bad(path, format!("{why} in row group {group}"), "its end"))?;
            if more > 0 {
                let found = format!("more rows in row group {group} than the footer says");
                return Err(bad(
                    path,
                    found,
                    &self.metadata.row_group(group).num_rows().to_string(),
                ));
            }
            self.rows = None;
        }
        if nullable == 0 {
            self.decoded.extend(values.into_iter().map(Some));
        } else {
            let mut values = values.into_iter();
            // A level below the highest means that the value, or a group around it, is null.
            let present = |level: i16| if level == nullable { values.next() } else { None };
            self.decoded.extend(levels.into_iter().map(present));
        }
        Ok(())
    }
}

/// Reads the footer of a file, after checking that the file ends as Parquet does.
fn footer(file: &mut File, length: u64, path: &Path) -> Result<Vec<u8>> {
    let read = disk::io_error("read", path);
    let (mut head, mut tail) = ([0; 4], [0; TAIL as usize]);
    if length < TAIL + 4 {
        return Err(bad(path, format!("{length} bytes"), "a Parquet file of 12 or more"));
    }
    let mut read_both = || -> std::io::Result<()> {
        file.read_exact(&mut head)?;
        file.seek(SeekFrom::Start(length - TAIL))?;
        file.read_exact(&mut tail)
    };
    read_both().map_err(read)?;
    let [a, b, c, d, magic @ ..] = tail;
    // The most common damage, a download that was cut short, gets its own message.
    if &head == MAGIC && &magic != MAGIC && &magic != ENCRYPTED {
        return Err(bad(
            path,
            "no footer at its end: it was cut short".to_owned(),
            "`PAR1` in the last four bytes",
        ));
    }
    if &magic == ENCRYPTED || &head == ENCRYPTED {
        return Err(bad(path, "an encrypted footer".to_owned(), "one that is not"));
    }
    if &head != MAGIC {
        return Err(bad(path, format!("`{}` at its start", head.escape_ascii()), "`PAR1`"));
    }
    let size = u64::from(u32::from_le_bytes([a, b, c, d]));
    // The length comes from the file, so it is checked before it is allocated.
    let room = (length - TAIL - 4).min(LARGEST_FOOTER);
    if size > room {
        return Err(bad(path, format!("a footer of {size} bytes"), &format!("at most {room}")));
    }
    let mut footer = vec![0; size as usize];
    let mut read_footer = || -> std::io::Result<()> {
        file.seek(SeekFrom::Start(length - TAIL - size))?;
        file.read_exact(&mut footer)
    };
    read_footer().map_err(disk::io_error("read", path))?;
    Ok(footer)
}

/// Reads the schema in a footer and refuses columns that are nested too deeply.
fn check_depth(mut footer: &[u8]) -> std::io::Result<()> {
    let refused = |what: &str| Err(std::io::Error::other(what.to_owned()));
    let mut thrift = Thrift::new(&mut footer);
    let mut last = 0;
    while let Some((number, kind)) = thrift.field(last)? {
        last = number;
        if (number, kind) != (2, FieldKind::List) {
            thrift.skip(kind)?;
            continue;
        }
        // The schema is a list in depth-first order. `open` holds the number of missing children of
        // each open group.
        let mut open: Vec<u64> = Vec::new();
        let (kind, count) = thrift.list()?;
        if kind != FieldKind::Struct {
            return refused("a schema that is no list of columns");
        }
        for _ in 0..count {
            let mut children = 0;
            let mut last = 0;
            while let Some((number, kind)) = thrift.field(last)? {
                match (number, kind) {
                    (5, FieldKind::Integer) => children = thrift.size()? as u64,
                    (_, kind) => thrift.skip(kind)?,
                }
                last = number;
            }
            // Close groups that have all their children.
            while open.last() == Some(&0) {
                open.pop();
            }
            if let Some(waiting) = open.last_mut() {
                *waiting -= 1;
            }
            if children > 0 {
                open.push(children);
            }
            if open.len() > DEEPEST {
                return refused("columns too deep inside each other");
            }
        }
    }
    Ok(())
}

/// The index of the column that holds the text. A column is found by its name, or by its dotted
/// path if it is inside groups.
fn find(metadata: &ParquetMetaData, path: &Path, field: &str) -> Result<usize> {
    let schema = metadata.file_metadata().schema_descr();
    let wrong = |found: String| {
        Error::from(TextFailure::ColumnType {
            path: path.to_owned(),
            field: field.to_owned(),
            found,
        })
    };
    let Some(at) = schema.columns().iter().position(|column| column.path().string() == field)
    else {
        let fields = match schema.root_schema() {
            Type::GroupType { fields, .. } => fields.as_slice(),
            Type::PrimitiveType { .. } => &[],
        };
        if let Some(group) = fields.iter().find(|column| column.name() == field) {
            return Err(wrong(kind(group)));
        }
        let shown: Vec<_> = fields
            .iter()
            .take(SHOWN)
            .map(|column| format!("`{}`", column.name().chars().take(40).collect::<String>()))
            .collect();
        let more = if fields.len() > SHOWN { " ..." } else { "" };
        let found = if shown.is_empty() { "no column".to_owned() } else { shown.join(", ") + more };
        return Err(TextFailure::NoColumn {
            path: path.to_owned(),
            found,
            field: field.to_owned(),
        }
        .into());
    };
    let column = schema.column(at);
    // Repeated values: a row could hold several texts, or none.
    if column.max_rep_level() > 0 {
        return Err(wrong("a list".to_owned()));
    }
    if column.physical_type() != Physical::BYTE_ARRAY || !is_text(column.self_type()) {
        return Err(wrong(kind(column.self_type())));
    }
    Ok(at)
}

/// Whether a column is meant as text. Some writers do not say; then the bytes of each row are
/// checked.
fn is_text(column: &Type) -> bool {
    let info = column.get_basic_info();
    match info.logical_type_ref() {
        Some(LogicalType::String | LogicalType::Enum) => true,
        Some(_) => false,
        None => {
            matches!(
                info.converted_type(),
                ConvertedType::NONE | ConvertedType::UTF8 | ConvertedType::ENUM
            )
        }
    }
}

/// The type of a column, in a few words.
fn kind(column: &Type) -> String {
    let info = column.get_basic_info();
    match (column, info.logical_type_ref(), info.converted_type()) {
        (Type::GroupType { .. }, _, ConvertedType::LIST) => "a list".to_owned(),
        (Type::GroupType { .. }, _, _) => "a group of columns".to_owned(),
        (_, Some(logical), _) => format!("{logical:?}"),
        (_, None, ConvertedType::NONE) => column.get_physical_type().to_string(),
        (_, None, converted) => converted.to_string(),
    }
}

/// First byte and length of a column chunk.
fn range(chunk: &ColumnChunkMetaData) -> Option<(u64, u64)> {
    let data = u64::try_from(chunk.data_page_offset()).ok()?;
    // Some writers put 0 if there is no dictionary.
    let start = match chunk.dictionary_page_offset() {
        Some(dictionary) if dictionary > 0 => data.min(u64::try_from(dictionary).ok()?),
        _ => data,
    };
    Some((start, u64::try_from(chunk.compressed_size()).ok()?))
}

/// Runs the library on bytes that may be hostile, and turns a panic into an error.
fn guarded<T>(read: impl FnOnce() -> parquet::errors::Result<T>) -> std::result::Result<T, String> {
    // The caller drops the reader after a panic, so nothing half-changed is used.
    match disk::guarded(read)? {
        Ok(value) => Ok(value),
        Err(parquet::errors::ParquetError::General(why)) => Err(why),
        Err(error) => Err(error.to_string()),
    }
}

fn bad(path: &Path, found: String, expected: &str) -> Error {
    Error::from(TextFailure::BadParquet {
        path: path.to_owned(),
        found,
        expected: expected.to_owned(),
    })
}
