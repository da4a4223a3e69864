//! What a group's method does to weights, where that is known.
//!
//! Our own method ids say it. For other methods the column `zeroed` of the points table or the user
//! says it. It is never guessed from the spelling of a name.

use ledger::{MethodId, MethodKind, Objective, Pattern};

use crate::error::{Fault, Result};

/// What a method does, from its id or from what the user said.
///
/// # Errors
/// If both say it and they differ.
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

/// Whether the size determines the rate: an N:M pattern leaves no choice.
pub(crate) fn rate_follows_size(method: &str) -> bool {
    matches!(MethodId::from(method).pattern(), Some(Pattern::Groups { .. }))
}

/// `depth-list`, or `depth-list for distil` for runs that another objective than the next-token
/// loss trained.
pub(crate) fn method_and_objective(method: &str, objective: Option<&str>) -> String {
    match objective.filter(|name| *name != Objective::LM) {
        Some(objective) => format!("{method} for {objective}"),
        None => method.to_owned(),
    }
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
