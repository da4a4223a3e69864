//! How results are shown to people: numbers and tables.

pub(crate) mod number;
pub(crate) mod picture;
#[cfg(feature = "png")]
mod png;
pub(crate) mod sheet;
pub(crate) mod table;
