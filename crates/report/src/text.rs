//! Text of others, made fit to be shown.

/// The longest name that is shown whole.
const LONGEST: usize = 160;

/// A text without characters that no page may hold or that turn the reading direction, cut when it is very long.
///
/// What has a meaning in HTML (`<`, `&`, quotes) stays: the template escapes it.
pub(crate) fn shown(text: &str) -> String {
    let tame = |c: char| if is_wild(c) { '\u{fffd}' } else { c };
    let mut shown: String = text.chars().take(LONGEST).map(tame).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// A sentence, however long.
pub(crate) fn sentence(text: &str) -> String {
    text.chars().map(|c| if is_wild(c) { '\u{fffd}' } else { c }).collect()
}

/// The same with a capital letter and a full stop.
pub(crate) fn full(text: &str) -> String {
    let text = sentence(text.trim());
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    let stop = if text.is_empty() || text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{stop}", letters.as_str())
}

fn is_wild(c: char) -> bool {
    let control = c.is_control() && !matches!(c, '\n' | '\t');
    let turns =
        matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{061c}');
    let no_character = matches!(c as u32 & 0xffff, 0xfffe | 0xffff) || matches!(c, '\u{fdd0}'..='\u{fdef}');
    control || turns || no_character
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_no_page_may_hold_are_replaced() {
        assert_eq!(shown("a\0b\u{202e}c\u{1b}[31m\u{ffff}"), "a\u{fffd}b\u{fffd}c\u{fffd}[31m\u{fffd}");
        assert_eq!(shown("<b>&\"'é\n"), "<b>&\"'é\n");
    }

    #[test]
    fn long_names_are_cut_and_sentences_are_not() {
        let long = "ü".repeat(500);
        assert_eq!(shown(&long).chars().count(), LONGEST + 1);
        assert_eq!(sentence(&long), long);
    }

    #[test]
    fn a_sentence_begins_large_and_ends_with_a_stop() {
        assert_eq!(full("éa b"), "Éa b.");
        assert_eq!(full("why?"), "Why?");
        assert_eq!(full(" "), "");
    }
}
