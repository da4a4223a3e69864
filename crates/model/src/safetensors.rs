//! Safetensors files: read through a memory map, written as a stream.
//!
//! A file is eight bytes of header length (little endian), a JSON header that gives each tensor's
//! type, shape and place, and the data without holes. The header is read by code of our own so that
//! every contradiction in a hostile or damaged file is named with its tensor; the `safetensors`
//! crate judges both directions in the tests.

mod dtype;
mod header;
mod numbers;
mod read;
mod write;

pub use dtype::Dtype;
pub(crate) use header::shown;
pub use read::{SafeTensors, TensorView};
pub use write::{Planned, Writer};
