//! Depth pruning: whole blocks are removed. Each method has a file: what it measures, what that
//! costs and how it chooses.

mod angular;
mod blocks;
mod influence;
mod list;

pub use angular::Angular;
pub use influence::BlockInfluence;
pub use list::DepthList;

use crate::select::Select;

/// Every depth method. To add one, write a file beside this one and add a line here.
pub(crate) const METHODS: &[&dyn Select] = &[&BlockInfluence, &Angular, &DepthList];
