//! The keys of a sweep's recipe, as the user wrote them: text, models, pruning and healing.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::json;
use shape::config::ModelConfig;

use super::case::CaseKeys;
use super::executor::ExecutorKeys;
use super::training::{Overrides, TrainingKeys};
use crate::error::{Context, Result, bail};
use crate::recipe::ObjectiveName;
use ledger::count::Count;

/// A sweep as the user wrote it. `recipes/quickstart.toml` explains every key.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SweepKeys {
    #[allow(dead_code, reason = "checked before the rest is read")]
    format: i64,
    /// Each seed trains every base, and heals the models pruned from it.
    #[serde(default = "one_seed")]
    pub(crate) seeds: Vec<u64>,
    /// Tokens that models look back on.
    pub(crate) context: Count,
    /// Which bases are also trained further without pruning.
    #[serde(default)]
    pub(crate) controls: Controls,
    pub(crate) corpus: CorpusKeys,
    pub(crate) series: Vec<SeriesKeys>,
    /// How bases are trained from scratch. Only sweeps over models that exist do without it.
    #[serde(default)]
    pub(crate) base: Option<TrainingKeys>,
    /// How a base is trained further before it is pruned. Missing keys are as in `heal`.
    #[serde(default)]
    pub(crate) settle: Option<TrainingKeys>,
    pub(crate) calibration: CalibrationKeys,
    pub(crate) methods: Vec<MethodKeys>,
    /// How pruned models are trained. Missing keys are as in `base`.
    pub(crate) heal: TrainingKeys,
    /// What healing minimises: each cut is healed once for each.
    #[serde(default = "text_alone")]
    pub(crate) objectives: Vec<ObjectiveName>,
    /// Has every base write a cache that its pruned models learn from.
    #[serde(default)]
    pub(crate) teach: Option<TeachKeys>,
    /// What runs the jobs, and what they may take.
    #[serde(default)]
    pub(crate) executor: ExecutorKeys,
    /// Runs that differ from `heal`, or are made beside it.
    #[serde(default)]
    pub(crate) cases: Vec<CaseKeys>,
}

/// The text: files, or generated text.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CorpusKeys {
    #[serde(default)]
    pub(crate) inputs: Vec<PathBuf>,
    #[serde(default)]
    pub(crate) grammar: Option<GrammarKeys>,
    /// `file` or `blank-line`.
    #[serde(default)]
    pub(crate) documents: Option<String>,
    #[serde(default)]
    pub(crate) separator: Option<String>,
    /// Or a corpus folder that `regrow tokenize` has made. It needs no other key.
    #[serde(default)]
    pub(crate) folder: Option<PathBuf>,
    /// Other text to heal on, which bases have not seen. Losses are measured on its held-out part.
    #[serde(default)]
    pub(crate) heal_inputs: Vec<PathBuf>,
    /// Or a corpus folder of such text, beside `folder`.
    #[serde(default)]
    pub(crate) heal_folder: Option<PathBuf>,
    /// Tokens of a byte-level BPE that is trained on the text.
    #[serde(default)]
    pub(crate) vocabulary: Option<Count>,
    /// Or a `tokenizer.json`, or a model folder with one. Models that exist bring their own.
    #[serde(default)]
    pub(crate) tokenizer: Option<PathBuf>,
    #[serde(default)]
    pub(crate) heldout_share: Option<f64>,
}

/// Text from [`crate::quickstart::grammar`].
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GrammarKeys {
    pub(crate) documents: Count,
    pub(crate) seed: u64,
}

/// Which bases are also trained further without pruning, with as many tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub(crate) enum Controls {
    #[default]
    Every,
    /// One for each size: the base of the first seed.
    OneASize,
    None,
}

impl TryFrom<toml::Value> for Controls {
    type Error = String;

    fn try_from(value: toml::Value) -> Result<Self, String> {
        match value {
            toml::Value::Boolean(true) => Ok(Controls::Every),
            toml::Value::Boolean(false) => Ok(Controls::None),
            toml::Value::String(word) if word == "one-a-size" => Ok(Controls::OneASize),
            other => Err(format!("`controls` is {other}, expected true, false or \"one-a-size\"")),
        }
    }
}

/// Models of one family that differ in size.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SeriesKeys {
    pub(crate) name: String,
    /// `llama` or `qwen2`. Only for `sizes`.
    #[serde(default)]
    pub(crate) model_type: Option<String>,
    #[serde(default = "yes")]
    pub(crate) tie_word_embeddings: bool,
    /// Sizes that are trained from scratch.
    #[serde(default)]
    pub(crate) sizes: Vec<SizeKeys>,
    /// Models that exist.
    #[serde(default)]
    pub(crate) models: Vec<ModelKeys>,
}

/// A model that exists.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ModelKeys {
    /// Its folder, or its id on the hub.
    pub(crate) model: String,
    /// Its name in folders of the sweep [default: the last part of `model`].
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// The learning rate of what is pruned from it, instead of the one in `heal`.
    #[serde(default)]
    pub(crate) learning_rate: Option<f64>,
}

/// The shape of one size, with the keys of `config.json`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SizeKeys {
    pub(crate) hidden_size: usize,
    pub(crate) num_hidden_layers: usize,
    pub(crate) num_attention_heads: usize,
    pub(crate) num_key_value_heads: usize,
    pub(crate) intermediate_size: usize,
    /// The learning rate of this base and its pruned models, instead of the one in `base`.
    #[serde(default)]
    pub(crate) learning_rate: Option<f64>,
    /// Its own seeds, instead of those of the sweep.
    #[serde(default)]
    pub(crate) seeds: Option<Vec<u64>>,
}

/// Text that pruning measures on.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CalibrationKeys {
    pub(crate) samples: usize,
    pub(crate) length: usize,
}

/// A method, and how much it removes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MethodKeys {
    pub(crate) name: String,
    /// Shares of all parameters. Depth methods round each to whole blocks.
    #[serde(default)]
    pub(crate) rates: Vec<f64>,
    /// Or numbers of blocks to remove.
    #[serde(default)]
    pub(crate) blocks: Vec<usize>,
    /// Or the blocks to remove, counted from 0, the same in every base.
    #[serde(default)]
    pub(crate) drop: Vec<Vec<usize>>,
    /// Or, where blocks are not removed, the rates that removing so many of them would have.
    #[serde(default)]
    pub(crate) as_blocks: Vec<usize>,
}

/// A cache of each base.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TeachKeys {
    /// The most probable tokens that are kept at each position.
    pub(crate) top: usize,
}

fn text_alone() -> Vec<ObjectiveName> {
    vec![ObjectiveName::Lm]
}

fn one_seed() -> Vec<u64> {
    vec![1]
}

fn yes() -> bool {
    true
}

impl SweepKeys {
    /// The seeds that bases of a size are trained with.
    pub(crate) fn seeds<'a>(&'a self, size: &'a SizeKeys) -> &'a [u64] {
        size.seeds.as_deref().unwrap_or(&self.seeds)
    }

    /// The shape of a size, with the context of the sweep and a vocabulary of so many tokens.
    pub(crate) fn config(
        &self,
        series: &SeriesKeys,
        size: &SizeKeys,
        vocabulary: usize,
    ) -> Result<ModelConfig> {
        let architecture = match series.model_type.as_deref() {
            Some("llama") => "LlamaForCausalLM",
            Some("qwen2") => "Qwen2ForCausalLM",
            other => {
                bail!(
                    "`model_type` of series `{}` is {}, expected `llama` or `qwen2`",
                    series.name,
                    other.map_or_else(|| "missing".to_owned(), |name| format!("`{name}`"))
                )
            }
        };
        // Through JSON, so that a size passes the same checks as any `config.json`.
        let raw = json!({
            "architectures": [architecture],
            "model_type": series.model_type,
            "hidden_size": size.hidden_size,
            "num_hidden_layers": size.num_hidden_layers,
            "num_attention_heads": size.num_attention_heads,
            "num_key_value_heads": size.num_key_value_heads,
            "intermediate_size": size.intermediate_size,
            "vocab_size": vocabulary,
            "max_position_embeddings": self.context.0,
            "tie_word_embeddings": series.tie_word_embeddings,
        });
        let name = format!("{} {}", series.name, size.name());
        Ok(ModelConfig::from_json(raw.to_string().as_bytes(), name.as_ref())?)
    }

    /// Every model that exists, in the order of the recipe.
    pub(crate) fn models(&self) -> impl Iterator<Item = &ModelKeys> {
        self.series.iter().flat_map(|series| &series.models)
    }

    /// How pruned models are trained, with what `base` says where `heal` is silent.
    pub(crate) fn healing(&self) -> Overrides {
        let heal = &self.heal.0;
        self.base.as_ref().map_or_else(|| heal.clone(), |base| heal.over(&base.0))
    }

    /// How bases are trained from scratch.
    ///
    /// # Errors
    /// Where the recipe does not say it.
    pub(crate) fn base_training(&self) -> Result<&TrainingKeys> {
        self.base.as_ref().context("`base` is missing: it says how `sizes` are trained")
    }
}

impl SizeKeys {
    /// Width and depth, for example `48x6`.
    pub(crate) fn name(&self) -> String {
        format!("{}x{}", self.hidden_size, self.num_hidden_layers)
    }
}

/// Where a model is: its folder, its snapshot in the cache of the hub, or else its id.
pub(crate) fn place_of(model: &str) -> PathBuf {
    let path = PathBuf::from(model);
    crate::hub::cached_folder(&path).unwrap_or(path)
}

impl ModelKeys {
    /// Where it is: the folder, its snapshot in the cache of the hub, or else the id.
    pub(crate) fn place(&self) -> PathBuf {
        place_of(&self.model)
    }

    /// Its name in folders of the sweep: `Llama-3.2-1B` for `meta-llama/Llama-3.2-1B@main`.
    pub(crate) fn name(&self) -> &str {
        let last = || {
            let path = self.model.trim_end_matches('/');
            let last = path.rsplit('/').next().unwrap_or(path);
            last.split('@').next().unwrap_or(last)
        };
        self.name.as_deref().unwrap_or_else(last)
    }
}
