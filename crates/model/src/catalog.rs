//! The public sizes of both series, so that a size can be planned with before its weights are
//! fetched.

mod llama3;
mod qwen2_5;

use crate::config::{Llama3Scaling, ModelConfig};
use crate::family::Family;

/// One public model: its shape and its published number of parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry {
    /// The name that [`find`] knows, in lower case, for example `llama-3.2-1b`.
    pub name: &'static str,
    /// Its repository on the Hugging Face hub.
    pub repository: &'static str,
    /// The series whose sizes one law is fitted to.
    pub series: &'static str,
    /// All parameters, a tied embedding counted once, as published.
    pub parameters: u64,
    shape: Shape,
}

impl Entry {
    /// The configuration of the base model, as its `config.json` has it.
    pub fn config(&self) -> ModelConfig {
        let shape = &self.shape;
        ModelConfig {
            family: shape.family,
            vocab_size: shape.vocab_size,
            hidden_size: shape.hidden_size,
            intermediate_size: shape.intermediate_size,
            num_hidden_layers: shape.layers,
            num_attention_heads: shape.heads,
            num_key_value_heads: shape.key_value_heads,
            head_dim: shape.head_dim,
            rms_norm_eps: shape.eps,
            rope_theta: shape.theta,
            rope_scaling: shape.scaling,
            tie_word_embeddings: shape.tied,
            qkv_bias: shape.family.qkv_bias,
            max_position_embeddings: shape.context,
            bos_token_id: Some(shape.begin),
        }
    }
}

/// Every model of the catalog, by series and size.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    llama3::ENTRIES.iter().chain(qwen2_5::ENTRIES)
}

/// The model of this name, in any case, with or without the owner: `Qwen/Qwen2.5-7B` is
/// `qwen2.5-7b`.
///
/// ```
/// let entry = model::catalog::find("Qwen2.5-7B").expect("it is in the catalog");
/// assert_eq!(entry.config().num_hidden_layers, 28);
/// ```
pub fn find(name: &str) -> Option<&'static Entry> {
    entries().find(|entry| {
        entry.name.eq_ignore_ascii_case(name) || entry.repository.eq_ignore_ascii_case(name)
    })
}

/// The numbers of a `config.json`, in the order in which the tables fill them.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Shape {
    family: &'static Family,
    hidden_size: usize,
    intermediate_size: usize,
    layers: usize,
    heads: usize,
    key_value_heads: usize,
    head_dim: usize,
    vocab_size: usize,
    tied: bool,
    eps: f64,
    theta: f64,
    scaling: Option<Llama3Scaling>,
    context: usize,
    begin: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::count::Count;

    #[test]
    fn every_entry_counts_to_its_published_total() {
        for entry in entries() {
            let count = Count::of(&entry.config()).unwrap();
            assert_eq!(count.total, entry.parameters, "{}", entry.name);
        }
    }

    #[test]
    fn every_entry_survives_being_written_and_read_as_config_json() {
        for entry in entries() {
            let config = entry.config();
            assert_eq!(ModelConfig::from_raw(&config.to_raw()).unwrap(), config, "{}", entry.name);
        }
    }

    #[test]
    fn a_name_is_found_in_any_case_and_by_repository_and_no_other_is() {
        assert_eq!(find("LLAMA-3.2-1b").unwrap().repository, "meta-llama/Llama-3.2-1B");
        assert_eq!(find("qwen/qwen2.5-72b").unwrap().name, "qwen2.5-72b");
        assert_eq!(find("llama-3.2"), None);
        assert_eq!(find(""), None);
    }

    #[test]
    fn no_two_entries_share_a_name() {
        let mut names: Vec<_> = entries().map(|entry| entry.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), entries().count());
    }
}
