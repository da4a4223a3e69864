//! Plots as SVG: small, and readable in light, in dark, in print and without colour.
//!
//! ```
//! use report::{PlotAxis, Layer, Plot, AxisScale, Tone, Unit};
//! let points = vec![[1e6, 3.2], [2e6, 3.1], [4e6, 3.05]];
//! let x = PlotAxis::around("tokens", AxisScale::Log, Unit::Count, points.iter().map(|p| p[0])).unwrap();
//! let losses = points.iter().map(|p| p[1]);
//! let y = PlotAxis::around("nats per token", AxisScale::Linear, Unit::Plain, losses).unwrap();
//! let line = Layer::Line { tone: Tone::Series(0), points, label: Some("rate 0.15".into()) };
//! let plot = Plot::new("A run".into(), "Held-out loss falls.".into(), [x, y], vec![line]);
//! assert!(plot.svg().starts_with("<svg"));
//! ```

mod axis;
mod draw;
mod layer;
mod marks;
mod style;
mod ticks;
mod whiskers;

pub use axis::{AxisScale, PlotAxis, Unit};
pub use layer::{Layer, Plot, Tone};

pub(crate) use style::{PLOT_STYLE, palette};
pub(crate) use whiskers::{WhiskerRow, Whiskers};
