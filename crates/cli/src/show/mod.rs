//! How results are shown to people: numbers and tables.

pub(crate) mod number;
pub(crate) mod picture;
pub(crate) mod sheet;
pub(crate) mod table;
