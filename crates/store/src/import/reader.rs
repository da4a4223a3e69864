//! What every format of a log is.

use std::path::Path;

use super::asked::Asked;
use super::gathered::Gathered;
use super::source::Head;
use crate::Result;

/// A format of a log: how it is told, and how its numbers are read.
pub(super) trait Import: Sync {
    /// Its name, for people and for files.
    fn name(&self) -> &'static str;

    /// Who writes it, in a few words.
    fn what(&self) -> &'static str;

    /// Whether a file or folder that begins like this is of the format.
    fn recognises(&self, head: &Head) -> bool;

    /// Whether a program prints it, so that megabytes of something else may stand before it.
    fn is_printed(&self) -> bool {
        false
    }

    /// Reads a file or folder. Nothing that is held may grow with it, other than what `into` keeps.
    fn read(&self, path: &Path, asked: &Asked, into: &mut Gathered) -> Result<()>;
}

/// The run that is meant among those of a log.
///
/// # Errors
/// Where there are several and none is asked for, or the asked one is not there.
pub(super) fn chosen(runs: Vec<String>, asked: Option<&str>) -> Result<String> {
    use super::failure::ImportError::{NoSuchRun, SeveralRuns};
    match asked {
        Some(asked) if runs.iter().any(|run| run == asked) => Ok(asked.to_owned()),
        Some(asked) => Err(NoSuchRun { asked: asked.to_owned(), runs }.into()),
        None if runs.len() == 1 => Ok(runs.into_iter().next().unwrap_or_default()),
        None => Err(SeveralRuns { runs }.into()),
    }
}
