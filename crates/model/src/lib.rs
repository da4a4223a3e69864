//! What is shaped: configurations, weights, the network, its evaluation.

#![deny(unsafe_code)]

pub mod catalog;
pub mod config;
pub mod count;
pub mod error;
pub mod family;

pub use error::{Error, Result};
