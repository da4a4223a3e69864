//! A sweep as written: which text, which models, how they are pruned and how they heal.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::json;
use shape::config::ModelConfig;

use crate::count::Count;
use crate::recipe::Recipe;

/// The format of a sweep's recipe.
const FORMAT: i64 = 1;

/// Larger than any recipe is.
const LIMIT: u64 = 1 << 20;

/// A sweep as written; every key is explained in `recipes/quickstart.toml`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    #[allow(dead_code, reason = "checked before the rest is read")]
    format: i64,
    /// Each seed trains every base anew, and heals what is pruned from it.
    #[serde(default = "one_seed")]
    pub seeds: Vec<u64>,
    /// Tokens that models look back on.
    pub context: Count,
    /// Which bases are also trained on unpruned.
    #[serde(default)]
    pub controls: Controls,
    pub corpus: Corpus,
    pub series: Vec<Series>,
    pub base: Training,
    /// How a base is trained on before it is pruned; what is silent here is as in `heal`.
    #[serde(default)]
    pub settle: Option<Training>,
    pub calibration: Calibration,
    pub methods: Vec<Method>,
    /// What is silent here is as in `base`.
    pub heal: Training,
}

/// The text: files, or our own generator.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Corpus {
    #[serde(default)]
    pub inputs: Vec<PathBuf>,
    #[serde(default)]
    pub grammar: Option<Grammar>,
    /// `file` or `blank-line`.
    #[serde(default)]
    pub documents: Option<String>,
    #[serde(default)]
    pub separator: Option<String>,
    pub vocabulary: Count,
    pub heldout_share: f64,
}

/// Text from [`crate::quickstart::grammar`].
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grammar {
    pub documents: Count,
    pub seed: u64,
}

/// Bases that are also trained on unpruned, with as many tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(try_from = "toml::Value")]
pub enum Controls {
    #[default]
    Every,
    /// That of the first seed, for each size.
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
pub struct Series {
    pub name: String,
    /// `llama` or `qwen2`.
    pub model_type: String,
    #[serde(default = "yes")]
    pub tie_word_embeddings: bool,
    pub sizes: Vec<Size>,
}

/// The shape of one size, in the words of `config.json`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    pub hidden_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub num_key_value_heads: usize,
    pub intermediate_size: usize,
    /// Of the base and of all that heals from it, instead of the one in `base`.
    #[serde(default)]
    pub learning_rate: Option<f64>,
    /// Instead of those of the sweep.
    #[serde(default)]
    pub seeds: Option<Vec<u64>>,
}

/// How models are trained: the keys of a recipe for `regrow train`, and `tokens_per_parameter`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "toml::Table")]
pub struct Training {
    /// Instead of `tokens`.
    pub tokens_per_parameter: Option<f64>,
    pub keys: Recipe,
}

/// Text that pruning measures on.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    pub samples: usize,
    pub length: usize,
}

/// A method and how much it takes away.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method {
    pub name: String,
    /// Shares of all parameters; each becomes whole blocks ...
    #[serde(default)]
    pub rates: Vec<f64>,
    /// ... or numbers of blocks ...
    #[serde(default)]
    pub blocks: Vec<usize>,
    /// ... or the blocks themselves, counted from 0: the same of every base.
    #[serde(default)]
    pub drop: Vec<Vec<usize>>,
}

fn one_seed() -> Vec<u64> {
    vec![1]
}

fn yes() -> bool {
    true
}

impl TryFrom<toml::Table> for Training {
    type Error = String;

    fn try_from(mut table: toml::Table) -> Result<Self, String> {
        let tokens_per_parameter = match table.remove("tokens_per_parameter") {
            None => None,
            Some(toml::Value::Integer(number)) => Some(number as f64),
            Some(toml::Value::Float(number)) => Some(number),
            Some(other) => {
                return Err(format!("`tokens_per_parameter` is {other}, expected a number"));
            }
        };
        for key in ["format", "seed", "series"] {
            if table.contains_key(key) {
                return Err(format!(
                    "`{key}` is the same for the whole sweep, it has no place here"
                ));
            }
        }
        let keys: Recipe =
            table.try_into().map_err(|error: toml::de::Error| error.message().to_owned())?;
        match (tokens_per_parameter, keys.tokens) {
            (Some(number), _) if !(number > 0.0 && number <= 1e6) => Err(format!(
                "`tokens_per_parameter` is {number}, expected above 0 and at most 1000000"
            )),
            (Some(_), Some(_)) => {
                Err("both `tokens` and `tokens_per_parameter` are given, expected one".into())
            }
            (None, None) => Err("neither `tokens` nor `tokens_per_parameter` is given".into()),
            _ => Ok(Self { tokens_per_parameter, keys }),
        }
    }
}

impl Training {
    /// Tokens to train a model on that was made of `parameters` parameters.
    pub fn tokens(&self, parameters: u64) -> u64 {
        match (self.tokens_per_parameter, self.keys.tokens) {
            (Some(number), _) => (number * parameters as f64).round() as u64,
            (None, tokens) => tokens.map_or(0, |count| count.0),
        }
    }
}

impl Sweep {
    /// Reads a file; its text comes along.
    ///
    /// # Errors
    /// Where it is no TOML, its `format` is not 1, a key is unknown or missing, or the sweep makes
    /// no sense.
    pub fn read(path: &Path) -> anyhow::Result<(Self, String)> {
        let text = disk::read_to_string(path, LIMIT)?;
        let sweep =
            Self::parse(&text).with_context(|| format!("`{}` is not a sweep", path.display()))?;
        Ok((sweep, text))
    }

    /// Reads the text of a file.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let table: toml::Table = toml::from_str(text)?;
        // First: another format may have other keys.
        match table.get("format").map(|found| (found, found.as_integer())) {
            Some((_, Some(FORMAT))) => {}
            Some((found, _)) => bail!("`format` is {found}, expected {FORMAT}"),
            None => bail!("`format = {FORMAT}` is missing"),
        }
        let sweep: Self = toml::from_str(text)?;
        sweep.check()?;
        Ok(sweep)
    }

    fn check(&self) -> anyhow::Result<()> {
        self.corpus.check()?;
        for (list, length) in [
            ("seeds", self.seeds.len()),
            ("series", self.series.len()),
            ("methods", self.methods.len()),
        ] {
            if length == 0 {
                bail!("`{list}` is empty, expected one or more");
            }
        }
        if !(2..=1 << 24).contains(&self.context.0) {
            bail!("`context` is {}, expected 2 to 16777216", self.context);
        }
        unique("seeds", self.seeds.iter())?;
        unique("series", self.series.iter().map(|series| &series.name))?;
        unique("methods", self.methods.iter().map(|method| &method.name))?;
        for series in &self.series {
            check_name("series", &series.name)?;
            if series.sizes.is_empty() {
                bail!("series `{}` has no `sizes`", series.name);
            }
            unique("sizes", series.sizes.iter().map(Size::name))?;
            for size in &series.sizes {
                let seeds = self.seeds(size);
                if seeds.is_empty() {
                    bail!(
                        "`seeds` of {} {} is empty, expected one or more",
                        series.name,
                        size.name()
                    );
                }
                unique("seeds", seeds.iter())?;
                if size.learning_rate.is_some_and(|rate| !(rate > 0.0 && rate.is_finite())) {
                    bail!(
                        "`learning_rate` of {} {} is not a positive number",
                        series.name,
                        size.name()
                    );
                }
            }
        }
        self.methods.iter().try_for_each(Method::check)
    }

    /// The seeds that bases of a size are trained with.
    pub fn seeds<'a>(&'a self, size: &'a Size) -> &'a [u64] {
        size.seeds.as_deref().unwrap_or(&self.seeds)
    }

    /// The shape of a size, with the vocabulary and context of the sweep.
    pub fn config(&self, series: &Series, size: &Size) -> anyhow::Result<ModelConfig> {
        let architecture = match series.model_type.as_str() {
            "llama" => "LlamaForCausalLM",
            "qwen2" => "Qwen2ForCausalLM",
            other => {
                bail!(
                    "`model_type` of series `{}` is `{other}`, expected `llama` or `qwen2`",
                    series.name
                )
            }
        };
        let raw = json!({
            "architectures": [architecture],
            "model_type": series.model_type,
            "hidden_size": size.hidden_size,
            "num_hidden_layers": size.num_hidden_layers,
            "num_attention_heads": size.num_attention_heads,
            "num_key_value_heads": size.num_key_value_heads,
            "intermediate_size": size.intermediate_size,
            "vocab_size": self.corpus.vocabulary.0,
            "max_position_embeddings": self.context.0,
            "tie_word_embeddings": series.tie_word_embeddings,
        });
        let name = format!("{} {}", series.name, size.name());
        Ok(ModelConfig::from_json(raw.to_string().as_bytes(), name.as_ref())?)
    }
}

impl Size {
    /// Width and depth, as in `48x6`.
    pub fn name(&self) -> String {
        format!("{}x{}", self.hidden_size, self.num_hidden_layers)
    }
}

impl Corpus {
    fn check(&self) -> anyhow::Result<()> {
        if self.inputs.is_empty() == self.grammar.is_none() {
            bail!(
                "`corpus` names {} text, expected either `inputs` or `grammar`",
                if self.grammar.is_none() { "no" } else { "twice its" }
            );
        }
        if self.grammar.is_some() && (self.documents.is_some() || self.separator.is_some()) {
            bail!(
                "`documents` and `separator` are for `inputs`; the grammar knows where its documents end"
            );
        }
        if let Some(rule) =
            self.documents.as_deref().filter(|rule| !["file", "blank-line"].contains(rule))
        {
            bail!("`documents` is `{rule}`, expected `file` or `blank-line`");
        }
        if self.documents.is_some() && self.separator.is_some() {
            bail!("both `documents` and `separator` are given, expected one");
        }
        text::check_share(self.heldout_share)?;
        Ok(())
    }
}

impl Method {
    fn check(&self) -> anyhow::Result<()> {
        let method = prune::method(&self.name)?;
        let lists = !method.takes().contains(&prune::Takes::Rate);
        let given = [!self.rates.is_empty(), !self.blocks.is_empty(), !self.drop.is_empty()];
        match (lists, given) {
            (true, [false, false, true]) | (false, [true, false, false] | [false, true, false]) => {
            }
            (true, _) => bail!(
                "method `{}` needs `drop` alone: lists of blocks, counted from 0, as in `drop = [[2], [2, 3]]`",
                self.name
            ),
            (false, [.., true]) => {
                bail!("method `{}` chooses blocks itself, `drop` is for `depth-list`", self.name)
            }
            (false, _) => bail!("method `{}` needs either `rates` or `blocks`", self.name),
        }
        if self.drop.iter().any(Vec::is_empty) {
            bail!("`drop` of method `{}` holds an empty list, expected blocks to drop", self.name);
        }
        if let Some(rate) = self.rates.iter().find(|&&rate| !(rate > 0.0 && rate < 1.0)) {
            bail!("`rates` of method `{}` holds {rate}, expected above 0 and below 1", self.name);
        }
        Ok(())
    }
}

/// Names become folders.
fn check_name(what: &str, name: &str) -> anyhow::Result<()> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if name.is_empty() || name.len() > 64 || name.starts_with('.') || !name.chars().all(plain) {
        bail!(
            "{what} name `{name}`, expected letters, digits, `-`, `_` and `.`, at most 64 and no `.` first"
        );
    }
    Ok(())
}

fn unique<T: Ord + std::fmt::Display>(
    what: &str,
    items: impl Iterator<Item = T>,
) -> anyhow::Result<()> {
    let mut seen = BTreeSet::new();
    for item in items {
        if seen.contains(&item) {
            bail!("`{what}` holds `{item}` twice");
        }
        seen.insert(item);
    }
    Ok(())
}
