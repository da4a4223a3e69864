//! The command, run as a user runs it.

#![allow(clippy::unwrap_used)]

mod errors;
mod help;
#[cfg(feature = "hub")]
mod hub;
mod law;
mod pipeline;
mod real;
mod sweep;
mod tidy;
mod workshop;
