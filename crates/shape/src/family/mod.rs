//! The supported families: their names and differences, as tables.

mod llama;
mod qwen2;
mod table;

pub use llama::LLAMA;
pub use qwen2::QWEN2;
pub use table::Family;

/// Every supported family; a new one is a file and a line here.
pub const FAMILIES: &[&Family] = &[&LLAMA, &QWEN2];
