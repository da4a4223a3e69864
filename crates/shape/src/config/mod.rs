//! A model configuration, read from and written to a Hugging Face `config.json`.

mod model;
mod parse;
mod raw;
mod read;
mod rope;
mod write;

pub use model::ModelConfig;
pub use raw::RawConfig;
pub use rope::Llama3Scaling;
