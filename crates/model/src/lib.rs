//! Models: their files, weights, network and evaluation.

#![deny(unsafe_code)]

mod activations;
pub mod backend;
pub mod batch;
pub mod card;
pub mod decoder;
pub mod error;
pub mod evaluate;
pub mod folder;
mod inputs;
pub mod layout;
pub mod lesson;
pub mod llama2c;
pub mod mask;
pub mod rope;
pub mod safetensors;
pub mod sparsity;
pub mod teacher;
pub mod teacher_cache;
#[doc(hidden)]
pub mod testing;
pub mod verify;
pub mod weights;
pub mod wide;
pub mod workspace;

pub use error::{Error, Result};
