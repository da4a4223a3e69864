//! The held-out split. The hash of its text decides where a document goes, so a duplicate cannot
//! leak.

use crate::error::{Result, TextFailure};
use ledger::Sha256;

/// The rule as it is written into `corpus.json`.
pub const RULE: &str = "held out when the first 8 bytes of sha256(text without white space at its \
                        ends), big endian, over 2^64 are below the share";

/// Whether a document is held out: the SHA-256 of its text without white space at its ends, read as
/// a fraction of one, is below `share`.
///
/// Two copies of a text often differ in a last line end. The same text always goes to the same
/// part, in any order of documents. A larger share holds out a superset of a smaller one.
///
/// ```
/// assert_eq!(text::held_out("once upon a time", 0.5), text::held_out("once upon a time", 0.5));
/// ```
pub fn held_out(text: &str, share: f64) -> bool {
    held_out_hash(&split_hash(text), share)
}

/// Returns a share if it is above 0 and below 1.
///
/// # Errors
/// For anything else, NaN included.
pub fn check_share(share: f64) -> Result<f64> {
    if share > 0.0 && share < 1.0 {
        Ok(share)
    } else {
        Err(TextFailure::Share { found: share }.into())
    }
}

/// The hash that decides where a document goes.
pub(crate) fn split_hash(text: &str) -> Sha256 {
    Sha256::of(text.trim())
}

/// The same rule, for a hash that is already known.
pub(crate) fn held_out_hash(hash: &Sha256, share: f64) -> bool {
    // 2^64 is exact in f64. The conversion to f64 rounds to 53 bits, in the same way on every
    // machine.
    hash.leading_u64() as f64 / 18_446_744_073_709_551_616.0 < share
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_fraction_is_read_from_the_first_eight_bytes() {
        let mut bytes = [0xff; 32];
        bytes[..8].copy_from_slice(&[0x40, 0, 0, 0, 0, 0, 0, 0]); // a quarter
        let hash = Sha256::from(bytes);
        assert!(!held_out_hash(&hash, 0.25));
        assert!(held_out_hash(&hash, 0.25 + 1e-9));
        // sha256("abc") begins with ba7816bf, 0.7284 of the way.
        assert!(held_out("abc", 0.729));
        assert!(!held_out("abc", 0.728));
    }

    #[test]
    fn a_share_that_is_no_share_is_refused() {
        for share in [0.0, 1.0, -0.1, 1.5, f64::NAN, f64::INFINITY] {
            let message = check_share(share).unwrap_err().to_string();
            assert_eq!(
                message,
                format!("held-out share of {share}, expected a number above 0 and below 1")
            );
        }
        assert_eq!(check_share(0.05).unwrap(), 0.05);
    }

    #[test]
    fn about_the_share_asked_for_is_held_out() {
        let count = (0..20_000).filter(|i| held_out(&format!("document {i}"), 0.1)).count();
        // Binomial: standard deviation 42.
        assert!((1_800..2_200).contains(&count), "{count}");
    }

    #[test]
    fn copies_that_differ_in_white_space_at_their_ends_stay_together() {
        for i in 0..200 {
            let text = format!("document {i}");
            for copy in [format!("{text}\n"), format!("\u{a0} {text}\r\n\n")] {
                assert_eq!(held_out(&copy, 0.5), held_out(&text, 0.5), "{copy:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn a_larger_share_holds_out_a_superset(text in ".{0,40}", a in 0.0001f64..1.0, b in 0.0001f64..1.0) {
            let (small, large) = if a < b { (a, b) } else { (b, a) };
            prop_assert!(!held_out(&text, small) || held_out(&text, large));
        }

        #[test]
        fn a_duplicate_falls_on_the_same_side_in_any_order(
            texts in proptest::collection::vec("[ab]{0,3}", 1..40),
            share in 0.0001f64..1.0,
        ) {
            let kept: std::collections::BTreeSet<_> = texts.iter().filter(|t| !held_out(t, share)).collect();
            let out: std::collections::BTreeSet<_> = texts.iter().rev().filter(|t| held_out(t, share)).collect();
            prop_assert!(kept.is_disjoint(&out));
        }
    }
}
