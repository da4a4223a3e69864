//! From a law to a decision: how many tokens are enough, what they cost, and which model to prune
//! how far.

mod allocate;
mod answer;
mod cost;
mod curve;
mod enough;
mod front;

pub use allocate::{Allocation, Candidate, Limits, Offer, Refusal};
pub use answer::{Amount, Answer};
pub use cost::{Bill, Budget, Cost, Machine, Spend, held_parameters, multiplied_parameters};
pub use enough::{Bought, Doubling, Plan, Recovery, Wish};
