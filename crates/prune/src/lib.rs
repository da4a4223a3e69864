//! Decides what is removed from a model, and removes it. One file changes shapes: `apply.rs`.
//!
//! [`prune()`] does the whole job. A [`Method`] of the registry [`METHODS`] turns the rate that is
//! asked for into a legal model ([`shape::legal`]). It then measures while the blocks run over
//! calibration text one at a time ([`walk`]), and decides. The smaller model is written beside its
//! `cut.json`. Sparse methods instead set weights to zero, block by block ([`sparse`]). The same
//! folder, request and seed give the same cut and the same bytes, whatever the number of threads.
//!
//! For a tour, read `request.rs`, `pruning.rs`, `methods.rs`. Then read one method, for example
//! `depth/influence.rs`: what it measures, what that costs and how it chooses.

#![forbid(unsafe_code)]

mod apply;
pub mod calibration;
mod card;
mod cost;
pub mod depth;
mod destination;
mod error;
mod hash_beside;
mod measuring;
mod methods;
mod options;
pub mod plan;
mod pruning;
mod record;
mod replay;
mod request;
mod scores;
mod select;
pub mod sparse;
mod target;
mod tensor_cuts;
pub mod walk;
pub mod width;

pub use calibration::{CalibrationSettings, Sequences, Source};
pub use cost::{MeasuringCost, TextSize};
pub use destination::Destination;
pub use error::{Error, Refused, Result};
pub use measuring::Measuring;
pub use methods::{METHODS, Method, method};
pub use options::{Aggregation, MethodOptions, Positions};
pub use plan::{PruningMemory, PruningPlan};
pub use record::{differences, record_of};
pub use replay::replay;
pub use request::{Pruned, PruningProgress, Request, decide, prune};
pub use scores::{Scores, WidthScores};
pub use select::{About, Select};
pub use shape::legal::{Sizes, Smaller, TOLERANCE, WidthOptions};
pub use target::{PruningTarget, Takes};
