//! Cuts a text where GPT-2's pattern always cuts it, so that the pieces give the tokens of the
//! whole.

/// The character for a space in vocabularies such as that of Llama 2.
pub(crate) const SPACE: char = '▁';

/// Pieces of a text, of at least `least` bytes where possible. Each piece but the first begins with
/// a single space between two characters that are no white space.
///
/// The pattern always cuts there: it takes white space before a word or by itself, never after a
/// word. [`SPACE`] counts as white space.
pub(crate) struct Pieces<'a> {
    text: &'a str,
    least: usize,
}

impl<'a> Pieces<'a> {
    pub(crate) fn new(text: &'a str, least: usize) -> Self {
        Self { text, least }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let mut before = ' ';
        let mut characters = self.text.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            // Not after white space: the pattern takes a run of spaces as one piece, without the
            // last.
            if character == ' ' && at >= self.least && !(before.is_whitespace() || before == SPACE)
            {
                let after = characters.peek().map_or(' ', |(_, after)| *after);
                if !after.is_whitespace() {
                    let (piece, rest) = self.text.split_at(at);
                    self.text = rest;
                    return Some(piece);
                }
            }
            before = character;
        }
        let rest = std::mem::take(&mut self.text);
        (!rest.is_empty()).then_some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_piece_begins_at_a_lone_space_between_words() {
        let text = " a b's  c\n d e ";
        assert_eq!(Pieces::new(text, 0).collect::<Vec<_>>(), [" a", " b's  c\n d", " e "]);
        assert_eq!(Pieces::new(text, 3).collect::<Vec<_>>(), [" a b's  c\n d", " e "]);
        assert_eq!(Pieces::new("a▁ b c", 0).collect::<Vec<_>>(), ["a▁ b", " c"]);
        assert_eq!(Pieces::new(text, 100).collect::<Vec<_>>(), [text]);
    }
}
