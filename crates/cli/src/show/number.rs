//! Numbers as people read them, where their size is not known beforehand.

/// Four significant digits.
pub(crate) fn short(x: f64) -> String {
    digits(x, 4)
}

/// Seven significant digits: rounded constants bias what is predicted from them.
pub(crate) fn precise(x: f64) -> String {
    digits(x, 7)
}

fn digits(x: f64, count: usize) -> String {
    let power = x.abs().log10().floor();
    let last = count - 1;
    match () {
        () if x == 0.0 => "0".to_owned(),
        () if !(-4.0..6.0).contains(&power) => format!("{x:.last$e}"),
        () => format!("{x:.decimals$}", decimals = (last as f64 - power).max(0.0) as usize),
    }
}

/// Both ends of an interval, or nothing.
pub(crate) fn ends(interval: Option<[f64; 2]>, show: impl Fn(f64) -> String) -> String {
    interval.map_or_else(
        || "unknown".to_owned(),
        |[low, high]| format!("{} to {}", show(low), show(high)),
    )
}

/// A loss in nats per token.
pub(crate) fn nats(x: f64) -> String {
    format!("{x:.4}")
}

/// Tokens as people write them; far beyond any run only the power of ten.
pub(crate) fn tokens(x: f64) -> String {
    match x {
        x if x < 1e18 => ledger::Tokens(x.round() as u64).to_string().replace(" tokens", ""),
        x => format!("{x:.0e}"),
    }
}

/// Parameters as people write them.
pub(crate) fn parameters(x: f64) -> String {
    ledger::Params(x.round() as u64).to_string().replace(" parameters", "")
}

/// A probability as percent: `90 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{} %", (share * 1e6).round() / 1e4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_four_digits_whatever_their_size() {
        let shown = [0.0, 0.25, -1.23456, 123.456, 123_456.0, 1.5e9, 2e-5, 0.0012345].map(short);
        assert_eq!(
            shown,
            ["0", "0.2500", "-1.235", "123.5", "123456", "1.500e9", "2.000e-5", "0.001234"]
        );
    }

    #[test]
    fn constants_have_seven_digits() {
        let shown = [477.826_123_4, 0.347_310_51, -1.2, 2.3e-7, 2_143.417].map(precise);
        assert_eq!(shown, ["477.8261", "0.3473105", "-1.200000", "2.300000e-7", "2143.417"]);
    }

    #[test]
    fn quantities_carry_their_unit_and_the_unknown_is_said() {
        assert_eq!([tokens(1.2e9), tokens(3e20), parameters(8.03e9)], ["1.20B", "3e20", "8.03B"]);
        assert_eq!([percent(0.9), percent(0.95), percent(0.999)], ["90 %", "95 %", "99.9 %"]);
        assert_eq!(
            [ends(None, nats), ends(Some([1.0, 2.0]), nats)],
            ["unknown", "1.0000 to 2.0000"]
        );
    }
}
