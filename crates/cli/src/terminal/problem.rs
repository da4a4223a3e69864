//! Errors of the command line, and errors that carry a hint.

use std::fmt;

use regrow::ErrorKind;

/// An error with its hint.
#[derive(Debug)]
pub(super) struct HintedError {
    error: anyhow::Error,
    hint: String,
}

impl HintedError {
    pub(super) fn hint(&self) -> &str {
        &self.hint
    }
}

/// Adds a hint to an error.
pub(crate) fn hinted(error: impl Into<anyhow::Error>, hint: impl Into<String>) -> anyhow::Error {
    HintedError { error: error.into(), hint: hint.into() }.into()
}

impl fmt::Display for HintedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for HintedError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        // The inner error's own cause, because `Display` already prints the inner error.
        self.error.source()
    }
}

/// A command line that parses but cannot run, for example because flags contradict each other.
#[derive(Debug)]
struct UsageError(String);

/// A usage error; the exit status is 2.
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    UsageError(message.into()).into()
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// Whether the command line is at fault.
pub(super) fn is_usage(error: &anyhow::Error) -> bool {
    error.is::<UsageError>()
        || error
            .downcast_ref::<regrow::Error>()
            .is_some_and(|error| *error.kind() == ErrorKind::Usage)
        || error.chain().any(|cause| {
            // An error of the library may pass on one of another crate.
            let library = cause.downcast_ref::<regrow::Error>();
            let cause = library.and_then(|error| error.get_ref()).map_or(cause, |passed| passed);
            let of_law = cause.downcast_ref::<law::Error>();
            // A hint wraps the error that it belongs to.
            let hinted = cause.downcast_ref::<HintedError>().map(|hinted| &hinted.error);
            of_law.is_some_and(law::Error::is_request) || hinted.is_some_and(is_usage)
        })
}
