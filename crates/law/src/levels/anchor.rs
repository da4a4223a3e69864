//! A run's constants by what its points show: its excess and its slope in the middle of its points.
//!
//! Points fix these two to a few per cent, whatever the floor and the bend are. Level and rate of
//! fall follow from them, so the sampler can move floor and bend of all runs without moving away
//! from the points.

use super::density::{LATENT, RunPoints};
use super::shape::Shape;

/// The middle of a run's points, as `ln D`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Anchor {
    shape: Shape,
    x: f64,
}

/// The constants of a run that follow from excess, `ln` of the slope, and floor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Natural {
    /// Level, rate of fall and floor.
    pub(super) latent: [f64; LATENT],
    /// Their derivatives by excess, slope and floor.
    pub(super) by_shown: [[f64; LATENT]; LATENT],
    /// Their derivatives by the bend.
    pub(super) by_bend: [f64; LATENT],
    /// The logarithm of the determinant, and its derivatives.
    pub(super) ln_volume: f64,
    pub(super) volume_by_shown: [f64; LATENT],
    pub(super) volume_by_bend: f64,
}

impl Anchor {
    pub(super) fn of(shape: Shape, curve: &RunPoints) -> Self {
        let sum: f64 = curve.points.iter().map(|point| point.x).sum();
        Self { shape, x: sum / curve.points.len() as f64 }
    }

    /// `None` where no curve has this excess, slope and floor.
    pub(super) fn natural(&self, shown: [f64; LATENT], bend: f64) -> Option<Natural> {
        let [excess, slope, floor] = shown;
        let y = excess - floor;
        // Where the slope in the middle, over the excess there, would carry the curve.
        let carried = slope.exp() * self.x / y;
        let s = match self.shape {
            Shape::Fall => bend.exp(),
            Shape::Power => 0.0,
        };
        let bracket = 1.0 - s * carried;
        if !(y > 0.0 && bracket > 0.0 && carried.is_finite()) {
            return None;
        }
        let (ln_y, ln_bracket) = (y.ln(), bracket.ln());
        // For `s = 0` the limit of `-ln(bracket) / s`.
        let (back, back_by_bend) = match self.shape {
            Shape::Fall => (-ln_bracket / s, carried / bracket + ln_bracket / s),
            Shape::Power => (carried, 0.0),
        };
        let by_y = [(1.0 - carried / bracket) / y, -(1.0 + s) / y];
        let volume_by_y = -(1.0 + s * carried / bracket) / y;
        let by_slope = s * carried / bracket;
        Some(Natural {
            latent: [ln_y + back, slope - (1.0 + s) * ln_y, floor],
            by_shown: [
                [by_y[0], carried / bracket, -by_y[0]],
                [by_y[1], 1.0, -by_y[1]],
                [0.0, 0.0, 1.0],
            ],
            by_bend: [back_by_bend, -s * ln_y, 0.0],
            ln_volume: -ln_y - ln_bracket,
            volume_by_shown: [volume_by_y, by_slope, -volume_by_y],
            volume_by_bend: by_slope,
        })
    }

    /// A first guess of excess, slope and floor from a run's points.
    pub(super) fn guess(&self, curve: &RunPoints, fall: f64, bend: f64) -> [f64; LATENT] {
        let count = curve.points.len() as f64;
        let excess = curve.points.iter().map(|point| point.excess).sum::<f64>() / count;
        let sums = curve.points.iter().fold([0.0, 0.0], |[together, square], point| {
            let x = point.x - self.x;
            [together + x * (point.excess - excess), square + x * x]
        });
        let slope = -sums[0] / sums[1];
        // One point has no slope, and noise can make a curve rise.
        let slope = if slope > 1e-3 { slope } else { 0.05 };
        let bend = if self.shape == Shape::Fall { bend.exp() } else { 0.0 };
        let y = (slope / fall.exp()).powf(1.0 / (1.0 + bend));
        // The middle of a curve that bends lies below the mean of its points.
        [excess, slope.ln(), excess - y.max(self.x * slope * bend * 1.5)]
    }
}

#[cfg(test)]
mod tests {
    use super::super::shape::Arc;
    use super::*;

    #[test]
    fn the_curve_has_the_excess_and_slope_asked_for_and_derivatives_agree() {
        for shape in [Shape::Fall, Shape::Power] {
            let (anchor, bend) = (Anchor { shape, x: 0.4 }, -0.8_f64);
            let shown = [0.9, -1.1, 0.2];
            let natural = anchor.natural(shown, bend).unwrap();
            let [level, fall, floor] = natural.latent;
            let y = |x: f64| floor + Arc::new(shape, level, fall, bend).at(x).y;
            assert!((y(0.4) - 0.9).abs() < 1e-12);
            let slope = (y(0.4 - 1e-5) - y(0.4 + 1e-5)) / 2e-5;
            assert!((slope.ln() + 1.1).abs() < 1e-8, "{slope}");
            let step = 1e-6;
            for i in 0..=LATENT {
                let moved = |by: f64| {
                    let (mut shown, mut bend) = (shown, bend);
                    if i < LATENT {
                        shown[i] += by;
                    } else {
                        bend += by;
                    }
                    anchor.natural(shown, bend).unwrap()
                };
                let (up, down) = (moved(step), moved(-step));
                for k in 0..LATENT {
                    let expected = (up.latent[k] - down.latent[k]) / (2.0 * step);
                    let found =
                        if i < LATENT { natural.by_shown[k][i] } else { natural.by_bend[k] };
                    assert!((found - expected).abs() < 1e-7, "{shape:?} {k} {i}");
                }
                let expected = (up.ln_volume - down.ln_volume) / (2.0 * step);
                let found =
                    if i < LATENT { natural.volume_by_shown[i] } else { natural.volume_by_bend };
                assert!((found - expected).abs() < 1e-7, "{shape:?} volume {i}");
            }
            let [a, b, _] = natural.by_shown;
            assert!((natural.ln_volume - (a[0] * b[1] - a[1] * b[0]).ln()).abs() < 1e-12);
        }
    }

    #[test]
    fn a_floor_above_the_points_has_no_curve() {
        let anchor = Anchor { shape: Shape::Fall, x: 0.0 };
        assert!(anchor.natural([0.5, 0.0, 0.6], -1.0).is_none());
    }
}
