//! Plots as SVG: small, readable in light, dark and print, and without colour.
//!
//! ```
//! use report::{Axis, Layer, Plot, Scale, Tone, Unit};
//! let points = vec![[1e6, 3.2], [2e6, 3.1], [4e6, 3.05]];
//! let plot = Plot {
//!     title: "A run".into(),
//!     description: "Held-out loss falls with tokens.".into(),
//!     x: Axis::around("tokens", Scale::Log, Unit::Count, points.iter().map(|p| p[0])).unwrap(),
//!     y: Axis::around("nats per token", Scale::Linear, Unit::Plain, points.iter().map(|p| p[1])).unwrap(),
//!     layers: vec![Layer::Line { tone: Tone::Series(0), points, label: Some("rate 0.15".into()) }],
//! };
//! assert!(plot.svg().starts_with("<svg"));
//! ```

mod draw;
mod marks;
mod style;
mod ticks;
mod whiskers;

use maud::Markup;

pub use ticks::Tick;
pub use whiskers::{WhiskerRow, Whiskers};

pub(crate) use style::{PLOT_STYLE, palette};

/// A picture with two axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    /// What it shows, in a few words.
    pub title: String,
    /// What can be seen, for who cannot see it.
    pub description: String,
    /// The axis along the bottom.
    pub x: Axis,
    /// The axis up the left side.
    pub y: Axis,
    /// What is drawn, the first below all others.
    pub layers: Vec<Layer>,
}

/// An axis: what it counts and from where to where.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    label: String,
    scale: Scale,
    unit: Unit,
    range: [f64; 2],
}

/// How values lie on an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// Evenly in the logarithm.
    Log,
}

/// How values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// As they are.
    Plain,
    /// `200K`, `1M`.
    Count,
}

/// Colour, dash and marker that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// One of several equals, by its number.
    Series(usize),
    /// What the others are held against.
    Control,
    /// A line that only guides the eye.
    Guide,
}

/// One thing drawn; values that are not finite, or not positive on a logarithmic axis, are left
/// out.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// Everything to the right of `from` is shaded.
    Beyond {
        /// Where it begins.
        from: f64,
        /// What it means.
        label: String,
    },
    /// Between two curves: x, low, high.
    Band {
        /// Its looks.
        tone: Tone,
        /// From left to right.
        ends: Vec<[f64; 3]>,
    },
    /// A level line through the whole plot.
    Level {
        /// Its height.
        y: f64,
        /// What stands at its end.
        label: String,
    },
    /// A curve.
    Line {
        /// Its looks.
        tone: Tone,
        /// From left to right.
        points: Vec<[f64; 2]>,
        /// What stands at its end.
        label: Option<String>,
    },
    /// Measured points, each with a text of its own that a pointer brings up.
    Points {
        /// Their looks.
        tone: Tone,
        /// Where, and what is said.
        points: Vec<([f64; 2], String)>,
        /// Drawn hollow and pale: shown, but not counted.
        aside: bool,
    },
    /// One place, with an interval along x.
    Place {
        /// Its looks.
        tone: Tone,
        /// Where.
        at: [f64; 2],
        /// From where to where along x.
        interval: Option<[f64; 2]>,
        /// What a pointer brings up.
        hint: String,
    },
}

impl Axis {
    /// An axis over a range; `None` where no axis can be: not finite, not ascending, or not
    /// positive and logarithmic.
    pub fn new(label: &str, scale: Scale, unit: Unit, range: [f64; 2]) -> Option<Self> {
        let [low, high] = range;
        let wide = (high - low).is_finite() && high - low > 1e-12 * low.abs().max(high.abs());
        let sound =
            low.is_finite() && high.is_finite() && wide && (scale == Scale::Linear || low > 0.0);
        sound.then(|| Self { label: label.to_owned(), scale, unit, range })
    }

    /// An axis that holds these values with some room around; values that it cannot hold are passed
    /// over.
    pub fn around(
        label: &str,
        scale: Scale,
        unit: Unit,
        values: impl IntoIterator<Item = f64>,
    ) -> Option<Self> {
        let fits = |x: &f64| x.is_finite() && (scale == Scale::Linear || *x > 0.0);
        let ends = values.into_iter().filter(fits).fold(None, |ends: Option<[f64; 2]>, x| {
            Some(ends.map_or([x, x], |[low, high]| [low.min(x), high.max(x)]))
        });
        let [low, high] = ends?;
        let range = match scale {
            Scale::Linear => {
                let room = if high > low { 0.06 * (high - low) } else { 0.1 * low.abs().max(1.0) };
                [low - room, high + room]
            }
            Scale::Log => {
                let room = if high > low { (high / low).powf(0.04) } else { 2.0 };
                [low / room, high * room]
            }
        };
        Self::new(label, scale, unit, range)
    }

    /// Where a value lies: 0 at the low end, 1 at the high one; `None` where it has no place.
    pub fn place(&self, x: f64) -> Option<f64> {
        let [low, high] = self.range;
        let share = match self.scale {
            Scale::Linear => (x - low) / (high - low),
            Scale::Log => (x / low).ln() / (high / low).ln(),
        };
        // Far outside is still outside: no coordinate needs more digits.
        share.is_finite().then(|| share.clamp(-9.0, 9.0))
    }

    /// From where to where.
    pub fn range(&self) -> [f64; 2] {
        self.range
    }

    pub(crate) fn label(&self) -> &str {
        &self.label
    }
}

impl Plot {
    /// The picture as a file of its own.
    pub fn svg(&self) -> String {
        draw::standing([self].as_slice(), 1, &self.title).into_string()
    }

    /// Several pictures in columns under one heading, as a file of its own.
    pub fn grid(plots: &[&Self], columns: usize, title: &str) -> String {
        draw::standing(plots, columns.max(1), title).into_string()
    }

    /// The picture for the inside of a page that holds [`PLOT_STYLE`]; `id` is no other's on it.
    pub(crate) fn inline(&self, id: &str) -> Markup {
        draw::inline(self, id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_that_cannot_be_are_none() {
        let axis = |scale, range| Axis::new("x", scale, Unit::Plain, range);
        for range in
            [[1.0, 1.0], [2.0, 1.0], [f64::NAN, 1.0], [0.0, f64::INFINITY], [-f64::MAX, f64::MAX]]
        {
            assert_eq!(axis(Scale::Linear, range), None, "{range:?}");
        }
        assert_eq!(axis(Scale::Log, [0.0, 1.0]), None);
        assert_eq!(Axis::around("x", Scale::Log, Unit::Plain, [-1.0, f64::NAN]), None);
    }

    #[test]
    fn an_axis_holds_its_values_and_one_value_too() {
        for values in [vec![3.0], vec![0.0], vec![1e-3, 5.0], vec![-4.0, 2.0]] {
            let axis = Axis::around("x", Scale::Linear, Unit::Plain, values.clone()).unwrap();
            assert!(
                values.iter().all(|x| axis.place(*x).is_some_and(|at| (0.0..=1.0).contains(&at)))
            );
        }
        let axis = Axis::around("x", Scale::Log, Unit::Plain, [1.0, 100.0]).unwrap();
        assert!((axis.place(10.0).unwrap() - 0.5).abs() < 1e-12);
        assert_eq!((axis.place(0.0), axis.place(-1.0), axis.place(1e300)), (None, None, Some(9.0)));
    }
}
