//! Whole pages: every number comes from the inputs, hostile names stay text, nothing is fetched.

mod hostile;
mod numbers;
mod structure;
mod world;
