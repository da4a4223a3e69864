//! Everything that can be wrong with a table, a request or a law file.

use std::fmt;

/// Why a table cannot be read, a law cannot be fitted, or a question cannot be asked.
///
/// If the data cannot tell, that is no error: see [`crate::Identifiability`].
#[derive(Clone, PartialEq)]
pub struct Error(Box<Fault>);

/// The errors that a caller may want to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The table holds no row to fit.
    NothingToFit,
    /// A row of the table is wrong: see [`Error::row`].
    BadRow,
    /// No law can be fitted to a group.
    NoFit,
    /// The law holds several groups, and the question does not say which.
    SeveralGroups,
    /// It is unknown whether the method removes weights or sets them to zero.
    ZeroedUnknown,
    /// A budget in hours or money, of a device whose speed or price is not known.
    Unpriced,
    /// In most worlds that are held possible the wanted number has no value.
    NoNumber,
    /// The model is of another family than the law.
    OtherFamily,
    /// Anything else that is wrong with a table, a law or a question.
    Other,
}

impl Error {
    /// The kind of the error, for callers that handle kinds differently.
    ///
    /// ```
    /// let error = law::form::by_name("p3").err().unwrap();
    /// assert_eq!(error.kind(), law::ErrorKind::Other);
    /// ```
    pub fn kind(&self) -> ErrorKind {
        match *self.0 {
            Fault::Empty | Fault::OnlyControls => ErrorKind::NothingToFit,
            // Both concern a single group, not the whole table.
            Fault::TooFewPoints { .. } | Fault::NoFit { .. } => ErrorKind::NoFit,
            Fault::SeveralGroups { .. } => ErrorKind::SeveralGroups,
            Fault::ZeroedUnknown { .. } => ErrorKind::ZeroedUnknown,
            Fault::Unpriced { .. } => ErrorKind::Unpriced,
            Fault::NoNumber { .. } => ErrorKind::NoNumber,
            Fault::OtherFamily { .. } => ErrorKind::OtherFamily,
            _ if self.row().is_some() => ErrorKind::BadRow,
            _ => ErrorKind::Other,
        }
    }

    /// Whether the request is at fault and not the data: another name, setting or constraint mends
    /// it.
    ///
    /// ```
    /// assert!(law::form::by_name("p3").err().unwrap().is_request());
    /// ```
    pub fn is_request(&self) -> bool {
        matches!(
            *self.0,
            Fault::UnknownForm { .. }
                | Fault::NotSeen { .. }
                | Fault::OtherBase { .. }
                | Fault::UnknownPrior { .. }
                | Fault::UnknownLoss { .. }
                | Fault::Constraint { .. }
                | Fault::ConstrainedTwice { .. }
                | Fault::UnknownConstant { .. }
                | Fault::Setting { .. }
                | Fault::UnknownGroup { .. }
                | Fault::SeveralGroups { .. }
                | Fault::Unpriced { .. }
        )
    }

    /// The row of the table that is wrong, counted from 1, without the header.
    pub fn row(&self) -> Option<usize> {
        match *self.0 {
            Fault::NotFinite { row, .. }
            | Fault::OutOfRange { row, .. }
            | Fault::PrunedControl { row, .. }
            | Fault::Duplicate { row, .. }
            | Fault::RunChanges { row, .. } => Some(row),
            Fault::ZeroedContradicts { row, .. } => row,
            _ => None,
        }
    }
}

impl From<Fault> for Error {
    // Boxed, so that a `Result` stays small.
    fn from(problem: Fault) -> Self {
        Self(Box::new(problem))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the wrapper, so that tests and logs show the error alone.
        fmt::Debug::fmt(&self.0, f)
    }
}

impl std::error::Error for Error {}

/// Every error with its text.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub(crate) enum Fault {
    /// Nothing to fit.
    #[error("the table holds no rows")]
    Empty,
    /// Only unpruned controls.
    #[error("the table holds only unpruned controls (rate 0): there is nothing to fit")]
    OnlyControls,
    /// A value that is not a finite number.
    #[error("row {row}: `{column}` is {found}, expected a finite number")]
    NotFinite {
        /// Counted from 1, without the header.
        row: usize,
        /// The column.
        column: &'static str,
        /// The number.
        found: f64,
    },
    /// A number outside its range.
    #[error("row {row}: `{column}` is {found}, expected {expected}")]
    OutOfRange {
        /// Counted from 1, without the header.
        row: usize,
        /// The column.
        column: &'static str,
        /// The number.
        found: f64,
        /// The allowed range.
        expected: &'static str,
    },
    /// A rate that contradicts the method.
    #[error("row {row}: `rate` is {rate} and `method` is `none`: an unpruned control has rate 0")]
    PrunedControl {
        /// Counted from 1, without the header.
        row: usize,
        /// The rate.
        rate: f64,
    },
    /// A statement about a method that contradicts its id.
    #[error(
        "{}`zeroed` is {zeroed}, but the method `{method}` {}",
        row.map_or_else(String::new, |row| format!("row {row}: ")),
        if *zeroed { "removes weights" } else { "makes weights zero" }
    )]
    ZeroedContradicts {
        /// The row of the table that says it, if any, counted from 1 without the header.
        row: Option<usize>,
        /// The method.
        method: String,
        /// The statement.
        zeroed: bool,
    },
    /// A question whose answer depends on what the method does to weights, which is unknown.
    #[error(
        "it is not known whether the method `{method}` removes weights or makes them zero: \
         its id does not tell, and the points do not say it in a column `zeroed`"
    )]
    ZeroedUnknown {
        /// The method.
        method: String,
    },
    /// One run has two rows at one token count.
    #[error("row {row} repeats row {first}: run `{run}` at {tokens} tokens")]
    Duplicate {
        /// Counted from 1, without the header.
        row: usize,
        /// The row that came first.
        first: usize,
        /// The run.
        run: String,
        /// Its tokens.
        tokens: f64,
    },
    /// One run has several values for something that a run has only once.
    #[error("row {row}: run `{run}` has `{column}` {found}, in row {first} it has {expected}")]
    RunChanges {
        /// Counted from 1, without the header.
        row: usize,
        /// The row that came first.
        first: usize,
        /// The run.
        run: String,
        /// The column.
        column: &'static str,
        /// The value here.
        found: String,
        /// The value there.
        expected: String,
    },
    /// No form of this name.
    #[error("there is no form `{found}`; the nearest is `{nearest}`")]
    UnknownForm {
        /// The name.
        found: String,
        /// The nearest name.
        nearest: &'static str,
    },
    /// The law has no levels.
    #[error(
        "the law has no posterior, so it knows no runs and bases; a posterior needs two runs or more of three points or more"
    )]
    NoLevels,
    /// There is no run to choose from.
    #[error("there are no pilots to choose from, expected one or more")]
    NoPilots,
    /// A design from a law cannot be tried on made tables.
    #[error(
        "a design from a law cannot be checked: its draws belong to runs that a made table does not hold; check one \
         from priors"
    )]
    #[cfg_attr(not(feature = "sampler"), allow(dead_code))]
    CheckOfLaw,
    /// The wanted number has no value in most worlds.
    #[error(
        "in {without} of {of} worlds that are held possible the wanted number has no value near the pilots' tokens, \
         or a pilot begins 20 nats or more above its base; so no pilots can be chosen: ask for a loss, for another \
         gain, or offer longer runs"
    )]
    NoNumber {
        /// Worlds without a value.
        without: usize,
        /// Worlds.
        of: usize,
    },
    /// A run or a base that the law has not seen.
    #[error("the law has seen no {what} `{found}`; the nearest is `{nearest}`")]
    NotSeen {
        /// `run` or `base`.
        what: &'static str,
        /// The name.
        found: String,
        /// The nearest name.
        nearest: String,
    },
    /// A base has another size than the place that is asked about.
    #[error(
        "base `{base}` has {known} parameters, found {found}: a new run from it starts from all of them"
    )]
    OtherBase {
        /// The base.
        base: String,
        /// The size asked about.
        found: f64,
        /// Its size.
        known: f64,
    },
    /// No prior of this name.
    #[error("there is no prior `{found}`; the nearest is `{nearest}`")]
    UnknownPrior {
        /// The name.
        found: String,
        /// The nearest name.
        nearest: &'static str,
    },
    /// No loss of this name.
    #[error(
        "the loss is `{found}`, expected `least-squares`, `huber:DELTA` or `log-huber:DELTA` with DELTA from 1e-9 to 1e6"
    )]
    UnknownLoss {
        /// The text.
        found: String,
    },
    /// A form that reads a column that the table lacks.
    #[error("form `{form}` needs the column `{column}`, which the table does not have")]
    MissingColumn {
        /// The column.
        column: &'static str,
        /// The form.
        form: &'static str,
    },
    /// An invalid constraint.
    #[error(
        "`{name}` cannot be held at {found}, expected a finite number, or LOW..HIGH ascending with one end at least"
    )]
    Constraint {
        /// The constant.
        name: String,
        /// The value or the bounds.
        found: String,
    },
    /// A constant with two constraints.
    #[error("`{name}` is constrained twice")]
    ConstrainedTwice {
        /// The constant.
        name: String,
    },
    /// A constraint on a constant that the form lacks.
    #[error(
        "form `{form}` has no constant `{found}`; the nearest is `{nearest}`, and all are {known}"
    )]
    UnknownConstant {
        /// The form.
        form: &'static str,
        /// The name.
        found: String,
        /// The nearest name.
        nearest: &'static str,
        /// Every constant of the form.
        known: String,
    },
    /// A group with too few points for its form.
    #[error("group `{group}` has {points} points, `{form}` has {constants} constants")]
    TooFewPoints {
        /// Series and method.
        group: String,
        /// Points to fit.
        points: usize,
        /// The form.
        form: &'static str,
        /// Its constants.
        constants: usize,
    },
    /// A group for which no finite fit was found.
    #[error(
        "group `{group}`: no finite fit of `{form}` was found; its numbers are too large or too small"
    )]
    NoFit {
        /// Series and method.
        group: String,
        /// The form.
        form: &'static str,
    },
    /// A setting outside its range.
    #[error("`{name}` is {found}, expected {expected}")]
    Setting {
        /// The setting or argument.
        name: &'static str,
        /// The number.
        found: f64,
        /// The allowed range.
        expected: &'static str,
    },
    /// A series or method that the law does not hold.
    #[error("the law holds no {what} `{found}`; the nearest is `{nearest}`, and all are {known}")]
    UnknownGroup {
        /// `series` or `method`.
        what: &'static str,
        /// The name asked for.
        found: String,
        /// The nearest name.
        nearest: String,
        /// The known groups.
        known: String,
    },
    /// A question that does not say which of several groups it is about.
    #[error("the law holds {known}: say which series and which method")]
    SeveralGroups {
        /// The known groups.
        known: String,
    },
    /// A public model of another family than the law.
    #[error(
        "the law was fitted to `{known}`, and `{model}` is of `{family}`: a law of one series says nothing about \
         another; fit a law to runs of `{family}`, or ask this one all the same as series `{known}`"
    )]
    OtherFamily {
        /// The series of the law.
        known: String,
        /// The model.
        model: String,
        /// Its own series.
        family: &'static str,
    },
    /// A law without groups.
    #[error("the law holds no group")]
    NoGroup,
    /// A budget in hours or money for a machine of unknown speed or price.
    #[error("a budget of {budget} needs {missing}")]
    Unpriced {
        /// The budget.
        budget: String,
        /// What is missing.
        missing: &'static str,
    },
    /// A share to recover although no loss was added.
    #[error(
        "there is nothing to recover: the reference of {reference} nats does not lie above the {loss0} nats before pruning"
    )]
    NothingLost {
        /// The loss to recover from.
        reference: f64,
        /// The loss before pruning.
        loss0: f64,
    },
    /// There are no candidates to choose from.
    #[error("there is no candidate to choose from")]
    NoCandidates,
    /// A law file that contradicts itself.
    #[error("law, group {group}: {problem}")]
    Law {
        /// Counted from 1.
        group: usize,
        /// What is wrong.
        problem: String,
    },
}

/// A result with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;
