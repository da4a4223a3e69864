//! Hidden names: files being written, or replaced, are called `.<name>.<random><suffix>` beside
//! their target until they are renamed or removed.

use std::ffi::{OsStr, OsString};
use std::fs::Permissions;
use std::io;
use std::path::{Path, PathBuf};

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
    make(&builder).map_err(plain)
}

/// The error of the system without the hidden path, which `tempfile` adds to its text.
pub(crate) fn plain(error: io::Error) -> io::Error {
    let text = error.to_string();
    match text.find(" at path \"") {
        Some(end) => io::Error::new(error.kind(), &text[..end]),
        None => error,
    }
}

/// Letters that `tempfile` chooses at random.
const RANDOM: usize = 6;

/// Whether a name is one that our files have until they are complete:
/// `.<name>.<six letters and digits><suffix>`.
pub fn is_hidden(name: &OsStr) -> bool {
    target(name).is_some_and(|target| !target.is_empty())
}

/// Whether a name is a hidden one for the target `name`.
pub(crate) fn is_hidden_for(hidden: &OsStr, name: &OsStr) -> bool {
    target(hidden).is_some_and(|target| target == name.as_encoded_bytes())
}

/// The name that a hidden file will get.
fn target(hidden: &OsStr) -> Option<&[u8]> {
    let bytes = hidden.as_encoded_bytes().strip_prefix(b".")?;
    let cut = |suffix: &str| bytes.strip_suffix(suffix.as_bytes());
    let (rest, random) = {
        let name = cut(ASIDE).or_else(|| cut(OLD))?;
        name.split_at_checked(name.len().checked_sub(RANDOM)?)?
    };
    random.iter().all(u8::is_ascii_alphanumeric).then(|| rest.strip_suffix(b"."))?
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

/// The path as a user knows it: hidden names are replaced by the names that they will get.
pub(crate) fn shown(path: &Path) -> PathBuf {
    let name = |part: &OsStr| -> OsString {
        let text = part.to_string_lossy();
        // `.` in front, then `.`, six letters and the suffix at the end.
        let end = [ASIDE, OLD].iter().find(|end| text.ends_with(*end)).map_or(0, |end| end.len());
        match is_hidden(part) {
            true => text[1..text.len() - end - 7].into(),
            false => part.to_os_string(),
        }
    };
    path.components().map(|part| name(part.as_os_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_names_are_shown_as_the_names_they_will_get() {
        let shown = |path: &str| shown(Path::new(path)).display().to_string();
        assert_eq!(shown("a/.corpus.Ab3dEf.aside/train.bin"), "a/corpus/train.bin");
        assert_eq!(shown("/x/.a.b.123456.aside/.c.json.abcdef.aside"), "/x/a.b/c.json");
        for plain in ["./a", "../.hidden/b", "/.lock", "a/.x.aside", "b/.123456.aside", ""] {
            assert_eq!(shown(plain), plain);
        }
    }
}
