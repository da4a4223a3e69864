//! Whole pages: every number comes from the inputs, hostile names stay text, nothing is fetched.

#![allow(clippy::unwrap_used, reason = "the functions between the tests are test code too")]

mod hostile;
mod numbers;
mod structure;
mod world;
