//! Width pruning: channels, neurons and groups of heads are removed, equally many in every block.
//! Each method has a file: what it measures, what that costs and how it chooses.

mod activation;
mod magnitude;
mod narrow;

pub use activation::WidthActivation;
pub use magnitude::WidthMagnitude;

use crate::select::Select;

/// Every width method. To add one, write a file beside this one and add a line here.
pub(crate) const METHODS: &[&dyn Select] = &[&WidthActivation, &WidthMagnitude];
