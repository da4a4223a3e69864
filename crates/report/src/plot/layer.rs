//! What a plot holds, before anything is drawn.

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
    /// A plot of layers, the first below all others. The title says in a few words what it shows;
    /// the description says what can be seen, for readers who cannot see it. `x` runs along the
    /// bottom, `y` up the left side.
    pub fn new(
        title: String,
        description: String,
        [x, y]: [PlotAxis; 2],
        layers: Vec<Layer>,
    ) -> Self {
        Self { title, description, x, y, layers }
    }
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
