//! How much a part matters.

pub mod activation;
pub mod angular;
pub mod block_influence;
pub mod magnitude;
pub mod sparsegpt;
pub mod wanda;
pub mod width_magnitude;
