//! What a law requires of a row of a points table.

use ledger::{MethodId, PointRow};

use crate::error::{Fault, Result};
use crate::form::Axis;
use crate::method::kind_of;

/// Checks that numbers lie in their ranges and texts do not contradict each other. Beyond these
/// ranges powers leave the range of floating point.
pub(super) fn check(point: &PointRow, row: usize) -> Result<()> {
    let (weight, learning_rate) = (point.weight.unwrap_or(1.0), point.learning_rate.unwrap_or(0.0));
    let numbers = [
        ("n0", point.n0),
        ("rate", point.rate),
        ("loss0", point.loss0),
        ("tokens", point.tokens),
        ("loss", point.loss),
        ("weight", weight),
        ("learning_rate", learning_rate),
    ];
    if let Some((column, found)) = numbers.into_iter().find(|(_, x)| !x.is_finite()) {
        return Err(Fault::NotFinite { row, column, found }.into());
    }
    let (n0, rate) = (point.n0, point.rate);
    let ranges = [
        ("n0", n0, (1.0..=1e18).contains(&n0), "a parameter count from 1 to 1e18"),
        ("rate", rate, (0.0..1.0).contains(&rate), "at least 0 and below 1"),
        ("rate", rate, rate <= 0.0 || rate >= 1e-9, "0 or at least 1e-9"),
        (
            "tokens",
            point.tokens,
            (1.0..=1e18).contains(&point.tokens),
            "a token count from 1 to 1e18",
        ),
        ("loss0", point.loss0, (0.0..=1e6).contains(&point.loss0), "from 0 to 1e6 nats"),
        ("loss", point.loss, (0.0..=1e6).contains(&point.loss), "from 0 to 1e6 nats"),
        ("learning_rate", learning_rate, (0.0..=1e6).contains(&learning_rate), "from 0 to 1e6"),
        ("weight", weight, (1e-12..=1e12).contains(&weight), "from 1e-12 to 1e12"),
    ];
    if let Some((column, found, _, expected)) = ranges.into_iter().find(|(_, _, ok, _)| !ok) {
        return Err(Fault::OutOfRange { row, column, found, expected }.into());
    }
    // The method of a control does not matter.
    if rate == 0.0 {
        return Ok(());
    }
    if point.method == MethodId::NONE {
        return Err(Fault::PrunedControl { row, rate }.into());
    }
    match (kind_of(&point.method, point.zeroed), point.zeroed) {
        (Err(_), Some(zeroed)) => {
            let method = point.method.clone();
            Err(Fault::ZeroedContradicts { row: Some(row), method, zeroed }.into())
        }
        _ => Ok(()),
    }
}

/// The row with a neutral value in every column that its table lacks.
pub(super) fn with_only(row: PointRow, columns: &[Axis]) -> PointRow {
    let has =
        |column, value: f64, neutral: f64| if columns.contains(&column) { value } else { neutral };
    PointRow {
        n0: has(Axis::N0, row.n0, 1.0),
        rate: has(Axis::Rate, row.rate, 0.0),
        loss0: has(Axis::Loss0, row.loss0, 0.0),
        tokens: has(Axis::Tokens, row.tokens, 1.0),
        ..row
    }
}

/// The model that was pruned.
pub(super) fn base(row: &PointRow) -> String {
    row.base.clone().unwrap_or_else(|| format!("{} {}", row.series, row.n0))
}
