//! Numbers for people, when their size is not known beforehand.

use crate::units::Tokens;

/// How to show a short number: for a terminal or a page, and with how many significant digits.
///
/// ```
/// use ledger::ShortNumber;
/// assert_eq!(ShortNumber::terminal(4).show(0.25), "0.2500");
/// assert_eq!(ShortNumber::page(4).show(-0.25), "−0.25");
/// assert_eq!(ShortNumber::terminal(4).show(1.5e9), "1.500e9");
/// assert_eq!(ShortNumber::page(4).show(1.5e9), "1.5×10⁹");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShortNumber {
    digits: usize,
    medium: Medium,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Medium {
    Terminal,
    Page,
}

impl ShortNumber {
    /// For terminal columns: ASCII only, and all digits shown, so that numbers line up.
    pub const fn terminal(digits: usize) -> Self {
        Self { digits, medium: Medium::Terminal }
    }

    /// For a page: typeset as in print, without trailing zeros.
    pub const fn page(digits: usize) -> Self {
        Self { digits, medium: Medium::Page }
    }

    /// Writes the number plainly if it is neither very large nor very small, else with a power of
    /// ten.
    pub fn show(self, x: f64) -> String {
        let last = self.digits.saturating_sub(1);
        let scientific = format!("{x:.last$e}");
        // NaN and infinities have no exponent.
        let Some((mantissa, exponent)) = scientific.split_once('e') else {
            return self.signed(x.to_string());
        };
        let rounded: i32 = exponent.parse().expect("Rust writes a whole exponent");
        // A terminal decides by the number itself, a page by the rounded number.
        let (power, largest) = match self.medium {
            _ if x == 0.0 => (0, 6),
            Medium::Terminal => (x.abs().log10().floor() as i32, 6),
            Medium::Page => (rounded, self.digits as i32 + 3),
        };
        let decimals = (last as i32 - power).max(0) as usize;
        // As `%g` in C does: down to 1e-4, plain decimals are easier to read than a power of ten.
        let plain = (-4..largest).contains(&power);
        match self.medium {
            Medium::Terminal if x == 0.0 => "0".to_owned(),
            Medium::Terminal if plain => format!("{x:.decimals$}"),
            Medium::Terminal => scientific,
            Medium::Page if plain => self.signed(trimmed(&format!("{x:.decimals$}"))),
            Medium::Page => {
                self.signed(format!("{}×10{}", trimmed(mantissa), superscript(rounded)))
            }
        }
    }

    /// Gives the text of a number the minus sign of its medium: `-` or the typographic `−`.
    pub fn signed(self, number: String) -> String {
        match self.medium {
            Medium::Terminal => number,
            Medium::Page => number.replacen('-', "−", 1),
        }
    }
}

/// Tokens or parameters without their unit: exact below a thousand, three digits and a suffix
/// above. From 1e18 on, only the power of ten.
///
/// ```
/// assert_eq!([512.0, 1.2e6, 3e20].map(ledger::short_count), ["512", "1.20M", "3e20"]);
/// ```
pub fn short_count(x: f64) -> String {
    // Below 1e18 the cast to `u64` is safe; NaN fails the comparison and is formatted as it is.
    if x < 1e18 { Tokens(x.round() as u64).short() } else { format!("{x:.0e}") }
}

/// A number without zeros at the end of its decimals.
pub fn trimmed(number: &str) -> String {
    match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => number.to_owned(),
    }
}

fn superscript(exponent: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    // The only character of an exponent that is no digit is its minus sign.
    let digit = |c: char| c.to_digit(10).map_or('⁻', |digit| DIGITS[digit as usize]);
    exponent.to_string().chars().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_shows_all_digits_whatever_the_size() {
        let four = |x| ShortNumber::terminal(4).show(x);
        assert_eq!(
            [0.0, 0.25, -1.23456, 123.456, 123_456.0, 1.5e9, 2e-5, 0.0012345].map(four),
            ["0", "0.2500", "-1.235", "123.5", "123456", "1.500e9", "2.000e-5", "0.001234"]
        );
        let seven = |x| ShortNumber::terminal(7).show(x);
        assert_eq!(
            [477.826_123_4, 0.347_310_51, -1.2, 2.3e-7, 2_143.417].map(seven),
            ["477.8261", "0.3473105", "-1.200000", "2.300000e-7", "2143.417"]
        );
        // Rounding moves both across a limit; a terminal decides by the number before rounding.
        assert_eq!([999_999.7, 9.9996e-5].map(four), ["1000000", "1.000e-4"]);
        assert_eq!([f64::NAN, f64::NEG_INFINITY].map(four), ["NaN", "-inf"]);
    }

    #[test]
    fn a_page_shows_no_idle_zeros() {
        let four = |x| ShortNumber::page(4).show(x);
        assert_eq!(
            [0.0, 1.0, -0.5, 0.347_310_5, 477.826, 2143.417, 99_999.9, 1e7].map(four),
            ["0", "1", "−0.5", "0.3473", "477.8", "2143", "100000", "1×10⁷"]
        );
        assert_eq!([1.5e-4, -2.345_67e-9].map(four), ["0.00015", "−2.346×10⁻⁹"]);
        assert_eq!([9_999_999.6, 9.9996e-5].map(four), ["1×10⁷", "0.0001"]);
        assert_eq!([f64::NAN, f64::NEG_INFINITY].map(four), ["NaN", "−inf"]);
    }

    #[test]
    fn counts_lose_their_unit_also_where_there_is_one() {
        assert_eq!([0.4, 1.0, 999.6, 8.03e9].map(short_count), ["0", "1", "1.00K", "8.03B"]);
        assert_eq!([f64::NAN, 1e18].map(short_count), ["NaN", "1e18"]);
    }
}
