//! What a run is: everything that changes its result, and nothing else.

use serde::{Deserialize, Serialize};

use crate::sha256::Sha256;
use crate::units::Tokens;
use crate::{finite, format};

/// A training run, resolved. Two runs with one [`RunSpec::id`] give the same weights and losses.
///
/// Names of files, numbers of threads and how often to save are not here: they do not change the
/// result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    /// The format of the spec, [`RunSpec::FORMAT`].
    #[serde(deserialize_with = "format::only::<_, { RunSpec::FORMAT }>")]
    pub format: u32,
    /// The model series, the first group key of a law.
    pub series: String,
    /// The pruning method, the second; `none` for controls and training from scratch.
    pub method: String,
    /// The name of the model before pruning.
    pub base: String,
    /// SHA-256 of the training text.
    pub corpus: String,
    /// SHA-256 of the held-out text.
    pub heldout: String,
    /// SHA-256 of the tokenizer.
    pub tokenizer: String,
    /// Tokens a training sequence.
    pub context: usize,
    /// Sequences an optimiser step.
    pub batch: usize,
    /// Sequences that go through the network together. It decides the order of sums, so it counts.
    pub micro_batch: usize,
    /// Tokens to train on.
    pub tokens: Tokens,
    /// The seed of the order of the text, and of weights that start at random.
    pub seed: u64,
    /// What numbers the network computes in.
    pub precision: Precision,
    /// What the run starts from.
    pub start: Start,
    /// How weights follow gradients.
    pub optimizer: AdamW,
    /// How the learning rate moves.
    pub schedule: Schedule,
    /// When and how held-out loss is taken.
    pub evaluation: Evaluation,
}

/// What a run starts from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Start {
    /// The weights of a model, pruned or not.
    Weights {
        /// SHA-256 of the weights.
        hash: String,
        /// SHA-256 of the list of sparse tensors, whose zeros stay; none for a dense model.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sparsity: Option<String>,
    },
    /// Random weights, drawn from the seed.
    Random {
        /// SHA-256 of the configuration that says their shapes.
        config_hash: String,
    },
}

/// AdamW with decoupled decay (Loshchilov & Hutter 2019) and clipping by global norm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdamW {
    /// The peak learning rate.
    #[serde(with = "finite")]
    pub learning_rate: f64,
    /// Decay of the mean of gradients.
    #[serde(with = "finite")]
    pub beta1: f64,
    /// Decay of the mean of squared gradients.
    #[serde(with = "finite")]
    pub beta2: f64,
    /// Added to the root of the second mean.
    #[serde(with = "finite")]
    pub epsilon: f64,
    /// Weight decay, times the learning rate a step; norms and biases are spared.
    #[serde(with = "finite")]
    pub weight_decay: f64,
    /// The largest global norm of a gradient that is used as it is.
    #[serde(with = "finite")]
    pub clip_norm: f64,
}

/// Warm-up, constant, and decay at the end where it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Tokens over which the learning rate rises.
    pub warmup: Tokens,
    /// The last tokens of the run, over which it falls; 0 for a run that ends constant.
    pub decay: Tokens,
}

/// When and how held-out loss is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// How many points, evenly spaced in the logarithm of tokens.
    pub points: usize,
    /// Tokens at the first of them.
    pub first: Tokens,
    /// How documents meet the context.
    pub convention: Convention,
    /// The most tokens that a prediction may look back on, the window of the evaluator.
    pub context: usize,
    /// Tokens between the beginnings of two windows of a text longer than the context.
    pub stride: usize,
    /// The most held-out tokens read.
    pub tokens: Tokens,
}

/// How held-out documents meet the context of the evaluator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Convention {
    /// Each document by itself.
    Documents,
    /// Documents joined end to end, and cut at the context.
    Packed,
}

/// What numbers the network computes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// 32-bit floats throughout.
    F32,
    /// Products read bf16 and sum in `f32`; weights, moments and everything else stay `f32`.
    Bf16,
}

/// One field in which two specs differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The field, dotted: `optimizer.learning_rate`.
    pub key: &'static str,
    /// Its value in the spec that was asked.
    pub here: String,
    /// Its value in the other.
    pub there: String,
}

impl RunSpec {
    /// The format that this version writes and reads.
    pub const FORMAT: u32 = 1;

    /// Every field under its dotted name. Floats are written shortest, so that reading gives the
    /// same float.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        // Taken apart in full: a field that is added later does not compile until it is listed.
        let Self {
            format,
            series,
            method,
            base,
            corpus,
            heldout,
            tokenizer,
            context,
            batch,
            micro_batch,
            tokens,
            seed,
            precision,
            start,
            optimizer,
            schedule,
            evaluation,
        } = self;
        let AdamW { learning_rate, beta1, beta2, epsilon, weight_decay, clip_norm } = optimizer;
        let Schedule { warmup, decay } = schedule;
        let Evaluation { points, first, convention, context: window, stride, tokens: limit } =
            evaluation;
        vec![
            ("base", base.clone()),
            ("batch", batch.to_string()),
            ("context", context.to_string()),
            ("corpus", corpus.clone()),
            ("evaluation.context", window.to_string()),
            ("evaluation.convention", convention.name().to_string()),
            ("evaluation.first", first.0.to_string()),
            ("evaluation.points", points.to_string()),
            ("evaluation.stride", stride.to_string()),
            ("evaluation.tokens", limit.0.to_string()),
            ("format", format.to_string()),
            ("heldout", heldout.clone()),
            ("method", method.clone()),
            ("micro_batch", micro_batch.to_string()),
            ("optimizer.beta1", exact(*beta1)),
            ("optimizer.beta2", exact(*beta2)),
            ("optimizer.clip_norm", exact(*clip_norm)),
            ("optimizer.epsilon", exact(*epsilon)),
            ("optimizer.learning_rate", exact(*learning_rate)),
            ("optimizer.weight_decay", exact(*weight_decay)),
            ("precision", precision.name().to_string()),
            ("schedule.decay", decay.0.to_string()),
            ("schedule.warmup", warmup.0.to_string()),
            ("seed", seed.to_string()),
            ("series", series.clone()),
            ("start", start.text()),
            ("tokenizer", tokenizer.clone()),
            ("tokens", tokens.0.to_string()),
        ]
    }

    /// The name of the run: the first 16 hexadecimal digits of the SHA-256 over `key=value` lines,
    /// sorted by key.
    pub fn id(&self) -> String {
        let mut id = Sha256::of(self.canonical()).to_string();
        id.truncate(16);
        id
    }

    /// The fields in which `other` differs, sorted by key.
    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        let pairs = self.fields().into_iter().zip(other.fields());
        pairs
            .filter(|((_, here), (_, there))| here != there)
            .map(|((key, here), (_, there))| Difference { key, here, there })
            .collect()
    }

    fn canonical(&self) -> String {
        let mut fields = self.fields();
        fields.sort_unstable();
        // A value may hold anything; escaped, it cannot pretend to be the next line.
        let line = |(key, value): (&str, String)| {
            format!("{key}={}\n", value.replace('\\', "\\\\").replace('\n', "\\n"))
        };
        fields.into_iter().map(line).collect()
    }
}

impl Start {
    fn text(&self) -> String {
        match self {
            Self::Weights { hash, sparsity: None } => format!("weights {hash}"),
            Self::Weights { hash, sparsity: Some(sparsity) } => {
                format!("weights {hash} sparse {sparsity}")
            }
            Self::Random { config_hash } => format!("random {config_hash}"),
        }
    }
}

impl Convention {
    /// The name in files and flags.
    pub fn name(self) -> &'static str {
        match self {
            Self::Documents => "documents",
            Self::Packed => "packed",
        }
    }
}

impl Precision {
    /// The name in files and flags.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }
}

/// The shortest text that reads back as the same float.
fn exact(value: f64) -> String {
    format!("{value:?}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn spec() -> RunSpec {
        RunSpec {
            format: RunSpec::FORMAT,
            series: "llama-3".into(),
            method: "depth-block-influence".into(),
            base: "stories260K".into(),
            corpus: "aa".into(),
            heldout: "bb".into(),
            tokenizer: "cc".into(),
            context: 256,
            batch: 8,
            micro_batch: 4,
            tokens: Tokens(1_000_000),
            seed: 7,
            precision: Precision::F32,
            start: Start::Weights { hash: "dd".into(), sparsity: None },
            optimizer: AdamW {
                learning_rate: 3e-4,
                beta1: 0.9,
                beta2: 0.95,
                epsilon: 1e-8,
                weight_decay: 0.1,
                clip_norm: 1.0,
            },
            schedule: Schedule { warmup: Tokens(20_000), decay: Tokens(0) },
            evaluation: Evaluation {
                points: 24,
                first: Tokens(4096),
                convention: Convention::Documents,
                context: 256,
                stride: 256,
                tokens: Tokens(100_000),
            },
        }
    }

    type Change = fn(&mut RunSpec);

    /// One change a field, under the field's name.
    const CHANGES: [(&str, Change); 28] = [
        ("base", |spec| spec.base.push('x')),
        ("batch", |spec| spec.batch += 1),
        ("context", |spec| spec.context += 1),
        ("corpus", |spec| spec.corpus.push('x')),
        ("evaluation.context", |spec| spec.evaluation.context += 1),
        ("evaluation.convention", |spec| spec.evaluation.convention = Convention::Packed),
        ("evaluation.first", |spec| spec.evaluation.first.0 += 1),
        ("evaluation.points", |spec| spec.evaluation.points += 1),
        ("evaluation.stride", |spec| spec.evaluation.stride += 1),
        ("evaluation.tokens", |spec| spec.evaluation.tokens.0 += 1),
        ("format", |spec| spec.format += 1),
        ("heldout", |spec| spec.heldout.push('x')),
        ("method", |spec| spec.method.push('x')),
        ("micro_batch", |spec| spec.micro_batch += 1),
        ("optimizer.beta1", |spec| spec.optimizer.beta1 = spec.optimizer.beta1.next_up()),
        ("optimizer.beta2", |spec| spec.optimizer.beta2 = spec.optimizer.beta2.next_up()),
        ("optimizer.clip_norm", |spec| {
            spec.optimizer.clip_norm = spec.optimizer.clip_norm.next_up()
        }),
        ("optimizer.epsilon", |spec| spec.optimizer.epsilon = spec.optimizer.epsilon.next_up()),
        ("optimizer.learning_rate", |spec| {
            spec.optimizer.learning_rate = spec.optimizer.learning_rate.next_up();
        }),
        ("optimizer.weight_decay", |spec| {
            spec.optimizer.weight_decay = spec.optimizer.weight_decay.next_up();
        }),
        ("precision", |spec| spec.precision = Precision::Bf16),
        ("schedule.decay", |spec| spec.schedule.decay.0 += 1),
        ("schedule.warmup", |spec| spec.schedule.warmup.0 += 1),
        ("seed", |spec| spec.seed += 1),
        ("series", |spec| spec.series.push('x')),
        ("start", |spec| spec.start = Start::Random { config_hash: "dd".into() }),
        ("tokenizer", |spec| spec.tokenizer.push('x')),
        ("tokens", |spec| spec.tokens.0 += 1),
    ];

    #[test]
    fn the_id_is_pinned() {
        // The same lines through Python's hashlib. A new value here gives every run on every disk a
        // new name.
        assert_eq!(spec().id(), "72d87868e8475c95");
    }

    #[test]
    fn changing_any_field_changes_the_id_and_names_the_field() {
        let mut ids = HashSet::from([spec().id()]);
        for (key, change) in CHANGES {
            let mut changed = spec();
            change(&mut changed);
            let keys: Vec<_> = spec().differences(&changed).into_iter().map(|d| d.key).collect();
            assert_eq!(keys, [key]);
            assert!(ids.insert(changed.id()), "{key}");
        }
        // Every field has its change.
        let changed: Vec<_> = CHANGES.iter().map(|(key, _)| *key).collect();
        let fields = spec().fields();
        let keys: Vec<_> = fields.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, changed);
    }

    #[test]
    fn fields_are_sorted_by_key() {
        assert!(spec().fields().is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn a_difference_says_both_values() {
        let other =
            RunSpec { optimizer: AdamW { learning_rate: 1e-3, ..spec().optimizer }, ..spec() };
        let expected = Difference {
            key: "optimizer.learning_rate",
            here: "0.0003".into(),
            there: "0.001".into(),
        };
        assert_eq!(spec().differences(&other), [expected]);
        assert!(spec().differences(&spec()).is_empty());
    }

    #[test]
    fn unknown_keys_other_formats_and_nan_are_refused() {
        let text = toml::to_string(&spec()).unwrap();
        for (from, to) in [
            ("seed = 7", "seed = 7\nsteps = 3"),
            ("beta1 = 0.9", "beta1 = nan"),
            ("beta1 = 0.9", "beta1 = inf"),
            ("format = 1", "format = 2"),
            ("kind = \"weights\"", "kind = \"weights\"\nmore = 1"),
            ("batch = 8", "batch = -8"),
        ] {
            assert!(text.contains(from), "{text}");
            assert!(toml::from_str::<RunSpec>(&text.replacen(from, to, 1)).is_err(), "{to}");
        }
    }

    proptest! {
        #[test]
        fn a_file_keeps_the_id(
            name in ".*", tokens in any::<u64>(), rate in any::<f64>().prop_filter("finite", |x| x.is_finite()),
        ) {
            let mut spec = spec();
            (spec.base, spec.tokens, spec.optimizer.learning_rate) = (name, Tokens(tokens), rate);
            let json: RunSpec = serde_json::from_str(&serde_json::to_string(&spec).unwrap()).unwrap();
            let toml: RunSpec = toml::from_str(&toml::to_string(&spec).unwrap()).unwrap();
            prop_assert_eq!(&json, &spec);
            prop_assert_eq!(&toml, &spec);
            prop_assert_eq!(json.id(), spec.id());
        }

        #[test]
        fn texts_that_differ_give_ids_that_differ(a in "[an=\\\\\n]{0,3}", b in "[an=\\\\\n]{0,3}") {
            let with = |base: &str, corpus: &str| RunSpec { base: base.into(), corpus: corpus.into(), ..spec() };
            prop_assert_eq!(with(&a, "x").id() == with(&b, "x").id(), a == b);
            prop_assert_eq!(with(&a, &b).id() == with(&b, &a).id(), a == b);
        }
    }

    #[test]
    fn no_text_can_pass_for_another_line() {
        let texts = ["a\nb", "a\\nb", "a\\\nb", "a\\\\nb", "a\nbatch=9", "a\\nbatch=9"];
        let ids = texts.map(|base| RunSpec { base: base.into(), ..spec() }.id());
        assert_eq!(HashSet::from(ids).len(), texts.len());
    }
}
