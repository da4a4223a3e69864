//! Logs of other programs.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

mod damaged;
mod formats;
mod random;
mod real;
mod workbench;
