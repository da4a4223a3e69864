//! Errors that carry what the user can do about them.

use std::fmt;

/// An error with its hint.
#[derive(Debug)]
pub struct Hinted {
    error: anyhow::Error,
    hint: String,
}

impl Hinted {
    /// What can be done about the error.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

/// Puts a hint on an error.
pub fn hinted(error: impl Into<anyhow::Error>, hint: impl Into<String>) -> anyhow::Error {
    Hinted { error: error.into(), hint: hint.into() }.into()
}

/// A command line that parses and still cannot be run.
#[derive(Debug)]
pub struct Usage(&'static str);

/// Such an error, with exit status 2.
pub fn usage(message: &'static str) -> anyhow::Error {
    Usage(message).into()
}

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Usage {}

impl fmt::Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl std::error::Error for Hinted {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}
