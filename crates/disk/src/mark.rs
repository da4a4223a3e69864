//! What is asked of a target before it is replaced.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::error::DiskFailure;
use crate::paths::split;

/// How many bytes at the start of a file are searched for its mark.
const HEAD: u64 = 4096;

pub(crate) fn not_ours(target: &Path, what: &'static str, why: String) -> crate::Error {
    DiskFailure::NotOurs { path: target.to_path_buf(), what, why }.into()
}

/// Fails if anything is at `target`.
pub(crate) fn refuse(target: &Path) -> Result<()> {
    // Not `exists()`, which is false for a link that leads nowhere.
    match fs::symlink_metadata(target) {
        Ok(_) => Err(crate::Error::exists(target)),
        Err(_) => Ok(()),
    }
}

/// Fails if one of the inputs is what stands at `target`, or lies in it.
pub(crate) fn spare(target: &Path, inputs: &[&Path]) -> Result<()> {
    let Ok(data) = fs::symlink_metadata(target) else { return Ok(()) };
    // By its name, and by the folder that it really is in. A link is replaced itself, so what it
    // leads to stays, and only paths through the link count.
    let mut targets: Vec<PathBuf> = std::path::absolute(target).into_iter().collect();
    if let Ok((parent, name)) = split(target) {
        targets.extend(parent.canonicalize().map(|parent| parent.join(name)));
    }
    if !data.is_symlink() {
        targets.extend(target.canonicalize());
    }
    let inside = |path: &Path| targets.iter().any(|target| path.starts_with(target));
    for &input in inputs {
        let mut paths: Vec<PathBuf> = std::path::absolute(input).into_iter().collect();
        paths.extend(input.canonicalize());
        // The files of a folder may be links to somewhere else.
        let entries = fs::read_dir(input).into_iter().flatten().flatten();
        let links = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_symlink()));
        paths.extend(links.filter_map(|link| link.path().canonicalize().ok()));
        if paths.iter().any(|path| inside(path)) {
            let (path, input) = (target.to_path_buf(), input.to_path_buf());
            return Err(DiskFailure::HoldsInput { path, input }.into());
        }
    }
    Ok(())
}

/// The first bytes of a file as text; empty if it cannot be read.
pub(crate) fn head_of(path: &Path) -> String {
    let mut bytes = Vec::new();
    if path.is_file()
        && let Ok(file) = File::open(path)
    {
        let _ = file.take(HEAD).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
