//! Quantiles of Student's t distribution.

/// The bound that `|t|` stays below with probability `level`, for a whole number of degrees of
/// freedom.
///
/// The finite sums are those of Abramowitz and Stegun 26.7.3 and 26.7.4. Bisection of the angle
/// inverts them.
pub(crate) fn two_sided(level: f64, degrees: usize) -> f64 {
    assert!((0.0..1.0).contains(&level) && degrees > 0, "level {level}, {degrees} degrees");
    let (mut low, mut high) = (0.0, std::f64::consts::FRAC_PI_2);
    // Each round halves an interval of length pi / 2: 80 rounds go below the last bit.
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if inside(middle, degrees) < level { low = middle } else { high = middle }
    }
    (degrees as f64).sqrt() * (0.5 * (low + high)).tan()
}

/// The probability that `|t|` is at least this large, for a whole number of degrees of freedom.
pub(crate) fn beyond(t: f64, degrees: usize) -> f64 {
    1.0 - inside((t.abs() / (degrees as f64).sqrt()).atan(), degrees)
}

/// The probability that `|t| < sqrt(degrees) tan(angle)`.
fn inside(angle: f64, degrees: usize) -> f64 {
    let (sine, cosine) = angle.sin_cos();
    let odd = degrees % 2 == 1;
    let terms = if odd { (degrees - 1) / 2 } else { degrees / 2 };
    let mut term = if odd { cosine } else { 1.0 };
    let mut sum = 0.0;
    for k in 1..=terms {
        sum += term;
        let k = k as f64;
        let ratio = if odd { 2.0 * k / (2.0 * k + 1.0) } else { (2.0 * k - 1.0) / (2.0 * k) };
        term *= ratio * cosine * cosine;
        // The remaining terms are below the last bit.
        if term < 1e-18 * sum {
            break;
        }
    }
    if odd { std::f64::consts::FRAC_2_PI * (angle + sine * sum) } else { sine * sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_agree_with_the_printed_tables() {
        let tables = [
            (0.90, 1, 6.313_752),
            (0.90, 2, 2.919_986),
            (0.90, 5, 2.015_048),
            (0.90, 10, 1.812_461),
            (0.90, 11, 1.795_885),
            (0.90, 1_000_000, 1.644_855),
            (0.95, 3, 3.182_446),
            (0.95, 30, 2.042_272),
            (0.99, 7, 3.499_483),
            (0.99, 120, 2.617_421),
        ];
        for (level, degrees, expected) in tables {
            let found = two_sided(level, degrees);
            assert!(
                (found - expected).abs() < 2e-6 * expected,
                "{level} {degrees}: {found}, {expected}"
            );
            assert!((beyond(found, degrees) - (1.0 - level)).abs() < 1e-9);
        }
    }
}
