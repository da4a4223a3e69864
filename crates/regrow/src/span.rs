//! Spans of time as people write them: `90s`, `30m`, `1h30m`, `1.5h`, `2d`.

use std::time::Duration;

/// The longest span, 366 days. Far longer ones could overflow when added to the clock.
const MOST: f64 = 366.0 * 86_400.0;

/// Parses a span. Each number needs a unit.
///
/// # Errors
/// Where it is no span, or longer than 366 days.
pub fn parse(written: &str) -> Result<Duration, String> {
    let wrong = || format!("`{written}` is not a time such as 90s, 30m, 1h30m, 1.5h or 2d");
    let (mut rest, mut seconds) = (written, 0.0);
    while !rest.is_empty() {
        let unit = rest
            // A number without a unit at the end is an error: `30` could mean seconds or minutes.
            .find(|letter: char| !(letter.is_ascii_digit() || letter == '.'))
            .ok_or_else(wrong)?;
        let number: f64 = rest[..unit].parse().map_err(|_| wrong())?;
        seconds += number
            * match rest.as_bytes()[unit] {
                b's' => 1.0,
                b'm' => 60.0,
                b'h' => 3600.0,
                b'd' => 86_400.0,
                _ => return Err(wrong()),
            };
        rest = &rest[unit + 1..];
    }
    if seconds > 0.0 && seconds <= MOST {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_add_up_and_need_their_units() {
        for (written, seconds) in [
            ("90s", 90.0),
            ("30m", 1800.0),
            ("1h30m", 5400.0),
            ("1.5h", 5400.0),
            ("2d", 172_800.0),
            ("0.5s", 0.5),
        ] {
            assert_eq!(parse(written), Ok(Duration::from_secs_f64(seconds)), "{written}");
        }
        for wrong in
            ["", "30", "m", "-1h", "1h30", "1e3s", "0s", "1w", "1ä", "1..5h", "9999999d", "1 h"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
