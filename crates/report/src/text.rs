//! Makes texts from elsewhere safe to show.

use maud::{Markup, html};

/// The longest name that is shown in full.
const LONGEST: usize = 160;

/// The text without characters that HTML forbids or that change the reading direction. A very long
/// text is cut.
///
/// Characters with a meaning in HTML (`<`, `&`, quotes) stay, because the template escapes them.
pub(crate) fn shown(text: &str) -> String {
    let tame = |c: char| if is_wild(c) { '\u{fffd}' } else { c };
    let mut shown: String = text.chars().take(LONGEST).map(tame).collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

/// A sentence of any length.
pub(crate) fn sentence(text: &str) -> String {
    text.chars().map(|c| if is_wild(c) { '\u{fffd}' } else { c }).collect()
}

/// The same, with a capital letter and a full stop.
pub(crate) fn full(text: &str) -> String {
    let text = sentence(text.trim());
    let mut letters = text.chars();
    let first: String = letters.next().into_iter().flat_map(char::to_uppercase).collect();
    // A sentence from elsewhere may already end with a mark.
    let stop = if text.is_empty() || text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{stop}", letters.as_str())
}

/// A full sentence in which names in backticks are shown as code.
pub(crate) fn said(text: &str) -> Markup {
    let text = full(text);
    let parts: Vec<&str> = text.split('`').collect();
    // If the number of backticks is odd, the last one is shown as it is.
    let paired = parts.len() % 2 == 1;
    html! {
        @for (i, part) in parts.iter().enumerate() {
            @if i % 2 == 0 { (part) }
            @else if paired || i + 1 < parts.len() { code { (part) } }
            @else { "`" (part) }
        }
    }
}

/// A list of sentences, or nothing if there is none.
pub(crate) fn sentences<'a>(list: impl IntoIterator<Item = &'a str>) -> Markup {
    let list: Vec<&str> = list.into_iter().filter(|text| !text.trim().is_empty()).collect();
    html! { @if !list.is_empty() { ul { @for sentence in &list { li { (said(sentence)) } } } } }
}

/// Breaks a text into lines of at most `letters` letters. A longer word has a line of its own.
pub(crate) fn wrapped(text: &str, letters: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= letters => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

fn is_wild(c: char) -> bool {
    let control = c.is_control() && !matches!(c, '\n' | '\t');
    // Marks that change the reading direction could disguise a name.
    let turns = matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{061c}');
    // Unicode code points that are no characters.
    let no_character =
        matches!(c as u32 & 0xffff, 0xfffe | 0xffff) || matches!(c, '\u{fdd0}'..='\u{fdef}');
    control || turns || no_character
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_that_no_page_may_hold_are_replaced() {
        assert_eq!(
            shown("a\0b\u{202e}c\u{1b}[31m\u{ffff}"),
            "a\u{fffd}b\u{fffd}c\u{fffd}[31m\u{fffd}"
        );
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

    #[test]
    fn names_in_backticks_stand_as_code() {
        assert_eq!(said("`<a>` is b").into_string(), "<code>&lt;a&gt;</code> is b.");
        assert_eq!(said("one ` alone").into_string(), "One ` alone.");
        assert_eq!(said("a `b` c ` d").into_string(), "A <code>b</code> c ` d.");
    }

    #[test]
    fn lines_hold_whole_words() {
        assert_eq!(wrapped("one two  three fourteen", 8), ["one two", "three", "fourteen"]);
        assert!(wrapped(" ", 8).is_empty());
    }
}
