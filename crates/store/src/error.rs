//! Errors of run folders and points tables.

use std::path::PathBuf;

use ledger::{Difference, NotFinite};

use crate::import::ImportError;

/// An error of a run folder or of a table. Its text names the file or folder.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Failure>);

impl Error {
    /// The file system error behind this one, if there is one.
    pub fn as_disk(&self) -> Option<&disk::Error> {
        match &*self.0 {
            Failure::Disk(error) => Some(error),
            _ => None,
        }
    }

    /// Whether a run could not be resumed because it was started with another spec.
    pub fn is_other_spec(&self) -> bool {
        matches!(*self.0, Failure::Differs { .. })
    }

    /// Whether a record and the spec beside it are of different runs.
    pub(crate) fn is_other_run(&self) -> bool {
        matches!(*self.0, Failure::OtherRun { .. })
    }

    /// Whether a run could not be resumed because it is done.
    pub fn is_done(&self) -> bool {
        matches!(*self.0, Failure::Done { .. })
    }

    /// Why a log of another program cannot be imported.
    pub fn import(&self) -> Option<&ImportError> {
        match &*self.0 {
            Failure::Import(error) => Some(error),
            _ => None,
        }
    }

    /// The row, counted from 1 without the header, and the column of a bad cell.
    pub fn cell(&self) -> Option<(usize, &str)> {
        match *self.0 {
            Failure::Cell { row, column, .. } => Some((row, column)),
            _ => None,
        }
    }

    /// The columns that a table lacks.
    pub fn missing_columns(&self) -> &[&str] {
        match &*self.0 {
            Failure::Columns { missing, .. } => missing,
            _ => &[],
        }
    }
}

impl<T: Into<Failure>> From<T> for Error {
    fn from(failure: T) -> Self {
        Self(Box::new(failure.into()))
    }
}

/// What failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A file failed.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// A folder is not a run folder.
    #[error("`{}` is not a run folder: it has no `{missing}`", path.display())]
    NotARun {
        /// The folder.
        path: PathBuf,
        /// The file that every run has.
        missing: &'static str,
    },
    /// A file carries a format number that this version does not read.
    #[error("`{}` has format {found}, expected {expected}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The number in it.
        found: i64,
        /// The number that this version reads.
        expected: u32,
    },
    /// A file does not have the expected contents.
    #[error("`{}` cannot be understood: {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The message of its parser.
        why: String,
    },
    /// A record contradicts its spec, its cut or itself.
    #[error("`{}` cannot be believed: {why}", path.display())]
    Contradicts {
        /// The file.
        path: PathBuf,
        /// What contradicts what.
        why: String,
    },
    /// The curve of a run that is done is not the one that it ended with.
    #[error("`{}`: its {what} is {found}, expected {expected} as in `{told_by}`", path.display())]
    OtherCurve {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: String,
        /// What the file gives.
        found: String,
        /// What the other file says.
        expected: String,
        /// The file that says it.
        told_by: &'static str,
    },
    /// A log of another program cannot be imported.
    #[error(transparent)]
    Import(#[from] ImportError),
    /// A run of another program has no spec, so it cannot be opened as one of our own.
    #[error("`{}` is an imported run, expected one that regrow trained", path.display())]
    Imported {
        /// The folder.
        path: PathBuf,
    },
    /// A complete line of a curve is not a point.
    #[error("`{}` line {line} is not a point: {why}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The message of its parser.
        why: String,
    },
    /// A record and the spec beside it belong to different runs.
    #[error("`{}` is of run `{found}`, expected `{expected}`, the id of the `spec.toml` beside it", path.display())]
    OtherRun {
        /// The record.
        path: PathBuf,
        /// The id in it.
        found: String,
        /// The id of the spec.
        expected: String,
    },
    /// A run cannot be resumed with another spec.
    #[error("`{}` was started with another recipe: {}", path.display(), list(differences))]
    Differs {
        /// The run folder.
        path: PathBuf,
        /// The fields that differ; `here` is the run's value, `there` the value asked for.
        differences: Vec<Difference>,
    },
    /// A finished run cannot be resumed.
    #[error("`{}` is already done", path.display())]
    Done {
        /// The run folder.
        path: PathBuf,
    },
    /// A measured number is NaN or infinite.
    #[error("`{}` cannot grow: {error}", path.display())]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The number, its name and step.
        error: NotFinite,
    },
    /// A value cannot be written in the format of its file.
    #[error("`{}` cannot be written: {why}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The message of its writer.
        why: String,
    },
    /// A points table lacks columns.
    #[error("`{}` has no column {}, which form `{form}` needs; it has {}", path.display(), quoted(missing), quoted(found))]
    Columns {
        /// The table.
        path: PathBuf,
        /// The columns that are missing.
        missing: Vec<&'static str>,
        /// The form that is to be fitted.
        form: String,
        /// The first columns that are there.
        found: Vec<String>,
    },
    /// A cell of a points table has the wrong type.
    #[error("`{}` row {row}: `{column}` is `{found}`, expected {expected}", path.display())]
    Cell {
        /// The table.
        path: PathBuf,
        /// The row, counted from 1, without the header.
        row: usize,
        /// The column.
        column: &'static str,
        /// The beginning of its text.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// A folder without runs.
    #[error("`{}` holds no run folder", path.display())]
    NoRuns {
        /// The folder.
        path: PathBuf,
    },
    /// A run that is needed cannot be read.
    #[error("run `{}` cannot be used: {why}", path.display())]
    Broken {
        /// The run folder.
        path: PathBuf,
        /// Why, naming the file.
        why: String,
    },
    /// Two runs of one group whose losses cannot be compared.
    #[error("runs `{}` and `{}` have not the same {what}, expected one in a group", first.display(), second.display())]
    NotAlike {
        /// The run that came first.
        first: PathBuf,
        /// The run that differs.
        second: PathBuf,
        /// In what.
        what: &'static str,
    },
}

/// The result of an operation on a run folder.
pub type Result<T> = std::result::Result<T, Error>;

fn quoted<T: std::fmt::Display>(names: &[T]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}

fn list(differences: &[Difference]) -> String {
    differences.iter().map(Difference::to_string).collect::<Vec<_>>().join("; ")
}
