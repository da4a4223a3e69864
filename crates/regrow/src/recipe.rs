//! A recipe: how a model is trained, as the user wrote it. With a starting point and a corpus it
//! becomes a [`RunSpec`].

use std::path::Path;
use std::str::FromStr;

use ledger::{
    AdamW, Convention, Evaluation, Objective, Precision, RunSpec, Schedule, Start, Tokens, Trainer,
};
use serde::{Deserialize, Serialize};

use crate::error::{Context, Error, ErrorKind, Result, bail};
use ledger::count::Count;

/// The format of a recipe file.
const FORMAT: i64 = 1;

/// The largest recipe file that is read, in bytes.
const LIMIT: u64 = 1 << 20;

/// Tokens per micro-batch where `micro_batch` is not given: enough to keep all cores busy.
const MICRO_BATCH_TOKENS: usize = 4096;

/// Held-out tokens read at each point where `eval_tokens` is not given.
pub(crate) const EVAL_TOKENS: u64 = 65_536;

/// How a model is trained, as the user wrote it. Every key that is missing has a default.
///
/// ```
/// let recipe: regrow::Recipe = "format = 1\ntokens = \"20M\"\nbatch = 16\n".parse()?;
/// # Ok::<(), regrow::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<i64>,
    /// Tokens to train on, for example 20M; the run ends with the step that reaches them
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tokens: Option<Count>,
    /// The model series that laws are fitted for [default: that of the pruned model, else the
    /// family]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) series: Option<String>,
    /// Tokens a sequence [default: the model's own, 2048 at most]
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<Count>,
    /// Sequences a step [default: 8]
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<Count>,
    /// Sequences that go through the network together [default: up to 4096 tokens of them]
    #[serde(skip_serializing_if = "Option::is_none")]
    micro_batch: Option<Count>,
    /// What products compute in: f32, or bf16 with sums in f32; weights and held-out losses stay
    /// f32 [default: f32]
    #[serde(skip_serializing_if = "Option::is_none")]
    precision: Option<Precision>,
    /// The peak learning rate [default: 3e-4]
    #[serde(skip_serializing_if = "Option::is_none")]
    learning_rate: Option<f64>,
    /// Tokens over which the learning rate rises [default: a fiftieth of `tokens`]
    #[serde(skip_serializing_if = "Option::is_none")]
    warmup: Option<Count>,
    /// The last tokens, over which the learning rate falls [default: 0, it stays constant]
    #[serde(skip_serializing_if = "Option::is_none")]
    decay: Option<Count>,
    /// Decoupled weight decay of matrices [default: 0.1]
    #[serde(skip_serializing_if = "Option::is_none")]
    weight_decay: Option<f64>,
    /// The largest global norm of a gradient that is used as it is [default: 1]
    #[serde(skip_serializing_if = "Option::is_none")]
    clip_norm: Option<f64>,
    /// Decay of the mean of gradients [default: 0.9]
    #[serde(skip_serializing_if = "Option::is_none")]
    beta1: Option<f64>,
    /// Decay of the mean of squared gradients [default: 0.95]
    #[serde(skip_serializing_if = "Option::is_none")]
    beta2: Option<f64>,
    /// Added to the root of the second mean [default: 1e-8]
    #[serde(skip_serializing_if = "Option::is_none")]
    epsilon: Option<f64>,
    /// Order of the text, and weights that start at random [default: 0]
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    /// What training minimises: lm, the next-token loss; distil, the divergence from a teacher; or
    /// mix, both [default: lm]
    #[serde(skip_serializing_if = "Option::is_none")]
    objective: Option<ObjectiveName>,
    /// The teacher: a model folder, a model of the hub, or a cache made by `regrow teach`
    #[serde(skip_serializing_if = "Option::is_none")]
    teacher: Option<String>,
    /// The share of the divergence in `mix`, 0 to 1 [default: 0.5]
    #[serde(skip_serializing_if = "Option::is_none")]
    distil_weight: Option<f64>,
    /// Divides the logits of teacher and model before the divergence is taken [default: 1]
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    /// Points of held-out loss, evenly spaced in the logarithm of tokens [default: 24]
    #[serde(skip_serializing_if = "Option::is_none")]
    eval_points: Option<Count>,
    /// Tokens at the first of them [default: a two-hundredth of `tokens`]
    #[serde(skip_serializing_if = "Option::is_none")]
    eval_first: Option<Count>,
    /// Held-out tokens read at each of them [default: 65536, or all]
    #[serde(skip_serializing_if = "Option::is_none")]
    eval_tokens: Option<Count>,
    /// How held-out documents meet the context: documents, each by itself, or packed, end to end
    /// [default: documents]
    #[serde(skip_serializing_if = "Option::is_none")]
    eval_convention: Option<Convention>,
    /// Most tokens that a held-out prediction looks back on [default: the context]
    #[serde(skip_serializing_if = "Option::is_none")]
    eval_context: Option<Count>,
    /// Tokens between the beginnings of two windows of held-out text [default: `eval_context`]
    #[serde(skip_serializing_if = "Option::is_none")]
    eval_stride: Option<Count>,
    /// Tokens between two checkpoints, beside those of the least held-out loss [default: a tenth
    /// of `tokens`]
    #[serde(skip_serializing_if = "Option::is_none")]
    save_every: Option<Count>,
    /// The program that trains: regrow, or torch, which is PyTorch driven and checked by regrow
    /// [default: regrow]
    #[serde(skip_serializing_if = "Option::is_none")]
    trainer: Option<Trainer>,
}

/// The name of an objective.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ObjectiveName {
    /// The next-token loss.
    Lm,
    /// The divergence from a teacher.
    Distil,
    /// Both.
    Mix,
}

impl ObjectiveName {
    /// The name in files and flags.
    pub fn name(self) -> &'static str {
        let [lm, distil, mix] = Objective::NAMES;
        match self {
            Self::Lm => lm,
            Self::Distil => distil,
            Self::Mix => mix,
        }
    }
}

impl std::fmt::Display for ObjectiveName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What a recipe does not contain: the corpus, the starting point and the lineage.
#[derive(Debug)]
pub(crate) struct Setting<'a> {
    pub(crate) series: String,
    pub(crate) method: String,
    pub(crate) base: String,
    pub(crate) corpus: CorpusFacts<'a>,
    /// The default context, in tokens.
    pub(crate) context: usize,
    pub(crate) start: Start,
    pub(crate) objective: Objective,
    /// The tokens that defaults follow from, where they are not those of the recipe: an extended
    /// run was begun with fewer.
    pub(crate) begun_with: Option<Tokens>,
}

/// What a spec holds of a corpus.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CorpusFacts<'a> {
    /// SHA-256 of the training text, of the held-out text, and of the tokenizer.
    hashes: [&'a str; 3],
    /// Held-out tokens.
    heldout: u64,
}

impl<'a> CorpusFacts<'a> {
    /// Of a corpus that is there.
    pub(crate) fn of(info: &'a text::CorpusInfo) -> Self {
        let hashes = [info.train().text(), info.heldout().text(), info.tokenizer()];
        Self { hashes, heldout: info.heldout().tokens() }
    }

    /// Of one that is still to be made: without hashes, and long enough.
    pub(crate) fn unknown() -> Self {
        Self { hashes: [""; 3], heldout: u64::MAX }
    }
}

impl Recipe {
    /// Reads a file. Returns the recipe and its text.
    ///
    /// # Errors
    /// Where it is not TOML, its `format` is not 1, or a key is unknown.
    pub fn read(path: &Path) -> Result<(Self, String)> {
        let text = disk::read_to_string(path, LIMIT)?;
        Ok((Self::parse(&text, &path.display().to_string())?, text))
    }

    /// Parses a recipe; errors call it `name`.
    fn parse(text: &str, name: &str) -> Result<Self> {
        let wrong = || format!("`{name}` is not a recipe");
        let table: toml::Table = toml::from_str(text).with_context(wrong)?;
        // Checked first, because another format may have other keys.
        match table.get("format").map(|found| (found, found.as_integer())) {
            Some((_, Some(FORMAT))) => {}
            Some((found, _)) => bail!("`{name}` has format {found}, expected {FORMAT}"),
            None => bail!("`{name}` lacks `format = {FORMAT}`"),
        }
        toml::from_str(text).with_context(wrong)
    }

    /// A recipe from keys and values, as in a recipe file.
    ///
    /// # Errors
    /// Where a key is unknown, or its value has the wrong type.
    pub fn of_keys(keys: toml::Table) -> Result<Self> {
        Ok(Self::deserialize(keys)?)
    }

    /// The program that trains.
    pub fn trainer(&self) -> Trainer {
        self.trainer.unwrap_or_default()
    }

    /// Whether it gives the number of tokens to train on.
    pub fn has_tokens(&self) -> bool {
        self.tokens.is_some()
    }

    /// The same, without a number of tokens.
    #[must_use]
    pub(crate) fn without_tokens(mut self) -> Self {
        self.tokens = None;
        self
    }

    /// The same, with this many tokens.
    #[must_use]
    pub(crate) fn with_tokens(mut self, tokens: u64) -> Self {
        self.tokens = Some(Count(tokens));
        self
    }

    /// The same, with a learning rate and a context where none is said.
    #[must_use]
    pub(crate) fn or(mut self, learning_rate: Option<f64>, context: Option<Count>) -> Self {
        self.learning_rate = self.learning_rate.or(learning_rate);
        self.context = self.context.or(context);
        self
    }

    /// This recipe, with missing keys taken from `other`.
    #[must_use]
    pub fn over(self, other: Self) -> Self {
        Self {
            format: self.format.or(other.format),
            tokens: self.tokens.or(other.tokens),
            series: self.series.or(other.series),
            context: self.context.or(other.context),
            batch: self.batch.or(other.batch),
            micro_batch: self.micro_batch.or(other.micro_batch),
            precision: self.precision.or(other.precision),
            learning_rate: self.learning_rate.or(other.learning_rate),
            warmup: self.warmup.or(other.warmup),
            decay: self.decay.or(other.decay),
            weight_decay: self.weight_decay.or(other.weight_decay),
            clip_norm: self.clip_norm.or(other.clip_norm),
            beta1: self.beta1.or(other.beta1),
            beta2: self.beta2.or(other.beta2),
            epsilon: self.epsilon.or(other.epsilon),
            seed: self.seed.or(other.seed),
            objective: self.objective.or(other.objective),
            teacher: self.teacher.or(other.teacher),
            distil_weight: self.distil_weight.or(other.distil_weight),
            temperature: self.temperature.or(other.temperature),
            eval_points: self.eval_points.or(other.eval_points),
            eval_first: self.eval_first.or(other.eval_first),
            eval_tokens: self.eval_tokens.or(other.eval_tokens),
            eval_convention: self.eval_convention.or(other.eval_convention),
            eval_context: self.eval_context.or(other.eval_context),
            eval_stride: self.eval_stride.or(other.eval_stride),
            save_every: self.save_every.or(other.save_every),
            trainer: self.trainer.or(other.trainer),
        }
    }

    /// Its keys and values as words, as flags have them.
    ///
    /// # Errors
    /// Where a number is too large for TOML.
    pub(crate) fn words(&self) -> Result<Vec<(String, String)>> {
        let table = toml::Table::try_from(Self { format: None, ..self.clone() })?;
        let word = |value: toml::Value| match value {
            toml::Value::String(text) => text,
            toml::Value::Float(number) => number.to_string(),
            other => other.to_string(),
        };
        Ok(table.into_iter().map(|(key, value)| (key, word(value))).collect())
    }

    /// The same recipe as TOML text.
    ///
    /// # Errors
    /// Where a number is too large for TOML.
    pub fn to_toml(&self) -> Result<String> {
        Ok(toml::to_string(&Self { format: Some(FORMAT), ..self.clone() })?)
    }

    /// How losses are measured in a run on `tokens` tokens, by default with this training context,
    /// of a corpus with `heldout` held-out tokens.
    pub(crate) fn evaluation(&self, tokens: u64, context: usize, heldout: u64) -> Evaluation {
        let count =
            |count: Option<Count>, default: u64| Tokens(count.map_or(default, |count| count.0));
        // The evaluator's window may differ from the training context.
        let window = size(self.eval_context, size(self.context, context));
        Evaluation {
            points: size(self.eval_points, 24),
            first: count(self.eval_first, tokens / 200),
            convention: self.eval_convention.unwrap_or(Convention::Documents),
            context: window,
            stride: size(self.eval_stride, window),
            // Resolved to what the text has, so that the spec states the tokens that are really
            // read.
            tokens: Tokens(count(self.eval_tokens, EVAL_TOKENS).0.min(heldout)),
        }
    }

    /// Resolves every default. The trainer checks the numbers.
    pub(crate) fn resolve(&self, setting: Setting<'_>) -> Result<RunSpec> {
        // The only key without a default: how long to train is the question that the user must
        // answer.
        let Some(Count(tokens)) = self.tokens else {
            let message = "how many tokens to train on is not said: `tokens` in the recipe";
            return Err(Error::new(ErrorKind::Usage, message));
        };
        let begun_with = setting.begun_with.map_or(tokens, |begun| begun.0);
        let context = size(self.context, setting.context);
        let batch = size(self.batch, 8);
        let CorpusFacts { hashes: [train, text, tokenizer], heldout } = setting.corpus;
        let count =
            |count: Option<Count>, default: u64| Tokens(count.map_or(default, |count| count.0));
        Ok(RunSpec {
            format: RunSpec::FORMAT,
            series: self.series.clone().unwrap_or(setting.series),
            method: setting.method,
            base: setting.base,
            corpus: train.to_owned(),
            heldout: text.to_owned(),
            tokenizer: tokenizer.to_owned(),
            context,
            batch,
            micro_batch: size(
                self.micro_batch,
                // At least one sequence, and never more than the batch; a context of 0 is refused
                // later.
                batch.min((MICRO_BATCH_TOKENS / context.max(1)).max(1)),
            ),
            tokens: Tokens(tokens),
            seed: self.seed.unwrap_or(0),
            precision: self.precision.unwrap_or(Precision::F32),
            start: setting.start,
            optimizer: AdamW {
                learning_rate: self.learning_rate.unwrap_or(3e-4),
                beta1: self.beta1.unwrap_or(0.9),
                beta2: self.beta2.unwrap_or(0.95),
                epsilon: self.epsilon.unwrap_or(1e-8),
                weight_decay: self.weight_decay.unwrap_or(0.1),
                clip_norm: self.clip_norm.unwrap_or(1.0),
            },
            schedule: Schedule {
                warmup: count(self.warmup, begun_with / 50),
                decay: count(self.decay, 0),
            },
            evaluation: self.evaluation(begun_with, context, heldout),
            trainer: self.trainer(),
            objective: setting.objective,
        })
    }

    /// The same, without what is said of the objective and its teacher.
    #[must_use]
    pub(crate) fn without_teaching(self) -> Self {
        Self { objective: None, teacher: None, distil_weight: None, temperature: None, ..self }
    }

    /// Only what is said of a teacher, for this objective: what it does not take is left out.
    /// Without a teacher of its own, it has `teacher`.
    #[must_use]
    pub(crate) fn teaching(&self, objective: ObjectiveName, teacher: &str) -> Self {
        if objective == ObjectiveName::Lm {
            return Self::default();
        }
        let weight = self.distil_weight.filter(|_| objective == ObjectiveName::Mix);
        Self {
            objective: Some(objective),
            teacher: Some(self.teacher.clone().unwrap_or_else(|| teacher.to_owned())),
            distil_weight: weight,
            temperature: self.temperature,
            ..Self::default()
        }
    }

    /// The temperature of the divergence, where it is said.
    pub(crate) fn temperature(&self) -> Option<f64> {
        self.temperature
    }

    /// Whether the share of the divergence is said.
    pub(crate) fn has_distil_weight(&self) -> bool {
        self.distil_weight.is_some()
    }

    /// Where the teacher is.
    pub fn teacher(&self) -> Option<&str> {
        self.teacher.as_deref()
    }

    /// The objective, with the hashes of the teacher's weights and of its cache if it has one.
    pub(crate) fn objective(&self, teacher: Option<(String, Option<String>)>) -> Result<Objective> {
        let name = self.objective.unwrap_or(ObjectiveName::Lm);
        let needless = [
            ("teacher", self.teacher.is_some()),
            ("temperature", self.temperature.is_some()),
            ("distil_weight", self.distil_weight.is_some()),
        ];
        let usage = |text: String| Err(Error::new(ErrorKind::Usage, text));
        if name == ObjectiveName::Lm {
            return match needless.iter().find(|(_, is_given)| *is_given) {
                None => Ok(Objective::Lm),
                Some((key, _)) => usage(format!(
                    "`{key}` is given, and the objective is `lm`, which has no teacher: expected `objective` to be \
                     `distil` or `mix`"
                )),
            };
        }
        let Some((teacher, cache)) = teacher else {
            return usage("the objective learns from a teacher, and no `teacher` is given".into());
        };
        let temperature = self.temperature.unwrap_or(1.0);
        let wrong = |key: &'static str, found: f64, expected: &str| {
            let text = format!("`{key}` is {found}, expected {expected}");
            Err(Error::new(ErrorKind::Usage, text).about(key))
        };
        if !(temperature > 0.0 && temperature.is_finite()) {
            return wrong("temperature", temperature, "a number above 0");
        }
        let weight = self.distil_weight.unwrap_or(0.5);
        if !(0.0..=1.0).contains(&weight) {
            return wrong("distil_weight", weight, "0 to 1");
        }
        if name == ObjectiveName::Mix {
            return Ok(Objective::Mix { teacher, cache, temperature, weight });
        }
        if self.distil_weight.is_some() {
            return usage(
                "`distil_weight` is given, and the objective is `distil`, the divergence alone: expected `mix`".into(),
            );
        }
        Ok(Objective::Distil { teacher, cache, temperature })
    }

    /// Steps between two checkpoints.
    pub(crate) fn save_every(&self, spec: &RunSpec) -> u64 {
        let tokens = self.save_every.map_or(spec.tokens.0 / 10, |count| count.0);
        tokens.div_ceil(train::milestones::tokens_per_step(spec)).max(1)
    }
}

impl FromStr for Recipe {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text, "recipe")
    }
}

/// A count as a size of memory, or the default.
fn size(count: Option<Count>, default: usize) -> usize {
    count.map_or(default, |Count(number)| usize::try_from(number).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Recipe> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recipe.toml");
        std::fs::write(&path, text).unwrap();
        Recipe::read(&path).map(|(recipe, _)| recipe)
    }

    #[test]
    fn flags_win_over_the_file() {
        let file = read("format = 1\ntokens = \"1M\"\nbatch = 4\n").unwrap();
        let flags = Recipe { tokens: Some(Count(500)), ..Recipe::default() };
        let both = flags.over(file);
        assert_eq!((both.tokens, both.batch), (Some(Count(500)), Some(Count(4))));
    }

    #[test]
    fn a_recipe_comes_back_from_its_own_text() {
        let recipe =
            read("format = 1\ntokens = 1e6\nlearning_rate = 1e-3\neval_convention = \"packed\"\n")
                .unwrap();
        assert_eq!(read(&recipe.to_toml().unwrap()).unwrap(), recipe);
    }

    #[test]
    fn unknown_keys_and_other_formats_are_refused() {
        for (text, said) in [
            ("format = 1\nlearning-rate = 1e-3\n", "unknown field `learning-rate`"),
            ("format = 1\nsteps = 3\n", "unknown field `steps`"),
            ("format = 2\n", "has format 2, expected 1"),
            ("tokens = 5\n", "lacks `format = 1`"),
            ("format = 1\ntokens = -5\n", "a count"),
            ("format = 1\nbatch = \"x\"\n", "is not a count"),
            ("format = ", "is not a recipe"),
        ] {
            let error = format!("{:#}", read(text).unwrap_err());
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
