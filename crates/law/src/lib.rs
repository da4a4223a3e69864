//! What the curves mean: how the loss of a pruned model falls with post-training tokens.

#![forbid(unsafe_code)]

pub mod fit;
pub mod form;
pub mod table;

mod error;
mod parallel;
mod row;
mod warning;

pub use error::{Error, Result};
pub use fit::Fit;
pub use row::{Row, Scale};
pub use table::{Group, Point, Run, Table, TableRow};
pub use warning::Warning;

/// x
pub struct Identifiability;
/// x
pub struct Settings;
