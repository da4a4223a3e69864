//! The quickstart: a small sweep that shows the whole idea in a few minutes.

pub mod grammar;
