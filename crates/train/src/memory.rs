//! The memory that a run needs, computed before its first step.

use ledger::{Precision, RunSpec};
use model::evaluate;
use model::teacher_cache::TeacherCache;
use model::workspace::{inference_numbers, training_numbers};
use shape::config::ModelConfig;
use shape::count::Count;
use text::Corpus;

/// Bytes of an `f32`.
const FLOAT: u64 = 4;

/// Bytes of the number of a sequence in the order of an epoch.
const PLACE: u64 = 4;

/// Allowance for the program and for operands that products lay out.
const REST: u64 = 48 << 20;

/// Bytes that a run holds at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrainingMemory {
    /// Weights, gradients and both moments.
    model: u64,
    /// What a micro-batch keeps for its backward pass, and its logits.
    activations: u64,
    /// What an evaluation keeps.
    evaluation: u64,
    /// The largest tensor while it is written to a file, laid-out operands, and the program.
    rest: u64,
    /// The order of sequences, and text that stays in memory while it is read.
    text: u64,
    /// A teacher: its weights and its forward pass, or what is read of its cache.
    teacher: u64,
}

impl TrainingMemory {
    /// The memory of a run of `spec`.
    ///
    /// # Errors
    /// If the model alone cannot be addressed.
    pub fn of(config: &ModelConfig, spec: &RunSpec, recompute: bool) -> model::Result<Self> {
        let parameters = Count::of(config).total();
        let rows = spec.micro_batch.min(spec.batch).saturating_mul(spec.context);
        let window = spec.evaluation.context;
        let largest = (config.vocab_size() as u64).saturating_mul(config.hidden_size() as u64);
        // Products in bf16 first copy both operands into panels.
        let operands = match spec.precision {
            Precision::F32 => 0,
            Precision::Bf16 => REST,
        };
        Ok(TrainingMemory {
            // Weights, gradients, first and second moments: four f32 per parameter.
            model: parameters.saturating_mul(4 * FLOAT),
            activations: training_numbers(config, rows, recompute).saturating_mul(FLOAT),
            evaluation: evaluate::numbers(config, window).saturating_mul(FLOAT),
            rest: largest.saturating_mul(FLOAT).saturating_add(REST + operands),
            text: 0,
            teacher: 0,
        })
    }

    /// Adds what a teacher's network takes beside the run.
    #[must_use]
    pub fn with_teacher(self, teacher: &ModelConfig, spec: &RunSpec) -> Self {
        let rows = spec.micro_batch.min(spec.batch).saturating_mul(spec.context);
        let numbers = Count::of(teacher)
            .total()
            .saturating_add(inference_numbers(teacher, rows))
            .saturating_add(evaluate::numbers(teacher, spec.evaluation.context));
        Self { teacher: numbers.saturating_mul(FLOAT), ..self }
    }

    /// Adds what is read of a teacher's cache.
    #[must_use]
    pub fn with_cache(self, cache: &TeacherCache, spec: &RunSpec) -> Self {
        let known = self.with_top(cache.info().top(), spec).teacher;
        Self { teacher: cache.kept_bytes().saturating_add(known), ..self }
    }

    /// The same for a cache that is still to be made, with `top` tokens at each position and
    /// without what stays mapped of it.
    #[must_use]
    pub fn with_top(self, top: usize, spec: &RunSpec) -> Self {
        let rows = spec.micro_batch.min(spec.batch).saturating_mul(spec.context) as u64;
        // An id and a probability for each token, on the host and on the machine.
        let each = (top as u64).saturating_add(1).saturating_mul(4 * FLOAT);
        Self { teacher: rows.saturating_mul(each), ..self }
    }

    /// What a teacher takes.
    pub fn teacher(&self) -> u64 {
        self.teacher
    }

    /// Adds what the corpus of the run takes.
    #[must_use]
    pub fn with_text(self, corpus: &Corpus, spec: &RunSpec) -> Self {
        Self { text: text_bytes(corpus, spec), ..self }
    }

    /// The order of sequences, and text that stays in memory while it is read.
    pub fn text(&self) -> u64 {
        self.text
    }

    /// What a micro-batch keeps for its backward pass, and its logits.
    pub fn activations(&self) -> u64 {
        self.activations
    }

    /// What an evaluation keeps.
    pub fn evaluation(&self) -> u64 {
        self.evaluation
    }

    /// The largest tensor while it is written to a file, laid-out operands, and the program.
    pub fn rest(&self) -> u64 {
        self.rest
    }

    /// Weights, gradients and both moments.
    pub fn model(&self) -> u64 {
        self.model
    }

    /// The sum of all parts.
    pub fn total(&self) -> u64 {
        let TrainingMemory { model, activations, evaluation, rest, text, teacher } = *self;
        [model, activations, evaluation, rest, text, teacher]
            .into_iter()
            .fold(0, u64::saturating_add)
    }

    /// The largest micro-batch of `spec` that needs at most `bytes`, and whether blocks must be
    /// recomputed for it. A micro-batch that keeps all activations is preferred to a larger one
    /// that recomputes.
    pub fn fitting(config: &ModelConfig, spec: &RunSpec, bytes: u64) -> Option<(usize, bool)> {
        let fits = |micro_batch: usize, recompute: bool| {
            let spec = RunSpec { micro_batch, ..spec.clone() };
            TrainingMemory::of(config, &spec, recompute).is_ok_and(|memory| memory.total() <= bytes)
        };
        // Recomputing costs a second forward pass, so it is tried only after keeping everything.
        [false, true].into_iter().find_map(|recompute| {
            let largest =
                (1..=spec.micro_batch.min(spec.batch)).rev().find(|&size| fits(size, recompute));
            largest.map(|size| (size, recompute))
        })
    }
}

/// Bytes that text takes: 4 for the place of each sequence of an epoch, and the pages of both parts
/// that stay mapped.
pub fn text_bytes(corpus: &Corpus, spec: &RunSpec) -> u64 {
    let sequences = corpus.train().tokens() / spec.context.max(1) as u64;
    let kept = corpus.train().kept_bytes().saturating_add(corpus.heldout().kept_bytes());
    sequences.saturating_mul(PLACE).saturating_add(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::milestones::sample;

    fn config() -> ModelConfig {
        let json = r#"{"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":64,
            "num_hidden_layers":10,"num_attention_heads":4,"num_key_value_heads":2,"intermediate_size":160,
            "vocab_size":500,"max_position_embeddings":512,"rms_norm_eps":1e-5,"tie_word_embeddings":false}"#;
        ModelConfig::from_json(json.as_bytes(), "test".as_ref()).unwrap()
    }

    #[test]
    fn recomputing_keeps_one_block_and_the_streams() {
        let (config, spec) = (config(), RunSpec { context: 512, micro_batch: 4, ..sample() });
        let (all, one) = (
            TrainingMemory::of(&config, &spec, false).unwrap(),
            TrainingMemory::of(&config, &spec, true).unwrap(),
        );
        // A block keeps two streams of 64, q, k and v of 128, the output of attention of 64, 4
        // sums, and gate and up of 320.
        let (rows, slot) = (4 * 512, 2 * 64 + 128 + 64 + 4 + 320);
        assert_eq!(all.activations - one.activations, 4 * rows * (9 * slot - 10 * 64));
        assert_eq!(all.model, one.model);
        assert_eq!(all.model, 16 * Count::of(&config).total());
    }

    #[test]
    fn what_fits_is_the_largest_that_does() {
        let (config, spec) =
            (config(), RunSpec { context: 512, batch: 8, micro_batch: 8, ..sample() });
        let total = |micro_batch, recompute| {
            TrainingMemory::of(&config, &RunSpec { micro_batch, ..spec.clone() }, recompute)
                .unwrap()
                .total()
        };
        assert_eq!(TrainingMemory::fitting(&config, &spec, u64::MAX), Some((8, false)));
        assert_eq!(TrainingMemory::fitting(&config, &spec, total(5, false)), Some((5, false)));
        assert_eq!(
            TrainingMemory::fitting(&config, &spec, total(1, false) - 1),
            Some((largest(&total), true))
        );
        assert_eq!(TrainingMemory::fitting(&config, &spec, total(1, true) - 1), None);
        fn largest(total: &impl Fn(usize, bool) -> u64) -> usize {
            (1..=8).rev().find(|&size| total(size, true) < total(1, false)).unwrap()
        }
    }
}
