//! What happened: the vocabulary that every room shares. Pure values, no files.
//!
//! A [`RunSpec`] says what a run is, a [`Cut`] what was removed before it, a [`Point`] what was
//! measured on the way, a [`RunRecord`] what was known at its start and a [`Done`] how it ended.
//!
//! Floats that stand here are finite in every file: JSON has no NaN, so writing one is an error,
//! not a `null`.

#![forbid(unsafe_code)]

mod curve;
mod cut;
mod cut_error;
mod cut_record;
mod done;
mod estimate;
mod finite;
mod format;
mod held;
mod indices;
mod method;
mod number;
mod pattern;
mod point_row;
mod record;
mod sha256;
mod spec;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod units;
mod width;

pub use curve::{Curve, HeldOut, NotFinite, Phase, Point};
pub use cut::Cut;
pub use cut_error::CutError;
pub use cut_record::{CalibrationRecord, CutRecord, Fallback};
pub use done::Done;
pub use estimate::Estimate;
pub use format::{Format, FormatHeader, OtherFormat};
pub use held::Held;
pub use indices::{Indices, NotIndices};
pub use method::{MethodId, MethodKind};
pub use number::{ShortNumber, short_count, trimmed};
pub use pattern::{Pattern, PatternError};
pub use point_row::PointRow;
pub use record::{Provenance, RunRecord};
pub use sha256::{Sha256, Sha256Error, Sha256Hasher};
pub use spec::{
    AdamW, Convention, Difference, Evaluation, Precision, RunSpec, Schedule, Start, Trainer,
};
pub use units::{Flops, Nats, Params, Rate, RateError, Tokens};
pub use width::{Kept, KeptByLayer, Part, Width};
