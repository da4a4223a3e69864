//! What a run starts from.

use serde::{Deserialize, Serialize};

/// What a run starts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Start {
    /// The weights of a model, pruned or not.
    Weights {
        /// SHA-256 of the weights.
        hash: String,
        /// SHA-256 of the list of sparse tensors, whose zeros are kept; `None` for a dense model.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sparsity: Option<String>,
    },
    /// Random weights, drawn from the seed.
    Random {
        /// SHA-256 of the configuration, which gives the shapes.
        config_hash: String,
    },
}

impl Start {
    /// The text that goes into the id of a run. It must not change: ids on disk depend on it.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Weights { hash, sparsity: None } => format!("weights {hash}"),
            Self::Weights { hash, sparsity: Some(sparsity) } => {
                format!("weights {hash} sparse {sparsity}")
            }
            Self::Random { config_hash } => format!("random {config_hash}"),
        }
    }
}
