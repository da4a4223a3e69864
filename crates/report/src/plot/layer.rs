//! The content of a plot, before it is drawn.

use super::axis::PlotAxis;

/// A picture with two axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    pub(super) title: String,
    pub(super) description: String,
    pub(super) x: PlotAxis,
    pub(super) y: PlotAxis,
    pub(super) layers: Vec<Layer>,
}

impl Plot {
    /// A plot of layers; the first one lies below all others. The title says in a few words what it
    /// shows. The description is for readers who cannot see it. `x` is the bottom axis and `y` the
    /// left one.
    pub fn new(
        title: String,
        description: String,
        [x, y]: [PlotAxis; 2],
        layers: Vec<Layer>,
    ) -> Self {
        Self { title, description, x, y, layers }
    }
}

/// A colour, a dash and a marker that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// One of several equal series, by its number.
    Series(usize),
    /// The control that the series are compared with.
    Control,
    /// A line that only guides the eye.
    Guide,
}

/// One thing to draw. Values that are not finite, or not positive on a logarithmic axis, are left
/// out.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// A shaded area to the right of `from`.
    Beyond {
        /// Where it begins.
        from: f64,
        /// What it means.
        label: String,
    },
    /// An area between two curves: x, low, high.
    Band {
        /// Its colour, dash and marker.
        tone: Tone,
        /// From left to right.
        ends: Vec<[f64; 3]>,
    },
    /// A level line through the whole plot.
    Level {
        /// Its height.
        y: f64,
        /// The label at its end.
        label: String,
    },
    /// A curve.
    Line {
        /// Its colour, dash and marker.
        tone: Tone,
        /// From left to right.
        points: Vec<[f64; 2]>,
        /// The label at its end.
        label: Option<String>,
    },
    /// Measured points. A pointer brings up the text of a point.
    Points {
        /// Their colour, dash and marker.
        tone: Tone,
        /// The points and their texts.
        points: Vec<([f64; 2], String)>,
        /// Whether they are drawn hollow and pale: shown, but not counted.
        aside: bool,
    },
    /// One point, with an interval along x.
    Place {
        /// Its colour, dash and marker.
        tone: Tone,
        /// Where it lies.
        at: [f64; 2],
        /// The ends of the interval along x.
        interval: Option<[f64; 2]>,
        /// The text that a pointer brings up.
        hint: String,
    },
}
