//! The structure of a model, computed from its configuration alone. This crate opens no file, so
//! that a browser can plan with it too.

#![forbid(unsafe_code)]

pub mod catalog;
pub mod config;
pub mod count;
mod error;
pub mod family;
pub mod legal;
mod operations;
pub mod tensors;

pub use error::{Error, Result};
