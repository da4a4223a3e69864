//! Whole numbers that may not be 0.

use std::num::NonZeroUsize;

/// Reads a whole number of at least 1.
pub(crate) fn at_least_one(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| format!("`{text}` is no whole number of at least 1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_is_said() {
        assert_eq!(at_least_one("3").map(NonZeroUsize::get), Ok(3));
        for text in ["0", "-1", "1.5", "many", ""] {
            let said = format!("`{text}` is no whole number of at least 1");
            assert_eq!(at_least_one(text), Err(said));
        }
    }
}
