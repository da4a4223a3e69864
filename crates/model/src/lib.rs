//! What is shaped: configurations, weights, the network, its evaluation.

#![deny(unsafe_code)]

pub mod catalog;
pub mod config;
pub mod count;
pub mod error;
pub mod family;
pub mod folder;
pub mod llama2c;
pub mod safetensors;

pub use error::{Error, Result};
pub mod backend;
pub mod batch;
pub mod decoder;
pub mod evaluate;
pub mod layout;
pub mod rope;
pub mod weights;
pub mod workspace;
