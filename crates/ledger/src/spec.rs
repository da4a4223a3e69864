//! What a run is: everything that changes its result, and nothing else.

mod evaluation;
mod objective;
mod optimizer;
mod start;
mod trainer;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::evaluation::{Convention, Evaluation};
pub use self::objective::Objective;
pub use self::optimizer::{AdamW, Precision, Schedule};
pub use self::start::Start;
pub use self::trainer::Trainer;
use crate::format::Format;
use crate::sha256::Sha256;
use crate::units::Tokens;

/// A training run with every choice made. Two runs with the same [`RunSpec::id`] give the same
/// weights and losses.
///
/// File names, thread counts and the save interval are not here: they do not change the result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    /// The format of the spec.
    pub format: Format<1>,
    /// The model series, the first group key of a law.
    pub series: String,
    /// The pruning method, the second group key; `none` for controls and training from scratch.
    pub method: String,
    /// The name of the model before pruning.
    pub base: String,
    /// SHA-256 of the training text.
    pub corpus: String,
    /// SHA-256 of the held-out text.
    pub heldout: String,
    /// SHA-256 of the tokenizer.
    pub tokenizer: String,
    /// Tokens per training sequence.
    pub context: usize,
    /// Sequences per optimiser step.
    pub batch: usize,
    /// Sequences in one forward and backward pass. It changes the order of floating-point sums, and
    /// so the last bits of the result.
    pub micro_batch: usize,
    /// Tokens to train on.
    pub tokens: Tokens,
    /// The seed for the order of the text and for random initial weights.
    pub seed: u64,
    /// The number format that the network computes in.
    pub precision: Precision,
    /// What the run starts from.
    pub start: Start,
    /// The optimiser.
    pub optimizer: AdamW,
    /// The learning-rate schedule.
    pub schedule: Schedule,
    /// When and how held-out loss is measured.
    pub evaluation: Evaluation,
    /// The program that trains. A spec without this field means regrow itself.
    #[serde(default, skip_serializing_if = "Trainer::is_own")]
    pub trainer: Trainer,
    /// What training minimises. A spec without this field means the next-token loss.
    #[serde(default, skip_serializing_if = "Objective::is_lm")]
    pub objective: Objective,
}

/// One field in which two specs differ; shown as "`seed` was 7, is 8".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The field, dotted: `optimizer.learning_rate`.
    key: &'static str,
    /// The value in the spec on which `differences` was called.
    here: String,
    /// The value in the other spec.
    there: String,
}

impl Difference {
    /// The field, dotted: `optimizer.learning_rate`.
    pub fn key(&self) -> &str {
        self.key
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` was {}, is {}", self.key, self.here, self.there)
    }
}

/// Fields that were added to format 1 later, with the value that older specs imply.
const LATER: [(&str, &str); 2] = [("trainer", "regrow"), ("objective", Objective::LM)];

impl RunSpec {
    /// The format that this version writes and reads.
    pub const FORMAT: Format<1> = Format;

    /// Every field under its dotted name. A float gets the shortest text that reads back as the
    /// same float.
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        // Destructured in full: a new field does not compile until it is listed here.
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
            trainer,
            objective,
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
            ("objective", objective.text()),
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
            ("trainer", trainer.name().to_string()),
        ]
    }

    /// The id of the run: the first 16 hexadecimal digits of the SHA-256 over `key=value` lines,
    /// sorted by key. A field that was added later is left out while it has the value that older
    /// specs imply, so older runs keep their ids.
    pub fn id(&self) -> String {
        let mut id = Sha256::of(self.canonical()).to_string();
        // 64 bits: among a million runs, the chance of two equal ids is below 1 in 30 million.
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
        fields.retain(|(key, value)| !LATER.contains(&(*key, value.as_str())));
        // Sorted here too: the id must not depend on the order in `fields`.
        fields.sort_unstable();
        // A value may contain a newline. Escaped, it cannot pass for another `key=value` line.
        let line = |(key, value): (&str, String)| {
            format!("{key}={}\n", value.replace('\\', "\\\\").replace('\n', "\\n"))
        };
        fields.into_iter().map(line).collect()
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
    use crate::testing::run_spec as spec;

    type SpecChange = fn(&mut RunSpec);

    /// One change a field, under the field's name.
    const CHANGES: [(&str, SpecChange); 29] = [
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
        ("heldout", |spec| spec.heldout.push('x')),
        ("method", |spec| spec.method.push('x')),
        ("micro_batch", |spec| spec.micro_batch += 1),
        ("objective", |spec| spec.objective = distil(1.0)),
        ("optimizer.beta1", |spec| spec.optimizer.beta1 = spec.optimizer.beta1.next_up()),
        ("optimizer.beta2", |spec| spec.optimizer.beta2 = spec.optimizer.beta2.next_up()),
        ("optimizer.clip_norm", |spec| {
            spec.optimizer.clip_norm = spec.optimizer.clip_norm.next_up();
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
        ("trainer", |spec| spec.trainer = Trainer::Torch),
    ];

    #[test]
    fn the_id_is_pinned() {
        // The same lines through Python's hashlib. A new value here gives every run on every disk a
        // new name.
        assert_eq!(spec().id(), "72d87868e8475c95");
    }

    #[test]
    fn a_run_of_our_own_trainer_keeps_the_id_that_it_had_before_specs_named_one() {
        let text = toml::to_string(&spec()).unwrap();
        assert!(!text.contains("trainer"), "{text}");
        let read = |text: &str| toml::from_str::<RunSpec>(text).unwrap();
        assert_eq!(read(&text), spec());
        let named = format!("trainer = \"regrow\"\n{text}");
        assert_eq!((read(&named).id(), spec().id().as_str()), (spec().id(), "72d87868e8475c95"));
        // The same lines and `trainer=torch` through Python's hashlib.
        let other = read(&format!("trainer = \"torch\"\n{text}"));
        assert_eq!(other.id(), "e0beae518dce87b6");
        assert_eq!(read(&toml::to_string(&other).unwrap()), other);
        assert!(toml::from_str::<RunSpec>(&format!("trainer = \"jax\"\n{text}")).is_err());
    }

    fn distil(temperature: f64) -> Objective {
        Objective::Distil { teacher: "ee".into(), cache: None, temperature }
    }

    #[test]
    fn a_run_on_text_alone_keeps_its_id_and_one_with_a_teacher_has_another() {
        let text = toml::to_string(&spec()).unwrap();
        assert!(!text.contains("objective"), "{text}");
        let read = |text: &str| toml::from_str::<RunSpec>(text);
        assert_eq!(read(&format!("{text}\n[objective]\nkind = \"lm\"\n")).unwrap(), spec());
        let run = |objective| RunSpec { objective, ..spec() };
        let mix = |cache: Option<&str>, weight| Objective::Mix {
            teacher: "ee".into(),
            cache: cache.map(str::to_owned),
            temperature: 1.0,
            weight,
        };
        let all = [distil(1.0), distil(2.0), mix(None, 0.5), mix(None, 1.0), mix(Some("ff"), 0.5)];
        let mut ids = HashSet::from([spec().id()]);
        for spec in all.map(run) {
            assert!(ids.insert(spec.id()), "{:?}", spec.objective);
            let text = toml::to_string(&spec).unwrap();
            assert_eq!(read(&text).unwrap(), spec);
            assert!(read(&(text + "colour = 1\n")).is_err());
        }
        // The lines of `spec()` and `objective=distil teacher ee temperature 1.0`, through Python's
        // hashlib.
        assert_eq!(run(distil(1.0)).id(), "a615ae08247d7324");
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
        // Every field has its change, but for the format, which has one value.
        let changed: Vec<_> = CHANGES.iter().map(|(key, _)| *key).collect();
        let fields = spec().fields();
        let keys = fields.iter().map(|(key, _)| *key).filter(|key| *key != "format");
        assert_eq!(keys.collect::<Vec<_>>(), changed);
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
        assert_eq!(expected.to_string(), "`optimizer.learning_rate` was 0.0003, is 0.001");
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
