//! What goes wrong in this library: one opaque error, with a kind where somebody can act on it.

use std::error::Error as StdError;
use std::fmt;

/// What a function of this library gives.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error. Its text says what was found, what was expected and where; its [kind](Error::kind)
/// says what can be done, where one thing can.
pub struct Error(Box<Parts>);

struct Parts {
    kind: ErrorKind,
    /// The option that the message is about.
    option: Option<&'static str>,
    cause: ErrorCause,
}

enum ErrorCause {
    /// A message of our own.
    Message(String),
    /// A message of our own about an error that led to it.
    Context(String, Error),
    /// An error of another room, as it is.
    Passed(Box<dyn StdError + Send + Sync>),
}

/// What can be done about an error depends on its kind.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The text says it all; or [`Error::get_ref`] holds an error with a kind of its own.
    Other,
    /// The options cannot be meant together, or lack one.
    Usage,
    /// The run folder stands already, and the options say neither to resume nor to replace it.
    RunExists,
    /// The held-out part of a corpus predicts nothing.
    NothingHeldOut,
    /// A sequence is longer than the model has positions for.
    TooFewPositions {
        /// The longest that it has positions for, in tokens.
        longest: usize,
    },
    /// Training takes more memory than there is.
    TooLarge {
        /// The micro-batch that fits, and whether only by computing activations again.
        fits: Option<(usize, bool)>,
        /// What the model alone takes, in bytes.
        model: u64,
    },
    /// The time limit leaves no room for a step and a checkpoint.
    NoTime,
    /// The model folder has no tokenizer.
    NoTokenizer,
    /// The name is neither a folder nor a public model.
    UnknownModel,
    /// The file is no law.
    NotALaw,
    /// The folder holds something that is no sweep.
    NotASweepFolder,
    /// The folder holds a sweep of another recipe.
    OtherRecipe,
    /// The text ends before the longest run of a sweep does.
    TextTooShort {
        /// Bytes of such text that would last.
        bytes: u64,
    },
    /// Too few documents are held out to measure a loss on.
    TooFewHeldOut {
        /// All documents of the text.
        documents: u64,
        /// The share that was to be held out.
        share: f64,
    },
    /// The hub does not give a model to this token.
    HubRefuses,
    /// The hub has no such model.
    NotOnHub,
    /// The hub has the model only as files that are not read here.
    NoSafetensors,
    /// What the hub sent has not the hash that it should have.
    DamagedDownload,
    /// The model is not in the cache, and nothing may be fetched.
    NotInCache,
    /// This build cannot fetch models.
    NoHub,
}

impl Error {
    /// An error of a kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Parts { kind, option: None, cause: ErrorCause::Message(message.into()) }))
    }

    /// An error whose text says it all.
    pub fn msg(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Other, message)
    }

    /// An error that passes on one of another room.
    pub fn passed(error: impl StdError + Send + Sync + 'static) -> Self {
        Self::passed_as(ErrorKind::Other, error)
    }

    /// As [`Error::passed`], with a kind.
    pub(crate) fn passed_as(kind: ErrorKind, error: impl StdError + Send + Sync + 'static) -> Self {
        Self(Box::new(Parts { kind, option: None, cause: ErrorCause::Passed(Box::new(error)) }))
    }

    /// The same error, about an option; its message has the name of it between backticks.
    pub(crate) fn about(mut self, option: &'static str) -> Self {
        self.0.option = Some(option);
        self
    }

    /// The option that this error is about, by its name in a recipe: who took it from elsewhere,
    /// such as a flag, can say so.
    pub fn option(&self) -> Option<&'static str> {
        self.0.option
    }

    /// What kind of error it is.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The error of another room that this one passes on.
    pub fn get_ref(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        match &self.0.cause {
            ErrorCause::Passed(error) => Some(&**error),
            ErrorCause::Message(_) | ErrorCause::Context(..) => None,
        }
    }

    fn in_context(self, message: String) -> Self {
        let kind = self.0.kind.clone();
        Self(Box::new(Parts { kind, option: None, cause: ErrorCause::Context(message, self) }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.cause {
            ErrorCause::Message(message) | ErrorCause::Context(message, _) => f.write_str(message),
            ErrorCause::Passed(error) => write!(f, "{error}"),
        }?;
        // With `{:#}` what led to it, too.
        let mut cause = self.source().filter(|_| f.alternate());
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self:#}", self.0.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.0.cause {
            ErrorCause::Message(_) => None,
            ErrorCause::Context(_, error) => Some(error),
            ErrorCause::Passed(error) => error.source(),
        }
    }
}

macro_rules! passes_on {
    ($($error:ty),+ $(,)?) => {
        $(impl From<$error> for Error {
            fn from(error: $error) -> Self {
                Self::passed(error)
            }
        })+
    };
}

passes_on!(
    std::io::Error,
    disk::Error,
    law::Error,
    model::Error,
    prune::Error,
    shape::legal::Illegal,
    serde_json::Error,
    store::Error,
    text::Error,
    toml::de::Error,
    toml::ser::Error,
    train::Error,
    shape::Error,
);

/// Says what an error was in the way of.
pub(crate) trait Context<T> {
    /// Puts a message before an error, or in the place of nothing.
    fn context(self, message: impl Into<String>) -> Result<T>;

    /// As [`Context::context`], with a message that is made only for an error.
    fn with_context<M: Into<String>>(self, message: impl FnOnce() -> M) -> Result<T>;
}

impl<T, E: Into<Error>> Context<T> for std::result::Result<T, E> {
    fn context(self, message: impl Into<String>) -> Result<T> {
        self.map_err(|error| error.into().in_context(message.into()))
    }

    fn with_context<M: Into<String>>(self, message: impl FnOnce() -> M) -> Result<T> {
        self.map_err(|error| error.into().in_context(message().into()))
    }
}

impl<T> Context<T> for Option<T> {
    fn context(self, message: impl Into<String>) -> Result<T> {
        self.ok_or_else(|| Error::msg(message))
    }

    fn with_context<M: Into<String>>(self, message: impl FnOnce() -> M) -> Result<T> {
        self.ok_or_else(|| Error::msg(message()))
    }
}

/// Returns an error with a formatted message.
macro_rules! bail {
    ($($message:tt)+) => {
        return Err($crate::error::Error::msg(format!($($message)+)))
    };
}

/// Returns an error with a formatted message unless a condition holds.
macro_rules! ensure {
    ($condition:expr, $($message:tt)+) => {
        if !$condition {
            $crate::error::bail!($($message)+);
        }
    };
}

pub(crate) use {bail, ensure};

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn contexts_keep_the_kind_and_the_chain() {
        let inner: Result<()> = Err(Error::new(ErrorKind::NotOnHub, "no such model"));
        let error = inner.context("`a` cannot be loaded").unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::NotOnHub);
        assert_eq!(error.to_string(), "`a` cannot be loaded");
        assert_eq!(format!("{error:#}"), "`a` cannot be loaded: no such model");
        assert!(error.get_ref().is_none());
    }

    #[test]
    fn an_error_of_another_room_is_passed_on_as_it_is() {
        let exists = disk::Error::exists(Path::new("out"));
        let text = exists.to_string();
        let error = Error::from(exists);
        assert_eq!((error.to_string(), error.source().is_none()), (text, true));
        assert!(error.get_ref().is_some_and(|error| error.is::<disk::Error>()));
    }

    #[test]
    fn conditions_are_errors_when_they_do_not_hold() {
        let half = |number: u32| -> Result<u32> {
            ensure!(number.is_multiple_of(2), "{number} is odd");
            if number == 0 {
                bail!("nothing to halve");
            }
            Ok(number / 2)
        };
        assert_eq!(half(4).unwrap(), 2);
        assert_eq!(half(3).unwrap_err().to_string(), "3 is odd");
        assert_eq!(half(0).unwrap_err().to_string(), "nothing to halve");
    }
}
