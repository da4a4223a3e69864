//! Single files that this tool makes, and how each is told from a stranger's.

use std::fs;
use std::path::Path;

use crate::Result;
use crate::existing::Existing;
use crate::mark::{head_of, not_ours, refuse, spare};

/// A kind of file that this tool makes.
#[derive(Debug)]
pub struct FileKind {
    what: &'static str,
    begins: &'static str,
    holds: &'static str,
}

impl FileKind {
    /// A kind named `what`, such as `a law`. Its files begin with one text and hold the other near
    /// their start.
    pub const fn new(what: &'static str, begins: &'static str, holds: &'static str) -> Self {
        Self { what, begins, holds }
    }

    /// Checks, before any work, that a file of this kind may be written to `target`.
    ///
    /// # Errors
    /// If something is there and must not be replaced. If it is an input, or not clearly a file
    /// that this tool made.
    pub fn check(&self, target: &Path, existing: Existing, inputs: &[&Path]) -> Result<()> {
        match existing {
            Existing::Refuse => return refuse(target),
            Existing::Own => return Ok(()),
            Existing::Replace => spare(target, inputs)?,
        }
        if fs::symlink_metadata(target).is_err() {
            return Ok(());
        }
        if !target.is_file() {
            let why = if target.is_dir() { "it is a folder" } else { "it is no regular file" };
            return Err(not_ours(target, self.what, why.to_owned()));
        }
        let head = head_of(target);
        if head.trim_start().starts_with(self.begins) && head.contains(self.holds) {
            return Ok(());
        }
        Err(not_ours(target, self.what, "it holds something else".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAW: FileKind = FileKind::new("a law", "{", "\"groups\"");

    fn said(result: Result<()>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn a_file_of_ours_is_replaced_and_no_other() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("p.csv");
        let check = |inputs: &[&Path]| LAW.check(&path, Existing::Replace, inputs);
        check(&[&path]).unwrap();
        fs::write(&path, "n0,tokens,loss\n").unwrap();
        assert!(check(&[&path]).unwrap_err().is_input());
        assert!(said(check(&[])).ends_with("is not a law made by regrow: it holds something else"));
        fs::write(&path, "{\"format\": 1, \"groups\": [").unwrap();
        check(&[]).unwrap();
        assert!(said(LAW.check(root.path(), Existing::Replace, &[])).contains("it is a folder"));
    }
}
