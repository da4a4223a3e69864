//! Sheets of `report` in the terminal.

use law::Code;
use law::plan::Cost;
use report::{Alignment, Cell, Quantity, Sheet};

use super::number::{ends, nats, parameters, short, tokens};
use super::table::{Align, TextTable};

/// A sheet with its headings.
pub(crate) fn table(sheet: &Sheet) -> TextTable {
    let align = |alignment| match alignment {
        Alignment::Left => Align::Left,
        Alignment::Right => Align::Right,
    };
    let columns: Vec<(&str, Align)> =
        sheet.columns().iter().map(|column| (&*column.heading, align(column.align))).collect();
    filled(TextTable::new(&columns), sheet)
}

/// A sheet of names and values, without headings.
pub(crate) fn facts(sheet: &Sheet) -> TextTable {
    filled(TextTable::facts(), sheet)
}

fn filled(mut table: TextTable, sheet: &Sheet) -> TextTable {
    for row in sheet.rows() {
        table.row(row.iter().map(text));
    }
    table
}

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) | Cell::Name(text) => text.clone(),
        Cell::Part(text) => format!("  {text}"),
        Cell::Number(quantity, x) => shown(*quantity)(*x),
        Cell::Ends(quantity, span) => ends(Some(*span), shown(*quantity)),
        Cell::Cost(cost) => of_cost(cost),
        Cell::Codes(codes) => codes.iter().map(Code::id).collect::<Vec<_>>().join(", "),
        Cell::Unknown => "unknown".to_owned(),
        Cell::Empty => String::new(),
    }
}

fn shown(quantity: Quantity) -> fn(f64) -> String {
    match quantity {
        Quantity::Tokens => tokens,
        Quantity::Parameters => parameters,
        Quantity::Nats => nats,
        Quantity::Rate => |rate| format!("{rate:.4}"),
        Quantity::Operations => operations,
        Quantity::Plain => short,
    }
}

fn operations(flops: f64) -> String {
    ledger::Flops(flops).to_string()
}

fn of_cost(cost: &Cost) -> String {
    let hours = cost.gpu_hours().map(|hours| format!(", {} GPU-hours", short(hours)));
    let usd = cost.usd().map(|usd| format!(", {} USD", short(usd)));
    operations(cost.flops()) + &hours.unwrap_or_default() + &usd.unwrap_or_default()
}
