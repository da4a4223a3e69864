//! Shows results: plots, tables and one page that needs no other file.
//!
//! Values come in and text goes out. The crate opens no file and fetches nothing, and the same
//! values give the same bytes. Every number in the text keeps its exact value in a `<data>`
//! element. A program can compare that with the files it came from.

#![forbid(unsafe_code)]

pub mod answered;
pub mod page;
pub mod plan;
pub mod plot;
pub mod table;
pub mod validation;

mod document;
mod forecast;
mod number;
mod pictures;
mod sheet;
mod text;

pub use document::page_style;
pub use forecast::{ForecastRun, forecast_page, forecast_picture};
pub use page::{Entropy, Fact, PageInput, RunFacts, SkippedRun, page, picture};
pub use pictures::{choice_picture, plan_picture, prediction_picture, run_picture};
pub use plot::{AxisScale, Layer, Plot, PlotAxis, Tone, Unit};
pub use sheet::{Cell, Quantity, Sheet, SheetColumn};
pub use table::{Alignment, HtmlTable, TableColumn};
pub use validation::validation_picture;
