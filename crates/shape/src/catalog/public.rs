//! One public model.

use crate::config::ModelConfig;

/// One public model: its configuration and its published number of parameters.
#[derive(Debug, PartialEq)]
pub struct PublicModel {
    /// The name for [`find`](super::find), in lower case, for example `llama-3.2-1b`.
    pub name: &'static str,
    /// Its repository on the Hugging Face hub.
    pub repository: &'static str,
    /// The series whose sizes one law is fitted to.
    pub series: &'static str,
    /// All parameters, a tied embedding counted once, as published.
    pub parameters: u64,
    pub(super) config: ModelConfig,
}

impl PublicModel {
    /// The configuration of the base model, as in its `config.json`.
    pub fn config(&self) -> ModelConfig {
        self.config.clone()
    }
}
