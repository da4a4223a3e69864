//! The facts that `regrow inspect` prints.

use std::collections::BTreeMap;

use ledger::Pattern;
use model::sparsity::Sparsity;
use model::verify::TensorFacts;
use regrow::inspect::Inspected;
use serde::Serialize;
use serde_json::{Map, Value};
use shape::count::Count;
use shape::tensors::{Role, TensorSpec, block_tensors, leading_tensors, tensors, trailing_tensors};

/// Bytes per parameter in training: weight, gradient and two moments, each in f32.
const TRAINING_BYTES: u64 = 16;

/// The facts as `--json` prints them. Unknown ones are left out.
#[derive(Serialize)]
pub(super) struct Facts {
    pub(super) format: u32,
    pub(super) model: String,
    pub(super) family: &'static str,
    pub(super) architecture: &'static str,
    pub(super) layers: usize,
    pub(super) shapes: Shapes,
    pub(super) parameters: Parameters,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) dtype: Option<&'static str>,
    pub(super) context: usize,
    pub(super) rope: Rope,
    pub(super) tokenizer: bool,
    pub(super) weights: bool,
    /// Memory for training in f32, activations aside.
    pub(super) training_bytes: u64,
    pub(super) legal_rates: Vec<Legal>,
    /// Tensors with zeros: those that `sparsity.json` lists, or with `--verify` those that were
    /// found.
    pub(super) sparsity: BTreeMap<String, Zeros>,
    /// SHA-256 of the weights, where they were read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hash: Option<String>,
    pub(super) problems: Vec<String>,
}

/// Zeros of a tensor.
#[derive(Debug, Serialize)]
pub(super) struct Zeros {
    pub(super) pattern: Pattern,
    /// How many zeros there are; `None` where they were not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) zeros: Option<u64>,
}

#[derive(Serialize)]
pub(super) struct Shapes {
    pub(super) vocab_size: usize,
    pub(super) hidden_size: usize,
    pub(super) intermediate_size: usize,
    pub(super) num_attention_heads: usize,
    pub(super) num_key_value_heads: usize,
    pub(super) head_dim: usize,
    pub(super) tie_word_embeddings: bool,
    pub(super) qkv_bias: bool,
    /// The tensors of one block; all blocks have the same.
    pub(super) block: Map<String, Value>,
    /// The tensors outside the blocks.
    pub(super) outside: Map<String, Value>,
}

#[derive(Serialize)]
pub(super) struct Parameters {
    pub(super) total: u64,
    pub(super) embedding: u64,
    pub(super) without_embedding: u64,
    pub(super) per_block: u64,
    pub(super) attention: u64,
    pub(super) feed_forward: u64,
    pub(super) norms: u64,
}

#[derive(Serialize)]
pub(super) struct Rope {
    pub(super) theta: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) llama3: Option<Llama3>,
}

#[derive(Serialize)]
pub(super) struct Llama3 {
    pub(super) factor: f64,
    pub(super) low_freq_factor: f64,
    pub(super) high_freq_factor: f64,
    pub(super) original_max_position_embeddings: usize,
}

#[derive(Serialize)]
pub(super) struct Legal {
    pub(super) dropped: usize,
    pub(super) rate: f64,
    pub(super) rate_without_embedding: f64,
    pub(super) parameters: u64,
}

impl Facts {
    /// The facts about a model that was found.
    pub(super) fn of(found: &Inspected) -> Self {
        let (config, folder) = (found.config(), found.folder());
        let count = Count::of(config);
        let all = tensors(config);
        // Summed from the tensor list, so that the parts always add up to what is stored.
        let part = |roles: &[Role]| {
            all.iter()
                .filter(|tensor| roles.contains(&tensor.role))
                .map(|tensor| tensor.len() as u64)
                .sum()
        };
        let legal = |legal: shape::legal::LegalRate| Legal {
            dropped: legal.dropped(),
            rate: legal.held().rate().get(),
            rate_without_embedding: legal.held().rate_without_embedding().get(),
            parameters: legal.held().parameters().0,
        };
        Self {
            format: 1,
            model: found.name().to_owned(),
            family: config.family().name,
            architecture: config.family().architecture,
            layers: config.num_hidden_layers(),
            shapes: Shapes {
                vocab_size: config.vocab_size(),
                hidden_size: config.hidden_size(),
                intermediate_size: config.intermediate_size(),
                num_attention_heads: config.num_attention_heads(),
                num_key_value_heads: config.num_key_value_heads(),
                head_dim: config.head_dim(),
                tie_word_embeddings: config.tie_word_embeddings(),
                qkv_bias: config.qkv_bias(),
                // All blocks have the same shapes, so the first one stands for all.
                block: shapes(&block_tensors(config, 0)),
                outside: shapes(&[leading_tensors(config), trailing_tensors(config)].concat()),
            },
            parameters: Parameters {
                total: count.total(),
                embedding: count.embedding(),
                without_embedding: count.without_embedding(),
                per_block: count.per_block(),
                attention: part(&[
                    Role::Query,
                    Role::Key,
                    Role::Value,
                    Role::QueryBias,
                    Role::KeyBias,
                    Role::ValueBias,
                    Role::AttentionOutput,
                ]),
                feed_forward: part(&[Role::Gate, Role::Up, Role::Down]),
                norms: part(&[Role::AttentionNorm, Role::FeedForwardNorm, Role::FinalNorm]),
            },
            dtype: folder.map(|folder| folder.dtype().name()),
            context: config.max_position_embeddings(),
            rope: Rope {
                theta: config.rope_theta(),
                llama3: config.rope_scaling().map(|scaling| Llama3 {
                    factor: scaling.factor,
                    low_freq_factor: scaling.low_freq_factor,
                    high_freq_factor: scaling.high_freq_factor,
                    original_max_position_embeddings: scaling.original_max_position_embeddings,
                }),
            },
            tokenizer: folder.is_some_and(|folder| folder.tokenizer_json().is_some()),
            weights: folder.is_some(),
            training_bytes: count.total().saturating_mul(TRAINING_BYTES),
            legal_rates: shape::legal::legal_rates(config).into_iter().map(legal).collect(),
            sparsity: sparsity(found),
            hash: found.verified().map(|verified| verified.hash().to_string()),
            problems: found.problems().to_vec(),
        }
    }
}

/// Tensors with zeros: as counted if every weight was read, else as listed in `sparsity.json`.
fn sparsity(found: &Inspected) -> BTreeMap<String, Zeros> {
    if let Some(verified) = found.verified() {
        let zeros = |tensor: &TensorFacts| {
            let zeros = Zeros { pattern: tensor.pattern()?, zeros: Some(tensor.zeros()) };
            Some((tensor.spec().name.clone(), zeros))
        };
        return verified.tensors().iter().filter_map(zeros).collect();
    }
    // A list that cannot be read is already reported as a problem.
    let listed = found.folder().and_then(|folder| Sparsity::of(folder.path()).ok());
    let zeros = |(name, pattern)| (name, Zeros { pattern, zeros: None });
    listed.unwrap_or_default().tensors.into_iter().map(zeros).collect()
}

/// Shapes by tensor name. Names of block tensors come without the block number.
fn shapes(tensors: &[TensorSpec]) -> Map<String, Value> {
    let name = |tensor: &TensorSpec| match tensor.layer {
        Some(layer) => tensor.name.trim_start_matches(&format!("model.layers.{layer}.")).to_owned(),
        None => tensor.name.clone(),
    };
    tensors.iter().map(|tensor| (name(tensor), Value::from(tensor.shape.clone()))).collect()
}
