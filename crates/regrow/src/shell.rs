//! Words as a shell reads them.

use std::ffi::OsStr;

/// A word that means the same to a shell, in quotes where it needs them.
pub(crate) fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./,=:+@%".contains(letter);
    if !word.is_empty() && word.chars().all(plain) {
        word.into_owned()
    } else {
        // A quote ends the quoted part, is itself escaped, and begins the next part.
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
