//! What is removed: scores, cuts, and the one place that changes shapes.
//!
//! [`prune`] does it all: it streams the blocks of a model over calibration text one at a time
//! ([`walk`]), scores them, turns the rate that is asked for into whole layers ([`shapes`]),
//! decides ([`METHODS`]), and writes the smaller model beside its `cut.json` ([`apply`]). Sparse
//! methods make weights zero instead, block by block ([`sparse`]). The same folder, request and
//! seed give the same cut and the same bytes, whatever the number of threads.

#![forbid(unsafe_code)]

pub mod apply;
mod beside;
pub mod calibration;
mod card;
pub mod depth;
pub mod error;
mod measure;
pub mod methods;
mod moves;
pub mod options;
pub mod plan;
mod replay;
mod request;
pub mod score;
pub mod shapes;
pub mod sparse;
mod states;
pub mod walk;
pub mod width;

pub use apply::record_of;
pub use calibration::{Calibration, Sequences, Source};
pub use error::{Error, Result};
pub use methods::{METHODS, Method, Needs, Scores, Select, Takes, Target, method};
pub use options::{Aggregation, Options, Positions};
pub use replay::replay;
pub use request::{Progress, Pruned, Request, decide, prune};
pub use shapes::{LegalRate, TOLERANCE, legal_rates};
pub use width::shape::{Choice, Shape, Sizes, choices, named};
