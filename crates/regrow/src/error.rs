//! The error of this library: one opaque type, with a kind where the caller can act on it.

use std::error::Error as StdError;
use std::fmt;

/// The result of a function of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error. Its text says what was found, what was expected and where. Its [kind](Error::kind)
/// tells a program what can be done about it.
pub struct Error(Box<Parts>);

// Behind a box, so that a `Result` stays small.
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
    /// An error of another crate, unchanged.
    Passed(Box<dyn StdError + Send + Sync>),
}

/// The kinds of error that a caller can act on. `regrow`'s hints depend on them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No special kind. [`Error::get_ref`] may give an error of another crate that has its own
    /// kind.
    Other,
    /// The options contradict each other, or one is missing.
    Usage,
    /// The run folder exists already, and the options ask neither to resume nor to replace it.
    RunExists,
    /// The held-out part of a corpus predicts nothing.
    NothingHeldOut,
    /// A sequence is longer than the model has positions for.
    TooFewPositions {
        /// The longest possible sequence, in tokens.
        longest: usize,
    },
    /// Training needs more memory than is available.
    TooLarge {
        /// The micro-batch that fits, and whether it fits only with recomputed activations.
        fits: Option<(usize, bool)>,
        /// Memory for the model alone, in bytes.
        model: u64,
    },
    /// A run that is done cannot be extended: the state of its optimiser is gone or damaged.
    NoState,
    /// The time limit leaves no room for a step and a checkpoint.
    NoTime,
    /// Python, or a package that PyTorch training needs, is missing.
    NoTorch {
        /// The interpreter.
        interpreter: String,
        /// The package, unless the interpreter itself is missing.
        package: Option<&'static str>,
    },
    /// An outside trainer computes other losses than our evaluator.
    NotBelieved,
    /// The model folder has no tokenizer.
    NoTokenizer,
    /// The name is neither a folder nor a public model.
    UnknownModel,
    /// The file is not a law.
    NotALaw,
    /// The folder contains something other than a sweep.
    NotASweepFolder,
    /// The commands of Slurm are not there.
    NoSlurm,
    /// The text has fewer tokens than the longest run of a sweep needs.
    TextTooShort {
        /// Bytes of such text that would be enough.
        bytes: u64,
    },
    /// Too few documents are held out to measure a loss on.
    TooFewHeldOut {
        /// All documents of the text.
        documents: u64,
        /// The share that was to be held out.
        share: f64,
    },
    /// The hub refuses the model to this access token.
    HubRefuses,
    /// The hub has no such model.
    NotOnHub,
    /// The hub has the model only in file formats that regrow does not read.
    NoSafetensors,
    /// A downloaded file does not have the expected hash.
    DamagedDownload,
    /// A server does not answer, or too slowly, or breaks off.
    NoAnswer,
    /// A file in the cache of the hub is not what its name says.
    DamagedCache,
    /// The model is not in the cache, and downloads are switched off.
    NotInCache,
    /// This build cannot fetch models.
    NoHub,
}

impl Error {
    /// An error of a kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Parts { kind, option: None, cause: ErrorCause::Message(message.into()) }))
    }

    /// An error with a text and no special kind.
    pub fn msg(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Other, message)
    }

    /// Wraps an error of another crate.
    pub fn passed(error: impl StdError + Send + Sync + 'static) -> Self {
        Self::passed_as(ErrorKind::Other, error)
    }

    /// As [`Error::passed`], with a kind.
    pub(crate) fn passed_as(kind: ErrorKind, error: impl StdError + Send + Sync + 'static) -> Self {
        Self(Box::new(Parts { kind, option: None, cause: ErrorCause::Passed(Box::new(error)) }))
    }

    /// Marks the error as being about an option. Its message must contain the option's name in
    /// backticks.
    pub(crate) fn about(mut self, option: &'static str) -> Self {
        self.0.option = Some(option);
        self
    }

    /// The option that this error is about, by its name in a recipe. The command uses it to name
    /// the flag instead, where the value came from a flag.
    pub fn option(&self) -> Option<&'static str> {
        self.0.option
    }

    /// The kind of error.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The wrapped error of another crate.
    pub fn get_ref(&self) -> Option<&(dyn StdError + Send + Sync + 'static)> {
        match &self.0.cause {
            ErrorCause::Passed(error) => Some(&**error),
            ErrorCause::Message(_) | ErrorCause::Context(..) => None,
        }
    }

    fn in_context(self, message: String) -> Self {
        // The kind moves to the outer error, so that callers find it without walking the chain.
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
        // `{:#}` also prints the chain of causes.
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
            // A passed error prints as itself, so the chain goes on with its own cause.
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

/// Adds to an error what could not be done because of it.
pub(crate) trait Context<T> {
    /// Puts a message before an error, or turns `None` into an error with this message.
    fn context(self, message: impl Into<String>) -> Result<T>;

    /// As [`Context::context`], but the message is built only if there is an error.
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
