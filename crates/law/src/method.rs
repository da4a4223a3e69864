//! What a group's method does to weights, as far as it is known.
//!
//! Ids of ours tell it. For other methods the points table says it in its column `zeroed`, or
//! whoever asks says it; how a method is spelled never does.

use ledger::{MethodId, MethodKind, Pattern};

use crate::error::{Fault, Result};

/// What a method does: by its id, or by what was said.
///
/// # Errors
/// Where both tell, and not the same.
pub(crate) fn kind_of(method: &str, zeroed: Option<bool>) -> Result<Option<MethodKind>> {
    let kind = |zeroed| if zeroed { MethodKind::Zeroes } else { MethodKind::Removes };
    match (MethodId::from(method).kind(), zeroed.map(kind)) {
        (Some(known), Some(said)) if known != said => Err(Fault::ZeroedContradicts {
            row: None,
            method: method.to_owned(),
            zeroed: zeroed == Some(true),
        }
        .into()),
        (known, said) => Ok(known.or(said)),
    }
}

/// Whether the rate follows from the size: an N:M pattern leaves no choice.
pub(crate) fn rate_follows_size(method: &str) -> bool {
    matches!(MethodId::from(method).pattern(), Some(Pattern::Groups { .. }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ids_of_ours_and_what_is_said_tell_what_a_method_does() {
        use MethodKind::{Removes, Zeroes};
        for (method, zeroed, expected) in [
            ("2:4-wanda", None, Some(Zeroes)),
            ("2:4-wanda", Some(true), Some(Zeroes)),
            ("depth-list", None, Some(Removes)),
            ("wanda-2:4", None, None),
            ("wanda-2:4", Some(true), Some(Zeroes)),
            ("sparsegpt 2:4", Some(false), Some(Removes)),
            ("2:4", None, None),
            ("unnamed", None, None),
        ] {
            assert_eq!(kind_of(method, zeroed).unwrap(), expected, "{method}");
        }
        let error = kind_of("2:4-wanda", Some(false)).unwrap_err().to_string();
        assert_eq!(error, "`zeroed` is false, but the method `2:4-wanda` makes weights zero");
    }

    #[test]
    fn only_a_pattern_of_n_in_m_ties_the_rate_to_the_size() {
        assert!(rate_follows_size("2:4-wanda") && rate_follows_size("1:4-magnitude"));
        for method in ["unstructured-wanda", "wanda-2:4", "2:4", "depth-list"] {
            assert!(!rate_follows_size(method), "{method}");
        }
    }
}
