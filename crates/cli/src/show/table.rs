//! Tables for people: aligned columns, units in the headings, no lines.

use comfy_table::{CellAlignment, presets};

/// The alignment of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table for the terminal.
#[derive(Debug)]
pub(crate) struct TextTable {
    inner: comfy_table::Table,
    headed: bool,
}

impl TextTable {
    /// A table with these headings.
    pub(crate) fn new(columns: &[(&str, Align)]) -> Self {
        let mut table = Self::bare(&columns.iter().map(|column| column.1).collect::<Vec<_>>());
        table.inner.set_header(columns.iter().map(|column| column.0));
        table.headed = true;
        table
    }

    /// A table of names and values, without headings.
    pub(crate) fn facts() -> Self {
        Self::bare(&[Align::Left, Align::Left])
    }

    fn bare(columns: &[Align]) -> Self {
        let mut inner = comfy_table::Table::new();
        inner.load_style(presets::NOTHING);
        // `comfy_table` creates columns with the header. An empty header is removed again by
        // `render`.
        inner.set_header(columns.iter().map(|_| ""));
        for (index, align) in columns.iter().enumerate() {
            let column = inner.column_mut(index).expect("the header has made this column");
            column.set_padding((0, 2));
            column.set_cell_alignment(match align {
                Align::Left => CellAlignment::Left,
                Align::Right => CellAlignment::Right,
            });
        }
        Self { inner, headed: false }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) -> &mut Self {
        self.inner.add_row(cells.into_iter().collect::<Vec<_>>());
        self
    }

    /// Adds a fact.
    pub(crate) fn fact(&mut self, name: &str, value: impl Into<String>) -> &mut Self {
        self.row([name.to_owned(), value.into()])
    }

    /// The heading, if there is one, and the rows. Every line ends with a line break.
    pub(crate) fn render(&self) -> (Option<String>, String) {
        // The padding of the last column would leave spaces at the end of each line.
        let mut lines = self.inner.lines().map(|line| line.trim_end().to_owned() + "\n");
        let heading = lines.next().filter(|_| self.headed);
        (heading, lines.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_right_and_words_left() {
        let mut table = TextTable::new(&[("run", Align::Left), ("tokens", Align::Right)]);
        table.row(["a".into(), "12".into()]).row(["longer".into(), "1,234,567".into()]);
        let (heading, rows) = table.render();
        assert_eq!(heading.unwrap(), "run        tokens\n");
        assert_eq!(rows, "a              12\nlonger  1,234,567\n");
    }

    #[test]
    fn facts_have_no_heading() {
        let mut table = TextTable::facts();
        table.fact("layers", "5").fact("family", "llama");
        assert_eq!(table.render(), (None, "layers  5\nfamily  llama\n".to_owned()));
    }
}
