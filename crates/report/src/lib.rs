//! How it is shown: plots, tables and one page that stands alone.
//!
//! Values come in, text goes out: no file is opened, nothing is fetched, the same values give the
//! same bytes. Every number shown as text keeps its exact value in a `<data>` element, so that a
//! program can hold it against the files it came from.

#![forbid(unsafe_code)]

pub mod page;
pub mod plot;
pub mod table;
pub mod validation;

mod number;
mod pictures;
mod text;

pub use page::{Entropy, Fact, PageInput, RunFacts, SkippedRun, page, picture};
pub use pictures::{choice_picture, plan_picture, prediction_picture};
pub use plot::{AxisScale, Layer, Plot, PlotAxis, Tone, Unit};
pub use table::{Alignment, HtmlTable, TableColumn};
pub use validation::validation_picture;
