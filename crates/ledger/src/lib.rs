//! What happened: the vocabulary that every room shares. Pure values, no files.
//!
//! A [`RunSpec`] says what a run is, a [`Cut`] what was removed before it, a [`Point`] what was
//! measured on the way, a [`RunRecord`] what was known at its start and a [`Done`] how it ended.
//!
//! Floats that stand here are finite in every file: JSON has no NaN, so writing one is an error,
//! not a `null`.

#![forbid(unsafe_code)]

pub mod curve;
pub mod cut;
pub mod estimate;
pub mod indices;
pub mod method;
pub mod pattern;
pub mod record;
pub mod sha256;
pub mod spec;
pub mod units;
pub mod width;

mod finite;
mod format;

pub use curve::{Curve, HeldOut, NotFinite, Phase, Point};
pub use cut::{Calibration, Cut, CutError, CutRecord, Fallback};
pub use estimate::Estimate;
pub use indices::Indices;
pub use method::{MethodId, MethodKind};
pub use pattern::{Pattern, PatternError};
pub use record::{Done, Provenance, RunRecord};
pub use sha256::{Sha256, Sha256Error, Sha256Hasher};
pub use spec::{AdamW, Convention, Difference, Evaluation, Precision, RunSpec, Schedule, Start};
pub use units::{Flops, Nats, Params, Rate, RateError, Tokens};
pub use width::{Kept, KeptByLayer, Part, Width};
