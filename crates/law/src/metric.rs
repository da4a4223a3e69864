//! How well a law describes points. Each measure states its definition.
//!
//! `L` is the measured loss, `P` the predicted one, `L0` the loss before pruning, all in nats per
//! token. `L0` dominates `L`, so relative errors of `L` say little. What pruning costs and tokens
//! recover is the excess `L - L0`.
//!
//! ```
//! use law::metric::{Judged, asd, asd_noise_floor, mae, relative_error, skill};
//! // Within 0.4 % of each loss, and a tenth off what matters.
//! let at = |tokens, measured, predicted| Judged { tokens, loss0: 2.0, measured, predicted };
//! let run = vec![at(1e6, 2.10, 2.11), at(2e6, 2.08, 2.07)];
//! assert!((mae(&run).unwrap() - 0.01).abs() < 1e-12);
//! assert!((relative_error(&run).unwrap() - 0.01 / 0.09).abs() < 1e-12);
//! // Measured, a million tokens take off 0.02 nats, foretold are 0.04; with errors of 0.01 a point, noise alone makes half of that.
//! assert!((asd(&[run.clone()]).unwrap() - 0.02).abs() < 1e-12);
//! assert!((asd_noise_floor(&[run.clone()], 0.01).unwrap() - 0.0113).abs() < 1e-4);
//! // The last value seen, 2.2, errs eleven times as much.
//! assert!((skill(&run, &[2.2, 2.2]).unwrap() - (1.0 - 1.0 / 11.0)).abs() < 1e-9);
//! ```

use serde::{Deserialize, Serialize};

/// One measured point and the loss that a law predicts for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// Post-training tokens.
    pub tokens: f64,
    /// Loss before pruning.
    pub loss0: f64,
    /// Measured loss.
    pub measured: f64,
    /// Predicted loss.
    pub predicted: f64,
}

/// All measures. One that does not apply is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) r2: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) excess_r2: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mae: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) relative_error: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) huber: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) asd: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) asd_noise_floor: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) skill: Option<f64>,
}

/// The Huber loss changes from square to linear here: 0.001 nats, as in Hoffmann et al. (2022).
pub const HUBER_DELTA: f64 = 1e-3;

impl Metrics {
    /// [`r2`].
    pub fn r2(&self) -> Option<f64> {
        self.r2
    }

    /// [`excess_r2`].
    pub fn excess_r2(&self) -> Option<f64> {
        self.excess_r2
    }

    /// [`mae`], nats per token.
    pub fn mae(&self) -> Option<f64> {
        self.mae
    }

    /// [`relative_error`].
    pub fn relative_error(&self) -> Option<f64> {
        self.relative_error
    }

    /// [`huber`] with [`HUBER_DELTA`], nats squared.
    pub fn huber(&self) -> Option<f64> {
        self.huber
    }

    /// [`asd`], nats per million tokens.
    pub fn asd(&self) -> Option<f64> {
        self.asd
    }

    /// [`asd_noise_floor`], nats per million tokens.
    pub fn asd_noise_floor(&self) -> Option<f64> {
        self.asd_noise_floor
    }

    /// [`skill`]; the caller states the baseline.
    pub fn skill(&self) -> Option<f64> {
        self.skill
    }

    /// Computes all measures. Each run's points must be sorted by tokens. `point_noise` is the
    /// standard deviation of a point.
    pub fn of(runs: &[Vec<Judged>], point_noise: Option<f64>) -> Self {
        let all = runs.concat();
        Self {
            r2: r2(&all),
            excess_r2: excess_r2(&all),
            mae: mae(&all),
            relative_error: relative_error(&all),
            huber: huber(&all, HUBER_DELTA),
            asd: asd(runs),
            asd_noise_floor: point_noise.and_then(|noise| asd_noise_floor(runs, noise)),
            skill: None,
        }
    }
}

/// `1 - sum (L - P)^2 / sum (L - mean L)^2`.
///
/// ```
/// use law::metric::{Judged, r2};
/// let point = |measured, predicted| Judged { tokens: 1.0, loss0: 2.0, measured, predicted };
/// assert_eq!(r2(&[point(2.0, 2.0), point(3.0, 2.5), point(4.0, 4.0)]), Some(1.0 - 0.25 / 2.0));
/// ```
pub fn r2(points: &[Judged]) -> Option<f64> {
    explained(points, |point| point.measured)
}

/// `1 - sum (L - P)^2 / sum (x - mean x)^2` with `x = L - L0`.
///
/// ```
/// use law::metric::{Judged, excess_r2, r2};
/// // Two models of different losses before pruning: R2 is high by those alone, that of the excess is not.
/// let point = |loss0, measured, predicted| Judged { tokens: 1.0, loss0, measured, predicted };
/// let points = [point(2.0, 2.2, 2.3), point(2.0, 2.4, 2.3), point(4.0, 4.2, 4.3), point(4.0, 4.4, 4.3)];
/// assert!(r2(&points).unwrap() > 0.98 && excess_r2(&points).unwrap().abs() < 1e-9);
/// ```
pub fn excess_r2(points: &[Judged]) -> Option<f64> {
    explained(points, |point| point.measured - point.loss0)
}

/// Mean of `|L - P|`, nats per token.
///
/// ```
/// use law::metric::{Judged, mae};
/// let point = |measured, predicted| Judged { tokens: 1.0, loss0: 2.0, measured, predicted };
/// assert_eq!(mae(&[point(2.0, 2.5), point(3.0, 2.75)]), Some(0.375));
/// assert_eq!(mae(&[]), None);
/// ```
pub fn mae(points: &[Judged]) -> Option<f64> {
    mean(points.iter().map(|point| point.error().abs()))
}

/// Mean of `|L - P|` over the mean of `|L - L0|`: the error as a share of the excess.
///
/// ```
/// use law::metric::{Judged, relative_error};
/// let point = |measured, predicted| Judged { tokens: 1.0, loss0: 2.0, measured, predicted };
/// assert_eq!(relative_error(&[point(3.0, 2.5), point(4.0, 4.0)]), Some(0.25 / 1.5));
/// ```
pub fn relative_error(points: &[Judged]) -> Option<f64> {
    let excess = mean(points.iter().map(|point| (point.measured - point.loss0).abs()))?;
    mae(points).map(|mae| mae / excess).filter(|x| x.is_finite())
}

/// Sum of `e^2 / 2` where `|e| <= delta`, else `delta (|e| - delta / 2)`, with `e = L - P`.
///
/// ```
/// use law::metric::{Judged, huber};
/// let point = |measured, predicted| Judged { tokens: 1.0, loss0: 2.0, measured, predicted };
/// assert_eq!(huber(&[point(2.0, 2.25), point(4.0, 2.0)], 0.5), Some(0.5 * 0.0625 + 0.5 * (2.0 - 0.25)));
/// ```
pub fn huber(points: &[Judged], delta: f64) -> Option<f64> {
    let one = |error: f64| match error.abs() {
        small if small <= delta => 0.5 * error * error,
        large => delta * (large - 0.5 * delta),
    };
    (!points.is_empty()).then(|| points.iter().map(|point| one(point.error())).sum())
}

/// Average slope difference: the mean over consecutive points of one run of `|slope of P - slope of
/// L|`, nats per million tokens. Read it beside [`asd_noise_floor`]. The paper does not print its
/// formula, so published figures are not comparable.
///
/// ```
/// use law::metric::{Judged, asd, asd_noise_floor};
/// let point = |tokens, measured, predicted| Judged { tokens, loss0: 2.0, measured, predicted };
/// let runs = [vec![point(1e6, 3.0, 3.0), point(2e6, 2.5, 2.75), point(4e6, 2.25, 2.5)]];
/// assert_eq!(asd(&runs), Some(0.125)); // slopes differ by 0.25, then by 0
/// assert!(asd_noise_floor(&runs, 0.01).unwrap() < 0.01);
/// ```
pub fn asd(runs: &[Vec<Judged>]) -> Option<f64> {
    mean(steps(runs).map(|(from, to)| ((to.error() - from.error()) / millions(from, to)).abs()))
}

/// The ASD that a correct law would have if each point had independent normal noise. It is the mean
/// over steps of `2 noise / sqrt(pi)`, which is the mean size of a difference of two such points.
pub fn asd_noise_floor(runs: &[Vec<Judged>], noise: f64) -> Option<f64> {
    let size = 2.0 * noise / std::f64::consts::PI.sqrt();
    mean(steps(runs).map(|(from, to)| size / millions(from, to)))
}

/// `1 - error / error of the baseline`, both mean absolute errors. 1 is perfect; 0 is no better
/// than the baseline.
///
/// ```
/// use law::metric::{Judged, skill};
/// let point = |measured, predicted| Judged { tokens: 1.0, loss0: 2.0, measured, predicted };
/// assert_eq!(skill(&[point(2.0, 2.25), point(3.0, 3.25)], &[2.5, 2.5]), Some(0.5));
/// ```
pub fn skill(points: &[Judged], baseline: &[f64]) -> Option<f64> {
    let of_baseline =
        mean(points.iter().zip(baseline).map(|(point, p)| (point.measured - p).abs()))?;
    mae(points).map(|mae| 1.0 - mae / of_baseline).filter(|x| x.is_finite())
}

impl Judged {
    fn error(&self) -> f64 {
        self.measured - self.predicted
    }
}

fn explained(points: &[Judged], x: impl Fn(&Judged) -> f64) -> Option<f64> {
    let center = mean(points.iter().map(&x))?;
    let total: f64 = points.iter().map(|point| (x(point) - center).powi(2)).sum();
    let left: f64 = points.iter().map(|point| point.error().powi(2)).sum();
    // Without variation the ratio means nothing, and the measure is left out.
    Some(1.0 - left / total).filter(|x| x.is_finite())
}

/// Pairs of consecutive points of one run. Pairs at equal tokens have no slope and are skipped.
fn steps(runs: &[Vec<Judged>]) -> impl Iterator<Item = (&Judged, &Judged)> {
    runs.iter()
        .flat_map(|run| run.windows(2).map(|pair| (&pair[0], &pair[1])))
        .filter(|(a, b)| a.tokens < b.tokens)
}

fn millions(from: &Judged, to: &Judged) -> f64 {
    (to.tokens - from.tokens) / 1e6
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), x| (sum + x, count + 1.0));
    Some(sum / count).filter(|mean: &f64| mean.is_finite())
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    use super::*;

    /// Two runs, by hand: errors 0.1, -0.1, 0 and 0.0005.
    fn runs() -> Vec<Vec<Judged>> {
        let point = |millions: f64, loss0, measured, predicted| Judged {
            tokens: millions * 1e6,
            loss0,
            measured,
            predicted,
        };
        vec![
            vec![point(1.0, 2.0, 3.0, 2.9), point(2.0, 2.0, 2.5, 2.6), point(4.0, 2.0, 2.4, 2.4)],
            vec![point(3.0, 1.5, 2.1, 2.0995)],
        ]
    }

    fn close(found: Option<f64>, expected: f64) {
        assert!((found.unwrap() - expected).abs() < 1e-12, "{found:?}, expected {expected}");
    }

    #[test]
    fn measures_agree_with_sums_by_hand() {
        let all: Vec<Judged> = runs().concat();
        let left = 0.1 * 0.1 + 0.1 * 0.1 + 0.0005 * 0.0005;
        // Losses 3, 2.5, 2.4, 2.1: mean 2.5. Excesses 1, 0.5, 0.4, 0.6: mean 0.625.
        close(r2(&all), 1.0 - left / (0.25 + 0.0 + 0.01 + 0.16));
        close(excess_r2(&all), 1.0 - left / (0.140_625 + 0.015_625 + 0.050_625 + 0.000_625));
        close(mae(&all), 0.2005 / 4.0);
        close(relative_error(&all), 0.2005 / 2.5);
        close(huber(&all, 1e-3), 2.0 * 1e-3 * (0.1 - 0.0005) + 0.5 * 0.0005 * 0.0005);
        // Steps of the first run: errors move by -0.2 in 1M and 0.1 in 2M tokens.
        close(asd(&runs()), (0.2 + 0.05) / 2.0);
        close(
            asd_noise_floor(&runs(), 0.01),
            0.02 / std::f64::consts::PI.sqrt() * (1.0 + 0.5) / 2.0,
        );
        close(skill(&all, &[3.1, 2.6, 2.3, 2.2]), 1.0 - 0.2005 / 0.4);
    }

    #[test]
    fn what_cannot_be_measured_is_left_out() {
        assert_eq!(Metrics::of(&[], Some(0.1)), Metrics::default());
        let one = vec![vec![runs()[0][0]]];
        let metrics = Metrics::of(&one, None);
        assert_eq!((metrics.r2, metrics.excess_r2, metrics.asd), (None, None, None));
        assert!(metrics.mae.is_some());
    }

    #[test]
    fn the_noise_floor_is_what_noise_alone_gives() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        // A sum of twelve uniform numbers is nearly normal, of deviation 1.
        let mut noise = || {
            (0..12).map(|_| (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64).sum::<f64>()
                - 6.0
        };
        let mut point = |i: u64| Judged {
            tokens: i as f64 * 1e6,
            loss0: 0.0,
            measured: 0.01 * noise(),
            predicted: 0.0,
        };
        let run = vec![(1..20_000).map(&mut point).collect::<Vec<_>>()];
        let ratio = asd(&run).unwrap() / asd_noise_floor(&run, 0.01).unwrap();
        assert!((ratio - 1.0).abs() < 0.02, "{ratio}");
    }
}
