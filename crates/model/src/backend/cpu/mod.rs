//! The CPU: one file an operation, forward and backward side by side.
//!
//! Work is cut into chunks whose size depends on shapes alone, partial sums are added in chunk
//! order, and products are never split along the summed dimension: results do not depend on the
//! number of threads. Elementwise loops never contract a multiplication and an addition into one
//! rounding, so that they give the same bits at every vector width; only `gemm`'s products depend
//! on the processor's features.

mod adamw;
mod attention;
mod bias;
mod chunks;
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
