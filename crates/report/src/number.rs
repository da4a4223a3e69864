//! Numbers as people read them, with the exact value beside.

use maud::{Markup, html};

/// `<data value="the number">what people read</data>`.
fn data(exact: f64, shown: &str) -> Markup {
    html! { data value=(exact) { (shown) } }
}

/// A count of tokens or parameters: `1.20M`.
pub(crate) fn count(x: f64) -> Markup {
    data(x, &short_count(x))
}

/// A loss, nats per token: four decimals.
pub(crate) fn nats(x: f64) -> Markup {
    data(x, &minus(format!("{x:.4}")))
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
        x if (0.0..1e18).contains(&x) => {
            let shown = ledger::Tokens(x.round() as u64).to_string();
            shown.split(' ').next().unwrap_or_default().to_owned()
        }
        x => significant(x, 3),
    }
}

/// A pruning rate: three decimals.
pub(crate) fn short_rate(x: f64) -> String {
    let three = format!("{x:.3}");
    if x > 0.0 && x < 0.01 { significant(x, 2) } else { three }
}

/// A number with so many significant digits, without zeros that say nothing at its end.
pub(crate) fn significant(x: f64, digits: usize) -> String {
    if !x.is_finite() {
        return minus(x.to_string());
    }
    let scientific = format!("{x:.*e}", digits.saturating_sub(1));
    let (mantissa, exponent) = scientific.split_once('e').expect("Rust writes an exponent");
    let exponent: i32 = exponent.parse().expect("Rust writes a whole exponent");
    let few = i32::try_from(digits).unwrap_or(i32::MAX);
    if x == 0.0 || (-4..few.saturating_add(3)).contains(&exponent) {
        let decimals = few.saturating_sub(1).saturating_sub(exponent).max(0) as usize;
        return minus(trimmed(&format!("{x:.decimals$}")));
    }
    minus(format!("{}×10{}", trimmed(mantissa), superscript(exponent)))
}

/// Without zeros after the point.
pub(crate) fn trimmed(number: &str) -> String {
    match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => number.to_owned(),
    }
}

fn minus(number: String) -> String {
    number.replacen('-', "−", 1)
}

fn superscript(exponent: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let digit = |c: char| c.to_digit(10).map_or('⁻', |digit| DIGITS[digit as usize]);
    exponent.to_string().chars().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_tidy() {
        let shown = |x| significant(x, 4);
        assert_eq!([0.0, 1.0, -0.5, 0.347_310_5].map(shown), ["0", "1", "−0.5", "0.3473"]);
        assert_eq!(
            [477.826, 2143.417, 99_999.9, 1e7].map(shown),
            ["477.8", "2143", "100000", "1×10⁷"]
        );
        assert_eq!([1.5e-4, -2.345_67e-9].map(shown), ["0.00015", "−2.346×10⁻⁹"]);
        assert_eq!(significant(f64::NAN, 3), "NaN");
    }

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
