//! The flag `--force`.

use disk::Existing;

/// What `--force` asks for. Even then only what this tool made is replaced.
pub(crate) fn existing(force: bool) -> Existing {
    if force { Existing::Replace } else { Existing::Refuse }
}
