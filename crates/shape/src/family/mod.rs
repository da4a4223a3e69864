//! The supported families: their names and differences, as tables.

mod llama;
mod qwen2;
mod table;

pub use llama::LLAMA;
pub use qwen2::QWEN2;
pub use table::Family;

/// Every supported family. To add one, write a file and add a line here.
pub const FAMILIES: &[&Family] = &[&LLAMA, &QWEN2];
