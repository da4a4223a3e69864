//! What a model is made of, from a configuration alone: no file is opened, so that a browser can
//! plan with it too.

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
