//! The record of what happened, in types that all other crates share. Pure values; no files are
//! read or written here.
//!
//! A [`RunSpec`] says what a run is, and a [`Cut`] what was removed before it. A [`RunRecord`]
//! holds what was known at its start, a [`Point`] one measurement, and a [`Done`] the end.
//!
//! Every float in a file is finite. JSON has no NaN, so writing one is an error, not a `null`.

#![forbid(unsafe_code)]

pub mod count;
mod curve;
mod cut;
mod cut_error;
mod cut_record;
mod done;
mod estimate;
mod finite;
mod format;
mod held;
mod imported;
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
mod written;

pub use curve::{Curve, HeldOut, NotFinite, Phase, Point};
pub use cut::Cut;
pub use cut_error::CutError;
pub use cut_record::{CalibrationRecord, CutRecord, Fallback};
pub use done::{Done, EarlyEnd};
pub use estimate::Estimate;
pub use format::{Format, FormatHeader, OtherFormat};
pub use held::Held;
pub use imported::{Facts, ImportedRecord, LogFile, LossKind};
pub use indices::{Indices, NotIndices};
pub use method::{MethodId, MethodKind};
pub use number::{ShortNumber, short_count, trimmed};
pub use pattern::{Pattern, PatternError};
pub use point_row::PointRow;
pub use record::{EarlierRun, Provenance, RunRecord};
pub use sha256::{Sha256, Sha256Error, Sha256Hasher};
pub use spec::{
    AdamW, Convention, Difference, Evaluation, Objective, Precision, RunSpec, Schedule, Start,
    Trainer,
};
pub use units::{Flops, Nats, Params, Rate, RateError, Tokens};
pub use width::{Kept, KeptByLayer, Part, Width};
pub use written::written_rate;
