//! The backend for processors: one file per operation, with forward and backward side by side.
//!
//! Results do not depend on the number of threads. Work is divided into chunks whose size depends
//! on shapes alone. Partial sums are added in the order of chunks, and products are never split
//! along the summed dimension. Elementwise loops never fuse a multiplication and an addition into
//! one rounding, so they give the same bits at every vector width. Only the products of `gemm`
//! depend on the features of the processor.

mod adamw;
mod attention;
mod bias;
mod chunks;
mod distil;
mod embedding;
mod kernel;
mod lanes;
mod loss;
mod mask;
mod norm;
mod operations;
mod processor;
mod product;
mod rotary;
mod space;
mod sums;
mod swiglu;
#[cfg(test)]
mod testing;

pub use kernel::Engine;
pub use processor::Cpu;
