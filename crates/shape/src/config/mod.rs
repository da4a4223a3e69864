//! One model configuration, read from a Hugging Face `config.json` and written as one.

mod model;
mod parse;
mod raw;
mod read;
mod rope;
mod write;

pub use model::ModelConfig;
pub use raw::RawConfig;
pub use rope::Llama3Scaling;
