//! Errors of pruning. Messages say what was found, what was expected, and where.
//!
//! An error is a message, written where the fault is found. Only errors that a caller matches on
//! have a kind.

use std::error::Error as StdError;
use std::fmt;

use ledger::CutError;

use shape::legal::Illegal;

/// Results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of this crate.
pub struct Error(Box<Carried>);

/// Where an error comes from.
enum Carried {
    Model(model::Error),
    Disk(disk::Error),
    Text(text::Error),
    Cut(CutError),
    Shape(shape::Error),
    Own { refusal: Refused, message: String },
}

/// Why pruning refused, if a caller may want to match on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// No whole number of blocks comes near the rate.
    NoRateNear,
    /// No legal width comes near the rate.
    NoShapeNear,
    /// A method needs text to score on, and there is none.
    NoCalibration,
    /// The text holds fewer sequences than were asked for.
    TooFewTokens,
    /// The text is shorter than one sequence.
    TooShort,
    /// The text has a token that the model does not have.
    UnknownToken,
    /// The disk has no room for what will be written.
    NoRoom,
    /// The machine lacks memory for the residual stream.
    NoMemory,
    /// A folder is not clearly one model.
    Unclear,
    /// A cut is replayed on another model than it was decided on.
    OtherBase,
    /// A cut is replayed on another text than it was decided on.
    OtherCalibration,
    /// Anything else; see the message.
    Other,
}

impl Error {
    /// An error of a kind that a caller matches on.
    pub(crate) fn refused(refusal: Refused, message: impl Into<String>) -> Self {
        Self(Box::new(Carried::Own { refusal, message: message.into() }))
    }

    /// An error with a message only.
    pub(crate) fn other(message: impl Into<String>) -> Self {
        Self::refused(Refused::Other, message)
    }

    /// Why pruning refused; `None` for an error that is passed on from another crate.
    pub fn refusal(&self) -> Option<Refused> {
        match &*self.0 {
            Carried::Own { refusal, .. } => Some(*refusal),
            _ => None,
        }
    }

    /// The error of another crate, if this one passes it on.
    pub fn passed_on(&self) -> Option<&(dyn StdError + 'static)> {
        match &*self.0 {
            Carried::Model(error) => Some(error),
            Carried::Disk(error) => Some(error),
            Carried::Text(error) => Some(error),
            Carried::Cut(error) => Some(error),
            Carried::Shape(error) => Some(error),
            Carried::Own { .. } => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Carried::Model(error) => error.fmt(f),
            Carried::Disk(error) => error.fmt(f),
            Carried::Text(error) => error.fmt(f),
            Carried::Cut(error) => error.fmt(f),
            Carried::Shape(error) => error.fmt(f),
            Carried::Own { message, .. } => f.write_str(message),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Carried::Model(error) => error.fmt(f),
            Carried::Disk(error) => error.fmt(f),
            Carried::Text(error) => error.fmt(f),
            Carried::Cut(error) => error.fmt(f),
            Carried::Shape(error) => error.fmt(f),
            Carried::Own { refusal, message } => {
                f.debug_tuple("Refused").field(refusal).field(message).finish()
            }
        }
    }
}

impl StdError for Error {
    /// The message of the inner error is already the message of this one, so the chain continues
    /// behind it.
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.passed_on().and_then(StdError::source)
    }
}

impl From<model::Error> for Error {
    fn from(error: model::Error) -> Self {
        Self(Box::new(Carried::Model(error)))
    }
}

impl From<disk::Error> for Error {
    fn from(error: disk::Error) -> Self {
        Self(Box::new(Carried::Disk(error)))
    }
}

impl From<text::Error> for Error {
    fn from(error: text::Error) -> Self {
        Self(Box::new(Carried::Text(error)))
    }
}

impl From<CutError> for Error {
    fn from(error: CutError) -> Self {
        Self(Box::new(Carried::Cut(error)))
    }
}

impl From<shape::Error> for Error {
    fn from(error: shape::Error) -> Self {
        Self(Box::new(Carried::Shape(error)))
    }
}

impl From<Illegal> for Error {
    fn from(error: Illegal) -> Self {
        let refusal = match error {
            Illegal::NoRateNear { .. } => Refused::NoRateNear,
            Illegal::NoShapeNear { .. } => Refused::NoShapeNear,
            _ => Refused::Other,
        };
        Self::refused(refusal, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_is_passed_on_keeps_its_message_and_is_not_in_its_own_chain() {
        let inner = || disk::Error::exists("out".as_ref());
        let error = Error::from(inner());
        assert_eq!(error.to_string(), inner().to_string());
        assert!(error.source().is_none());
        assert!(error.passed_on().is_some_and(|error| error.is::<disk::Error>()));
        assert_eq!(error.refusal(), None);
    }

    #[test]
    fn a_refusal_has_a_kind_and_an_error_is_one_pointer() {
        let error = Error::refused(Refused::NoRoom, "no room");
        assert_eq!(
            (error.refusal(), error.to_string().as_str()),
            (Some(Refused::NoRoom), "no room")
        );
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }
}
