//! The curve of one run: how its excess falls with the logarithm of tokens.

use serde::{Deserialize, Serialize};

/// The family of curves. Both have a level, a rate of fall and a floor for each run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// The excess `y` over the floor falls by `dy / d ln D = -k y^(1 + s)`. Its exponent becomes
    /// smaller as the excess does: `y = (A^-s + s k ln D)^(-1/s)`.
    #[default]
    Fall,
    /// A power of the tokens, `y = A D^-beta`, as in the P2 law. It is the limit of [`Self::Fall`]
    /// for `s` towards 0.
    Power,
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fall => "fall",
            Self::Power => "power",
        })
    }
}

/// A point of a curve: the excess over the floor, and its derivatives.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct At {
    pub(super) y: f64,
    /// By the logarithm of the level.
    pub(super) by_level: f64,
    /// By the logarithm of the rate of fall.
    pub(super) by_fall: f64,
    /// By the logarithm of `s`.
    pub(super) by_bend: f64,
}

/// Below this share of `A^-s` the curve goes on as an exponential. The formula has no value at
/// tokens so few that it would be infinite there.
const LOW: f64 = 0.02;

#[cfg(test)]
impl Shape {
    /// The curve with level `exp(level)` at `x = 0` and rate of fall `exp(fall)`, at `x = ln D`.
    pub(super) fn at(self, level: f64, fall: f64, bend: f64, x: f64) -> At {
        Arc::new(self, level, fall, bend).at(x)
    }
}

/// A curve whose constants are prepared for many points.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arc {
    shape: Shape,
    level: f64,
    k: f64,
    s: f64,
    /// `A^-s`.
    start: f64,
}

impl Arc {
    pub(super) fn new(shape: Shape, level: f64, fall: f64, bend: f64) -> Self {
        let s = bend.exp();
        Self { shape, level, k: fall.exp(), s, start: (-s * level).exp() }
    }

    /// The logarithms of level and rate of fall.
    pub(super) fn level_and_fall(&self) -> [f64; 2] {
        [self.level, self.k.ln()]
    }

    pub(super) fn at(&self, x: f64) -> At {
        let Self { shape, level, k, s, start } = *self;
        if shape == Shape::Power {
            let y = (level - k * x).exp();
            return At { y, by_level: y, by_fall: -y * k * x, by_bend: 0.0 };
        }
        let raw = start + s * k * x;
        let low = LOW * start;
        // The logarithm of the bracket, and its derivatives by its beginning and by the whole.
        let (ln, by_start, by_raw) = if raw > low {
            (raw.ln(), 0.0, raw.recip())
        } else {
            (low.ln() + raw / low - 1.0, (1.0 - raw / low) / start, low.recip())
        };
        let y = (-ln / s).exp();
        let by_level = -s * start * (by_start + by_raw);
        let by_fall = s * k * x * by_raw;
        let by_bend = -s * level * start * by_start + s * (k * x - level * start) * by_raw;
        At {
            y,
            by_level: -y * by_level / s,
            by_fall: -y * by_fall / s,
            by_bend: y * (ln - by_bend) / s,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_agree_with_finite_differences() {
        for shape in [Shape::Fall, Shape::Power] {
            // The last two places lie where the bracket is continued.
            for (level, fall, bend, x) in [
                (0.3, -0.7, -1.2, 0.9),
                (-1.0, 0.2, -0.4, 1.5),
                (0.5, -0.2, -0.3, -1.6),
                (1.5, 0.3, 0.0, -1.0),
            ] {
                let at = shape.at(level, fall, bend, x);
                let step = 1e-6;
                let slope = |up: f64, down: f64| (up - down) / (2.0 * step);
                let value = |l: f64, f: f64, b: f64| shape.at(l, f, b, x).y;
                let expected = [
                    slope(value(level + step, fall, bend), value(level - step, fall, bend)),
                    slope(value(level, fall + step, bend), value(level, fall - step, bend)),
                    slope(value(level, fall, bend + step), value(level, fall, bend - step)),
                ];
                for (found, expected) in [at.by_level, at.by_fall, at.by_bend].iter().zip(expected)
                {
                    assert!(
                        (found - expected).abs() < 1e-6 * (1.0 + expected.abs()),
                        "{shape:?} {level} {fall} {bend} {x}: {found} {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_curve_solves_its_equation_and_tends_to_a_power() {
        let (level, fall, bend, x) = (0.4_f64, -0.5_f64, -1.0_f64, 0.7);
        let y = |x: f64| Shape::Fall.at(level, fall, bend, x).y;
        let slope = (y(x + 1e-5) - y(x - 1e-5)) / 2e-5;
        assert!((slope + fall.exp() * y(x).powf(1.0 + bend.exp())).abs() < 1e-9);
        let power = Shape::Power.at(level, fall, bend, x).y;
        let nearly = Shape::Fall.at(level, fall, -12.0, x).y;
        assert!((nearly / power - 1.0).abs() < 1e-5, "{nearly} {power}");
    }
}
