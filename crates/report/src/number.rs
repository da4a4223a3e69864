//! Numbers for people, with the exact value beside them.

use ledger::ShortNumber;
use maud::{Markup, html};

/// `<data value="the number">the short number</data>`.
fn data(exact: f64, shown: &str) -> Markup {
    html! { data value=(exact) { (shown) } }
}

/// A count of tokens or parameters: `1.20M`.
pub(crate) fn count(x: f64) -> Markup {
    data(x, &short_count(x))
}

/// A loss, nats per token: four decimals.
pub(crate) fn nats(x: f64) -> Markup {
    data(x, &ShortNumber::page(4).signed(format!("{x:.4}")))
}

/// A pruning rate: three decimals.
pub(crate) fn rate(x: f64) -> Markup {
    data(x, &short_rate(x))
}

/// A probability: `90 %`.
pub(crate) fn percent(x: f64) -> Markup {
    data(x, &format!("{} %", significant(100.0 * x, 3)))
}

/// Any number: four significant digits.
pub(crate) fn plain(x: f64) -> Markup {
    data(x, &significant(x, 4))
}

/// A whole number.
pub(crate) fn whole(x: u64) -> Markup {
    html! { data value=(x) { (x) } }
}

/// `low to high`, kept on one line.
pub(crate) fn interval([low, high]: [f64; 2], show: fn(f64) -> Markup) -> Markup {
    html! { span.interval { (show(low)) " to " (show(high)) } }
}

/// `1.20M`: three significant digits and the suffix of a power of a thousand.
pub(crate) fn short_count(x: f64) -> String {
    match x {
        // The suffixes of the ledger reach from 0 to 1e18.
        x if (0.0..1e18).contains(&x) => ledger::short_count(x),
        x => significant(x, 3),
    }
}

/// A pruning rate: three decimals.
pub(crate) fn short_rate(x: f64) -> String {
    let three = format!("{x:.3}");
    // Three decimals of a very small rate would show little but zeros.
    if x > 0.0 && x < 0.01 { significant(x, 2) } else { three }
}

/// A number with this many significant digits, without useless zeros at its end.
pub(crate) fn significant(x: f64, digits: usize) -> String {
    ShortNumber::page(digits).show(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_take_the_suffix_of_the_ledger() {
        assert_eq!(
            [512.0, 1.2e6, 8.03e9, 2.5e20].map(short_count),
            ["512", "1.20M", "8.03B", "2.5×10²⁰"]
        );
        assert_eq!([0.148_2, 0.35, 0.001_25].map(short_rate), ["0.148", "0.350", "0.0013"]);
    }

    #[test]
    fn the_exact_number_stands_beside_the_short_one() {
        assert_eq!(
            nats(-0.012_345_678_901_2).into_string(),
            r#"<data value="-0.0123456789012">−0.0123</data>"#
        );
        assert_eq!(percent(0.9).into_string(), r#"<data value="0.9">90 %</data>"#);
    }
}
