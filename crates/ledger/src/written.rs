//! Rates as people write them.

/// Reads `0.25` or `25%`. The range is checked where it is known what the rate is of.
///
/// # Errors
/// If it is no number.
///
/// ```
/// assert_eq!(ledger::written_rate("12.5 %"), Ok(0.125));
/// ```
pub fn written_rate(text: &str) -> Result<f64, String> {
    let (number, unit) =
        text.strip_suffix('%').map_or((text, 1.0), |number| (number.trim_end(), 100.0));
    let wrong = |_| format!("`{text}` is no pruning rate such as 0.25 or 25%");
    number.parse::<f64>().map(|number| number / unit).map_err(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_share_or_percent() {
        let rates = ["0.25", "25%", "12.5 %"].map(written_rate);
        assert_eq!(rates, [Ok(0.25), Ok(0.25), Ok(0.125)]);
        assert!(written_rate("a quarter").unwrap_err().contains("such as 0.25 or 25%"));
    }
}
