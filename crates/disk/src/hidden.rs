//! Hidden names: what is being written, or has been replaced, stands beside its target as
//! `.<name>.<random><suffix>` until it is renamed or removed.

use std::ffi::{OsStr, OsString};
use std::fs::Permissions;
use std::io;

use tempfile::Builder;

/// How the hidden name ends of what is being written ...
pub(crate) const ASIDE: &str = ".aside";
/// ... and of what has been replaced.
pub(crate) const OLD: &str = ".old";

/// Makes a file or folder under a hidden name for `name`. Temporary ones are private by default;
/// ours become real ones, so the user's umask decides what is taken from `mode`.
pub(crate) fn hidden<T>(
    name: &OsStr,
    suffix: &str,
    mode: u32,
    make: impl FnOnce(&Builder<'_, '_>) -> io::Result<T>,
) -> io::Result<T> {
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    let mut builder = Builder::new();
    builder.prefix(&prefix).suffix(suffix);
    if let Some(permissions) = permissions(mode) {
        builder.permissions(permissions);
    }
    make(&builder)
}

#[cfg(unix)]
fn permissions(mode: u32) -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn permissions(_mode: u32) -> Option<Permissions> {
    None
}
