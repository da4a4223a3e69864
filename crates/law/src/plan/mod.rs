//! From a law to a decision: how many tokens are enough, what they cost, and which model to prune
//! by what rate.

mod allocate;
mod amount;
mod answer;
mod cost;
mod curve;
pub(crate) mod decision;
pub(crate) mod decisions;
mod device;
mod enough;
mod front;
mod offer;
pub(crate) mod question;
mod wanted;

pub use amount::Amount;
pub use answer::Answer;
pub use cost::{Bill, Budget, Cost, Machine, Spend, held_parameters, multiplied_parameters};
pub use decision::{Bought, Doubling, Plan};
pub use decisions::{Decided, Decisions};
pub use device::{DEVICES, Peak};
pub use offer::{Allocation, Candidate, Limits, Offer, PrunedModel, Refusal};
pub use question::{Recovery, Wish};
pub use wanted::{ModelSize, Wanted};
