//! From a law to a decision.

mod enough;

pub use enough::{Answer, Doubling, Plan, Wish};
