//! A Python interpreter, and what it has of what the torch job needs.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::job_file::FORMAT;
use super::options::TorchOptions;
use crate::error::{Error, ErrorKind, Result};

/// A Python interpreter with everything that the torch job needs.
#[derive(Debug)]
pub(crate) struct Python {
    torch: String,
    transformers: String,
}

/// What `python -m regrow_torch --versions` prints.
#[derive(Deserialize)]
struct Versions {
    format: u32,
    #[serde(default)]
    torch: Option<String>,
    #[serde(default)]
    transformers: Option<String>,
}

impl Python {
    /// Asks the interpreter for its packages.
    ///
    /// # Errors
    /// [`ErrorKind::NoTorch`] if the interpreter or a package is missing, or the package is one of
    /// another regrow.
    pub(crate) fn find(options: &TorchOptions) -> Result<Self> {
        let interpreter = options.interpreter();
        let output = Command::new(&interpreter)
            .args(["-m", "regrow_torch", "--versions"])
            .stdin(Stdio::null())
            .output()
            .map_err(|error| {
                refuse(
                    &interpreter,
                    None,
                    format!(
                        "the Python interpreter {} cannot be started: {error}",
                        shown(&interpreter)
                    ),
                )
            })?;
        let errors = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            // Python names the module that it looked for.
            if errors.contains("No module named") && errors.contains("regrow_torch") {
                let message = format!("{} has no package `regrow_torch`", shown(&interpreter));
                return Err(refuse(&interpreter, Some("regrow_torch"), message));
            }
            let last = errors.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
            let message = format!(
                "{} cannot tell its packages ({}): {}",
                shown(&interpreter),
                output.status,
                last.trim()
            );
            return Err(refuse(&interpreter, Some("regrow_torch"), message));
        }
        let found: Versions = serde_json::from_slice(&output.stdout).map_err(|error| {
            let message =
                format!("{} prints no versions of its packages: {error}", shown(&interpreter));
            refuse(&interpreter, Some("regrow_torch"), message)
        })?;
        if found.format != FORMAT {
            let message = format!(
                "the `regrow_torch` of {} reads job files of format {}, expected {FORMAT}",
                shown(&interpreter),
                found.format
            );
            return Err(refuse(&interpreter, Some("regrow_torch"), message));
        }
        let need = |name: &'static str, version: Option<String>| {
            version.ok_or_else(|| {
                let message = format!("{} has no package `{name}`", shown(&interpreter));
                refuse(&interpreter, Some(name), message)
            })
        };
        let torch = need("torch", found.torch)?;
        let transformers = need("transformers", found.transformers)?;
        Ok(Self { torch, transformers })
    }

    /// Its versions, in words.
    pub(crate) fn versions(&self) -> String {
        format!("torch {}, transformers {}", self.torch, self.transformers)
    }
}

fn refuse(interpreter: &OsString, package: Option<&'static str>, message: String) -> Error {
    let interpreter = interpreter.to_string_lossy().into_owned();
    Error::new(ErrorKind::NoTorch { interpreter, package }, message)
}

fn shown(interpreter: &OsString) -> String {
    format!("`{}`", interpreter.to_string_lossy())
}
