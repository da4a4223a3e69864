//! Numbers as people read them, in the columns of a terminal.

use ledger::ShortNumber;

/// Four significant digits.
pub(crate) fn short(x: f64) -> String {
    ShortNumber::terminal(4).show(x)
}

/// Seven significant digits, for constants: fewer would bias predictions that a reader computes
/// from them.
pub(crate) fn precise(x: f64) -> String {
    ShortNumber::terminal(7).show(x)
}

/// Both ends of an interval, or `unknown`.
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

/// Tokens in short form, for people.
pub(crate) use ledger::short_count as tokens;

/// Parameters in short form, for people.
pub(crate) fn parameters(x: f64) -> String {
    ledger::Params(x.round() as u64).short()
}

/// A probability as percent: `90 %`.
pub(crate) use report::plan::percent;

/// A duration, roughly.
pub(crate) fn duration(seconds: f64) -> String {
    match seconds {
        // An estimate: one unit is precise enough, and 90 s reads better than 1.5 min.
        seconds if seconds < 90.0 => format!("{seconds:.0} s"),
        seconds if seconds < 5400.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
