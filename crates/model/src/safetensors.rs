//! Safetensors files: read through a memory map, written as a stream.
//!
//! A file consists of eight bytes of header length (little endian), a JSON header with the type,
//! shape and place of each tensor, and the data without holes. Our own code reads the header, so
//! that an error names the tensor for every contradiction in a hostile or damaged file. In the
//! tests, the `safetensors` crate checks both reading and writing.

mod dtype;
mod header;
mod numbers;
mod read;
mod write;

pub use dtype::Dtype;
pub(crate) use header::shown;
pub use read::{SafeTensors, TensorView};
pub use write::{Planned, Writer};
