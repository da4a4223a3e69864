//! One public model.

use crate::config::ModelConfig;

/// One public model: its configuration and its published number of parameters.
#[derive(Debug, PartialEq)]
pub struct PublicModel {
    pub(crate) name: &'static str,
    pub(crate) repository: &'static str,
    pub(crate) series: &'static str,
    pub(crate) parameters: u64,
    pub(super) config: ModelConfig,
}

impl PublicModel {
    /// The name for [`find`](super::find), in lower case, for example `llama-3.2-1b`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its repository on the Hugging Face hub.
    pub fn repository(&self) -> &'static str {
        self.repository
    }

    /// The series whose sizes one law is fitted to.
    pub fn series(&self) -> &'static str {
        self.series
    }

    /// All parameters, a tied embedding counted once, as published.
    pub fn parameters(&self) -> u64 {
        self.parameters
    }

    /// The configuration of the base model, as in its `config.json`.
    pub fn config(&self) -> ModelConfig {
        self.config.clone()
    }
}
