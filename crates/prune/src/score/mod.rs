//! How much a part matters.

pub mod activation;
pub mod angular;
pub mod block_influence;
pub mod width_magnitude;
