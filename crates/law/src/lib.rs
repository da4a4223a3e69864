//! Laws of post-training: how the loss of a pruned model falls with tokens, and how many tokens are
//! enough.
//!
//! [`fit()`] turns a points [`Table`] into a [`Law`]. The law answers [`Law::predict`] and
//! [`Law::plan`]. Every answer carries an interval, or says that the data cannot tell. That is a
//! value, not an error.
//!
//! The crate computes on plain columns. It reads no file and no clock, and gives the same bits for
//! any number of threads.
//!
//! ```
//! use law::{Place, Row, Settings, Table, TableRow, form};
//! let p2 = form::by_name("p2")?;
//! let truth = [0.3, 0.25, 0.1, 0.4, 0.5, -1.2, 0.2]; // N_C D_C E alpha beta gamma delta, in billions
//! let mut rows = Vec::new();
//! for n0 in [0.5, 1.2, 3.1, 7.6] {
//!     for rate in [0.15, 0.25, 0.35] {
//!         for tokens in [0.1, 0.2, 0.4, 0.7, 1.0] {
//!             let loss = p2.value(&truth, &Row::new(n0, rate, 2.2, tokens));
//!             let run = TableRow::run(&format!("{n0} {rate}"), n0 * 1e9, rate, 2.2);
//!             rows.push(TableRow { method: "depth-list".into(), tokens: tokens * 1e9, loss, ..run });
//!         }
//!     }
//! }
//! let law = law::fit(&Table::new(rows)?, &Settings::default())?;
//! let place = Place::new(8.03e9, 0.25, 2.05)?;
//! let prediction = law.predict(None, None, place, 2e9)?;
//! assert!((prediction.loss().unwrap() - p2.value(&truth, &Row::new(8.03, 0.25, 2.05, 2.0))).abs() < 1e-8);
//! let plan = law.plan(None, None, place, &Default::default())?;
//! assert!(plan.enough().sentence().starts_with("enough tokens: "));
//! # Ok::<(), law::Error>(())
//! ```

#![forbid(unsafe_code)]

pub mod design;
pub mod fit;
pub mod fitting;
pub mod forecast;
pub mod form;
pub mod identify;
pub mod law;
pub mod levels;
pub mod metric;
pub mod plan;
pub mod table;
pub mod uncertainty;
pub mod validate;

mod code;
mod error;
mod foretold;
mod group_law;
mod infer;
mod judge;
mod lack_of_fit;
mod method;
mod neighbours;
mod parallel;
mod place;
mod predict;
mod prediction;
mod row;
mod shift;
mod student;
mod warning;

pub use code::Code;
pub use error::{Error, ErrorKind, Result};
pub use fit::Fit;
pub use foretold::Foretold;
pub use identify::Identifiability;
pub use infer::{Settings, fit};
pub use law::{GroupLaw, Law, Units};
pub use metric::Metrics;
pub use place::Place;
pub use plan::{Answer, Plan, Wish};
pub use prediction::{About, CurvePoint, Outside, Prediction};
pub use row::{Row, Scale};
pub use table::{Group, Point, Run, Table, TableRow};
pub use warning::Warning;
