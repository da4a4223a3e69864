//! Hidden names: files being written, or replaced, are called `.<name>.<random><suffix>` beside
//! their target until they are renamed or removed.

use std::ffi::{OsStr, OsString};
use std::fs::Permissions;
use std::io;

use tempfile::Builder;

/// Suffix of what is being written ...
pub(crate) const ASIDE: &str = ".aside";
/// ... and of what was replaced.
pub(crate) const OLD: &str = ".old";

/// Makes a file or folder under a hidden name for `name`. Temporary files are private by default.
/// Ours become real ones, so they get `mode` less what the umask of the user removes.
pub(crate) fn hidden<T>(
    name: &OsStr,
    suffix: &str,
    mode: u32,
    make: impl FnOnce(&Builder<'_, '_>) -> io::Result<T>,
) -> io::Result<T> {
    let mut prefix = OsString::from(".");
    // The name of the target in front tells a user what a leftover was.
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
