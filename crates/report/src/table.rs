//! Tables in HTML. Units are in the headings, and numbers are aligned.
//!
//! ```
//! use report::{Alignment, TableColumn, HtmlTable};
//! let mut table = HtmlTable::new("Runs", [TableColumn::new("run", Alignment::Left), TableColumn::new("loss", Alignment::Right).unit("nats")]);
//! table.push_text(["a", "3.1234"]);
//! assert!(table.html().contains("<th scope=\"col\" class=\"number\">loss <small>nats</small></th>"));
//! ```

use maud::{Markup, html};

use crate::text::{sentence, shown};

/// A table: columns and rows of cells.
#[derive(Clone, Debug)]
pub struct HtmlTable {
    caption: String,
    columns: Vec<TableColumn>,
    rows: Vec<Vec<Markup>>,
}

/// One column.
#[derive(Clone, Debug)]
pub struct TableColumn {
    heading: Markup,
    unit: Option<String>,
    align: Alignment,
}

/// The alignment of the cells of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alignment {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

impl TableColumn {
    /// A column without a unit.
    pub fn new(heading: &str, align: Alignment) -> Self {
        Self::headed(html! { (shown(heading)) }, align)
    }

    /// A column with a number in its heading.
    pub(crate) fn headed(heading: Markup, align: Alignment) -> Self {
        Self { heading, unit: None, align }
    }

    /// Sets the unit of every number in it.
    pub fn unit(self, unit: &str) -> Self {
        Self { unit: Some(unit.to_owned()), ..self }
    }
}

impl HtmlTable {
    /// A table without rows. The caption is shown above it and read aloud.
    pub fn new(caption: &str, columns: impl IntoIterator<Item = TableColumn>) -> Self {
        Self {
            caption: caption.to_owned(),
            columns: columns.into_iter().collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row of texts, which are escaped.
    ///
    /// # Panics
    /// If the number of texts differs from the number of columns.
    pub fn push_text<'a>(&mut self, cells: impl IntoIterator<Item = &'a str>) {
        self.push(cells.into_iter().map(|cell| html! { (shown(cell)) }).collect());
    }

    /// The table as an HTML element.
    pub fn html(&self) -> String {
        self.markup().into_string()
    }

    pub(crate) fn push(&mut self, row: Vec<Markup>) {
        assert_eq!(row.len(), self.columns.len(), "every column has a cell");
        self.rows.push(row);
    }

    /// The table in a frame that scrolls sideways if it is wider than the page.
    pub(crate) fn markup(&self) -> Markup {
        let class = |column: &TableColumn| (column.align == Alignment::Right).then_some("number");
        html! {
            // With a tab stop the table can be scrolled with the keyboard.
            div.scroll tabindex="0" role="region" aria-label=(sentence(&self.caption)) {
                table {
                    caption { (sentence(&self.caption)) }
                    thead {
                        tr {
                            @for column in &self.columns {
                                th scope="col" class=[class(column)] {
                                    (column.heading)
                                    @if let Some(unit) = &column.unit { " " small { (shown(unit)) } }
                                }
                            }
                        }
                    }
                    tbody {
                        @for row in &self.rows {
                            tr {
                                @for (cell, column) in row.iter().zip(&self.columns) {
                                    td class=[class(column)] { (cell) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_and_headings_are_escaped() {
        let mut table =
            HtmlTable::new("<caption>", [TableColumn::new("a&b", Alignment::Left).unit("<u>")]);
        table.push_text(["<script>alert(1)</script>"]);
        let html = table.html();
        assert!(!html.contains("<script") && !html.contains("<u>"), "{html}");
        assert!(html.contains("&lt;script&gt;") && html.contains("a&amp;b"), "{html}");
        roxmltree::Document::parse(&html).unwrap();
    }

    #[test]
    #[should_panic(expected = "every column has a cell")]
    fn a_row_of_another_length_is_our_own_mistake() {
        HtmlTable::new("x", [TableColumn::new("a", Alignment::Left)]).push_text(["1", "2"]);
    }
}
