//! How it is shown: plots, tables and one page that stands alone.
//!
//! Values come in, text goes out: no file is opened, nothing is fetched, the same values give the
//! same bytes. Every number shown as text keeps its exact value in a `<data>` element, so that a
//! program can hold it against the files it came from.

#![forbid(unsafe_code)]

pub mod decision;
pub mod page;
pub mod plot;
pub mod table;
pub mod validation;

mod number;
mod text;

pub use decision::{choice_picture, plan_picture, prediction_picture};
pub use page::{Entropy, Fact, Input, LeftOut, RunFacts, page, picture};
pub use plot::{Axis, Layer, Plot, Scale, Tone, Unit};
pub use table::{Align, Column, Table};
pub use validation::validation_picture;
