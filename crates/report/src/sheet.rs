//! Tables before they are shown: what stands in each cell, for a terminal or a page to show.

use law::Code;
use law::plan::Cost;
use maud::{Markup, html};

use crate::number::{count, interval, nats, plain, rate};
use crate::table::{Alignment, HtmlTable, TableColumn};
use crate::text::shown;

/// A table whose numbers are not yet text.
#[derive(Clone, Debug, PartialEq)]
pub struct Sheet {
    columns: Vec<SheetColumn>,
    rows: Vec<Vec<Cell>>,
}

/// A column of a sheet.
#[derive(Clone, Debug, PartialEq)]
pub struct SheetColumn {
    /// Its heading. It may be empty where the column explains itself.
    pub heading: String,
    /// What is read aloud where the heading is empty.
    pub spoken: &'static str,
    /// How its cells stand.
    pub align: Alignment,
}

/// What a number measures. That decides how it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Tokens.
    Tokens,
    /// Parameters.
    Parameters,
    /// A loss, nats per token.
    Nats,
    /// A pruning rate.
    Rate,
    /// Floating-point operations.
    Operations,
    /// Anything else: a gain, hours, money.
    Plain,
}

/// A cell of a sheet.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A name from outside, such as that of a model or a method.
    Name(String),
    /// Words about a part of the row above.
    Part(String),
    /// A number.
    Number(Quantity, f64),
    /// Both ends of an interval.
    Ends(Quantity, [f64; 2]),
    /// What something costs.
    Cost(Cost),
    /// Reasons for doubt.
    Codes(Vec<Code>),
    /// A number that the data do not tell.
    Unknown,
    /// Nothing.
    Empty,
}

impl Sheet {
    /// A sheet without rows.
    pub(crate) fn new(columns: impl IntoIterator<Item = SheetColumn>) -> Self {
        Self { columns: columns.into_iter().collect(), rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        assert_eq!(N, self.columns.len(), "every column has a cell");
        self.rows.push(cells.into());
    }

    /// The columns.
    pub fn columns(&self) -> &[SheetColumn] {
        &self.columns
    }

    /// The rows; each has a cell for every column.
    pub fn rows(&self) -> &[Vec<Cell>] {
        &self.rows
    }

    /// The sheet as a table of a page.
    pub(crate) fn markup(&self, caption: &str) -> Markup {
        let columns = self.columns.iter().map(|column| match column.heading.is_empty() {
            true => TableColumn::headed(html! { span.spoken { (column.spoken) } }, column.align),
            false => TableColumn::new(&column.heading, column.align),
        });
        let mut table = HtmlTable::new(caption, columns);
        for row in &self.rows {
            table.push(row.iter().map(Cell::markup).collect());
        }
        table.markup()
    }
}

impl SheetColumn {
    /// A column of words.
    pub(crate) fn words(heading: &str) -> Self {
        Self { heading: heading.to_owned(), spoken: "", align: Alignment::Left }
    }

    /// A column of numbers.
    pub(crate) fn numbers(heading: &str) -> Self {
        Self { heading: heading.to_owned(), spoken: "", align: Alignment::Right }
    }

    /// What is read aloud instead of an empty heading.
    pub(crate) fn spoken(self, spoken: &'static str) -> Self {
        Self { spoken, ..self }
    }
}

impl Cell {
    /// The number, or that it is unknown.
    pub(crate) fn number(quantity: Quantity, x: Option<f64>) -> Self {
        x.map_or(Self::Unknown, |x| Self::Number(quantity, x))
    }

    /// The interval, or that it is unknown.
    pub(crate) fn ends(quantity: Quantity, ends: Option<[f64; 2]>) -> Self {
        ends.map_or(Self::Unknown, |ends| Self::Ends(quantity, ends))
    }

    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    fn markup(&self) -> Markup {
        html! {
            @match self {
                Self::Text(text) => (shown(text)),
                Self::Name(name) => bdi { (shown(name)) },
                Self::Part(text) => span.part { (shown(text)) },
                Self::Number(quantity, x) => (quantity.markup(*x)),
                Self::Ends(quantity, ends) => (quantity.ends(*ends)),
                Self::Cost(cost) => span.cost { (cost_markup(cost)) },
                Self::Codes(codes) => (marks(codes)),
                Self::Unknown => span.note { "unknown" },
                Self::Empty => {},
            }
        }
    }
}

impl Quantity {
    fn show(self) -> fn(f64) -> Markup {
        match self {
            Self::Tokens | Self::Parameters => count,
            Self::Nats => nats,
            Self::Rate => rate,
            Self::Operations | Self::Plain => plain,
        }
    }

    fn markup(self, x: f64) -> Markup {
        let unit = if self == Self::Operations { " FLOPs" } else { "" };
        html! { (self.show()(x)) (unit) }
    }

    fn ends(self, ends: [f64; 2]) -> Markup {
        let unit = if self == Self::Operations { " FLOPs" } else { "" };
        html! { (interval(ends, self.show())) (unit) }
    }
}

/// Operations, and hours and money where they are known.
fn cost_markup(cost: &Cost) -> Markup {
    html! {
        (Quantity::Operations.markup(cost.flops()))
        @if let Some(hours) = cost.gpu_hours() { ", " span.interval { (plain(hours)) " GPU-hours" } }
        @if let Some(usd) = cost.usd() { ", " span.interval { (plain(usd)) " USD" } }
    }
}

/// The ids of codes. That a place lies outside the data stands in words as well.
pub(crate) fn marks(codes: &[Code]) -> Markup {
    html! {
        @for (i, code) in codes.iter().enumerate() {
            @if i > 0 { ", " }
            @if *code == Code::Extrapolation { strong.outside { "outside the data" } " " }
            code { (shown(code.id())) }
        }
    }
}
